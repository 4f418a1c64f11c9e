"""The second accountant: adds up privacy losses as numbers on a grid, with nothing approximated.

It shares no formula with `accounting` or `renyi`: it knows the very mechanisms that ran (discrete
Gaussians with their own probabilities, choices with their own curve, steps on sampled units), lays
each one's privacy loss on a grid, always rounded up, and convolves. So it can only err upwards, by
less than a part in five hundred, in steps by thousands by less than one in a hundred.
Source: Koskela, Jälkö, Honkela 2020; rounding as in Doroshenko et al. 2022; the two directions of
sampled steps, a unit more or a unit less, as in Zhu, Dong, Wang 2022.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft
from scipy.special import ndtr

from models.encoding.column import FloatArray

ROUNDING, ROUNDING_OF_STEPS = 500, 150
"""All rounding together is less than epsilon by these numbers; of steps there are many."""
MOST_POINTS = 2**22
STEEPNESS = np.array([20.0, 50.0, 100.0, 200.0])
"""Of the exponentials that bound how likely a sum of losses is to leave the grid, across it."""
_LARGE = 40.0
"""A loss whose exponential hides what is added to it."""
_TAIL, _TAIL_OF_STEPS = 14.0, 10.0
"""Deviations beyond which a chance counts as a certain loss: below 1e-40, of steps a bit more."""


@dataclass(frozen=True)
class Noised:
    """Discrete Gaussian noise of `variance` on whole counts that a unit moves by `sensitivity`."""

    variance: int
    sensitivity: int

    @property
    def spread(self) -> float:
        """The variance of the loss."""
        return self.sensitivity**2 / self.variance

    def losses(self, grid: "Grid", more: bool) -> tuple[FloatArray, float]:  # noqa: ARG002
        """The probability of each loss on the grid, and of losses beyond it; the same both ways."""
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

    @property
    def spread(self) -> float:
        """The variance of the loss, or a little more."""
        return min(self.epsilon**2 / 3, 2 * self.epsilon)

    def losses(self, grid: "Grid", more: bool) -> tuple[FloatArray, float]:  # noqa: ARG002
        """The probability of each loss on the grid, and of losses beyond it; the same both ways."""
        edges = grid.values[: grid.count].clip(-self.epsilon, self.epsilon)
        growth = math.expm1(self.epsilon)
        place = np.expm1((self.epsilon - edges) / 2) / growth
        above = np.exp(self.epsilon) * place / (1 + growth * place)
        return grid.of_tail(above)


@dataclass(frozen=True)
class Sampled:
    """One step: Gaussian noise of `noise` clipped norms on a sum of sampled units.

    Each unit is in the sum by a lot of its own, with chance `rate`.
    """

    rate: float
    noise: float

    @property
    def spread(self) -> float:
        """The mean square of the loss, or a little more.

        The chi-squared divergence, or what the loss would be if every unit were in.
        """
        squared = self.noise**-2
        return min(self.rate**2 * math.expm1(min(squared, 500.0)), squared + squared**2 / 4)

    def losses(self, grid: "Grid", more: bool) -> tuple[FloatArray, float]:
        """The probability of each loss on the grid, and of losses beyond it.

        With `more`, the unit is in the table that ran: outputs are N(0, noise^2), or N(1, noise^2)
        by the lot; without, it is in the other one.
        """
        edges = grid.values[: grid.count]
        if more:
            output = self._output(edges)
            above = (1 - self.rate) * ndtr(-output / self.noise)
            above += self.rate * ndtr((1 - output) / self.noise)
        else:
            above = ndtr(self._output(-edges) / self.noise)
        return grid.of_tail(above)

    def _output(self, losses: FloatArray) -> FloatArray:
        """The output whose loss is this one when the unit is there: the loss rises with it."""
        # log((e^loss - (1 - rate)) / rate); below log(1 - rate) there is no output.
        grown = np.expm1(np.minimum(losses, _LARGE)) + self.rate
        known = np.where(losses > _LARGE, losses, np.log(np.maximum(grown, 1e-300)))
        output = self.noise**2 * (known - math.log(self.rate)) + 0.5
        found: FloatArray = np.where(grown > 0, output, -np.inf)
        return found


Mechanism = Noised | Chosen | Sampled


@dataclass(frozen=True)
class Grid:
    """Equally spaced losses, from -half to half of `count`, `step` apart."""

    step: float
    count: int

    @property
    def values(self) -> FloatArray:
        return (np.arange(self.count, dtype=np.float64) - self.count // 2) * self.step

    def log_growth(self, chances: FloatArray) -> FloatArray:
        """The logarithm of the mean of exp(steepness * loss), for each steepness."""
        there = np.flatnonzero(chances)
        losses, logs = (there - self.count // 2) * self.step, np.log(chances[there])
        found = np.empty(len(STEEPNESS))
        for place, steepness in enumerate(self.steepness):
            weighed = logs + steepness * losses
            most = weighed.max()
            found[place] = most + np.log(np.exp(weighed - most).sum())
        return found

    @property
    def steepness(self) -> FloatArray:
        """Exponents for each nat of loss."""
        steepness: FloatArray = STEEPNESS / (self.step * (self.count // 2))
        return steepness

    def of_tail(self, above: FloatArray) -> tuple[FloatArray, float]:
        """Losses whose chance to be above each grid point is known, each rounded up to the grid."""
        chances: FloatArray = np.diff(-above, prepend=-1.0).clip(0)
        return chances, max(0.0, float(above[-1]))

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


def composed(
    mechanisms: Sequence[tuple[Mechanism, int]], epsilon: float, more: bool = True
) -> Losses:
    """The losses of mechanisms that ran so many times each, in any adaptive order.

    The grid is as fine as answers near `epsilon` need it. `more` says in which of the two tables
    the unit is that they differ by: the one that ran, or the other one.
    """
    grid = _grid(mechanisms, epsilon)
    if grid is None:
        return Losses(np.zeros(1), np.ones(1), 0.0)
    size = next_fast_len(2 * grid.count, real=True)
    spectrum = np.ones(size // 2 + 1, dtype=np.complex128)
    # Sums beyond the circle come back as small ones. How likely they are is bounded (Chernoff).
    beyond, runs, growth = 0.0, 0, -grid.steepness * (grid.step * (size // 2))
    for mechanism, times in mechanisms:
        chances, outside = mechanism.losses(grid, more)
        spectrum *= rfft(chances, size) ** times
        beyond += times * outside
        runs += times
        growth += times * grid.log_growth(chances)
    beyond += math.exp(min(float(growth.min()), 0.0))
    summed = irfft(spectrum, size).clip(0)
    # Each mechanism brings the shift of its own zero; the circle turns them back to one.
    places = np.arange(size) - (runs * (grid.count // 2)) % size
    places = np.where(places > size // 2, places - size, places)
    places = np.where(places < -(size // 2), places + size, places)
    return Losses(places * grid.step, summed, beyond)


def composed_delta(mechanisms: Sequence[tuple[Mechanism, int]], epsilon: float) -> float:
    """The delta at `epsilon` of mechanisms that ran so many times each."""
    return max(found.delta(epsilon) for found in _both_ways(mechanisms, epsilon))


def composed_epsilon(mechanisms: Sequence[tuple[Mechanism, int]], delta: float) -> float:
    """The least epsilon at `delta`, to a thousandth; infinite where there is none."""
    spread = _spread(mechanisms)
    # What a Gaussian of this spread would have; only the grid depends on it.
    near = spread / 2 + math.sqrt(2 * spread * math.log(1 / delta))
    return max(_epsilon_of(found, delta) for found in _both_ways(mechanisms, near))


def _both_ways(mechanisms: Sequence[tuple[Mechanism, int]], epsilon: float) -> list[Losses]:
    """The losses of a unit more and of a unit less, once where they are the same."""
    differ = any(isinstance(mechanism, Sampled) for mechanism, _ in mechanisms)
    return [composed(mechanisms, epsilon, more) for more in ((True, False) if differ else (True,))]


def _epsilon_of(found: Losses, delta: float) -> float:
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
    return math.fsum(times * mechanism.spread for mechanism, times in mechanisms)


def _grid(mechanisms: Sequence[tuple[Mechanism, int]], epsilon: float) -> Grid | None:
    """A grid that is fine enough for the number of runs and wide enough for their losses."""
    runs = sum(times for _, times in mechanisms)
    if not runs:
        return None
    spread = _spread(mechanisms)
    sampled = any(isinstance(mechanism, Sampled) for mechanism, _ in mechanisms)
    tail, most = (_TAIL_OF_STEPS, MOST_POINTS // 2) if sampled else (_TAIL, MOST_POINTS)
    reach = spread / 2 + tail * math.sqrt(spread) + epsilon
    step = max(epsilon, 1e-3) / ((ROUNDING_OF_STEPS if sampled else ROUNDING) * runs)
    count = 2 * math.ceil(reach / step) + 1
    if count > most:
        count, step = most + 1, 2 * reach / most
    return Grid(step, count)
