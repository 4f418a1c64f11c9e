"""How columns hang together: trend error, mutual-information error, three-way total variation."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from models.evaluation.coded import CodedColumn, CodedTable, Side
from models.evaluation.contingency import Cells, entropy
from models.evaluation.correlation import correlations
from models.evaluation.distributions import total_variation
from models.evaluation.intervals import FloatArray

MOST_PAIRS = 5_000
BOOTSTRAP_PAIRS = 300
MOST_TRIPLES = 50

Pair = tuple[int, int]


@dataclass(frozen=True)
class Weights:
    """Bootstrap weights (1 + replicates, rows) of training and synthetic rows; first row ones."""

    training: FloatArray
    synthetic: FloatArray

    @property
    def plain(self) -> "Weights":
        """The figure itself, without replicates."""
        return Weights(self.training[:1], self.synthetic[:1])


@dataclass(frozen=True)
class Error:
    """A mean error as a share, its ceiling, and its bootstrap replicates."""

    value: float
    ceiling: float
    replicates: FloatArray


@dataclass(frozen=True)
class PairErrors:
    """Errors over column pairs.

    `matrix` and `ceiling_matrix` hold the trend errors, (columns, columns), NaN on the diagonal
    and where a pair was not looked at.
    """

    trend: Error
    information: Error
    matrix: FloatArray
    ceiling_matrix: FloatArray
    pairs: int
    all_pairs: int


def pair_errors(coded: CodedTable, weights: Weights) -> PairErrors:
    """Trend and mutual-information error of every column pair, or of a seeded 5,000 of them.

    Trend: two numbers are compared by |Pearson difference| / 2, any other pair by the total
    variation of their contingency tables. Information: the absolute difference of normalised
    mutual information, numbers in ten bins. The bootstrap runs over at most 300 of the pairs.
    """
    random = coded.random(11)
    everything = list(combinations(range(len(coded.columns)), 2))
    pairs = _some(everything, MOST_PAIRS, random)
    repeated = set(_some(pairs, BOOTSTRAP_PAIRS, random))
    compare = _Comparer(coded, weights)
    found = {pair: compare(pair, with_bootstrap=pair in repeated) for pair in pairs}
    return PairErrors(
        trend=_mean([trend for trend, _ in found.values()]),
        information=_mean([information for _, information in found.values()]),
        matrix=_matrix({pair: trend.value for pair, (trend, _) in found.items()}, coded),
        ceiling_matrix=_matrix({pair: trend.ceiling for pair, (trend, _) in found.items()}, coded),
        pairs=len(pairs),
        all_pairs=len(everything),
    )


def _some(items: list[Pair], most: int, random: np.random.Generator) -> list[Pair]:
    if len(items) <= most:
        return items
    return [items[index] for index in np.sort(random.choice(len(items), most, replace=False))]


def _mean(errors: list[Error]) -> Error:
    repeated = [error.replicates for error in errors if error.replicates.size]
    return Error(
        float(np.mean([error.value for error in errors])),
        float(np.mean([error.ceiling for error in errors])),
        np.mean(repeated, axis=0),
    )


def _matrix(values: dict[Pair, float], coded: CodedTable) -> FloatArray:
    matrix = np.full((len(coded.columns),) * 2, np.nan)
    for (first, second), value in values.items():
        matrix[first, second] = matrix[second, first] = value
    return matrix


class _Comparer:
    """Compares one pair of columns at a time; what pairs share is computed once."""

    def __init__(self, coded: CodedTable, weights: Weights) -> None:
        self._weights: dict[Side, FloatArray] = {
            "training": weights.training,
            "synthetic": weights.synthetic,
            "holdout": np.ones((1, coded.rows["holdout"])),
        }
        self._columns = tuple(column.binned() for column in coded.columns)
        numbers = [index for index, column in enumerate(coded.columns) if column.is_number]
        self._place = {index: place for place, index in enumerate(numbers)}
        self._pearson = {side: correlations(coded, side, w) for side, w in self._weights.items()}
        self._entropy = [self._entropies(column) for column in self._columns]

    def _entropies(self, column: CodedColumn) -> dict[Side, FloatArray]:
        cells = Cells.of((column,))
        return {side: entropy(cells.shares(side, w)) for side, w in self._weights.items()}

    def __call__(self, pair: Pair, *, with_bootstrap: bool) -> tuple[Error, Error]:
        rows = slice(None) if with_bootstrap else slice(1)
        cells = Cells.of((self._columns[pair[0]], self._columns[pair[1]]))
        shares = {side: cells.shares(side, w[rows]) for side, w in self._weights.items()}
        information = {side: self._information(pair, side, shares[side]) for side in shares}
        if pair[0] in self._place and pair[1] in self._place:
            first, second = self._place[pair[0]], self._place[pair[1]]
            pearson = {side: c[rows, first, second] for side, c in self._pearson.items()}
            trend = _error(_absolute, pearson, 0.5)
        else:
            trend = _error(_variation, shares, 1.0)
        return trend, _error(_absolute, information, 1.0)

    def _information(self, pair: Pair, side: Side, shares: FloatArray) -> FloatArray:
        one = self._entropy[pair[0]][side][: len(shares)]
        other = self._entropy[pair[1]][side][: len(shares)]
        shared = np.maximum(one + other - entropy(shares), 0.0)
        return np.minimum(2 * shared / np.maximum(one + other, 1e-12), 1.0)


def _absolute(difference: FloatArray) -> FloatArray:
    return np.asarray(np.abs(difference), dtype=np.float64)


def _variation(difference: FloatArray) -> FloatArray:
    return total_variation(difference, np.zeros_like(difference))


def _error(
    distance: Callable[[FloatArray], FloatArray], sides: dict[Side, FloatArray], scale: float
) -> Error:
    errors = scale * distance(sides["training"] - sides["synthetic"])
    ceiling = scale * distance(sides["training"][:1] - sides["holdout"])
    return Error(float(errors[0]), float(ceiling[0]), np.asarray(errors[1:], dtype=np.float64))


def triple_error(coded: CodedTable, weights: Weights) -> Error | None:
    """Mean total variation of three-way tables over a seeded sample of at most 50 triples.

    None if there are fewer than three columns.
    """
    binned = tuple(column.binned() for column in coded.columns)
    if len(binned) < 3:
        return None
    errors = []
    for triple in _triples(len(binned), coded.random(12)):
        cells = Cells.of(tuple(binned[index] for index in triple))
        errors.append(pattern_error(cells, weights))
    return _mean(errors)


def _triples(columns: int, random: np.random.Generator) -> list[tuple[int, ...]]:
    if columns <= 7:
        return list(combinations(range(columns), 3))
    drawn: set[tuple[int, ...]] = set()
    while len(drawn) < MOST_TRIPLES:
        drawn.add(tuple(sorted(int(i) for i in random.choice(columns, 3, replace=False))))
    return sorted(drawn)


def pattern_error(cells: Cells, weights: Weights) -> Error:
    """Total variation between training and synthetic rows over the given cells."""
    sides: dict[Side, FloatArray] = {
        "training": cells.shares("training", weights.training),
        "synthetic": cells.shares("synthetic", weights.synthetic),
        "holdout": cells.shares("holdout", np.ones((1, cells.codes["holdout"].size))),
    }
    return _error(_variation, sides, 1.0)
