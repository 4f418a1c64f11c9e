"""Where the rows of a number lie, by noisy counts: a tree of spans that is split where rows are."""

import math
from dataclasses import dataclass

import numpy as np

from models.differential_privacy.ledger import Ledger
from models.differential_privacy.secure_noise import noisy_counts
from models.encoding.column import FloatArray, IntArray

ONE_LEVEL = 256
"""So many cells are counted one by one, without a tree."""
FANOUT = 48
MOST_CELLS = 2**20
"""Of positions that may lie anywhere; what is closer together falls into one cell."""
SPLIT = 4.0
"""A span is split where its noisy count is so many deviations of the noise above nothing."""
LEAST = 2.5
"""Spans of less than so many deviations are thrown together, and count as empty if still below."""


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


def levels_of(cells: int) -> int:
    """How many levels, and so purchases, the tree over so many cells has."""
    return 1 if cells <= ONE_LEVEL else max(2, math.ceil(math.log(cells) / math.log(FANOUT)))


def count_spans(cells: IntArray, size: int, ledger: Ledger, squared_mu: float, what: str) -> Spans:
    """Spans of the cells 0..size-1 that hold the rows, for `squared_mu` in all.

    `cells` (rows,) are -1 where the value is missing, which is a cell of its own. Level by level,
    each row is counted once; which spans are split is decided by noisy counts alone.
    """
    levels = levels_of(size)
    known = cells[cells >= 0]
    width = -(-size // FANOUT) if levels > 1 else 1
    starts = np.arange(0, size, width, dtype=np.int64)
    variance = ledger.buy_counts(f"{what}, level 1 of {levels}", squared_mu / levels)
    exact = np.append(np.bincount(known // width, minlength=len(starts)), (cells < 0).sum())
    noisy = noisy_counts(exact.astype(np.int64), variance).astype(np.float64)
    missing = float(noisy[-1])
    level = _Level(starts, np.minimum(starts + width, size), noisy[:-1], variance)
    done: list[_Level] = []
    for number in range(2, levels + 1):
        deep = level.counts > SPLIT * math.sqrt(variance)
        deep &= level.ends - level.starts > 1
        if not bool(deep.any()):
            # Nothing is worth splitting: what the deeper levels would cost is kept.
            break
        variance = ledger.buy_counts(f"{what}, level {number} of {levels}", squared_mu / levels)
        done.append(level.only(~deep))
        level = _split(level.only(deep), known, variance)
    done.append(level)
    return _thrown_together(done, missing)


@dataclass(frozen=True)
class _Level:
    """Spans of one depth: starts and ends of cells (exclusive), counts, and their variance."""

    starts: IntArray
    ends: IntArray
    counts: FloatArray
    variance: float

    def only(self, chosen: np.ndarray) -> "_Level":
        return _Level(self.starts[chosen], self.ends[chosen], self.counts[chosen], self.variance)


def _split(above: _Level, known: IntArray, variance: int) -> _Level:
    """The children of spans, counted anew, and brought into line with what their parents said."""
    starts, ends, counts = [], [], []
    for start, end, count in zip(above.starts, above.ends, above.counts, strict=True):
        width = -(-(int(end) - int(start)) // FANOUT)
        own = np.arange(start, end, width, dtype=np.int64)
        inside = known[(known >= start) & (known < end)]
        exact = np.bincount((inside - start) // width, minlength=len(own)).astype(np.int64)
        noisy = noisy_counts(exact, variance).astype(np.float64)
        gap = count - noisy.sum()
        noisy += gap * variance / (len(own) * variance + above.variance)
        starts.append(own)
        ends.append(np.minimum(own + width, end))
        counts.append(noisy)
    if not starts:
        empty = np.empty(0, dtype=np.int64)
        return _Level(empty, empty, np.empty(0), variance)
    return _Level(np.concatenate(starts), np.concatenate(ends), np.concatenate(counts), variance)


def _thrown_together(levels: list[_Level], missing: float) -> Spans:
    """All spans in order; neighbours that tell nothing alone become one, and empty ones 0.

    Only neighbours of one depth: a wide empty span must not be lent the rows of a narrow one.
    """
    starts = np.concatenate([level.starts for level in levels])
    order = np.argsort(starts, kind="stable")
    ends = np.concatenate([level.ends for level in levels])[order]
    counts = np.concatenate([level.counts for level in levels])[order]
    variances = np.concatenate([np.full(len(v.starts), float(v.variance)) for v in levels])[order]
    depths = np.concatenate([np.full(len(v.starts), n) for n, v in enumerate(levels)])[order]
    begins = np.diff(depths, prepend=-1) != 0
    runs: list[tuple[int, int, float, float]] = []
    run: tuple[int, int, float, float] | None = None
    spans = zip(starts[order], ends, counts, variances, begins, strict=True)
    for start, end, count, variance, begin in spans:
        alone = count > SPLIT * math.sqrt(variance)
        if run is not None and (alone or begin or run[2] > SPLIT * math.sqrt(run[3])):
            runs.append(run)
            run = None
        begun = run or (int(start), 0, 0.0, 0.0)
        run = (begun[0], int(end) - 1, begun[2] + float(count), begun[3] + float(variance))
        if alone:
            runs.append(run)
            run = None
    if run is not None:
        runs.append(run)
    first, last, kept, spread = (np.array(side) for side in zip(*runs, strict=True))
    deviations = np.sqrt(spread)
    found = np.where(kept > LEAST * deviations, kept, 0.0)
    return Spans(first, last, found, deviations, missing)
