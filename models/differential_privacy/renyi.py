"""What sampled Gaussian steps cost together with all else, as Rényi differential privacy.

The first accountant of a fit that was trained in steps: squared mu can't add up what sampling of
units saves (its own rule for that is a limit and can fall below the truth). Each mechanism has a
curve of divergences by order; curves add up, and the best order gives epsilon. Source: Mironov
2017; of sampled Gaussians Mironov, Talwar, Zhang 2019, as Opacus computes it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.encoding.column import FloatArray

ORDERS = (
    *(1 + tenth / 10 for tenth in range(1, 30)),
    *(half / 2 for half in range(8, 22)),
    *range(11, 64),
    *range(64, 257, 16),
    *(320, 384, 512, 768),
)
"""Orders that are looked at: small ones decide large epsilons, large ones small epsilons."""
MOST_NOISE = 1e5
PRECISION = 5e-4
"""How far above the least noise it may be: more precise, and it takes seconds longer."""
DIGITS = 4
"""Of a noise multiplier, which is rounded up to them."""


@dataclass(frozen=True)
class Steps:
    """Gaussian noise of `noise` clipped norms on each of `count` sums of sampled units.

    Each unit is in each sum by a lot of its own, with chance `rate` (Poisson sampling).
    """

    count: int
    rate: float
    noise: float

    def curve(self) -> FloatArray:
        """The divergence at each order."""
        # Here and not above: the package takes seconds to load, and most fits have no steps.
        from opacus.accountants.analysis.rdp import compute_rdp

        orders = list(ORDERS)
        found = compute_rdp(
            q=self.rate, noise_multiplier=self.noise, steps=self.count, orders=orders
        )
        curve: FloatArray = np.asarray(found, dtype=np.float64)
        return curve


def curve_of(squared_mu: float, choices: Sequence[float] = ()) -> FloatArray:
    """The divergence at each order of Gaussians and of choices of these epsilons.

    `squared_mu` is what the Gaussians have together; discrete ones diverge no more than that
    (Canonne, Kamath, Steinke 2020). A choice of epsilon is epsilon^2 / 8 zCDP (Cesar, Rogers 2021).
    """
    concentrated = squared_mu / 2 + math.fsum(epsilon**2 / 8 for epsilon in choices)
    curve: FloatArray = np.array(ORDERS, dtype=np.float64) * concentrated
    return curve


def epsilon_at(curve: FloatArray, delta: float) -> float:
    """The least epsilon at delta that a curve shows; source: Balle et al. 2020, theorem 21."""
    orders = np.array(ORDERS, dtype=np.float64)
    found = curve - (math.log(delta) + np.log(orders)) / (orders - 1) + np.log1p(-1 / orders)
    return max(0.0, float(np.nanmin(found)))


def noise_within(budget: tuple[float, float], other: FloatArray, count: int, rate: float) -> float:
    """The least noise of so many steps that keeps a budget (epsilon, delta) beside another curve.

    Infinite where no noise does.
    """
    epsilon, delta = budget

    def keeps(noise: float) -> bool:
        return epsilon_at(other + Steps(count, rate, noise).curve(), delta) <= epsilon

    if not keeps(MOST_NOISE):
        return math.inf
    low, high = 1e-2, MOST_NOISE
    while high > low * (1 + PRECISION):
        middle = math.sqrt(low * high)
        low, high = (low, middle) if keeps(middle) else (middle, high)
    places = DIGITS - 1 - math.floor(math.log10(high))
    return math.ceil(high * 10.0**places) / 10.0**places
