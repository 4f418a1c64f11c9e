"""Distances between rows of mixed types, and the nearest of many rows, in exact arithmetic."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.evaluation.coded import SIDES, CodedColumn, CodedTable, IntArray, Side
from models.evaluation.intervals import FloatArray

GRID = 2**16
MOST_LEVELS = 64
PARTS = 8
QUERY_BLOCK = 1_024
KEY_BLOCK = 4_096


@dataclass(frozen=True)
class MixedRows:
    """Rows as ranks in 0..1 on a grid, (rows, numbers), and category codes, (rows, categories)."""

    numbers: FloatArray
    codes: IntArray

    def __len__(self) -> int:
        return len(self.numbers)

    def take(self, rows: IntArray) -> "MixedRows":
        """The rows at the given positions."""
        return MixedRows(self.numbers[rows], self.codes[rows])


@dataclass(frozen=True)
class Nearest:
    """For each query the squared distance to the nearest key, that key, and the nearest by part.

    `parts` (queries, 8) holds the squared distance to the nearest key of each eighth of the keys:
    its median is a local scale, how far apart rows lie in that neighbourhood.
    """

    squared: FloatArray
    key: IntArray
    parts: FloatArray


@dataclass(frozen=True)
class MixedSpace:
    """Where rows of mixed types have distances.

    The squared distance adds, over number columns, the squared difference of ranks (0 to 1 among
    the real rows) and 1 for each category that differs: Euclidean over one-hot codes times
    sqrt(1/2). Categories beyond 64 levels lie at random directions of 64 dimensions instead, which
    makes that 1 approximate. A missing number is a category of its own.

    All coordinates are multiples of a power of two, so that float64 sums are exact in any order:
    equal distances come out equal, and results don't depend on threads or the machine's library.
    """

    rows: dict[Side, MixedRows]
    vectors: tuple[FloatArray, ...]

    @classmethod
    def of(cls, coded: CodedTable) -> "MixedSpace":
        """The space in which real rows' ranks, training and holdout together, are even."""
        numbers = [column for column in coded.columns if column.is_number]
        categories = [column for column in coded.columns if not column.is_number]
        gappy = [c for c in numbers if any(c.missing(side).any() for side in SIDES)]
        rows = {side: MixedRows(
            _stacked([_ranks(column, side) for column in numbers], coded.rows[side], np.float64),
            _stacked([np.asarray(column.values[side]) for column in categories]
                     + [column.missing(side) for column in gappy], coded.rows[side], np.int64),
        ) for side in SIDES}  # fmt: skip
        random = coded.random(40)
        levels = [len(column.labels or ()) + 1 for column in categories] + [2] * len(gappy)
        return cls(rows, tuple(_level_vectors(count, random) for count in levels))

    @property
    def width(self) -> int:
        """Coordinates of an embedded row."""
        numbers = self.rows["training"].numbers.shape[1]
        return int(numbers + 1 + sum(vectors.shape[1] for vectors in self.vectors))

    def nearest(self, queries: MixedRows, keys: MixedRows) -> Nearest:
        """The nearest key of each query, the first one on a tie; keys must not be empty.

        Give keys in random order: then a tie is broken at random, whatever the keys are. Brute
        force by matrix products, in blocks of bounded size: queries x keys x width products.
        """
        asked = self._embed_queries(queries)
        offset = (queries.numbers**2).sum(axis=1) + len(self.vectors)
        return search(asked, offset, keys, self._embed_keys)

    def coordinates(self, rows: MixedRows) -> FloatArray:
        """Rows as points (rows, coordinates) whose Euclidean distances are those of the space."""
        directions = [vectors * np.sqrt(0.5) for vectors in self._directions(rows)]
        return np.concatenate([rows.numbers, *directions], axis=1)

    def _embed_queries(self, rows: MixedRows) -> FloatArray:
        last = np.full((len(rows), 1), -1.0)
        return np.concatenate([2 * rows.numbers, *self._directions(rows), last], axis=1)

    def _embed_keys(self, rows: MixedRows) -> FloatArray:
        last = (rows.numbers**2).sum(axis=1, keepdims=True)
        return np.concatenate([rows.numbers, *self._directions(rows), last], axis=1)

    def _directions(self, rows: MixedRows) -> list[FloatArray]:
        return [vectors[rows.codes[:, at]] for at, vectors in enumerate(self.vectors)]


def _stacked(columns: list[Any], rows: int, dtype: type) -> Any:
    if not columns:
        return np.zeros((rows, 0), dtype=dtype)
    return np.column_stack(columns).astype(dtype)


def _ranks(column: CodedColumn, side: Side) -> FloatArray:
    """Mid-ranks among the real rows in 0..1, on the grid; missing in the middle."""
    real = np.concatenate([column.values["training"], column.values["holdout"]])
    known = np.sort(real[~np.isnan(real)])
    values = np.asarray(column.values[side], dtype=np.float64)
    below = np.searchsorted(known, values, side="left")
    up_to = np.searchsorted(known, values, side="right")
    ranks = (below + up_to) / (2 * max(known.size, 1))
    return np.asarray(np.round(np.where(np.isnan(values), 0.5, ranks) * GRID) / GRID)


def _level_vectors(levels: int, random: np.random.Generator) -> FloatArray:
    """A direction of length 1 for each level: at right angles, or nearly so beyond 64 levels."""
    if levels <= MOST_LEVELS:
        return np.eye(levels)
    return np.asarray(random.choice([-0.125, 0.125], size=(levels, MOST_LEVELS)))


def search(
    asked: FloatArray, offset: FloatArray, keys: MixedRows, keyed: Callable[[MixedRows], FloatArray]
) -> Nearest:
    """The nearest key of each query, the first one on a tie, by products in bounded blocks.

    A squared distance is a query's `offset` less the product of its row of `asked` with a key's
    row of what `keyed` makes of the keys, block after block.
    """
    best = np.full(len(asked), -np.inf)
    found = np.zeros(len(asked), dtype=np.int64)
    parts = np.full((len(asked), PARTS), -np.inf)
    for part, start, stop in _blocks(len(keys)):
        block = keyed(keys.take(np.arange(start, stop, dtype=np.int64))).T
        for first in range(0, len(asked), QUERY_BLOCK):
            rows = slice(first, first + QUERY_BLOCK)
            closeness = asked[rows] @ block
            place = closeness.argmax(axis=1)
            top = np.take_along_axis(closeness, place[:, None], axis=1)[:, 0]
            parts[rows, part] = np.maximum(parts[rows, part], top)
            better = top > best[rows]
            best[rows] = np.where(better, top, best[rows])
            found[rows] = np.where(better, place + start, found[rows])
    return Nearest(offset - best, found, offset[:, None] - parts)


def _blocks(keys: int) -> list[tuple[int, int, int]]:
    """(part, start, stop) of blocks of at most KEY_BLOCK keys that never cross a part's end."""
    ends = [keys * part // PARTS for part in range(PARTS + 1)]
    return [
        (part, start, min(start + KEY_BLOCK, ends[part + 1]))
        for part in range(PARTS)
        for start in range(ends[part], ends[part + 1], KEY_BLOCK)
    ]
