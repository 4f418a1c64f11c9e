"""The budget ledger: every look at private rows is written down here before it happens."""

import math
from collections.abc import Iterable
from typing import Literal

from pydantic import Field

from data_contracts.errors import ModelError
from data_contracts.record import Record
from models.differential_privacy.accounting import (
    choice_within,
    epsilon_of,
    mu_of_choice,
    mu_of_gaussian,
    mu_within,
)
from models.differential_privacy.loss_distribution import (
    Chosen,
    Mechanism,
    Noised,
    Sampled,
    composed_epsilon,
)
from models.differential_privacy.renyi import Steps, curve_of, epsilon_at, noise_within
from models.encoding.column import FloatArray

UPWARD = 0.01
"""The second accountant may say at most so much more than the first, and has so much kept back."""


class Spending(Record):
    """One purchase: a noisy measurement, a noisy choice or steps of training, and what it cost.

    `squared_mu` is its share of the squared mu of Gaussian differential privacy; those add up. Of
    steps it is what was left for them: what they cost is reckoned from `steps`, `rate` and `noise`.
    `delta` is the chance that a value of one unit gets past the threshold of a list.
    """

    what: str
    mechanism: Literal["discrete_gaussian", "exponential", "sampled_gaussian"]
    squared_mu: float
    variance: int | None = None
    sensitivity: int = 1
    epsilon: float | None = None
    steps: int | None = Field(default=None, description="How often a lot of units was summed.")
    rate: float | None = Field(default=None, description="Chance of each unit to be in a lot.")
    noise: float | None = Field(default=None, description="Deviation, in a unit's longest part.")
    delta: float = 0.0


class Statement(Record):
    """What a model cost, for its folder and for the release: claimed, spent, and by whose count."""

    epsilon: float
    delta: float
    unit: str
    rows_per_unit: int
    neighbours: Literal["add or remove one unit"] = "add or remove one unit"
    spent_epsilon: float
    spent_epsilon_by_second_accountant: float
    spendings: tuple[Spending, ...] = Field(default=())


class Ledger:
    """A budget (epsilon, delta), and what was spent of it; nothing can be spent twice.

    `list_delta` is the part of delta that lists of values may use up (partition selection); the
    rest belongs to the noise.
    """

    def __init__(
        self, epsilon: float, delta: float, *, sensitivity: int = 1, list_delta: float = 0.0
    ) -> None:
        self.epsilon, self.delta, self.sensitivity = epsilon, delta, sensitivity
        self.list_delta = list_delta
        # Noise of whole numbers is a little dearer than the Gaussian that the first one reckons by.
        self.total = mu_within(epsilon / (1 + UPWARD), delta - list_delta) ** 2
        self.spendings: list[Spending] = []

    @property
    def left(self) -> float:
        """The squared mu that is left."""
        return self.total - math.fsum(spending.squared_mu for spending in self.spendings)

    def variance_for(self, squared_mu: float) -> int:
        """The least whole variance whose noise costs at most `squared_mu`."""
        return max(1, math.ceil(self.sensitivity**2 / squared_mu))

    def buy_counts(self, what: str, squared_mu: float, delta: float = 0.0) -> int:
        """Pays for counts of which a unit moves those it is in; returns the noise's variance."""
        variance = self.variance_for(squared_mu)
        spending = Spending(
            what=what,
            mechanism="discrete_gaussian",
            squared_mu=mu_of_gaussian(variance, self.sensitivity) ** 2,
            variance=variance,
            sensitivity=self.sensitivity,
            delta=delta,
        )
        self._write(spending)
        return variance

    def buy_choice(self, what: str, squared_mu: float) -> float:
        """Pays for an exponential mechanism; returns its epsilon."""
        epsilon = choice_within(math.sqrt(squared_mu))
        cost = mu_of_choice(epsilon) ** 2
        spending = Spending(
            what=what,
            mechanism="exponential",
            squared_mu=min(cost, squared_mu),
            sensitivity=self.sensitivity,
            epsilon=epsilon,
        )
        self._write(spending)
        return epsilon

    def buy_steps(self, what: str, steps: int, rate: float) -> float:
        """Pays with all that is left for steps of training; returns the noise of each.

        The noise is the deviation in lengths that a unit's part of a sum may have. In each step
        every unit must be by a lot of its own, with chance `rate`.
        """
        delta = self.delta - math.fsum(earlier.delta for earlier in self.spendings)
        noise = noise_within((self.epsilon, delta), _curve(self.spendings), steps, rate)
        if not math.isfinite(noise) or self.left <= 0:
            raise self._exceeded(what)
        spending = Spending(
            what=what,
            mechanism="sampled_gaussian",
            squared_mu=self.left,
            sensitivity=self.sensitivity,
            steps=steps,
            rate=rate,
            noise=noise,
        )
        self._write(spending)
        return noise

    def _write(self, spending: Spending) -> None:
        used = math.fsum(earlier.delta for earlier in self.spendings) + spending.delta
        if spending.squared_mu > self.left * (1 + 1e-9) or used > self.list_delta * (1 + 1e-9):
            raise self._exceeded(spending.what)
        self.spendings.append(spending)

    def _exceeded(self, what: str) -> ModelError:
        return ModelError(
            f"privacy budget: {what} would cost more than is left of epsilon "
            f"{self.epsilon:g} at delta {self.delta:g}. Nothing more may be read from the "
            "rows; allow a larger privacy.epsilon, or model fewer columns."
        )

    def state(self, unit: str) -> Statement:
        """The statement of what was spent, by both accountants."""
        first, second = account(self.spendings, self.delta)
        return Statement(
            epsilon=self.epsilon,
            delta=self.delta,
            unit=unit,
            rows_per_unit=self.sensitivity,
            spent_epsilon=first,
            spent_epsilon_by_second_accountant=second,
            spendings=tuple(self.spendings),
        )


