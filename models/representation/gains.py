"""How much an attack gains over the prior, and how sure that is."""

from dataclasses import dataclass

import numpy as np
from scipy import stats
from sklearn.metrics import roc_auc_score

from data_contracts.report import State
from models.encoding.column import FloatArray, IntArray

LEVEL = 0.95
_REPLICATES = 100


@dataclass(frozen=True)
class Gain:
    """A gain over the prior with its one-sided 95 % bounds, and the two scores behind it."""

    value: float
    low: float
    high: float
    attack: float
    prior: float

    def state(self, bar: float) -> State:
        """Refused when surely above the bar; undecided when above it by no more than chance.

        An attack that could not tell a gain of twice the bar from the bar decides nothing either.
        """
        if self.low > bar:
            return "refuse"
        return "inconclusive" if self.value > bar or self.blind(bar) else "pass"

    def blind(self, bar: float) -> bool:
        """Whether chance alone moves this attack by more than the bar."""
        return self.high - self.value > bar


def row_gains(
    truth: FloatArray, prior: FloatArray, attack: FloatArray, numbers: bool
) -> FloatArray:
    """Each row's part in the gain `(rows,)`: their mean is the gain in R2, or in accuracy.

    `prior` and `attack` are what is said of each row: a number or a class.
    """
    if not numbers:
        gained: FloatArray = (attack == truth).astype(float) - (prior == truth).astype(float)
        return gained
    spread = float(np.var(truth)) or 1.0
    gained = ((prior - truth) ** 2 - (attack - truth) ** 2) / spread
    return gained


def gain_of_draws(draws: list[FloatArray], units: IntArray, attack: float, prior: float) -> Gain:
    """The gain of an attack that was run on several draws of known pairs, same rows each time.

    Its error adds the spread between draws and that between the units that rows belong to.
    """
    means = np.array([rows.mean() for rows in draws])
    squares = _square_error(np.mean(draws, axis=0), units)
    if len(draws) > 1:
        squares += float(np.var(means, ddof=1)) / len(draws)
        quantile = float(stats.t.ppf(LEVEL, len(draws) - 1))
    else:
        quantile = float(stats.norm.ppf(LEVEL))
    value, half = float(means.mean()), quantile * squares**0.5
    return Gain(value, value - half, value + half, attack, prior)


def _square_error(rows: FloatArray, units: IntArray) -> float:
    """The squared standard error of the mean of rows that come in units (a ratio estimate)."""
    places = np.unique(units, return_inverse=True)[1]
    sums = np.bincount(places, weights=rows - rows.mean())
    if len(sums) < 2:
        return float("inf")
    return float((sums**2).sum()) / len(rows) ** 2 * len(sums) / (len(sums) - 1)


def weighted_auc(truth: FloatArray, said: FloatArray, weights: FloatArray | None = None) -> float:
    """One class against the rest, averaged by frequency; `said` is `(rows, classes)`."""
    total, mass = 0.0, 0.0
    for place in range(said.shape[1]):
        mine = truth == place
        share = float(mine.mean())
        if 0 < share < 1 and (weights is None or 0 < weights[mine].sum() < weights.sum()):
            total += share * float(roc_auc_score(mine, said[:, place], sample_weight=weights))
            mass += share
    return total / mass if mass else 0.5


@dataclass(frozen=True)
class Said:
    """What two attackers say of the same rows `(rows, classes)`, without the code and with it."""

    prior: FloatArray
    attack: FloatArray


def auc_gain(truth: FloatArray, said: Said, units: IntArray, random: np.random.Generator) -> Gain:
    """The gain in AUC of two attackers on the same rows, with bounds by a paired bootstrap.

    Units are drawn, with all their rows.
    """
    values = (weighted_auc(truth, said.attack), weighted_auc(truth, said.prior))
    draws = []
    for _ in range(_REPLICATES):
        weights = random.poisson(1.0, int(units.max(initial=0)) + 1).astype(float)[units]
        draws.append(
            weighted_auc(truth, said.attack, weights) - weighted_auc(truth, said.prior, weights)
        )
    half = float(stats.norm.ppf(LEVEL)) * float(np.std(draws, ddof=1))
    value = values[0] - values[1]
    return Gain(value, value - half, value + half, *values)
