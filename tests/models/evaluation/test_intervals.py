"""Intervals and tests against other implementations and against their own promises."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint

from models.evaluation.intervals import (
    around,
    clopper_pearson,
    holm,
    row_weights,
    wilson,
)

counts = st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(counts)
def test_wilson_is_that_of_statsmodels(hits: tuple[int, int]) -> None:
    assert wilson(*hits) == pytest.approx(proportion_confint(*hits, method="wilson"), abs=1e-9)


@given(counts)
def test_clopper_pearson_is_that_of_statsmodels(hits: tuple[int, int]) -> None:
    expected = proportion_confint(*hits, method="beta")
    assert clopper_pearson(*hits) == pytest.approx(expected, abs=1e-9)


def test_without_trials_nothing_is_known() -> None:
    assert wilson(0, 0) == clopper_pearson(0, 0) == (0.0, 1.0)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_refuses_by_adjusted_p_values(p_values: list[float]) -> None:
    """A test is rejected if no p-value up to its own, times the tests left, is above alpha."""
    ordered = sorted(p_values)
    steps = [value * (len(ordered) - step) for step, value in enumerate(ordered)]
    adjusted = [max(steps[: ordered.index(value) + 1]) for value in p_values]
    clear = [value for value in adjusted if abs(value - 0.05) > 1e-9]
    found = [rejected for rejected, value in zip(holm(p_values, 0.05), adjusted, strict=True)
             if abs(value - 0.05) > 1e-9]  # fmt: skip
    assert found == [value <= 0.05 for value in clear]


def test_holm_shares_alpha() -> None:
    assert holm([0.006, 0.5], 0.01) == (False, False)
    assert holm([0.004, 0.009], 0.01) == (True, True)


def test_bootstrap_weights_start_with_the_figure_itself() -> None:
    weights = row_weights(2_000, 20, np.random.default_rng(0))
    assert weights.shape == (21, 2_000)
    assert (weights[0] == 1).all()
    assert weights[1:].mean() == pytest.approx(1.0, abs=0.02)
    assert weights[1:].var() == pytest.approx(1.0, abs=0.05)


def test_no_replicate_is_empty() -> None:
    assert (row_weights(1, 200, np.random.default_rng(0)).sum(axis=1) > 0).all()


def test_the_interval_of_a_mean_covers_it_as_often_as_promised() -> None:
    random, covered = np.random.default_rng(0), 0
    for _ in range(300):
        values = random.normal(5.0, 1.0, 100)
        weights = row_weights(100, 100, random)
        means = weights @ values / weights.sum(axis=1)
        low, high = around(float(means[0]), means[1:])
        covered += low <= 5.0 <= high
    assert 0.9 <= covered / 300 <= 0.99


def test_one_replicate_says_nothing_and_ends_are_kept() -> None:
    assert around(0.5, [0.4], lowest=0.0, highest=1.0) == (0.0, 1.0)
    assert around(0.5, [np.nan, np.nan], lowest=0.0, highest=1.0) == (0.0, 1.0)
