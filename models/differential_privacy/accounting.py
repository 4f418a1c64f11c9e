"""What mechanisms cost together, as Gaussian differential privacy.

A mechanism is mu-GDP when telling two neighbouring tables apart from its output is at least as hard
as telling N(0, 1) from N(mu, 1) by one draw. Gaussians of sensitivity s and deviation sigma are
s / sigma; together they are the root of the sum of squares, also where each looks at what the ones
before have given (Dong, Roth, Su 2022). Noise of whole numbers costs up to 1 % more than that where
it is small, which the second accountant knows and the ledger keeps back.
"""

import math

from scipy.optimize import brentq
from scipy.special import log_ndtr, ndtri

MOST_MU = 200.0
MOST_CHOICE = 50.0
"""A choice of a larger epsilon is the best one for certain."""


def delta_of(mu: float, epsilon: float) -> float:
    """The least delta at which mu-GDP is (epsilon, delta)-private.

    Exact. Source: Balle, Wang 2018, theorem 8.
    """
    if mu <= 0:
        return 0.0
    upper = float(log_ndtr(mu / 2 - epsilon / mu))
    lower = epsilon + float(log_ndtr(-mu / 2 - epsilon / mu))
    return max(0.0, -math.exp(upper) * math.expm1(min(lower - upper, 0.0)))


def epsilon_of(mu: float, delta: float) -> float:
    """The least epsilon at which mu-GDP is (epsilon, delta)-private."""
    if mu <= 0 or delta_of(mu, 0.0) <= delta:
        return 0.0
    highest = mu * mu / 2 + mu * (math.sqrt(2 * math.log(1 / delta)) + 2)
    return float(brentq(lambda epsilon: delta_of(mu, epsilon) - delta, 0.0, highest, xtol=1e-12))


def mu_within(epsilon: float, delta: float) -> float:
    """The most mu that keeps (epsilon, delta): what there is to spend; ends at MOST_MU."""
    if delta_of(MOST_MU, epsilon) <= delta:
        return MOST_MU
    found = float(brentq(lambda mu: delta_of(mu, epsilon) - delta, 1e-9, MOST_MU, xtol=1e-13))
    return found * (1 - 1e-9)


def mu_of_gaussian(variance: float, sensitivity: float) -> float:
    """Gaussian noise of this variance on something that one unit moves by at most `sensitivity`."""
    return sensitivity / math.sqrt(variance)


def mu_of_choice(epsilon: float) -> float:
    """An exponential mechanism of `epsilon`, which is bounded in range.

    The range of its privacy loss is at most epsilon, so that no test does better than the hyperbola
    `(1 + (e-1) a)(1 + (e-1) b) = e`, e = exp(epsilon), of its errors a and b; mu is the farthest
    Gaussian curve that the hyperbola reaches. Source of the range: Durfee, Rogers 2019.
    """
    # The symmetric point, where the two errors are equal, is the farthest one.
    return 2 * float(ndtri(1 / (1 + math.exp(-epsilon / 2))))


def choice_within(mu: float) -> float:
    """The epsilon of an exponential mechanism that costs `mu`."""
    log_odds = float(log_ndtr(mu / 2) - log_ndtr(-mu / 2))
    return min(2 * log_odds, MOST_CHOICE)


def threshold_of(delta: float, variance: float, sensitivity: int) -> float:
    """The noisy count from which a value nobody has listed may be shown (partition selection).

    A value that only one unit holds, at most `sensitivity` times, stays below it with probability
    1 - delta at least. Noise of whole numbers reaches m at most as often as the Gaussian reaches
    m - 1: hence one more. Under Laplace noise of scale 1 / epsilon it would have to be
    1 + ln(1 / (2 delta)) / epsilon. Sources: Gopi et al. 2020; Canonne, Kamath, Steinke 2020.
    """
    return sensitivity + 1 + math.sqrt(variance) * float(-ndtri(delta))
