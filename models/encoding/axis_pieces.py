"""How an axis is cut: into cells, and below them into spans, each of which enough units hold."""

from itertools import pairwise
from typing import NamedTuple, Self

import numpy as np

from models.encoding.column import BoolArray, FloatArray, IntArray

MOST_BINS = 32
MOST_CELLS_PER_BIN = 32
PATIENCE = 3
"""How many cells more a cell takes in while its rare values have too few units for a span."""


class Pool(NamedTuple):
    """The different positions outside the atoms, sorted: rows and units of each.

    `holders` are the units value by value; without units (None) every row is a unit of its own.
    """

    values: FloatArray
    rows: IntArray
    units: IntArray
    holders: IntArray | None

    @classmethod
    def of(cls, positions: FloatArray, owners: IntArray | None) -> Self:
        """The pool of positions `(rows,)`; `owners` `(rows,)` are their units."""
        values, index, rows = np.unique(positions, return_inverse=True, return_counts=True)
        rows = rows.astype(np.int64)
        if owners is None:
            return cls(values, rows, rows, None)
        width = np.int64(owners.max(initial=0)) + 1
        pairs = np.unique(index.astype(np.int64) * width + owners)
        units = np.bincount(pairs // width, minlength=len(values)).astype(np.int64)
        return cls(values, rows, units, pairs % width)

    def only(self, chosen: BoolArray) -> Self:
        """The pool of some of the values."""
        holders = None if self.holders is None else self.holders[np.repeat(chosen, self.units)]
        return self._replace(
            values=self.values[chosen],
            rows=self.rows[chosen],
            units=self.units[chosen],
            holders=holders,
        )

    @property
    def all_units(self) -> int:
        """How many different units hold the values together."""
        return int(self.rows.sum()) if self.holders is None else len(np.unique(self.holders))


class _Tally:
    """Counts the different units of stretches of a pool's values.

    A unit counts once however many of the values are its own. Plain lists and sets: a million
    values, one after the other, take a third of a second.
    """

    def __init__(self, pool: Pool) -> None:
        self._ends: list[int] = [0, *np.cumsum(pool.units).tolist()]
        self._holders: list[int] | None = None if pool.holders is None else pool.holders.tolist()
        self._seen: set[int] = set()
        self.held = 0

    def clear(self) -> None:
        self._seen.clear()
        self.held = 0

    def add(self, first: int, end: int) -> None:
        """Take in the values number `first` to `end - 1`."""
        start, stop = self._ends[first], self._ends[end]
        if self._holders is None:
            self.held += stop - start
        else:
            self._seen.update(self._holders[start:stop])
            self.held = len(self._seen)


def cut_cells(pool: Pool, threshold: int) -> tuple[FloatArray, IntArray, IntArray]:
    """Upper ends and bins of the cells, and the cell of each of the pool's values.

    Cells hold equal mass as far as repeated values allow, and at least `threshold` units, as the
    pool must. Where a cell's rare values have fewer, it takes in some of the next cells for them.
    """
    total = int(pool.rows.sum())
    if total == 0:
        return np.empty(0), np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    bins = int(np.clip(total // (4 * threshold), 1, MOST_BINS))
    per_bin = int(np.clip(total // (bins * threshold), 1, MOST_CELLS_PER_BIN))
    middle_rank = (np.cumsum(pool.rows) - pool.rows / 2) / total
    even = np.minimum((middle_rank * bins * per_bin).astype(np.int64), bins * per_bin - 1)
    starts = _cell_starts(pool, even, threshold)
    last = np.append(starts[1:], len(even)) - 1
    following = pool.values[np.minimum(last + 1, len(pool.values) - 1)]
    tops = pool.values[last] / 2 + following / 2
    _, cell_bins = np.unique(even[starts] // per_bin, return_inverse=True)
    cells = np.repeat(np.arange(len(starts)), np.diff(starts, append=len(even)))
    return tops, cell_bins.astype(np.int64), cells.astype(np.int64)


def _cell_starts(pool: Pool, even: IntArray, threshold: int) -> IntArray:
    """The first value of each cell; `even` `(values,)` are the cells of equal mass."""
    rare = pool.units < threshold
    all_held, rare_held = _Tally(pool), _Tally(pool.only(rare))
    ends = [*(np.flatnonzero(np.diff(even)) + 1).tolist(), len(even)]
    rare_before: list[int] = [0, *np.cumsum(rare).tolist()]
    number: list[int] = even.tolist()
    starts, first = [0], 0
    for end in ends:
        all_held.add(first, end)
        rare_held.add(rare_before[first], rare_before[end])
        first = end
        if end == len(even) or all_held.held < threshold:
            continue
        waited = number[end] - number[starts[-1]] > PATIENCE
        if waited or not 0 < rare_held.held < threshold:
            starts.append(end)
            all_held.clear()
            rare_held.clear()
    if all_held.held < threshold and len(starts) > 1:
        starts.pop()
    return np.array(starts, dtype=np.int64)


def cut_segments(
    pool: Pool, cells: IntArray, threshold: int, frame: tuple[float, float, bool]
) -> tuple[FloatArray, FloatArray]:
    """What is drawn below each cell: spans (segments, 2) and, per cell, their cumulated shares.

    A value that `threshold` units share is a segment without width. The others of the cell are
    cut into runs that `threshold` different units hold, from the middle of the gap before the
    run's first value to the middle of the gap after its last, so that no end is a person's value;
    of a gap much wider than the run, the part that is near.
    Where they are too few for a run, their rows count for the nearest shared value. `frame` is
    the lowest and highest position and whether positions are whole.
    The end of segment s of cell c is c + (share of the rows of c up to and with s).
    """
    if not len(pool.values):
        return np.empty((0, 2)), np.empty(0)
    shared = pool.units >= threshold
    light, light_cells = pool.only(~shared), cells[~shared]
    starts, short = _run_starts(light, light_cells, threshold)
    points, point_cells = pool.values[shared], cells[shared]
    point_rows = pool.rows[shared] + _moved_rows(light, light_cells, short, points, point_cells)
    spans = np.repeat(points[:, None], 2, axis=1)
    rows, owner = point_rows, point_cells
    if len(starts):
        low, high = (ends[~shared] for ends in _gap_middles(pool, frame))
        kept, last = ~short[starts], np.append(starts[1:], len(high)) - 1
        values = light.values[starts], light.values[last]
        run_spans = _near(np.stack([low[starts], high[last]], 1), np.stack(values, 1))
        spans = np.concatenate([run_spans[kept], spans])
        rows = np.concatenate([np.add.reduceat(light.rows, starts)[kept], rows])
        owner = np.concatenate([light_cells[starts][kept], owner])
    order = np.argsort(owner, kind="stable")
    return spans[order], _cumulated_shares(owner[order], rows[order])


def _near(spans: FloatArray, values: FloatArray) -> FloatArray:
    """Spans of runs `(runs, 2)` without what lies far from their first and last values `(runs, 2)`.

    Beside a number that stands for "never", such as the year 9999, half a gap is wider than all
    there is. The new ends lie on a grid as coarse as the run is wide, one step or two away: they
    tell of no value more than that.
    """
    first, last = values.T
    # A run of one value has no width to go by.
    grid = np.exp2(np.ceil(np.log2(np.where(last > first, last - first, np.inf))))
    with np.errstate(over="ignore"):
        low, high = grid * (np.ceil(first / grid) - 2), grid * (np.floor(last / grid) + 2)
    low = np.where(low < first, np.maximum(spans[:, 0], low), spans[:, 0])
    high = np.where(high > last, np.minimum(spans[:, 1], high), spans[:, 1])
    return np.stack([low, high], 1)


def _run_starts(light: Pool, cells: IntArray, threshold: int) -> tuple[IntArray, BoolArray]:
    """The first value of each run, and which values `(values,)` have too few units for one."""
    tally, short = _Tally(light), np.zeros(len(cells), dtype=np.bool_)
    starts: list[int] = []
    bounds = [*np.flatnonzero(np.diff(cells, prepend=-1)).tolist(), len(cells)]
    for first, end in pairwise(bounds):
        own = [first]
        tally.clear()
        for value in range(first, end):
            tally.add(value, value + 1)
            if tally.held >= threshold:
                own.append(value + 1)
                tally.clear()
        # What comes after the last run that is long enough belongs to it.
        short[first:end] = len(own) == 1
        starts += own[:-1] or own
    return np.array(starts, dtype=np.int64), short


def _moved_rows(
    light: Pool, cells: IntArray, short: BoolArray, points: FloatArray, point_cells: IntArray
) -> IntArray:
    """The rows that each shared value takes over from the rare ones of its cell, if too few."""
    moved = np.zeros(len(points), dtype=np.int64)
    values, own = light.values[short], cells[short]
    first = np.searchsorted(point_cells, own, side="left")
    last = np.searchsorted(point_cells, own, side="right") - 1
    above = np.clip(np.searchsorted(points, values), first, last)
    below = np.clip(above - 1, first, last)
    nearer = np.where(values - points[below] <= points[above] - values, below, above)
    np.add.at(moved, nearer, light.rows[short])
    return moved


def _cumulated_shares(cell: IntArray, rows: IntArray) -> FloatArray:
    """The end of each segment: its cell and the share of the cell's rows up to and with it."""
    totals = np.bincount(cell, weights=rows)
    before = (np.cumsum(totals) - totals)[cell]
    ends: FloatArray = cell + (np.cumsum(rows) - before) / totals[cell]
    ends[np.flatnonzero(np.diff(cell, append=-1))] = np.unique(cell) + 1.0
    return ends


def _gap_middles(pool: Pool, frame: tuple[float, float, bool]) -> tuple[FloatArray, FloatArray]:
    """The middles of the gaps before and after each value; of whole positions those inside."""
    lowest, highest, whole = frame
    before = np.append(lowest, pool.values)[: len(pool.values)] / 2 + pool.values / 2
    after = pool.values / 2 + np.append(pool.values, highest)[1:] / 2
    if whole:
        return np.minimum(np.floor(before) + 1, pool.values), np.floor(after)
    return before, after
