"""Positions on one axis as a coarse and a fine code: the machinery below numbers and dates."""

from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np

from models.encoding.column import (
    UNKNOWN,
    BoolArray,
    FloatArray,
    IntArray,
    Part,
    State,
    protected_range,
    unit_counts,
)

FEW_VALUES = 256
ATOM_SHARE = 0.002
MOST_BINS = 32
MOST_CELLS_PER_BIN = 32


@dataclass(frozen=True)
class Axis:
    """Codes of positions on a line: missing, then atoms, then quantile bins refined by cells.

    The coarse code is one of [missing] + atoms (values frequent enough for a code of their own) +
    at most 32 bins of equal mass of the rest; the fine code is one of at most 32 cells of equal
    mass inside the bin. Below the cell, `decode` draws from segments: a value that enough units
    share, or the span of a few neighbours, on whole positions only if `whole`. No position beyond
    the `threshold`-th most extreme unit is ever drawn, and no value held by fewer than `threshold`
    units has an atom or a segment of its own.

    Loss of a round trip: atoms come back exactly; another position comes back inside its cell, or
    on an atom beside it.
    The coarse-then-detail cascade follows TabCascade (arXiv:2601.22816).
    """

    whole: bool
    missing: bool
    low: float
    high: float
    atoms: FloatArray
    cell_tops: FloatArray
    cell_bins: IntArray
    segments: FloatArray
    segment_ends: FloatArray

    @classmethod
    def fit(
        cls, positions: FloatArray, *, whole: bool, threshold: int, units: IntArray | None = None
    ) -> Self:
        """The axis of `positions` (rows,), NaN where missing; `units` says whose each one is."""
        known = ~np.isnan(positions)
        missing = not bool(known.all())
        values = positions[known]
        owners = None if units is None else units[known]
        low, high = _ends(values, owners, threshold, whole)
        values = np.clip(values, low, high)
        atoms = _atoms(values, owners, threshold)
        rest = ~np.isin(values, atoms)
        pool = _Pool.of(values[rest], None if owners is None else owners[rest])
        if not len(atoms) and not len(pool.values):
            atoms = np.array([low])
        tops, bins, cells = _cells(pool, threshold)
        segments, ends = _segments(pool, cells, threshold, (low, high, whole))
        return cls(whole, missing, low, high, atoms, tops, bins, segments, ends)

    @property
    def parts(self) -> tuple[Part, ...]:
        """The coarse code and, where a bin has more than one cell, the fine one."""
        first_bin = self.missing + len(self.atoms)
        coarse = Part(first_bin + self._bins, line=self._line())
        fine = int(np.bincount(self.cell_bins).max(initial=0))
        if fine < 2:
            return (coarse,)
        return (coarse, Part(fine, 0, first_bin, nested=True, line=tuple(range(fine))))

    def encode(self, positions: FloatArray) -> IntArray:
        """Codes (rows, parts) of positions (rows,); what lies beyond the ends goes to the end."""
        codes = np.full((len(positions), len(self.parts)), UNKNOWN, dtype=np.int64)
        known = ~np.isnan(positions)
        values = np.clip(positions[known], self.low, self.high)
        atom, exact = self._nearest_atom(values)
        first_bin = self.missing + len(self.atoms)
        inner = np.zeros((len(values), codes.shape[1]), dtype=np.int64)
        inner[:, 0] = self.missing + atom
        if len(self.cell_tops):
            cell = np.searchsorted(self.cell_tops, values).clip(max=len(self.cell_tops) - 1)
            binned = self.cell_bins[cell]
            inner[:, 0] = np.where(exact, inner[:, 0], first_bin + binned)
            if codes.shape[1] > 1:
                inner[:, 1] = np.where(exact, UNKNOWN, cell - self._first_cells[binned])
        elif codes.shape[1] > 1:
            inner[:, 1] = UNKNOWN
        codes[known] = inner
        codes[~known, 0] = 0 if self.missing else UNKNOWN
        return codes

    def decode(self, codes: IntArray, random: np.random.Generator) -> FloatArray:
        """Positions (rows,) of codes (rows, parts), NaN where missing; detail is drawn."""
        coarse = codes[:, 0]
        positions = np.full(len(codes), np.nan)
        first_bin = self.missing + len(self.atoms)
        atom = (coarse >= self.missing) & (coarse < first_bin)
        positions[atom] = self.atoms[coarse[atom] - self.missing]
        binned = coarse >= first_bin
        if bool(binned.any()):
            bins = coarse[binned] - first_bin
            cells = self._first_cells[bins]
            if codes.shape[1] > 1:
                last = np.append(self._first_cells[1:], len(self.cell_bins))[bins] - 1
                cells = np.minimum(cells + codes[binned, 1].clip(min=0), last)
            positions[binned] = self._draw(cells, random)
        return positions

    def state(self) -> State:
        """What `restore` needs."""
        return State(
            {"whole": self.whole, "missing": self.missing},
            {
                "span": np.array([self.low, self.high]),
                "atoms": self.atoms,
                "cell_tops": self.cell_tops,
                "cell_bins": self.cell_bins,
                "segments": self.segments,
                "segment_ends": self.segment_ends,
            },
        )

    @classmethod
    def restore(cls, state: State) -> Self:
        """The axis that `state` was taken from."""
        arrays = dict(state.arrays)
        low, high = (float(end) for end in arrays.pop("span"))
        return cls(state.settings["whole"], state.settings["missing"], low, high, **arrays)

    def _line(self) -> tuple[int, ...]:
        """The coarse codes of atoms and bins from the lowest to the highest."""
        last = np.flatnonzero(np.diff(self.cell_bins, append=self._bins))
        places = np.concatenate([self.atoms, self.cell_tops[last]])
        return tuple((np.argsort(places, kind="stable") + self.missing).tolist())

    @property
    def _bins(self) -> int:
        return int(self.cell_bins[-1]) + 1 if len(self.cell_bins) else 0

    @property
    def _first_cells(self) -> IntArray:
        return np.searchsorted(self.cell_bins, np.arange(self._bins)).astype(np.int64)

    def _nearest_atom(self, values: FloatArray) -> tuple[IntArray, BoolArray]:
        if not len(self.atoms):
            return np.zeros(len(values), dtype=np.int64), np.zeros(len(values), dtype=np.bool_)
        middles = self.atoms[:-1] / 2 + self.atoms[1:] / 2
        index = np.searchsorted(middles, values).astype(np.int64)
        return index, self.atoms[index] == values

    def _draw(self, cells: IntArray, random: np.random.Generator) -> FloatArray:
        level = cells + random.random(len(cells))
        segment = np.searchsorted(self.segment_ends, level, side="right")
        low, high = self.segments[segment.clip(max=len(self.segments) - 1)].T
        share = random.random(len(cells))
        if self.whole:
            # floor(low + share * (high - low + 1)) without leaving [low, high] by rounding.
            drawn: FloatArray = np.minimum(np.floor(low + share * (high - low + 1)), high)
        else:
            drawn = np.clip(low * (1 - share) + high * share, low, high)
        return drawn


