"""How much of an axis lies between two positions: what bounds leave of each of its codes."""

import numpy as np

from models.encoding.axis import Axis
from models.encoding.column import BoolArray, FloatArray, IntArray


class AxisShares:
    """The spans of an axis's codes, and the share of each code that bounds leave.

    Inside a cell, rows are taken to be spread evenly; cells of a bin are taken to be equally full,
    as `Axis` makes them. Bounds `low` and `high` `(rows,)` are positions, both inclusive; those of
    a whole axis should be whole or infinite. Bounds that leave a single position within the axis
    leave the cell that it would be encoded to, however narrow they are.
    """

    def __init__(self, axis: Axis) -> None:
        self.axis = axis
        self.first_bin = axis.missing + len(axis.atoms)
        half = 0.5 if axis.whole else 0.0
        self.cells = _cell_spans(axis) + np.array([-half, half])
        self.half = half
        self.first_cells = np.searchsorted(axis.cell_bins, np.arange(self._bins)).astype(np.int64)
        self.bin_sizes = np.bincount(axis.cell_bins, minlength=self._bins)

    @property
    def _bins(self) -> int:
        return int(self.axis.cell_bins[-1]) + 1 if len(self.axis.cell_bins) else 0

    def spans(self, codes: IntArray) -> tuple[FloatArray, FloatArray]:
        """The lowest and highest position of rows of codes `(rows, parts)`, NaN where missing.

        A negative coarse code is not known: it may be anything, as may an unknown fine one of a
        bin.
        """
        coarse, last = codes[:, 0], np.append(self.first_cells[1:], len(self.cells)) - 1
        low = np.full(len(codes), self.axis.low)
        high = np.full(len(codes), self.axis.high)
        if self.axis.missing:
            low[coarse == 0] = high[coarse == 0] = np.nan
        atom = (coarse >= self.axis.missing) & (coarse < self.first_bin)
        low[atom] = high[atom] = self.axis.atoms[coarse[atom] - self.axis.missing]
        rows = np.flatnonzero(coarse >= self.first_bin)
        bins = coarse[rows] - self.first_bin
        first, final = self.first_cells[bins], last[bins]
        if codes.shape[1] > 1:
            fine = codes[rows, 1]
            cell = np.minimum(first + fine.clip(min=0), final)
            first, final = np.where(fine < 0, first, cell), np.where(fine < 0, final, cell)
        low[rows] = self.cells[first, 0] + self.half
        high[rows] = self.cells[final, 1] - self.half
        return low, high

    def open(self, codes: IntArray) -> BoolArray:
        """Which rows of codes `(rows, parts)` have a code that is not known yet."""
        unknown: BoolArray = codes[:, 0] < 0
        if codes.shape[1] > 1:
            unknown = unknown | ((codes[:, 0] >= self.first_bin) & (codes[:, 1] < 0))
        return unknown

    def coarse(self, low: FloatArray, high: FloatArray) -> FloatArray:
        """The share of each coarse code between the bounds, `(rows, codes)`; 1 for missing."""
        shares = np.ones((len(low), self.first_bin + self._bins))
        atoms = self.axis.atoms[None, :]
        inside = (atoms >= low[:, None]) & (atoms <= high[:, None])
        shares[:, self.axis.missing : self.first_bin] = inside
        if self._bins:
            ends = self.first_cells + self.bin_sizes
            from_, to = self._below(low - self.half, "left"), self._below(high + self.half, "right")
            left = np.clip(from_[:, None], self.first_cells, ends)
            right = np.clip(to[:, None], self.first_cells, ends)
            shares[:, self.first_bin :] = np.maximum(right - left, 0) / self.bin_sizes
            rows, cells = self._lone(low, high, shares[:, self.axis.missing :])
            bins = self.axis.cell_bins[cells]
            shares[rows, self.first_bin + bins] = 1.0 / self.bin_sizes[bins]
        return shares

    def fine(self, coarse: IntArray, low: FloatArray, high: FloatArray, codes: int) -> FloatArray:
        """The share of each of `codes` fine codes between the bounds, given the coarse one."""
        bins = (coarse - self.first_bin).clip(min=0)
        cells = self.first_cells[bins][:, None] + np.arange(codes)
        from_, to = self._below(low - self.half, "left"), self._below(high + self.half, "right")
        left = np.clip(from_[:, None], cells, cells + 1)
        right = np.clip(to[:, None], cells, cells + 1)
        there = np.arange(codes) < self.bin_sizes[bins][:, None]
        shares: FloatArray = np.maximum(right - left, 0) * there
        rows, lone = self._lone(low, high, shares)
        own = self.axis.cell_bins[lone] == bins[rows]
        shares[rows[own], (lone - self.first_cells[bins[rows]])[own]] = 1.0
        return shares

    def _lone(
        self, low: FloatArray, high: FloatArray, shares: FloatArray
    ) -> tuple[IntArray, IntArray]:
        """Rows that may have one position only, of which no share is left, and its cell."""
        inside = (low == high) & (low >= self.axis.low) & (low <= self.axis.high)
        rows = np.flatnonzero(inside & ~(shares > 0).any(axis=1))
        cells = np.searchsorted(self.axis.cell_tops, low[rows])
        return rows, cells.clip(max=len(self.axis.cell_tops) - 1).astype(np.int64)

    def _below(self, positions: FloatArray, side: str) -> FloatArray:
        """How many cells lie below each position, the last one as a fraction."""
        starts, ends = self.cells.T
        index = np.searchsorted(ends, positions, side="left" if side == "left" else "right")
        cell = index.clip(max=len(ends) - 1)
        width = ends[cell] - starts[cell]
        part = np.divide(
            positions - starts[cell], width, out=np.zeros(len(positions)), where=width > 0
        )
        inside = np.where(np.isfinite(positions), part, 0.0).clip(0.0, 1.0)
        counted: FloatArray = np.where(index < len(ends), index + inside, float(len(ends)))
        return counted


def _cell_spans(axis: Axis) -> FloatArray:
    """The lowest and highest position that each cell can give, `(cells, 2)`."""
    if not len(axis.cell_tops):
        return np.empty((0, 2))
    # Segment s belongs to the cell in which its share ends.
    cell = np.ceil(axis.segment_ends).astype(np.int64) - 1
    spans = np.empty((len(axis.cell_tops), 2))
    spans[:, 0], spans[:, 1] = np.inf, -np.inf
    np.minimum.at(spans[:, 0], cell, axis.segments[:, 0])
    np.maximum.at(spans[:, 1], cell, axis.segments[:, 1])
    # Neighbours may share an end; kept in order, a search finds its way.
    spans[:, 1] = np.maximum.accumulate(spans[:, 1])
    return spans
