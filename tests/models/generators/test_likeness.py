"""How many rows a value needs to be told apart from its neighbours: on rows where it is known."""

import numpy as np
import pytest
import torch

from models.encoding.column import IntArray, Part
from models.generators.code_layout import CodeLayout
from models.generators.likeness import (
    FEWEST_ROWS,
    MOST_ROWS,
    USUAL_ROWS,
    compared_rows,
    rows_of_own,
)

LINE = tuple(range(20))
PARTS = (Part(20, line=LINE), Part(5), Part(3))


def wanted(parts: tuple[Part, ...], rows: IntArray, code: int = 0) -> list[float]:
    layout = CodeLayout.of(parts)
    line = dict(layout.lines())[code]
    return [
        float(each) for each in rows_of_own(layout, layout.to_network(rows).numpy(), code, line)
    ]


def rows_of(shares: np.ndarray, count: int = 20_000) -> IntArray:
    """Rows of a place on the line and of a code that has these shares `(places, values)` there."""
    random = np.random.default_rng(1)
    place = random.integers(0, len(shares), count)
    shown = (random.random((count, 1)) > shares.cumsum(1)[place]).sum(1)
    return np.stack([place, shown, random.integers(0, 3, count)], 1)


def test_values_that_differ_by_nothing_lean_on_their_neighbours_the_more_is_seen() -> None:
    alike = rows_of(np.full((20, 5), 0.2))
    random = np.random.default_rng(4)
    wide = np.concatenate([alike, random.integers(0, 9, (len(alike), 30))], 1)
    few, many = wanted(PARTS, alike)[0], wanted((*PARTS, *[Part(9)] * 30), wide)[0]
    assert USUAL_ROWS < few < many <= MOST_ROWS


def test_values_that_differ_entirely_need_no_neighbours() -> None:
    apart = np.eye(5)[np.arange(20) % 5]
    assert wanted(PARTS, rows_of(apart)) == [FEWEST_ROWS] * 19


@pytest.mark.parametrize("spread", [0.02, 0.05, 0.2])
def test_the_rows_wanted_are_those_at_which_chance_is_as_large_as_the_difference(
    spread: float,
) -> None:
    # Two values each, of shares one half and `spread` more or less from place to place: the squared
    # difference by its variance in one row is (2 spread)^2 / (1/2 1/2), and chance is 1 by rows.
    share = 0.5 + spread * (-1.0) ** np.arange(20)
    random = np.random.default_rng(1)
    place = random.integers(0, 20, 40_000)
    others = random.random((40_000, 20)) < share[place][:, None]
    parts = (Part(20, line=LINE), *[Part(2)] * 20)
    found = wanted(parts, np.concatenate([place[:, None], others], 1).astype(np.int64))
    assert found[0] == pytest.approx(max(0.25 / (2 * spread) ** 2, FEWEST_ROWS), rel=0.1)


def test_without_another_column_the_usual_number_stands() -> None:
    rows = rows_of(np.full((20, 5), 0.2))[:, :1]
    assert wanted(PARTS[:1], rows) == [USUAL_ROWS] * 19


def test_cells_are_compared_within_their_bin_only() -> None:
    # A bin tells the other code, its cells tell nothing: across bins they would look different.
    random = np.random.default_rng(2)
    bins = random.integers(0, 4, 20_000)
    cells = np.where(bins < 2, random.integers(0, 3, 20_000), random.integers(3, 6, 20_000))
    parts = (
        Part(4, line=(0, 1, 2, 3)),
        Part(6, 0, 0, nested=True, line=tuple(range(6))),
        Part(4),
    )
    rows = np.stack([bins, cells, bins], 1)
    assert wanted(parts, rows, 1) == [USUAL_ROWS] * 5
    assert max(wanted(parts, rows, 0)) == FEWEST_ROWS


def test_single_values_and_spans_are_looked_at_apart() -> None:
    # Places 0 to 9 are single values that differ, 10 to 19 bins that do not.
    shares = np.where(np.arange(20)[:, None] < 10, np.eye(5)[np.arange(20) % 5], 0.2)
    rows = rows_of(shares)
    cells = np.where(rows[:, 0] >= 10, np.random.default_rng(3).integers(0, 4, len(rows)), -1)
    parts = (*PARTS[:2], Part(4, 0, 10, nested=True, line=(0, 1, 2, 3)))
    found = wanted(parts, np.stack([rows[:, 0], rows[:, 1], cells], 1))
    assert set(found[:10]) == {FEWEST_ROWS}
    assert min(found[10:]) > USUAL_ROWS


def test_values_that_are_not_told_or_do_not_apply_count_for_nothing() -> None:
    rows = rows_of(np.eye(5)[np.arange(20) % 5])
    layout = CodeLayout.of(PARTS)
    packed = layout.to_network(rows)
    gone = torch.cat([packed, torch.full((5_000, 3), -2), torch.full((5_000, 3), -1)])
    same = rows_of_own(layout, compared_rows(packed), 0, LINE)
    assert rows_of_own(layout, compared_rows(gone), 0, LINE).tolist() == same.tolist()
