"""How sure a figure is: exact and bootstrap intervals, and Holm for many tests."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats

FloatArray = npt.NDArray[np.float64]

TAIL_95 = 1.959963984540054


class Interval(NamedTuple):
    """The ends of a two-sided interval."""

    low: float
    high: float


def wilson(successes: float, trials: float, z: float = TAIL_95) -> Interval:
    """Wilson's score interval of a proportion (Wilson 1927); (0, 1) without trials.

    Chosen for shares in reports: its coverage stays near nominal at small counts, and it never
    leaves [0, 1].
    """
    if trials <= 0:
        return Interval(0.0, 1.0)
    share = successes / trials
    shrink = 1 + z**2 / trials
    centre = (share + z**2 / (2 * trials)) / shrink
    half = z / shrink * np.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2))
    low = 0.0 if successes == 0 else float(centre - half)
    high = 1.0 if successes == trials else float(centre + half)
    return Interval(max(low, 0.0), min(high, 1.0))


def clopper_pearson(successes: int, trials: int, confidence: float = 0.95) -> Interval:
    """The exact interval of a proportion (Clopper and Pearson 1934); never covers too little.

    Chosen where an interval decides a refusal.
    """
    if trials <= 0:
        return Interval(0.0, 1.0)
    tail = (1 - confidence) / 2
    low = stats.beta.ppf(tail, successes, trials - successes + 1) if successes > 0 else 0.0
    high = stats.beta.isf(tail, successes + 1, trials - successes) if successes < trials else 1.0
    return Interval(float(low), float(high))


def holm(p_values: list[float], alpha: float) -> tuple[bool, ...]:
    """Which tests are rejected with family-wise error `alpha` (Holm 1979, step down)."""
    order = np.argsort(p_values, kind="stable")
    rejected = [False] * len(p_values)
    for step, index in enumerate(order):
        if p_values[index] > alpha / (len(p_values) - step):
            break
        rejected[index] = True
    return tuple(rejected)


def row_weights(rows: int, replicates: int, random: np.random.Generator) -> FloatArray:
    """Bootstrap weights (1 + replicates, rows): ones first, then Poisson(1) draws.

    Poisson weights stand for resampling rows with replacement, at the cost of one draw for each
    row, and the same weights serve every column, so that dependence between columns is kept.
    A replicate without any row keeps all rows.
    """
    weights = random.poisson(1.0, size=(1 + replicates, rows)).astype(np.float64)
    weights[0] = 1.0
    weights[weights.sum(axis=1) == 0] = 1.0
    return weights


def around(
    value: float, replicates: npt.ArrayLike, lowest: float = 0.0, highest: float = np.inf
) -> Interval:
    """Normal 95 % interval with the bootstrap's standard deviation, cut at the possible ends.

    Distances between distributions grow under resampling, so that percentiles of the replicates
    would lie above the figure itself; only their spread is used. Replicates that are NaN (a class
    that was not drawn) are left out.
    """
    drawn = np.asarray(replicates, dtype=np.float64)
    drawn = drawn[~np.isnan(drawn)]
    spread = TAIL_95 * float(np.std(drawn, ddof=1)) if drawn.size > 1 else np.inf
    return Interval(max(value - spread, lowest), min(value + spread, highest))
