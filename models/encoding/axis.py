"""Positions on one axis as a coarse and a fine code: the machinery below numbers and dates."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from models.encoding.axis_pieces import Pool, cut_cells, cut_segments
from models.encoding.column import (
    UNKNOWN,
    BoolArray,
    FloatArray,
    IntArray,
    Part,
    State,
    mid_mean,
    protected_range,
)

FEW_VALUES = 256
ATOM_SHARE = 0.002
TINY = 1e-12
"""The width at which a value that many units share counts among values that may lie anywhere."""
MOST_PAIRS = 2**20
"""Positions beside segments of their cells that are looked at together; 8 MiB for each array."""
REDRAWS = 12
"""How often a position outside its bounds is drawn again before it is moved to one."""


@dataclass(frozen=True)
class Axis:
    """Codes of positions on a line: missing, then atoms, then quantile bins refined by cells.

    The coarse code is one of [missing] + atoms (values frequent enough for a code of their own) +
    at most 32 bins of equal mass of the rest; the fine code is one of at most 32 cells of equal
    mass inside the bin. Below the cell, `decode` draws from segments: a value that enough units
    share, or the span of a few neighbours, on whole positions only if `whole`. Every cell, every
    span and every single value holds positions of at least `threshold` different units. No
    position beyond the `threshold`-th most extreme unit is ever drawn. Where there are too
    few units for a spread, the axis keeps one position in their middle.

    Loss of a round trip: atoms come back exactly; another position comes back inside its cell.
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
        pool = Pool.of(values[rest], None if owners is None else owners[rest])
        if pool.all_units < threshold:
            # Too few people for a span: an atom stands for them.
            pool = pool.only(np.zeros(len(pool.values), dtype=np.bool_))
            atoms = atoms if len(atoms) else np.array([low])
        tops, bins, cells = cut_cells(pool, threshold)
        segments, ends = cut_segments(pool, cells, threshold, (low, high, whole))
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

    def decode_between(
        self, codes: IntArray, bounds: tuple[FloatArray, FloatArray], random: np.random.Generator
    ) -> FloatArray:
        """As `decode`, each position within its row's bounds `(rows,)`, inclusive.

        Positions outside are drawn again a few times, the last ones moved to the nearer bound:
        codes whose span lies outside cannot be kept. Nothing leaves the axis's own ends, but for
        positions that their bounds leave no choice: others have decided them.
        """
        alone = bounds[0] == bounds[1]
        low, high = (
            np.where(alone, bound, np.clip(bound, self.low, self.high)) for bound in bounds
        )
        positions = self.decode(codes, random)
        for _ in range(REDRAWS):
            outside = np.flatnonzero((positions < low) | (positions > high))
            if not len(outside):
                return positions
            positions[outside] = self.decode(codes[outside], random)
        known = ~np.isnan(positions)
        positions[known] = np.clip(positions[known], low[known], high[known])
        return positions

    def log_detail(self, positions: FloatArray) -> FloatArray:
        """The log density of positions `(rows,)` given their codes; -inf for what is never drawn.

        Per unit of length, or of whole positions the probability. 0 for atoms and missing ones.
        """
        codes = self.encode(positions)
        logs = np.where((positions < self.low) | (positions > self.high), -np.inf, 0.0)
        binned = codes[:, 0] >= self.missing + len(self.atoms)
        # Where there are no bins, what lies between two atoms has the code of the nearer one.
        logs[~binned & ~np.isnan(positions) & ~np.isin(positions, self.atoms)] = -np.inf
        rows = np.flatnonzero(binned & (logs == 0))
        owner = np.ceil(self.segment_ends).astype(np.int64) - 1
        most = int(np.bincount(owner).max(initial=1))
        with np.errstate(divide="ignore"):
            for some in np.array_split(rows, 1 + len(rows) * most // MOST_PAIRS):
                logs[some] = np.log(self._densities(positions[some], owner))
        return logs

    def _densities(self, positions: FloatArray, owner: IntArray) -> FloatArray:
        """The density of positions `(rows,)` in their cells; `owner` is each segment's cell."""
        cell = np.searchsorted(self.cell_tops, positions).clip(max=len(self.cell_tops) - 1)
        before = np.where(np.diff(owner, prepend=-1) > 0, owner, np.roll(self.segment_ends, 1))
        first, last = (np.searchsorted(owner, cell, side=side) for side in ("left", "right"))
        # Every row beside every segment of its cell.
        sizes = last - first
        row = np.repeat(np.arange(len(positions)), sizes)
        segment = np.arange(len(row)) - np.repeat(np.cumsum(sizes) - sizes - first, sizes)
        low, high = self.segments[segment].T
        width = self._places(low, high) if self.whole else np.where(high > low, high - low, TINY)
        inside = (positions[row] >= low) & (positions[row] <= high)
        density = (self.segment_ends - before)[segment] * inside / width
        return np.bincount(row, density, minlength=len(positions)).astype(np.float64)

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
        # The middle of neighbouring floats is one of them: what is an atom goes before.
        own = np.searchsorted(self.atoms, values).clip(max=len(self.atoms) - 1)
        exact = self.atoms[own] == values
        return np.where(exact, own, np.searchsorted(middles, values)).astype(np.int64), exact

    def _draw(self, cells: IntArray, random: np.random.Generator) -> FloatArray:
        level = cells + random.random(len(cells))
        segment = np.searchsorted(self.segment_ends, level, side="right")
        low, high = self.segments[segment.clip(max=len(self.segments) - 1)].T
        share = random.random(len(cells))
        if self.whole:
            return self._whole_between(low, high, share)
        drawn: FloatArray = np.clip(low * (1 - share) + high * share, low, high)
        return drawn

    def _places(self, low: FloatArray, high: FloatArray) -> FloatArray:
        """How many whole positions `(rows,)` there are from `low` to `high` beside the atoms."""
        between = np.searchsorted(self.atoms, high, side="right") - np.searchsorted(self.atoms, low)
        return np.maximum(high - low + 1 - between, 1.0)

    def _whole_between(self, low: FloatArray, high: FloatArray, share: FloatArray) -> FloatArray:
        """The position at a share of those from `low` to `high`, all whole; atoms are left out.

        Rows on atoms have codes of their own: drawn here, too, they would be too many.
        """
        first = np.searchsorted(self.atoms, low)
        # Without the atoms below it, each atom lies where the position after it comes to lie.
        closed_up = self.atoms - np.arange(len(self.atoms))
        place = np.floor(share * self._places(low, high))
        passed = np.searchsorted(closed_up, low + place - first, side="right") - first
        drawn: FloatArray = np.minimum(low + place + passed, high)
        return drawn


def _ends(
    values: FloatArray, owners: IntArray | None, threshold: int, whole: bool
) -> tuple[float, float]:
    """The lowest and highest position that may be shown."""
    span = protected_range(values, owners, threshold)
    if span is not None:
        return span
    # Too few people to show a spread.
    middle = mid_mean(values, owners)
    middle = float(np.rint(middle)) if whole else middle
    return middle, middle


def _atoms(values: FloatArray, owners: IntArray | None, threshold: int) -> FloatArray:
    """The values that get a code of their own: all that are shared if few, else the frequent."""
    pool = Pool.of(values, owners)
    if len(pool.values) <= FEW_VALUES:
        return pool.values[pool.units >= threshold]
    frequent = (pool.units >= threshold) & (pool.rows >= ATOM_SHARE * len(values))
    return pool.values[frequent]
