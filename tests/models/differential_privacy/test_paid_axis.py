"""Bins between public bounds, found by noisy counts: where rows are, there they are fine."""

import numpy as np
import pytest

from models.differential_privacy.ledger import Ledger
from models.differential_privacy.noisy_tree import (
    EVEN,
    GROWTH,
    Total,
    count_spans,
    first_starts,
    levels_of,
)
from models.differential_privacy.paid_axis import Bins, PublicLine, buy_axis, even_axis
from models.encoding.axis import Axis
from models.encoding.column import FloatArray

ROWS = 20_000


def bought(line: PublicLine, positions: FloatArray, bins: int = 16) -> tuple[Axis, FloatArray]:
    ledger = Ledger(1.0, 1e-5)
    told = Bins(bins, Total(float(len(positions)), 100.0))
    axis, counted = buy_axis(line, positions, told, (ledger, ledger.total / 20, "test"))
    assert 1 <= len(ledger.spendings) <= levels_of(line.cells, line.zero_cell)
    assert ledger.total - ledger.left <= ledger.total / 20 * 1.001
    return axis, counted.counts


def shape_gap(axis: Axis, positions: FloatArray) -> float:
    """The largest gap between the two distribution functions after a round trip."""
    back = axis.decode(axis.encode(positions), np.random.default_rng(1))
    grid = np.unique(np.concatenate([positions, back]))
    ends = [np.searchsorted(np.sort(side), grid, side="right") for side in (positions, back)]
    return float(np.abs(ends[0] - ends[1]).max()) / len(positions)


def test_rows_in_a_far_corner_of_wide_bounds_are_found() -> None:
    random = np.random.default_rng(0)
    positions = np.floor(random.normal(300_000, 2_000, ROWS))
    axis, counts = bought(PublicLine(0, 50_000_000, whole=True, missing=False), positions)
    assert shape_gap(axis, positions) < 0.06
    assert counts.sum() == pytest.approx(ROWS, rel=0.1)
    assert axis.parts[0].cardinality > 4


def test_values_that_many_share_get_codes_of_their_own() -> None:
    random = np.random.default_rng(0)
    positions = np.where(random.random(ROWS) < 0.7, 0.0, np.floor(random.random(ROWS) * 90_000))
    positions[:1500] = 99_999
    axis, counts = bought(PublicLine(0, 99_999, whole=True, missing=False), positions)
    assert {0.0, 99_999.0} <= set(axis.atoms.tolist())
    assert counts[0] == pytest.approx((positions == 0).sum(), rel=0.05)
    assert shape_gap(axis, positions) < 0.15


def test_a_narrow_cell_of_fractions_means_its_plainest_number() -> None:
    random = np.random.default_rng(0)
    positions = np.where(random.random(ROWS) < 0.5, 0.2, random.random(ROWS))
    axis, _ = bought(PublicLine(0.0, 1.0, whole=False, missing=False), positions)
    assert 0.2 in axis.atoms


def test_missing_values_are_counted_and_stay_missing() -> None:
    positions = np.where(np.arange(ROWS) % 4 == 0, np.nan, np.arange(ROWS) % 100)
    axis, counts = bought(PublicLine(0, 120, whole=True, missing=True), positions)
    assert counts[0] == pytest.approx(ROWS / 4, rel=0.05)
    back = axis.decode(axis.encode(positions), np.random.default_rng(1))
    assert (np.isnan(back) == np.isnan(positions)).all()


def test_nothing_is_drawn_beyond_the_bounds_or_where_nobody_is() -> None:
    positions = np.floor(np.random.default_rng(0).normal(5_000, 50, ROWS))
    ends = []
    for _ in range(5):
        axis, _ = bought(PublicLine(0, 1_000_000, whole=True, missing=False), positions)
        codes = np.arange(axis.parts[0].cardinality).repeat(200)[:, None]
        drawn = axis.decode(codes, np.random.default_rng(1))
        ends.append((drawn.min(), drawn.max()))
    # Noise that cannot be repeated: one line in forty keeps an empty stretch.
    low, high = np.median(ends, axis=0)
    assert low > 3_000
    assert high < 7_000


