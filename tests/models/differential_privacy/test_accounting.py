"""Two accountants against known answers, and against each other."""

import math

import numpy as np
import pytest
from scipy.special import ndtr, ndtri

from data_contracts.errors import ModelError
from models.differential_privacy.accounting import (
    choice_within,
    delta_of,
    epsilon_of,
    mu_of_choice,
    mu_within,
    threshold_of,
)
from models.differential_privacy.ledger import UPWARD, Ledger, Spending, account
from models.differential_privacy.loss_distribution import (
    Chosen,
    Noised,
    composed_delta,
    composed_epsilon,
)


@pytest.mark.parametrize(
    ("mu", "epsilon"), [(0.2680511231, 1.0), (0.7191174345, 3.0), (1.8481322, 10.0)]
)
def test_the_gaussian_is_converted_exactly(mu: float, epsilon: float) -> None:
    delta = 1e-6 if epsilon == 10 else 1e-5
    assert epsilon_of(mu, delta) == pytest.approx(epsilon, rel=1e-6)
    assert mu_within(epsilon, delta) == pytest.approx(mu, rel=1e-6)
    # Balle and Wang's theorem, written out.
    plain = ndtr(mu / 2 - epsilon / mu) - math.exp(epsilon) * ndtr(-mu / 2 - epsilon / mu)
    assert delta_of(mu, epsilon) == pytest.approx(plain, rel=1e-6)


def test_the_tight_value_lies_below_the_bound_of_zcdp() -> None:
    mu = 0.5
    rho = mu * mu / 2
    bound = rho + 2 * math.sqrt(rho * math.log(1e5))
    assert 0.7 * bound < epsilon_of(mu, 1e-5) < bound


@pytest.mark.parametrize("epsilon", [0.01, 0.5, 4.0, 12.0])
def test_no_test_tells_more_of_a_choice_than_its_gaussian(epsilon: float) -> None:
    mu, growth = mu_of_choice(epsilon), math.exp(epsilon)
    errors = np.linspace(1e-4, 1 - 1e-4, 999)
    others = (growth / (1 + (growth - 1) * errors) - 1) / (growth - 1)
    assert (ndtr(ndtri(1 - errors) - mu) <= others + 1e-12).all()
    assert choice_within(mu) == pytest.approx(epsilon, rel=1e-6)


def test_a_choice_of_two_reaches_the_hyperbola() -> None:
    # A choice between two: its errors are 1 / (1 + e^x) and so on, on or above the curve.
    epsilon = 1.0
    growth = math.exp(epsilon)
    for shift in (0.2, 0.5, 0.8):
        one = 1 / (1 + math.exp(shift * epsilon))
        other = 1 - 1 / (1 + math.exp((shift - 1) * epsilon))
        left = (1 + (growth - 1) * one) * (1 + (growth - 1) * other)
        assert left >= growth * (1 - 1e-9)


@pytest.mark.parametrize(("variance", "runs", "delta"), [(560, 40, 1e-5), (9, 4, 1e-6)])
def test_the_accountants_agree_on_gaussians(variance: int, runs: int, delta: float) -> None:
    first = epsilon_of(math.sqrt(runs / variance), delta)
    second = composed_epsilon([(Noised(variance, 1), runs)], delta)
    assert first * (1 - 1e-3) < second < first * (1 + UPWARD)


def test_sensitivity_scales_the_loss() -> None:
    assert composed_epsilon([(Noised(900, 3), 5)], 1e-5) == pytest.approx(
        composed_epsilon([(Noised(100, 1), 5)], 1e-5), rel=0.01
    )


def test_a_single_choice_is_pure() -> None:
    assert composed_delta([(Chosen(0.7), 1)], 0.71) == pytest.approx(0.0, abs=1e-9)
    # Below its epsilon, the hyperbola's own gap: (e^(eps/2) - e^(x/2))^2 / (e^eps - 1).
    growth, at = math.exp(0.7), 0.3
    gap = (math.exp(0.35) - math.exp(at / 2)) ** 2 / (growth - 1)
    assert composed_delta([(Chosen(0.7), 1)], at) == pytest.approx(gap, rel=0.02)


def test_nothing_run_costs_nothing() -> None:
    assert account([], 1e-5) == (0.0, pytest.approx(0.0, abs=1e-3))


def test_a_budget_can_be_spent_once() -> None:
    ledger = Ledger(1.0, 1e-5)
    ledger.buy_counts("first half", ledger.total / 2)
    ledger.buy_choice("a choice", ledger.total / 10)
    with pytest.raises(ModelError, match="more than is left"):
        ledger.buy_counts("too much", ledger.total / 2)
    assert [spending.what for spending in ledger.spendings] == ["first half", "a choice"]
    ledger.buy_counts("the rest", ledger.left)
    statement = ledger.state("row")
    assert 0.9 < statement.spent_epsilon <= 1.0
    assert statement.spent_epsilon_by_second_accountant <= 1.0


def test_lists_use_up_their_part_of_delta_and_no_more() -> None:
    ledger = Ledger(1.0, 1e-5, list_delta=1e-6)
    assert ledger.total < Ledger(1.0, 1e-5).total
    ledger.buy_counts("one list", ledger.total / 4, delta=6e-7)
    with pytest.raises(ModelError, match="another list"):
        ledger.buy_counts("another list", ledger.total / 4, delta=6e-7)


def test_a_broken_accountant_is_told_by_the_second_one() -> None:
    ledger = Ledger(1.0, 1e-5)
    for number in range(10):
        ledger.buy_counts(f"counts {number}", ledger.total / 10.01)
    first, second = account(ledger.spendings, 1e-5)
    assert second <= first * (1 + UPWARD)
    # One that forgets to square, or counts half of what ran, claims less than was spent.
    halved = [s.model_copy(update={"squared_mu": s.squared_mu / 2}) for s in ledger.spendings]
    first, second = account(halved, 1e-5)
    assert second > first * (1 + UPWARD)


def test_a_spending_without_its_noise_is_refused() -> None:
    bare = Spending(what="counts", mechanism="discrete_gaussian", squared_mu=0.1)
    with pytest.raises(ModelError, match="without its noise"):
        account([bare], 1e-5)


@pytest.mark.parametrize("delta", [1e-5, 1e-9])
@pytest.mark.parametrize("variance", [1, 2, 9, 400])
def test_thresholds_keep_single_units_out(delta: float, variance: int) -> None:
    """A value of one unit passes with probability delta at most, under the noise that there is:
    on whole numbers it reaches the threshold more often than the Gaussian of its variance."""
    threshold = threshold_of(delta, float(variance), 1)
    noise = np.arange(-2000, 2001)
    chances = np.exp(-(noise.astype(float) ** 2) / (2 * variance))
    passed = float((chances / chances.sum())[noise + 1 >= threshold].sum())
    assert delta / 2000 < passed <= delta
    assert threshold_of(delta, float(variance), 4) == pytest.approx(threshold + 3)


@pytest.mark.parametrize("epsilon", [0.5, 1.0, 4.0])
@pytest.mark.parametrize("purchases", [3, 12])
def test_the_dearer_accountant_keeps_to_the_claim_too(epsilon: float, purchases: int) -> None:
    ledger = Ledger(epsilon, 1e-5)
    for number in range(purchases):
        ledger.buy_counts(f"counts {number}", ledger.total / (purchases + 0.001))
    spent = ledger.state("row")
    assert 0.9 * epsilon < spent.spent_epsilon
    assert spent.spent_epsilon_by_second_accountant <= epsilon
