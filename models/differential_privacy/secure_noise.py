"""Noise that nobody can repeat: exact discrete Gaussians and choices, from the system's entropy.

Nothing here takes a seed. Noise that could be drawn again could be taken off again, so a private
fit differs from run to run by design. All draws are made of whole numbers: floating-point noise
lets low bits tell which true count it was added to (Mironov 2012).
"""

import math
import secrets

import numpy as np
import numpy.typing as npt

from data_contracts.errors import ModelError
from models.encoding.column import BoolArray, FloatArray, IntArray

MOST_VARIANCE = 4_000_000
"""Up to here every whole number of the sampler fits into 63 bits."""
_WORD = np.uint64(2**63)
_RESOLUTION = 2.0**62
"""Whole numbers that stand for the weights of a choice; the heaviest has this one."""
_LIGHTEST = 15.0
"""No weight is lighter than the heaviest by more than this power of e."""


def uniform_integers(bounds: IntArray) -> IntArray:
    """Whole numbers in 0..bound-1, all exactly as likely, one for each bound; same shape."""
    flat = bounds.ravel()
    drawn = np.empty(len(flat), dtype=np.int64)
    left = np.arange(len(flat))
    while len(left):
        words = np.frombuffer(secrets.token_bytes(8 * len(left)), dtype=np.uint64) >> np.uint64(1)
        own = flat[left].astype(np.uint64)
        # The last, incomplete stretch of a bound's multiples would favour small numbers.
        kept = words < _WORD - _WORD % own
        drawn[left[kept]] = (words[kept] % own[kept]).astype(np.int64)
        left = left[~kept]
    return drawn.reshape(bounds.shape)


def discrete_gaussian(count: int, variance: int) -> IntArray:
    """`count` whole numbers from the discrete Gaussian of mean 0; exact, without floats.

    `variance` is the parameter sigma squared, a whole number from 1 to MOST_VARIANCE. ModelError
    beyond: so much noise leaves nothing to learn.

    Source: Canonne, Kamath, Steinke 2020, algorithms 1 to 3.
    """
    if not 1 <= variance <= MOST_VARIANCE:
        raise ModelError(
            f"differential privacy: noise of variance {variance:,} is beyond what can be drawn "
            f"exactly (1 to {MOST_VARIANCE:,}). Allow a larger privacy.epsilon, or fewer "
            "privacy.rows_per_unit."
        )
    scale = math.isqrt(variance) + 1
    drawn = np.empty(count, dtype=np.int64)
    left = np.arange(count)
    while len(left):
        laplace = _discrete_laplace(len(left), scale)
        gap = np.abs(np.abs(laplace) * scale - variance)
        accepted = _squared_chance(gap, variance, scale)
        drawn[left[accepted]] = laplace[accepted]
        left = left[~accepted]
    return drawn


def choose(scores: FloatArray, epsilon: float, sensitivity: float) -> int:
    """The exponential mechanism: an index, by exp(epsilon * score / (2 * sensitivity)).

    Costs `epsilon`, bounded in range. Source: McSherry, Talwar 2007.
    """
    weights = weights_of(scores, epsilon, sensitivity)
    lot = secrets.randbelow(sum(weights))
    for index, weight in enumerate(weights):
        lot -= weight
        if lot < 0:
            return index
    raise AssertionError("a lot below the sum of all weights falls on one of them")


def weights_of(scores: FloatArray, epsilon: float, sensitivity: float) -> list[int]:
    """How often `choose` takes each index, as whole numbers.

    Small weights are raised to a least one: two neighbours raise it alike, while by rounding them
    a weight of 1 and one of 2 could stand for scores that differ by much less. What is rounded so
    is below 1e-11 of any weight.
    """
    exponents = epsilon * (scores - scores.max()) / (2 * sensitivity)
    return [int(weight * _RESOLUTION) for weight in np.exp(np.maximum(exponents, -_LIGHTEST))]


def coins(count: int) -> BoolArray:
    """Fair coins that nobody can throw again."""
    thrown: BoolArray = uniform_integers(np.full(count, 2, dtype=np.int64)) == 1
    return thrown


def unrepeatable_generator() -> np.random.Generator:
    """A generator for draws that cost nothing but that nobody should be able to repeat.

    Its 128-bit seed is drawn here and kept nowhere. Never a source of noise.
    """
    return np.random.default_rng(secrets.randbits(128))


def _squared_chance(gap: IntArray, variance: int, scale: int) -> BoolArray:
    """Bernoulli(exp(-(gap / scale)^2 / (2 variance))) for each gap.

    The exponent is `gap^2 / (2 variance scale^2)`; numbers so large that their square would not
    fit into 63 bits have a chance below exp(-1000) and are refused.
    """
    small = gap < 2**31
    accepted = np.zeros(len(gap), dtype=np.bool_)
    below = 2 * variance * scale * scale
    accepted[small] = _exponential_chance(gap[small] ** 2, below)
    return accepted


def _exponential_chance(above: IntArray, below: int) -> BoolArray:
    """Bernoulli(exp(-above / below)) for each of `above` >= 0."""
    whole, rest = np.divmod(above, below)
    accepted = _fraction_chance(rest, below)
    remaining = np.where(accepted, whole, 0)
    while bool((remaining > 0).any()):
        rows = np.flatnonzero(remaining > 0)
        survived = _fraction_chance(np.full(len(rows), below, dtype=np.int64), below)
        accepted[rows[~survived]] = False
        remaining[rows] = np.where(survived, remaining[rows] - 1, 0)
    return accepted


def _fraction_chance(above: IntArray, below: int) -> BoolArray:
    """Bernoulli(exp(-above / below)) for 0 <= above <= below, by von Neumann's alternating runs."""
    length = np.ones(len(above), dtype=np.int64)
    running = np.arange(len(above))
    while len(running):
        bounds = below * length[running]
        hit = uniform_integers(bounds) < above[running]
        running = running[hit]
        length[running] += 1
    accepted: BoolArray = length % 2 == 1
    return accepted


def _discrete_laplace(count: int, scale: int) -> IntArray:
    """Whole numbers with chances proportional to exp(-|number| / scale)."""
    drawn = np.empty(count, dtype=np.int64)
    left = np.arange(count)
    while len(left):
        fine = uniform_integers(np.full(len(left), scale, dtype=np.int64))
        kept = _exponential_chance(fine, scale)
        size = fine + scale * _geometric(len(left))
        negative = coins(len(left))
        # Zero would otherwise come twice, with either sign.
        kept &= ~(negative & (size == 0))
        drawn[left[kept]] = np.where(negative, -size, size)[kept]
        left = left[~kept]
    return drawn


def _geometric(count: int) -> IntArray:
    """How many times in a row Bernoulli(exp(-1)) comes up."""
    counted = np.zeros(count, dtype=np.int64)
    running = np.arange(count)
    while len(running):
        one = np.ones(len(running), dtype=np.int64)
        running = running[_fraction_chance(one, 1)]
        counted[running] += 1
    return counted


def noisy_counts(counts: npt.NDArray[np.int64], variance: int) -> IntArray:
    """Whole counts with discrete Gaussian noise on each; same shape."""
    noise = discrete_gaussian(counts.size, variance)
    noisy: IntArray = counts + noise.reshape(counts.shape)
    return noisy
