"""Where the rows of a number lie, by noisy counts: a tree of spans that is split where rows are."""

import math
from dataclasses import dataclass, field
from statistics import NormalDist

import numpy as np

from models.differential_privacy.ledger import Ledger
from models.differential_privacy.secure_noise import noisy_counts
from models.encoding.column import BoolArray, FloatArray, IntArray

ONE_LEVEL = 256
"""So many cells are counted one by one, without a tree."""
EVEN, GROWTH = 32, 1.2
"""First spans are no wider than the line by EVEN, and grow no faster than so away from zero."""
FINEST = 2**14
"""Nor do they become narrower towards zero than the line by this."""
FANOUT = 48
MOST_CELLS = 2**20
"""Of positions that may lie anywhere; what is closer together falls into one cell."""
FIRST_SHARE = 0.5
"""Of what is spent, for the first spans, where there are further ones."""
FALSE = 1e-3
"""The chance, of a column, that noise alone tells of somebody where nobody is.

A union bound: each level has its share of it, and within a level each of the sums that are looked
at. That is 2 for each span, the stretches that halving makes, and as many again for what is left
of a family beside its telling stretches. Those are chosen by the same noise: some
(log2(spans) + 1) choices for each span that may or may not tell by itself, so room for two of them.
Measured on columns of five shapes: 5 in 30,000.
"""
SUMS = 4
"""So many sums are looked at for each span, at most."""
LEAST = 2.5
"""A sum of fewer deviations may well be nobody's: nearer to what tells is where to look first."""
DENSE = 0.25
"""From so much of what telling spans hold on, the others of a family are told of with them.

Noise is only like that where telling spans hold hardly more than noise themselves, and then about
as narrowly beside them: nothing far from everybody comes of it.
"""

Run = tuple[int, int, float, float]
"""First and last cell, count, variance."""
Stretch = tuple[int, int]
"""The first span, and the one after the last."""


@dataclass(frozen=True)
class Total:
    """A number of rows that was paid for, and the variance of its noise."""

    rows: float
    variance: float


@dataclass(frozen=True)
class Spans:
    """Spans of cells, from the lowest to the highest: first and last cell, and how many rows.

    `counts` are estimates, never below 0; `deviations` say how far off they may be.
    `missing` is the noisy count of missing values.
    """

    first: IntArray
    last: IntArray
    counts: FloatArray
    deviations: FloatArray
    missing: float


def first_starts(size: int, zero: int | None) -> IntArray:
    """Where the first spans start: at each cell where there are few, else close around `zero`.

    Amounts, durations and counts crowd near zero and have long tails. Spans that grow with the
    distance find either at once, where even ones would have to be split again and again.
    """
    if size <= ONE_LEVEL:
        return np.arange(size, dtype=np.int64)
    starts = np.linspace(0, size, EVEN, endpoint=False).astype(np.int64)
    if zero is not None:
        nearest = max(1.0, size / FINEST)
        steps = np.arange(math.log(size / nearest, GROWTH) + 1)
        ends = np.floor(nearest * GROWTH**steps).astype(np.int64)
        around = np.concatenate([zero + 1 - ends, [zero, zero + 1], zero + ends])
        starts = np.concatenate([starts, around[(around > 0) & (around < size)]])
    return np.unique(starts)


def sure_deviations(spans: int, levels: int) -> float:
    """From how many deviations on a sum of counts is no noise, for so many spans of one level.

    By the tail of a Gaussian, from which that of a sum of discrete ones does not differ visibly.
    """
    return -NormalDist().inv_cdf(FALSE / (levels * SUMS * spans))


def levels_of(cells: int, zero: int | None = None) -> int:
    """How many levels, and so purchases, the tree over so many cells has at most."""
    widest = int(np.diff(first_starts(cells, zero), append=cells).max())
    return 1 + (math.ceil(math.log(widest, FANOUT) - 1e-9) if widest > 1 else 0)