class _Pool(NamedTuple):
    """The different positions outside the atoms, sorted: rows and units of each."""

    values: FloatArray
    rows: IntArray
    units: IntArray

    @classmethod
    def of(cls, positions: FloatArray, owners: IntArray | None) -> "_Pool":
        values, index, rows = np.unique(positions, return_inverse=True, return_counts=True)
        units = unit_counts(index.astype(np.int64), len(values), owners)
        return cls(values, rows.astype(np.int64), units)


def _ends(
    values: FloatArray, owners: IntArray | None, threshold: int, whole: bool
) -> tuple[float, float]:
    """The lowest and highest position that may be shown."""
    span = protected_range(values, owners, threshold)
    if span is not None:
        return span
    # Too few people to show a spread: their middle stands for all of them.
    middle = float(np.median(values)) if len(values) else 0.0
    middle = float(np.rint(middle)) if whole else middle
    return middle, middle


def _atoms(values: FloatArray, owners: IntArray | None, threshold: int) -> FloatArray:
    """The values that get a code of their own: all that are shared if few, else the frequent."""
    pool = _Pool.of(values, owners)
    if len(pool.values) <= FEW_VALUES:
        return pool.values[pool.units >= threshold]
    frequent = (pool.units >= threshold) & (pool.rows >= ATOM_SHARE * len(values))
    return pool.values[frequent]


