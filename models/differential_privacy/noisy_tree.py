"""Where the rows of a number lie, by noisy counts: a tree of spans that is split where rows are."""

import math
from dataclasses import dataclass, field

import numpy as np

from models.differential_privacy.ledger import Ledger
from models.differential_privacy.secure_noise import noisy_counts
from models.encoding.column import FloatArray, IntArray

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
SPLIT = 4.0
"""A span is split where its noisy count is so many deviations of the noise above nothing."""
TOGETHER = 3.0
"""Neighbours that do not reach that alone are told of together from so many deviations on."""
LEAST = 2.5
"""What is left of a span beside its telling parts is nobody's below so many deviations."""

Run = tuple[int, int, float, float]
"""First and last cell, count, variance."""


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
    root = _Family.of(starts, size, noisy[:-1], variance, before)
    families = [root]
    for number in range(2, levels + 1):
        deep = [(family, place) for family in families for place in family.telling()]
        if not deep:
            # Nothing is worth splitting: what the deeper levels would cost is kept.
            break
        price = squared_mu * (1 - FIRST_SHARE) / (levels - 1)
        variance = ledger.buy_counts(f"{what}, level {number} of {levels}", price)
        families = [family.split(place, known, variance) for family, place in deep]
    first, last, counts, spread = (np.array(side) for side in zip(*_runs(root), strict=True))
    return Spans(first, last, counts, np.sqrt(spread), missing)


def _counted(known: IntArray, starts: IntArray, end: int) -> IntArray:
    """How many of the sorted cells `known` lie in each span from `starts` on, up to `end`."""
    places = np.searchsorted(known, np.append(starts, end))
    return np.diff(places).astype(np.int64)


@dataclass
class _Family:
    """Neighbouring spans that were counted together: starts, the end of the last, noisy counts.

    `variance` is each count's, `spread` that of their sum, which had been counted before.
    `children` are the families of those that were split.
    """

    starts: IntArray
    end: int
    counts: FloatArray
    variance: int
    spread: float
    children: dict[int, "_Family"] = field(default_factory=dict)

    @classmethod
    def of(
        cls, starts: IntArray, end: int, counts: FloatArray, variance: int, before: Total
    ) -> "_Family":
        """Counts of this variance, brought into line with what was known of their sum."""
        parts = float(variance * len(starts))
        gap = before.rows - float(counts.sum())
        spread = 1 / (1 / before.variance + 1 / parts)
        return cls(
            starts, end, counts + gap * variance / (parts + before.variance), variance, spread
        )

    @property
    def ends(self) -> IntArray:
        return np.append(self.starts[1:], self.end)

    def telling(self) -> list[int]:
        """The spans of several cells that certainly hold rows."""
        found = (self.counts > SPLIT * math.sqrt(self.variance)) & (self.ends - self.starts > 1)
        return [int(place) for place in np.flatnonzero(found)]

    def split(self, place: int, known: IntArray, variance: int) -> "_Family":
        """Counts the parts of one span of several cells."""
        start, end = int(self.starts[place]), int(self.ends[place])
        starts = np.arange(start, end, -(-(end - start) // FANOUT), dtype=np.int64)
        counts = noisy_counts(_counted(known, starts, end), variance).astype(np.float64)
        before = Total(float(self.counts[place]), float(self.variance))
        self.children[place] = _Family.of(starts, end, counts, variance, before)
        return self.children[place]

    def run(self, first: int, last: int) -> Run:
        """The spans from `first` up to `last` as one."""
        count = float(self.counts[first:last].sum())
        own = float(self.variance * (last - first))
        # What is not of the others is of these: their sum had been counted.
        rest = self.spread + self.variance * (len(self.starts) - last + first)
        return int(self.starts[first]), int(self.ends[last - 1]) - 1, count, min(own, rest)

    def tells(self, first: int, last: int) -> bool:
        """Whether these spans certainly hold rows: one of them alone, or all together."""
        _, _, count, variance = self.run(first, last)
        alone = float(self.counts[first:last].max()) > SPLIT * math.sqrt(self.variance)
        return alone or count > TOGETHER * math.sqrt(variance)


def _runs(family: _Family) -> list[Run]:
    """The spans of a family and of those below it, in order.

    A stretch is halved as long as either half tells; what never tells stays together.
    """
    runs: list[Run] = []
    vague: list[int] = []
    stretches = [(0, len(family.starts))]
    while stretches:
        first, last = stretches.pop()
        middle = (first + last) // 2
        if last - first == 1 and first in family.children:
            runs += _runs(family.children[first])
        elif last - first > 1 and (family.tells(first, middle) or family.tells(middle, last)):
            stretches += [(middle, last), (first, middle)]
        else:
            if not family.tells(first, last):
                vague.append(len(runs))
            runs.append(family.run(first, last))
    return _rest_shared(family, runs, vague)


def _rest_shared(family: _Family, runs: list[Run], vague: list[int]) -> list[Run]:
    """The runs with what is left for the `vague` ones shared among them by their width.

    Each of them may be noise, and all together more than that: what is sure of the sum must not be
    lost. A run's rows are nobody's only where noise explains them.
    """
    rest = math.fsum(runs[place][2] for place in vague)
    own = math.fsum(runs[place][3] for place in vague)
    others = family.variance * len(family.starts) - own
    spread = min(own, family.spread + max(others, 0.0))
    kept = rest if rest > LEAST * math.sqrt(spread) else 0.0
    width = sum(runs[place][1] - runs[place][0] + 1 for place in vague)
    for place in vague:
        first, last, _, _ = runs[place]
        part = (last - first + 1) / width
        runs[place] = (first, last, kept * part, spread * part)
    return runs
