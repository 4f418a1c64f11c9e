"""Where two rows are near if they are likely the same unit's: the attacker's distance."""

from dataclasses import dataclass

import numpy as np

from models.evaluation.coded import SIDES, CodedColumn, CodedTable, IntArray, Side
from models.evaluation.intervals import FloatArray
from models.evaluation.mixed_space import MOST_LEVELS, MixedRows, Nearest, search

GRID = 4_096
# A number one standard deviation off weighs as much as a category's value that e**-2 of rows have.
NUMBER_SCALE = float(np.sqrt(2.0))
WINSOR = 0.001
MOST_DEVIATIONS = 3.0


@dataclass(frozen=True)
class LinkageSpace:
    """Squared distances that count what agrees by how telling it is (Fellegi and Sunter 1969).

    Two rows that differ in a category are apart by log(1/p) of both values, p being each one's
    share of the real rows: to agree on a rare value says more than to agree on a common one.
    Numbers add 2 times the squared difference in standard deviations; of a heavy tail, what lies
    3 deviations beyond the outermost thousandth counts as lying there. A missing number is a
    category of its own. Training and holdout rows enter alike.

    Coordinates are multiples of 1/4096, so that float64 sums are exact in any order: equal
    distances come out equal, and results don't depend on threads. A category of more than 64 values
    lies at random directions of 64 dimensions.
    """

    rows: dict[Side, MixedRows]
    vectors: tuple[FloatArray, ...]

    @classmethod
    def of(cls, coded: CodedTable) -> "LinkageSpace":
        """The space of a table's modelled columns."""
        random = coded.random(45)
        numbers = [_scaled(column) for column in coded.columns if column.is_number]
        codes = [
            {side: np.asarray(column.values[side], dtype=np.int64) for side in SIDES}
            for column in coded.columns
            if not column.is_number
        ]
        for column in coded.columns:
            gaps = {side: column.missing(side).astype(np.int64) for side in SIDES}
            if column.is_number and any(found.any() for found in gaps.values()):
                codes.append(gaps)
        rows = {
            side: MixedRows(
                _matrix([found[side] for found in numbers], coded.rows[side]),
                _matrix([found[side] for found in codes], coded.rows[side]).astype(np.int64),
            )
            for side in SIDES
        }
        return cls(rows, tuple(_telling(found, random) for found in codes))

    @property
    def width(self) -> int:
        """Coordinates of a row."""
        numbers = self.rows["training"].numbers.shape[1]
        return int(numbers + 1 + sum(vectors.shape[1] for vectors in self.vectors))

    def nearest(self, queries: MixedRows, keys: MixedRows) -> Nearest:
        """The nearest key of each query, the first one on a tie; keys must not be empty.

        Give keys in random order: then a tie is broken at random. Brute force by matrix products in
        blocks of bounded size: queries x keys x width products.
        """
        asked = self._points(queries)
        offset = (asked**2).sum(axis=1)
        asked = np.concatenate([2 * asked, np.full((len(queries), 1), -1.0)], axis=1)
        return search(asked, offset, keys, self._keyed)

    def _keyed(self, rows: MixedRows) -> FloatArray:
        points = self._points(rows)
        return np.concatenate([points, (points**2).sum(axis=1, keepdims=True)], axis=1)

    def _points(self, rows: MixedRows) -> FloatArray:
        directions = [vectors[rows.codes[:, at]] for at, vectors in enumerate(self.vectors)]
        return np.concatenate([rows.numbers, *directions], axis=1)


def _matrix(columns: list[FloatArray] | list[IntArray], rows: int) -> FloatArray:
    stacked = np.column_stack(columns) if columns else np.zeros((rows, 0))
    return np.asarray(stacked, dtype=np.float64)


def _scaled(column: CodedColumn) -> dict[Side, FloatArray]:
    """Numbers in standard deviations times the scale, on the grid; missing in the middle."""
    values = {side: np.asarray(column.values[side], dtype=np.float64) for side in SIDES}
    real = np.concatenate([values["training"], values["holdout"]])
    known = real[~np.isnan(real)]
    if known.size == 0:
        return {side: np.zeros(found.size) for side, found in values.items()}
    low, high = np.quantile(known, [WINSOR, 1 - WINSOR])
    inner = np.clip(known, low, high)
    middle = float(np.median(inner))
    # Divided first: squares of numbers near the largest ones would overflow.
    largest = max(float(np.abs(inner - middle).max()), np.finfo(np.float64).tiny)
    spread = float(np.std((inner - middle) / largest)) or 1.0
    unit = largest * spread
    ends = (low - middle) / unit - MOST_DEVIATIONS, (high - middle) / unit + MOST_DEVIATIONS
    # Beside a constant column any other number is infinitely far away, and counts as at the end.
    with np.errstate(over="ignore"):
        deviations = {side: (found - middle) / unit for side, found in values.items()}
    return {
        side: np.round(np.clip(np.where(np.isnan(found), 0.0, found), *ends) * NUMBER_SCALE * GRID)
        / GRID
        for side, found in deviations.items()
    }


def _telling(codes: dict[Side, IntArray], random: np.random.Generator) -> FloatArray:
    """For each level a direction whose squared length is log(1/p), at right angles to all others.

    Beyond 64 levels nearly so.
    """
    levels = max(int(found.max(initial=0)) for found in codes.values()) + 1
    real = np.concatenate([codes["training"], codes["holdout"]])
    shares = (np.bincount(real, minlength=levels) + 1) / (real.size + levels)
    length = np.sqrt(-np.log(np.minimum(shares, 1.0)))
    if levels <= MOST_LEVELS:
        directions = np.eye(levels)
    else:
        directions = random.choice([-0.125, 0.125], size=(levels, MOST_LEVELS))
    return np.asarray(np.round(directions * length[:, None] * GRID) / GRID)
