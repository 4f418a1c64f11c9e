"""The second accountant: adds up privacy losses as numbers on a grid, with nothing approximated.

It shares no formula with `accounting`: it knows the very mechanisms that ran (discrete Gaussians
with their own probabilities, choices with their own curve), lays each one's privacy loss on a grid,
always rounded up, and convolves. So it can only err upwards, by less than a part in five hundred.
Source: Koskela, Jälkö, Honkela 2020; rounding as in Doroshenko et al. 2022.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft

from models.encoding.column import FloatArray

ROUNDING = 500
"""All rounding together is less than epsilon / ROUNDING."""
MOST_POINTS = 2**22
_TAIL = 14.0
"""Deviations beyond which probability counts as a certain loss: below 1e-40."""


@dataclass(frozen=True)
class Noised:
    """Discrete Gaussian noise of `variance` on whole counts that a unit moves by `sensitivity`."""

    variance: int
    sensitivity: int

    def losses(self, grid: "Grid") -> tuple[FloatArray, float]:
        """The probability of each loss on the grid, and of losses beyond it."""
        reach = math.ceil(_TAIL * math.sqrt(self.variance)) + self.sensitivity + 1
        outputs = np.arange(-reach, reach + 1, dtype=np.float64)
        chances = np.exp(-(outputs**2) / (2 * self.variance))
        chances /= chances.sum()
        moved = self.sensitivity
        losses = (moved * moved - 2 * moved * outputs) / (2 * self.variance)
        return grid.of_points(losses, chances)


@dataclass(frozen=True)
class Chosen:
    """An exponential mechanism of `epsilon`: its loss under the hardest pair of tables."""

    epsilon: float

    def losses(self, grid: "Grid") -> tuple[FloatArray, float]:
        """The probability of each loss on the grid, and of losses beyond it."""
        edges = grid.values[: grid.count].clip(-self.epsilon, self.epsilon)
        growth = math.expm1(self.epsilon)
        place = np.expm1((self.epsilon - edges) / 2) / growth
        above = np.exp(self.epsilon) * place / (1 + growth * place)
        # A loss between two grid points counts as the upper one.
        chances: FloatArray = np.diff(-above, prepend=-1.0).clip(0)
        return chances, max(0.0, float(above[-1]))


Mechanism = Noised | Chosen


@dataclass(frozen=True)
class Grid:
    """Equally spaced losses, from -half to half of `count`, `step` apart."""

    step: float
    count: int

    @property
    def values(self) -> FloatArray:
        return (np.arange(self.count, dtype=np.float64) - self.count // 2) * self.step

    def of_points(self, losses: FloatArray, chances: FloatArray) -> tuple[FloatArray, float]:
        """Losses of a finite mechanism, each rounded up to the grid."""
        places = np.ceil(losses / self.step - 1e-9).astype(np.int64) + self.count // 2
        inside = places < self.count
        laid = np.bincount(
            places[inside].clip(0), weights=chances[inside], minlength=self.count
        ).astype(np.float64)
        return laid, float(chances[~inside].sum())


@dataclass(frozen=True)
class Losses:
    """The privacy loss of all mechanisms together: losses, their chances, and what lies beyond."""

    losses: FloatArray
    chances: FloatArray
    beyond: float

    def delta(self, epsilon: float) -> float:
        """The delta at `epsilon`."""
        above = self.losses > epsilon
        lost = self.chances[above] * -np.expm1(epsilon - self.losses[above])
        return float(lost.sum()) + self.beyond


def composed(mechanisms: Sequence[tuple[Mechanism, int]], epsilon: float) -> Losses:
    """The losses of mechanisms that ran so many times each, in any adaptive order.

    The grid is as fine as answers near `epsilon` need it.
    """
    grid = _grid(mechanisms, epsilon)
    if grid is None:
        return Losses(np.zeros(1), np.ones(1), 0.0)
    size = next_fast_len(2 * grid.count, real=True)
    spectrum = np.ones(size // 2 + 1, dtype=np.complex128)
    beyond, runs = 0.0, 0
    for mechanism, times in mechanisms:
        chances, outside = mechanism.losses(grid)
        spectrum *= rfft(chances, size) ** times
        beyond += times * outside
        runs += times
    summed = irfft(spectrum, size).clip(0)
    # Each mechanism brings the shift of its own zero; the circle turns them back to one.
    places = np.arange(size) - (runs * (grid.count // 2)) % size
    places = np.where(places > size // 2, places - size, places)
    places = np.where(places < -(size // 2), places + size, places)
    return Losses(places * grid.step, summed, beyond)


def composed_delta(mechanisms: Sequence[tuple[Mechanism, int]], epsilon: float) -> float:
    """The delta at `epsilon` of mechanisms that ran so many times each."""
    return composed(mechanisms, epsilon).delta(epsilon)


def composed_epsilon(mechanisms: Sequence[tuple[Mechanism, int]], delta: float) -> float:
    """The least epsilon at `delta`, to a thousandth; infinite where there is none."""
    spread = _spread(mechanisms)
    # What a Gaussian of this spread would have; only the grid depends on it.
    near = spread / 2 + math.sqrt(2 * spread * math.log(1 / delta))
    found = composed(mechanisms, near)
    low, high = 0.0, max(1e-6, float(found.losses.max()))
    if found.delta(0.0) <= delta:
        return 0.0
    if found.delta(high) > delta:
        return math.inf
    while high - low > 1e-4 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if found.delta(middle) > delta else (low, middle)
    return high


def _spread(mechanisms: Sequence[tuple[Mechanism, int]]) -> float:
    """The variance of all losses together, or a little more."""
    spread = 0.0
    for mechanism, times in mechanisms:
        if isinstance(mechanism, Noised):
            spread += times * mechanism.sensitivity**2 / mechanism.variance
        else:
            spread += times * min(mechanism.epsilon**2 / 3, 2 * mechanism.epsilon)
    return spread


def _grid(mechanisms: Sequence[tuple[Mechanism, int]], epsilon: float) -> Grid | None:
    """A grid that is fine enough for the number of runs and wide enough for their losses."""
    runs = sum(times for _, times in mechanisms)
    if not runs:
        return None
    spread = _spread(mechanisms)
    reach = spread / 2 + _TAIL * math.sqrt(spread) + epsilon
    step = max(epsilon, 1e-3) / (ROUNDING * runs)
    count = 2 * math.ceil(reach / step) + 1
    if count > MOST_POINTS:
        count, step = MOST_POINTS + 1, 2 * reach / MOST_POINTS
    return Grid(step, count)