def count_spans(
    cells: IntArray,
    size: int,
    purchase: tuple[Ledger, float, str],
    total: Total,
    zero: int | None = None,
) -> Spans:
    """Spans of the cells 0..size-1 that hold the rows.

    `cells` (rows,) are -1 where the value is missing, which is a cell of its own. `purchase` is the
    ledger, the squared mu to spend in all, and what it is for; `total` is what is known of the
    number of rows, `zero` the cell around which first spans are narrow. Level by level, each row is
    counted once; which spans are split is decided by noisy counts alone.
    """
    ledger, squared_mu, what = purchase
    levels = levels_of(size, zero)
    known = np.sort(cells[cells >= 0])
    price = squared_mu * (FIRST_SHARE if levels > 1 else 1.0)
    variance = ledger.buy_counts(f"{what}, level 1 of {levels}", price)
    starts = first_starts(size, zero)
    exact = np.append(_counted(known, starts, size), (cells < 0).sum())
    noisy = noisy_counts(exact.astype(np.int64), variance).astype(np.float64)
    missing = float(noisy[-1])
    before = Total(total.rows - missing, total.variance + variance)
    sure = sure_deviations(len(starts), levels)
    root = _Family.of((starts, size), noisy[:-1], variance, before, sure)
    families = [root]
    for number in range(2, levels + 1):
        deep = [(family, place) for family in families for place in family.telling()]
        if not deep:
            # Nothing is worth splitting: what the deeper levels would cost is kept.
            break
        price = squared_mu * (1 - FIRST_SHARE) / (levels - 1)
        variance = ledger.buy_counts(f"{what}, level {number} of {levels}", price)
        sure = sure_deviations(len(deep) * FANOUT, levels)
        families = [family.split(place, known, variance, sure) for family, place in deep]
    first, last, counts, spread = (np.array(side) for side in zip(*_runs(root), strict=True))
    return Spans(first, last, counts, np.sqrt(spread), missing)


def _counted(known: IntArray, starts: IntArray, end: int) -> IntArray:
    """How many of the sorted cells `known` lie in each span from `starts` on, up to `end`."""
    places = np.searchsorted(known, np.append(starts, end))
    return np.diff(places).astype(np.int64)