def _cells(pool: _Pool, threshold: int) -> tuple[FloatArray, IntArray, IntArray]:
    """Upper ends and bins of the cells, and the cell of each of the pool's values.

    Cells hold equal mass as far as repeated values allow, and at least `threshold` rows.
    """
    total = int(pool.rows.sum())
    if total == 0:
        return np.empty(0), np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    bins = int(np.clip(total // (4 * threshold), 1, MOST_BINS))
    per_bin = int(np.clip(total // (bins * threshold), 1, MOST_CELLS_PER_BIN))
    middle_rank = (np.cumsum(pool.rows) - pool.rows / 2) / total
    raw = np.minimum((middle_rank * bins * per_bin).astype(np.int64), bins * per_bin - 1)
    kept, cells = np.unique(raw, return_inverse=True)
    last = np.flatnonzero(np.diff(cells, append=len(kept)))
    following = pool.values[np.minimum(last + 1, len(pool.values) - 1)]
    tops = pool.values[last] / 2 + following / 2
    _, cell_bins = np.unique(kept // per_bin, return_inverse=True)
    return tops, cell_bins.astype(np.int64), cells.astype(np.int64)


def _segments(
    pool: _Pool, cells: IntArray, threshold: int, frame: tuple[float, float, bool]
) -> tuple[FloatArray, FloatArray]:
    """What is drawn below each cell: spans (segments, 2) and, per cell, their cumulated shares.

    A value that `threshold` units share is a segment without width. The others of the cell are
    cut into runs of at least `threshold` units, from the middle of the gap before the run's first
    value to the middle of the gap after its last, so that no end is a person's value. `frame` is
    the lowest and highest position and whether positions are whole.
    The end of segment s of cell c is c + (share of the rows of c up to and with s).
    """
    shared = pool.units >= threshold
    run = _runs(pool, cells, shared, threshold)
    order = np.lexsort((pool.values, run))
    starts = np.flatnonzero(np.diff(run[order], prepend=-1))
    if not len(starts):
        return np.empty((0, 2)), np.empty(0)
    low = np.minimum.reduceat(_lower_ends(pool, shared, frame)[order], starts)
    high = np.maximum.reduceat(_upper_ends(pool, shared, frame)[order], starts)
    rows = np.add.reduceat(pool.rows[order], starts)
    cell = cells[order][starts]
    totals = np.bincount(cell, weights=rows)
    cumulated = np.cumsum(rows)
    before = (np.cumsum(totals) - totals)[cell]
    ends = cell + (cumulated - before) / totals[cell]
    ends[np.flatnonzero(np.diff(cell, append=-1))] = np.unique(cell) + 1.0
    return np.stack([low, high], 1), ends


def _lower_ends(pool: _Pool, shared: BoolArray, frame: tuple[float, float, bool]) -> FloatArray:
    """The middle of the gap before each value; whole positions just above it."""
    lowest, _, whole = frame
    before = np.append(lowest, pool.values)[: len(pool.values)]
    middles = before / 2 + pool.values / 2
    if whole:
        middles = np.minimum(np.floor(middles) + 1, pool.values)
    return np.where(shared, pool.values, middles)


def _upper_ends(pool: _Pool, shared: BoolArray, frame: tuple[float, float, bool]) -> FloatArray:
    """The middle of the gap after each value; whole positions not above it."""
    _, highest, whole = frame
    after = np.append(pool.values, highest)[1:]
    middles = pool.values / 2 + after / 2
    return np.where(shared, pool.values, np.floor(middles) if whole else middles)


def _runs(pool: _Pool, cells: IntArray, shared: BoolArray, threshold: int) -> IntArray:
    """The number of the segment of each value, growing from cell to cell."""
    light = np.where(shared, 0, pool.units)
    before = np.cumsum(light) - light
    cell_start = np.searchsorted(cells, cells)
    in_cell = before - before[cell_start]
    total = np.bincount(cells, weights=light).astype(np.int64)[cells]
    pieces = np.maximum(total // threshold, 1)
    piece = np.minimum(in_cell * pieces // np.maximum(total, 1), pieces - 1)
    # Shared values come after the cell's runs, each as a run of its own.
    rank = np.where(shared, threshold + np.arange(len(cells)) + pool.units.sum(), piece)
    keys = np.stack([cells, rank], 1)
    _, numbers = np.unique(keys, axis=0, return_inverse=True)
    return numbers.ravel().astype(np.int64)
