"""Noise is exactly what it claims to be, and nobody can draw it again."""

import inspect

import numpy as np
import pytest
from scipy import stats

from data_contracts.errors import ModelError
from models.differential_privacy import secure_noise
from models.differential_privacy.secure_noise import (
    MOST_VARIANCE,
    choose,
    discrete_gaussian,
    noisy_counts,
    uniform_integers,
    weights_of,
)

NEVER = 1e-7
"""A true mechanism fails a test of this level once in ten million runs."""


@pytest.mark.parametrize("variance", [1, 7, 400])
def test_noise_is_the_discrete_gaussian(variance: int) -> None:
    drawn = discrete_gaussian(40_000, variance)
    assert drawn.dtype == np.int64
    reach = int(4 * variance**0.5) + 1
    values = np.arange(-12 * reach, 12 * reach + 1)
    chances = np.exp(-(values**2) / (2 * variance))
    chances /= chances.sum()
    # The far ends are thrown together, so that each class is large enough for the test.
    low, high = values <= -reach, values >= reach
    inner = ~(low | high)
    expected = [chances[low].sum(), *chances[inner], chances[high].sum()]
    counts = np.bincount(drawn.clip(-reach, reach) + reach, minlength=2 * reach + 1)
    assert stats.chisquare(counts, np.array(expected) * len(drawn)).pvalue > NEVER


def test_the_noise_of_a_wrong_variance_would_be_seen() -> None:
    drawn = discrete_gaussian(40_000, 400)
    assert abs(drawn.var() / 400 - 1) < 0.05
    assert abs(discrete_gaussian(40_000, 480).var() / 400 - 1) > 0.05


def test_most_noise_still_fits_and_more_is_refused() -> None:
    drawn = discrete_gaussian(5_000, MOST_VARIANCE)
    assert 0.8 < drawn.var() / MOST_VARIANCE < 1.2
    for variance in (0, MOST_VARIANCE + 1):
        with pytest.raises(ModelError, match=r"privacy\.epsilon"):
            discrete_gaussian(1, variance)


def test_no_seed_leads_to_the_noise() -> None:
    np.random.seed(1)  # noqa: NPY002
    first = discrete_gaussian(50, 10_000)
    np.random.seed(1)  # noqa: NPY002
    assert not np.array_equal(first, discrete_gaussian(50, 10_000))
    for _, function in inspect.getmembers(secure_noise, inspect.isfunction):
        assert not {"seed", "random"} & set(inspect.signature(function).parameters)


def test_counts_stay_whole() -> None:
    counts = np.arange(12).reshape(3, 4)
    noisy = noisy_counts(counts, 9)
    assert noisy.shape == (3, 4)
    assert noisy.dtype == np.int64
    assert not np.array_equal(noisy, counts)


def test_whole_numbers_are_as_likely_as_each_other() -> None:
    drawn = uniform_integers(np.full(30_000, 6))
    assert stats.chisquare(np.bincount(drawn, minlength=6)).pvalue > NEVER
    bounds = np.array([1, 2, 2**62 + 1])
    assert (uniform_integers(bounds) < bounds).all()


def test_better_choices_are_likelier_by_what_epsilon_says() -> None:
    scores = np.array([0.0, 1.0, 3.0])
    drawn = [choose(scores, epsilon=1.5, sensitivity=1.0) for _ in range(6_000)]
    expected = np.exp(1.5 * scores / 2)
    counts = np.bincount(drawn, minlength=3)
    assert stats.chisquare(counts, expected / expected.sum() * len(drawn)).pvalue > NEVER


def test_a_hopeless_choice_stays_possible() -> None:
    assert choose(np.array([-1e9]), epsilon=1.0, sensitivity=1.0) == 0
    assert choose(np.array([0.0, -1e12]), epsilon=50.0, sensitivity=1.0) == 0


def test_no_rounding_of_weights_tells_more_than_epsilon() -> None:
    """Neighbours' scores differ by the sensitivity at most; far below the best one too."""
    random = np.random.default_rng(2)
    for epsilon in (0.02, 0.5, 3.0):
        for depth in (1.0, 14.9, 34.6, 40.0):
            scores = -2 * depth / epsilon * random.random(200)
            scores[0] = 0.0
            moved = scores + random.choice([-1.0, 1.0], 200)
            one, other = (
                np.array(weights_of(side, epsilon, 1.0), dtype=float) for side in (scores, moved)
            )
            losses = np.log(one / one.sum()) - np.log(other / other.sum())
            assert losses.max() - losses.min() <= epsilon * (1 + 1e-9)