@dataclass
class _Family:
    """Neighbouring spans that were counted together: starts, the end of the last, noisy counts.

    `variance` is the noise's of each count, `before` that of their sum, which was known before.
    `sure` is how many deviations tell that somebody is there. `children` are the families of those
    that were split.
    """

    starts: IntArray
    end: int
    counts: FloatArray
    variance: int
    before: float
    sure: float
    children: dict[int, "_Family"] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        line: tuple[IntArray, int],
        counts: FloatArray,
        variance: int,
        before: Total,
        sure: float,
    ) -> "_Family":
        """Counts of this variance, brought into line with what was known of their sum."""
        parts = float(variance * len(counts))
        gap = before.rows - float(counts.sum())
        fitted = counts + gap * variance / (parts + before.variance)
        return cls(*line, fitted, variance, before.variance, sure)

    @property
    def ends(self) -> IntArray:
        return np.append(self.starts[1:], self.end)

    def deviation(self, size: int) -> float:
        """That of the sum of so many of the spans: what the others are told of counts as well."""
        parts = float(self.variance * len(self.starts))
        others = self.before + parts - self.variance * size
        return math.sqrt(self.variance * size * others / (self.before + parts))

    def telling(self) -> list[int]:
        """The spans of several cells that certainly hold rows."""
        found = (self.counts > self.sure * self.deviation(1)) & (self.ends - self.starts > 1)
        return [int(place) for place in np.flatnonzero(found)]

    def split(self, place: int, known: IntArray, variance: int, sure: float) -> "_Family":
        """Counts the parts of one span of several cells."""
        start, end = int(self.starts[place]), int(self.ends[place])
        starts = np.arange(start, end, -(-(end - start) // FANOUT), dtype=np.int64)
        counts = noisy_counts(_counted(known, starts, end), variance).astype(np.float64)
        before = Total(float(self.counts[place]), self.deviation(1) ** 2)
        family = _Family.of((starts, end), counts, variance, before, sure)
        self.children[place] = family
        return family

    def sum(self, first: int, last: int) -> float:
        """The noisy count of the spans from `first` up to `last`."""
        return float(self.counts[first:last].sum())

    def run(self, first: int, last: int, count: float, variance: float | None = None) -> Run:
        """The spans from `first` up to `last` as one, that holds so many rows."""
        variance = self.deviation(last - first) ** 2 if variance is None else variance
        return int(self.starts[first]), int(self.ends[last - 1]) - 1, count, variance

    def tells(self, first: int, last: int) -> bool:
        """Whether these spans certainly hold rows: one of them alone, or all together."""
        alone = float(self.counts[first:last].max()) > self.sure * self.deviation(1)
        return alone or self.sum(first, last) > self.sure * self.deviation(last - first)


def _told(family: _Family) -> list[Stretch]:
    """The stretches that tell, in order: halved as long as either half tells."""
    told: list[Stretch] = []
    stretches = [(0, len(family.starts))]
    while stretches:
        first, last = stretches.pop()
        middle = (first + last) // 2
        if last - first > 1 and (family.tells(first, middle) or family.tells(middle, last)):
            stretches += [(middle, last), (first, middle)]
        elif family.tells(first, last):
            told.append((first, last))
    return told


def _runs(family: _Family) -> list[Run]:
    """The spans of a family and of those below it, in order."""
    told, size = _told(family), len(family.starts)
    if not told:
        count = family.sum(0, size)
        return [family.run(0, size, count if count > LEAST * family.deviation(size) else 0.0)]
    blocks = [
        _runs(family.children[first])
        if last - first == 1 and first in family.children
        else [family.run(first, last, family.sum(first, last))]
        for first, last in told
    ]
    apart = _apart(told, size)
    rest, left = _rest(family, apart)
    ends = [
        (block, side)
        for block, (first, last) in zip(blocks, told, strict=True)
        for side, beside in ((0, first - 1), (-1, last))
        if 0 <= beside < size and apart[beside] > 0
    ]
    for block, side in ends:
        _give(block, side, left / len(ends))
    return sorted([run for block in blocks for run in block] + rest)


def _give(block: list[Run], side: int, rows: float) -> None:
    """Adds rows to the first (0) or last (-1) of the runs that hold any."""
    full = [place for place, run in enumerate(block) if run[2] > 0]
    if full:
        first, last, count, variance = block[full[side]]
        block[full[side]] = (first, last, count + rows, variance)


def _rest(family: _Family, apart: IntArray) -> tuple[list[Run], float]:
    """Runs of the spans that do not tell, and the rows that are none of theirs.

    Where they are about as full as the others, only finely cut, all of them have a share. Else,
    what is left of the sum for them may be noise: then nobody is there, and the rows, if any, lie
    at the ends of the telling stretches. What is no noise goes to as few of the nearest spans as
    the counts allow. That is where thin tails are; shares by width would be far beyond.
    """
    vague = np.flatnonzero(apart)
    if not len(vague):
        return [], 0.0
    counts = family.counts[vague]
    count, deviation = float(counts.sum()), family.deviation(len(vague))
    dense = float(counts.mean()) > DENSE * float(family.counts[apart == 0].mean())
    if dense and count > LEAST * deviation:
        kept = np.ones(len(vague), dtype=np.bool_)
    elif count > family.sure * deviation:
        kept = _nearest(family, counts, apart[vague])
    else:
        kept = np.zeros(len(vague), dtype=np.bool_)
    share = 1 / max(1, int(kept.sum()))
    runs = [
        family.run(place, place + 1, count * share, deviation**2 * share)
        for place in vague[kept].tolist()
    ]
    for piece in _pieces(vague[~kept]):
        runs.append(family.run(int(piece[0]), int(piece[-1]) + 1, 0.0))
    return runs, 0.0 if bool(kept.any()) else max(count, 0.0)


def _nearest(family: _Family, counts: FloatArray, apart: IntArray) -> BoolArray:
    """The spans of these counts that are so near that the others may well be nobody's."""
    for reach in np.unique(apart):
        near: BoolArray = apart <= reach
        beyond, others = float(counts[~near].sum()), int((~near).sum())
        if beyond <= LEAST * family.deviation(others):
            return near
    raise AssertionError("of no others, nothing is left")


def _pieces(places: IntArray) -> list[IntArray]:
    """Places cut where they are not next to each other."""
    return np.split(places, np.flatnonzero(np.diff(places) > 1) + 1) if len(places) else []


def _apart(told: list[Stretch], size: int) -> IntArray:
    """How many spans each one is away from the nearest that tells; 0 if it does."""
    inside = np.concatenate([np.arange(*stretch) for stretch in told])
    places = np.arange(size)
    after = np.searchsorted(inside, places).clip(max=len(inside) - 1)
    near = inside[np.stack([after, (after - 1).clip(min=0)])]
    apart: IntArray = np.abs(places - near).min(0)
    return apart
