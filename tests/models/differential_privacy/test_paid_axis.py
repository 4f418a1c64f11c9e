"""Bins between public bounds, found by noisy counts: where rows are, there they are fine."""

import numpy as np
import pytest

from models.differential_privacy.ledger import Ledger
from models.differential_privacy.noisy_tree import count_spans, levels_of
from models.differential_privacy.paid_axis import PublicLine, buy_axis, even_axis
from models.encoding.axis import Axis
from models.encoding.column import FloatArray

ROWS = 20_000


def bought(line: PublicLine, positions: FloatArray, bins: int = 16) -> tuple[Axis, FloatArray]:
    ledger = Ledger(1.0, 1e-5)
    axis, counted = buy_axis(line, positions, bins, (ledger, ledger.total / 20, "test"))
    assert 1 <= len(ledger.spendings) <= levels_of(line.cells)
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
    assert shape_gap(axis, positions) < 0.15
    assert counts.sum() == pytest.approx(ROWS, rel=0.05)
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
    axis, _ = bought(PublicLine(0, 1_000_000, whole=True, missing=False), positions)
    codes = np.arange(axis.parts[0].cardinality).repeat(200)[:, None]
    drawn = axis.decode(codes, np.random.default_rng(1))
    assert drawn.min() > 3_000
    assert drawn.max() < 7_000


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


def test_spans_cover_the_line_once() -> None:
    cells = np.random.default_rng(0).integers(0, 5_000, ROWS)
    ledger = Ledger(3.0, 1e-5)
    spans = count_spans(cells, 100_000, ledger, ledger.total / 4, "test")
    assert spans.first[0] == 0
    assert spans.last[-1] == 99_999
    assert (spans.first[1:] == spans.last[:-1] + 1).all()
    assert (spans.counts >= 0).all()