@pytest.mark.parametrize("rows", [0, 1, 5])
def test_few_rows_leave_a_line_and_no_trace(rows: int) -> None:
    positions = np.full(rows, 777.0)
    axis, _ = bought(PublicLine(0, 100_000, whole=True, missing=False), positions)
    drawn = axis.decode(np.zeros((500, 1), dtype=np.int64), np.random.default_rng(1))
    assert ((drawn >= 0) & (drawn <= 100_000)).all()
    assert (drawn == 777.0).sum() < 5


@pytest.mark.parametrize("whole", [True, False])
def test_even_bins_look_at_nothing(whole: bool) -> None:
    line = PublicLine(10, 50, whole=whole, missing=False)
    axis = even_axis(line, 8)
    assert axis.parts[0].cardinality == 8
    positions = np.arange(10, 51, dtype=np.float64)
    back = axis.decode(axis.encode(positions), np.random.default_rng(1))
    assert np.abs(back - positions).max() <= 6


@pytest.mark.parametrize("zero", [None, 0, 40_000, 99_999])
def test_spans_cover_the_line_once(zero: int | None) -> None:
    cells = np.random.default_rng(0).integers(0, 5_000, ROWS)
    ledger = Ledger(3.0, 1e-5)
    purchase = (ledger, ledger.total / 4, "test")
    spans = count_spans(cells, 100_000, purchase, Total(ROWS, 100.0), zero)
    assert spans.first[0] == 0
    assert spans.last[-1] == 99_999
    assert (spans.first[1:] == spans.last[:-1] + 1).all()
    assert (spans.counts >= 0).all()


@pytest.mark.parametrize("zero", [0, 700_000, 999_999])
def test_first_spans_are_narrow_near_zero_and_nowhere_wide(zero: int) -> None:
    starts = first_starts(1_000_000, zero)
    ends = np.append(starts[1:], 1_000_000)
    assert starts[0] == 0 and (ends > starts).all()
    assert (ends - starts).max() <= 1_000_000 / EVEN + 1
    nearest = np.minimum(np.abs(starts - zero), np.abs(ends - 1 - zero))
    far = nearest > 1_000
    assert (ends - starts <= (GROWTH - 1) * nearest * 1.05 + 2)[far].all()
    assert len(starts) < 250
    assert first_starts(200, None).tolist() == list(range(200))


@pytest.mark.parametrize("shape", ["amounts", "both signs", "uniform"])
def test_smooth_columns_of_any_width_are_not_lost_to_noise(shape: str) -> None:
    """What no span shows by itself is still there: a long tail came back a seventh off before."""
    random = np.random.default_rng(0)
    drawn, line = {
        "amounts": (np.exp(random.normal(8, 1.5, ROWS)), (0, 10_000_000)),
        "both signs": (
            random.normal(0, 1, ROWS) * np.exp(random.normal(6, 1.5, ROWS)), (-100_000, 100_000)
        ),
        "uniform": (random.random(ROWS) * 1e6, (0, 1_000_000)),
    }[shape]  # fmt: skip
    positions = np.clip(np.floor(drawn), *line)
    public = PublicLine(*line, whole=True, missing=False, zero=0.0)
    gaps = []
    for _ in range(3):
        axis, counts = bought(public, positions)
        gaps.append(shape_gap(axis, positions))
        assert counts.sum() == pytest.approx(ROWS, rel=0.1)
    assert np.median(gaps) < 0.05


def test_a_fifth_that_is_spread_too_thinly_for_any_span_is_kept() -> None:
    """Zeros and a thin long tail: without it, all that the column says would be lost."""
    random = np.random.default_rng(1)
    positions = np.where(random.random(3_000) < 0.8, 0.0, random.exponential(30, 3_000)).clip(
        0, 400
    )
    line = PublicLine(0.0, 400.0, whole=False, missing=False, zero=0.0)
    for _ in range(5):
        axis, counts = bought(line, positions)
        codes = axis.encode(positions)[:, 0]
        assert len(set(codes.tolist())) > 1
        assert counts[np.unique(codes[positions > 0])].sum() == pytest.approx(600, rel=0.5)
