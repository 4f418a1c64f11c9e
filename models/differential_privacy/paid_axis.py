"""An axis of which nothing is taken from the rows but what was paid for."""

from dataclasses import dataclass

import numpy as np

from models.differential_privacy.ledger import Ledger
from models.differential_privacy.noisy_tree import MOST_CELLS, Spans, Total, count_spans
from models.encoding.axis import Axis
from models.encoding.column import FloatArray, IntArray

ATOM_DEVIATIONS = 5.0
"""A single value has a code of its own where its noisy count is so many deviations above 0."""
ATOM_SHARE = 0.25
"""And where it fills so much of a bin."""


@dataclass(frozen=True)
class Bins:
    """How finely numbers are cut, at most, and the noisy number of rows that it comes from."""

    most: int
    total: Total


@dataclass(frozen=True)
class PublicLine:
    """The line that a contract's bounds make: positions from `low` to `high`, whole or anywhere.

    `zero` is the position of the number 0; None where the line has none, as days.
    """

    low: float
    high: float
    whole: bool
    missing: bool
    zero: float | None = None

    @property
    def zero_cell(self) -> int | None:
        """The cell that is nearest to zero; None where the line has none."""
        return None if self.zero is None else int(self.cells_of(np.array([self.zero]))[0])

    @property
    def cells(self) -> int:
        """How many cells the line is counted in."""
        if self.high <= self.low:
            return 1
        if self.whole and self.high - self.low < MOST_CELLS * 4096.0:
            return int(self.high - self.low) + 1
        return MOST_CELLS

    def cells_of(self, positions: FloatArray) -> IntArray:
        """The cell of each position `(rows,)`, -1 where it is missing."""
        known = ~np.isnan(positions)
        inside = np.clip(np.where(known, positions, self.low), self.low, self.high)
        shares = (inside - self.low) / max(self.high - self.low, 1e-300)
        if self.whole and self.cells == self.high - self.low + 1:
            cells = (inside - self.low).astype(np.int64)
        else:
            cells = np.floor(shares * self.cells).astype(np.int64).clip(0, self.cells - 1)
        return np.where(known, cells, -1)

    def edges(self, cells: IntArray) -> tuple[FloatArray, FloatArray]:
        """The lowest and highest position of each cell."""
        if self.whole and self.cells == self.high - self.low + 1:
            own: FloatArray = self.low + cells.astype(np.float64)
            return own, own
        width = (self.high - self.low) / self.cells
        low: FloatArray = self.low + cells.astype(np.float64) * width
        high: FloatArray = low + width
        if self.whole:
            low, high = np.ceil(low), np.maximum(np.ceil(low), np.ceil(high) - 1)
        return low, np.minimum(high, self.high)


@dataclass(frozen=True)
class Counted:
    """Noisy counts of a part's codes, and the variance of each one's noise."""

    counts: FloatArray
    variance: float


def even_axis(line: PublicLine, bins: int) -> Axis:
    """Bins of equal width between the bounds: nothing is looked at, nothing is paid."""
    size = line.cells
    firsts = np.unique(np.linspace(0, size, min(bins, size) + 1).astype(np.int64)[:-1])
    lasts = np.append(firsts[1:], size) - 1
    nothing = np.zeros(len(firsts))
    return _axis(line, Spans(firsts, lasts, nothing + 1, nothing + size, 0.0), bins)


def buy_axis(
    line: PublicLine, positions: FloatArray, bins: Bins, purchase: tuple[Ledger, float, str]
) -> tuple[Axis, Counted]:
    """Bins of about equal mass, and codes of their own for values that many rows share.

    `purchase` is the ledger, the squared mu to spend, and what it is for. Counts of the axis's
    coarse codes come with it.
    """
    cells = line.cells_of(positions)
    spans = count_spans(cells, line.cells, purchase, bins.total, line.zero_cell)
    axis = _axis(line, spans, bins.most)
    low, _ = line.edges(spans.first)
    _, high = line.edges(spans.last)
    plain = np.array([_plainest(*ends) for ends in zip(low, high, strict=True)])
    inside = high if line.whole else (low + high) / 2
    codes = axis.encode(np.where(np.isin(plain, axis.atoms), plain, inside))[:, 0]
    size = axis.parts[0].cardinality
    counts = np.bincount(codes, weights=spans.counts, minlength=size).astype(np.float64)
    variances = np.bincount(codes, weights=spans.deviations**2, minlength=size)
    if line.missing:
        counts[0], variances[0] = spans.missing, float(np.median(spans.deviations)) ** 2
    # The median: a bin of many empty spans says little about the noise of the others.
    return axis, Counted(counts, max(float(np.median(variances)), 1.0))


def _axis(line: PublicLine, spans: Spans, bins: int) -> Axis:
    low, _ = line.edges(spans.first)
    _, high = line.edges(spans.last)
    total = max(float(spans.counts.sum()), 1.0)
    single = (spans.first == spans.last) & (spans.counts > ATOM_DEVIATIONS * spans.deviations)
    single &= spans.counts > ATOM_SHARE * total / bins
    if not bool(single.any()) and not bool((spans.counts > 0).any()):
        # Noise has left nothing: any position between the bounds is as good as any other.
        low, high, counts = low[:1], high[-1:], np.ones(1)
        single = np.zeros(1, dtype=np.bool_)
    else:
        kept = spans.counts > 0
        low, high, counts, single = low[kept], high[kept], spans.counts[kept], single[kept]
    few = line.whole and len(low) <= bins and bool((low == high).all())
    single = single | few
    atoms = np.array([_plainest(*ends) for ends in zip(low[single], high[single], strict=True)])
    tops, owner = _cut(high[~single], counts[~single], max(1, bins - len(atoms)))
    ends = _ends(counts[~single], owner)
    return Axis(
        whole=line.whole,
        missing=line.missing,
        low=line.low,
        high=line.high,
        atoms=atoms.astype(np.float64),
        cell_tops=tops,
        cell_bins=np.arange(len(tops), dtype=np.int64),
        segments=np.stack([low[~single], high[~single]], 1).astype(np.float64),
        segment_ends=ends,
    )


def _cut(tops: FloatArray, counts: FloatArray, bins: int) -> tuple[FloatArray, IntArray]:
    """The top of each bin of about equal mass, and the bin of each span."""
    if not len(tops):
        return np.empty(0), np.empty(0, dtype=np.int64)
    middle = (np.cumsum(counts) - counts / 2) / counts.sum()
    _, owner = np.unique(np.floor(middle * bins), return_inverse=True)
    owner = owner.astype(np.int64)
    last = np.flatnonzero(np.diff(owner, append=owner[-1] + 1))
    return tops[last].astype(np.float64), owner


def _ends(counts: FloatArray, owner: IntArray) -> FloatArray:
    """Where each span's share of its bin ends, bins counting as one each."""
    if not len(counts):
        return np.empty(0)
    sums = np.bincount(owner, weights=counts)
    running = np.cumsum(counts)
    before = np.concatenate([[0.0], np.cumsum(sums)[:-1]])
    ends: FloatArray = owner + (running - before[owner]) / sums[owner]
    last = np.flatnonzero(np.diff(owner, append=owner[-1] + 1))
    # Rounding must not let a bin's last span end before the bin does.
    ends[last] = owner[last] + 1.0
    return ends


def _plainest(low: float, high: float) -> float:
    """The number of the fewest digits from `low` to `high`: what a narrow cell is all about."""
    if low <= 0.0 <= high:
        return 0.0
    for digits in range(1, 16):
        for end in (low, high):
            plain = float(f"{end:.{digits}g}")
            if low <= plain <= high:
                return plain
    return low
