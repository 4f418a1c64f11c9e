"""Area under the ROC curve: weighted for the bootstrap, with DeLong's variance for one sample."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats

from models.evaluation.intervals import TAIL_95, FloatArray, Interval


class AreaUnderCurve(NamedTuple):
    """An ROC AUC and its variance."""

    value: float
    variance: float


def delong(scores: npt.ArrayLike, positive: npt.ArrayLike) -> AreaUnderCurve:
    """ROC AUC of `scores` for the boolean `positive`, ties half (DeLong, DeLong, Clarke-Pearson).

    Needs at least two rows of each class; computed from mid-ranks in O(n log n).
    """
    scores, positive = np.asarray(scores, dtype=np.float64), np.asarray(positive, dtype=bool)
    above, below = scores[positive], scores[~positive]
    ranks = stats.rankdata(scores)
    beaten = (ranks[positive] - stats.rankdata(above)) / below.size
    lost_to = 1 - (ranks[~positive] - stats.rankdata(below)) / above.size
    variance = beaten.var(ddof=1) / above.size + lost_to.var(ddof=1) / below.size
    return AreaUnderCurve(float(beaten.mean()), float(variance))


def mean_area(folds: list[AreaUnderCurve]) -> tuple[float, Interval]:
    """The mean AUC over cross-validation folds with its 95 % interval, folds as independent."""
    value = float(np.mean([fold.value for fold in folds]))
    deviation = float(np.sqrt(sum(fold.variance for fold in folds))) / len(folds)
    half = TAIL_95 * deviation
    return value, Interval(max(value - half, 0.0), min(value + half, 1.0))


@dataclass(frozen=True)
class RankedScores:
    """Scores sorted once, so that the AUC under many row weights costs two counts each."""

    positions: npt.NDArray[np.int64]
    positive: FloatArray

    @classmethod
    def of(cls, scores: npt.ArrayLike, positive: npt.ArrayLike) -> "RankedScores":
        """Ranks `scores` (ties share a position) beside their class."""
        _, positions = np.unique(np.asarray(scores, dtype=np.float64), return_inverse=True)
        return cls(positions.astype(np.int64), np.asarray(positive, dtype=np.float64))

    def area(self, weights: FloatArray) -> float:
        """ROC AUC where row i counts `weights[i]` times; NaN if a class has no weight."""
        hits = np.bincount(self.positions, weights * self.positive)
        misses = np.bincount(self.positions, weights * (1 - self.positive))
        total = hits.sum() * misses.sum()
        if total == 0:
            return float("nan")
        return float((hits * (np.cumsum(misses) - misses / 2)).sum() / total)
