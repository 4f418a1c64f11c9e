"""How much an attack gains over the prior, and how sure that is."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats
from sklearn.metrics import roc_auc_score

from data_contracts.report import State
from models.encoding.column import FloatArray, IntArray

UNSURE = 0.05
"""An interval leaves out the truth on either side with this probability, by the number of runs."""
EVEN = 0.5
"""As likely as not a gain of just the bar comes out within it, in the first of all runs."""
_REPLICATES = 100


@dataclass(frozen=True)
class Gain:
    """A gain over the prior with its one-sided 95 % bounds, and the two scores behind it.

    In the n-th run of the attacks on the same rows both levels are divided by n: the bounds are
    wider, and `due` is how far below the bar the value has to stay. So a gain of just the bar comes
    out as within it in at most one of 2 n runs, and not in one of two however often it is tried.
    """

    value: float
    low: float
    high: float
    attack: float
    prior: float
    due: float = 0.0

    def state(self, bar: float) -> State:
        """Refused when surely above the bar; undecided when above it by no more than chance.

        An attack that could not tell a gain of twice the bar from the bar decides nothing either.
        """
        if self.low > bar:
            return "refuse"
        return "inconclusive" if self.above(bar) or self.blind(bar) else "pass"

    def above(self, bar: float) -> bool:
        """Whether the gain is above the bar, or so near to it that a retry does not pass."""
        return self.value + self.due > bar

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


def gain_of_draws(
    draws: list[FloatArray], units: IntArray, scores: tuple[float, float], runs: int = 1
) -> Gain:
    """The gain of an attack that was run on several draws of known pairs, same rows each time.

    Its error adds the spread between draws and that between the units that rows belong to. `scores`
    are those with the code and without it.
    """
    means = np.array([rows.mean() for rows in draws])
    squares = _square_error(np.mean(draws, axis=0), units)
    if len(draws) > 1:
        squares += float(np.var(means, ddof=1)) / len(draws)
    errors = stats.t(len(draws) - 1) if len(draws) > 1 else stats.norm()
    return _judged_by(float(means.mean()), squares**0.5, scores, (errors, runs))


def _judged_by(
    value: float, error: float, scores: tuple[float, float], rules: tuple[Any, int]
) -> Gain:
    """A gain with its standard error, by the distribution of errors and the number of runs."""
    errors, runs = rules
    half = float(errors.isf(UNSURE / runs)) * error
    # In the first run nothing is due, also where the error is not known at all.
    due = float(errors.isf(EVEN / runs)) * error if runs > 1 else 0.0
    return Gain(value, value - half, value + half, *scores, due=due)


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


def auc_gain(
    truth: FloatArray, said: Said, units: IntArray, random: np.random.Generator, runs: int = 1
) -> Gain:
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
    error = float(np.std(draws, ddof=1))
    return _judged_by(values[0] - values[1], error, values, (stats.norm(), runs))
