"""Bins between public bounds, found by noisy counts: where rows are, there they are fine."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from models.differential_privacy import noisy_tree
from models.differential_privacy.ledger import Ledger
from models.differential_privacy.noisy_tree import (
    EVEN,
    FALSE,
    GROWTH,
    SUMS,
    Total,
    count_spans,
    first_starts,
    levels_of,
    sure_deviations,
)
from models.differential_privacy.paid_axis import Bins, PublicLine, buy_axis, even_axis
from models.encoding.axis import Axis
from models.encoding.column import FloatArray, IntArray

ROWS = 20_000
Noise = Callable[[int], None]


@pytest.fixture
def repeatable(monkeypatch: pytest.MonkeyPatch) -> Noise:
    """Makes the noise that of a seed: what holds but for a small chance is tested without luck."""

    def sow(seed: int) -> None:
        random = np.random.default_rng(seed)

        def noisy(counts: IntArray, variance: int) -> IntArray:
            noise: IntArray = np.rint(random.normal(0, variance**0.5, counts.shape)).astype(int)
            return counts + noise

        monkeypatch.setattr(noisy_tree, "noisy_counts", noisy)

    return sow


def drawn_from(axis: Axis) -> FloatArray:
    """200 positions of each code."""
    codes = np.arange(axis.parts[0].cardinality).repeat(200)[:, None]
    return axis.decode(codes, np.random.default_rng(1))


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


def test_nothing_is_drawn_beyond_the_bounds_or_where_nobody_is(repeatable: Noise) -> None:
    positions = np.floor(np.random.default_rng(0).normal(5_000, 50, ROWS))
    line = PublicLine(0, 1_000_000, whole=True, missing=False)
    for seed in range(100):
        repeatable(seed)
        drawn = drawn_from(bought(line, positions)[0])
        assert drawn.min() > 3_000
        assert drawn.max() < 7_000


def shapes() -> dict[str, tuple[FloatArray, PublicLine, FloatArray]]:
    """Positions, their line, and the stretches `(stretches, 2)` in which all draws must lie."""
    random = np.random.default_rng(0)
    wide = PublicLine(0, 1_000_000, whole=True, missing=False, zero=0.0)
    far = PublicLine(0, 1_000_000, whole=True, missing=False)
    hundred = PublicLine(0, 99, whole=True, missing=False)
    narrow = np.floor(random.normal(5_000, 50, ROWS))
    modes = np.floor(
        np.where(
            random.random(ROWS) < 0.5, random.normal(2_000, 30, ROWS), random.normal(8e5, 300, ROWS)
        )
    )
    tail = np.floor(100 * (random.pareto(2.5, ROWS) + 1))
    return {
        "narrow": (narrow, wide, np.array([[3_000, 7_000]])),
        "far from zero": (narrow + 495_000, far, np.array([[460_000, 540_000]])),
        "two modes": (modes, wide, np.array([[1_000, 3_000], [750_000, 850_000]])),
        "heavy tail": (tail, wide, np.array([[0, 2 * tail.max()]])),
        "one value": (np.full(ROWS, 777.0), wide, np.array([[777, 777]])),
        "one cell": (np.full(ROWS, 42.0), hundred, np.array([[42, 42]])),
        "small": (np.floor(random.normal(50, 2, 2_000)), hundred, np.array([[30, 70]])),
    }


@pytest.mark.parametrize("shape", shapes())
def test_noise_puts_nobody_where_nobody_is(repeatable: Noise, shape: str) -> None:
    """Of 300 draws of noise; before, up to one in fourteen kept an empty span."""
    positions, line, inside = shapes()[shape]
    for seed in range(300):
        repeatable(seed)
        drawn = drawn_from(bought(line, positions)[0])
        held = [(low <= drawn) & (drawn <= high) for low, high in inside]
        assert np.any(held, axis=0).all(), (seed, drawn.min(), drawn.max())


def test_a_table_too_small_to_tell_leaves_the_line_as_it_is(repeatable: Noise) -> None:
    """All that is known of 30 rows is their number: the bounds are public, a guess is not."""
    positions = np.floor(np.random.default_rng(0).normal(5_000, 50, 30))
    line = PublicLine(0, 1_000_000, whole=True, missing=False, zero=0.0)
    for seed in range(300):
        repeatable(seed)
        drawn = drawn_from(bought(line, positions)[0])
        assert (np.abs(drawn - 5_000) < 500).mean() < 0.01
        assert drawn.max() - drawn.min() > 800_000


def test_chances_that_noise_tells_of_somebody_add_up_to_what_is_said() -> None:
    """Empty spans alone: what is asked of each sum, times the sums, is the promise."""
    for spans, levels in ((100, 1), (125, 3), (5_000, 4)):
        chance = 0.5 * math.erfc(sure_deviations(spans, levels) / math.sqrt(2))
        assert chance * spans * SUMS * levels == pytest.approx(FALSE)
    assert FALSE <= 1e-3


def test_a_long_tail_is_drawn_about_as_far_as_it_goes(repeatable: Noise) -> None:
    """A rest that no span tells of was shared by width: 3,000 times as far as the tail's end."""
    random = np.random.default_rng(0)
    tail = np.clip(np.floor(100 * (random.pareto(1.2, ROWS) + 1)), 0, 1e8)
    line = PublicLine(0, 100_000_000, whole=True, missing=False, zero=0.0)
    ratios = []
    for seed in range(40):
        repeatable(seed)
        axis, counts = bought(line, tail)
        places = np.random.default_rng(seed).choice(len(counts), ROWS, p=counts / counts.sum())
        drawn = axis.decode(places[:, None], np.random.default_rng(seed))
        ratios.append(np.quantile(drawn, 0.995) / np.quantile(tail, 0.995))
    assert 0.2 < np.median(ratios) < 2
    assert max(ratios) < 5


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