def account(spendings: Iterable[Spending], delta: float) -> tuple[float, float]:
    """The epsilon of all spendings at `delta`, by the first and by the second accountant.

    The first adds up squared mu or, where there were steps on lots of units, Rényi divergences; the
    second knows only mechanisms, variances and sensitivities. What the lists of values use up of
    delta is not there for the noise.
    """
    known = tuple(spendings)
    noise_delta = delta - math.fsum(spending.delta for spending in known)
    counted: dict[Mechanism, int] = {}
    for spending in known:
        mechanism = _mechanism(spending)
        counted[mechanism] = counted.get(mechanism, 0) + (spending.steps or 1)
    if any(isinstance(mechanism, Sampled) for mechanism in counted):
        first = epsilon_at(_curve(known), noise_delta)
    else:
        mu = math.sqrt(math.fsum(spending.squared_mu for spending in known))
        first = epsilon_of(mu, noise_delta)
    return first, composed_epsilon(tuple(counted.items()), noise_delta)


def _curve(spendings: Iterable[Spending]) -> FloatArray:
    """The Rényi divergences of all spendings together, by order."""
    squared_mu, choices, steps = 0.0, [], []
    for spending in spendings:
        mechanism = _mechanism(spending)
        if isinstance(mechanism, Noised):
            squared_mu += mechanism.sensitivity**2 / mechanism.variance
        elif isinstance(mechanism, Chosen):
            choices.append(mechanism.epsilon)
        else:
            steps.append(Steps(spending.steps or 1, mechanism.rate, mechanism.noise).curve())
    return sum(steps, start=curve_of(squared_mu, choices))


def _mechanism(spending: Spending) -> Mechanism:
    if spending.mechanism == "discrete_gaussian" and spending.variance is not None:
        return Noised(spending.variance, spending.sensitivity)
    if spending.mechanism == "exponential" and spending.epsilon is not None:
        return Chosen(spending.epsilon)
    if spending.mechanism == "sampled_gaussian" and spending.rate and spending.noise:
        return Sampled(spending.rate, spending.noise)
    raise ModelError(
        f"privacy ledger: {spending.what} is {spending.mechanism} without its noise. The model's "
        "folder was changed; fit again."
    )
