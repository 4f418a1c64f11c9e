"""A test that awaits its verdict: all tests of a gate share one alpha, so none is judged alone."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from data_contracts.report import Finding, State
from models.evaluation.intervals import holm

# An interval's upper end is left out with this probability, divided by the number of runs.
PASSING_LEVEL = 0.05
# An honest generator ends above a bar that is called resolvable in one run of 50.
UNLUCKY = 0.02


@dataclass(frozen=True)
class Trial:
    """One attack's p-value, and what it says once all trials are known.

    `findings` are told whether Holm refuses; `figures` are exact and stay with the model.
    """

    name: str
    p_value: float
    findings: Callable[[bool], tuple[Finding, ...]]
    table: str
    column: str | None = None
    figures: dict[str, Any] = field(default_factory=dict)


def settle(trials: Iterable[Trial], alpha: float) -> tuple[Finding, ...]:
    """The findings of all trials, refused by one Holm procedure at `alpha`, one-sided."""
    known = list(trials)
    refused = holm([trial.p_value for trial in known], alpha)
    return tuple(
        finding for trial, no in zip(known, refused, strict=True) for finding in trial.findings(no)
    )


MORE = "Hold out more (holdout.share), bring more data, or accept a coarser look (bars.leak_share)."
"""What somebody can do where the held-out units are too few."""


@dataclass(frozen=True)
class Bound:
    """An interval's upper end beside its bar, and whether these rows could resolve the bar.

    `coarse` is the bar that the contract's `leak_share` sets where the design's own is out of
    reach; None where nothing takes its place. `needed` is how many held-out units would do.
    """

    upper: float
    bar: float
    resolvable: bool
    coarse: float | None
    needed: int

    def judged(self, *, refused: bool) -> tuple[State, str]:
        """Pass below the bar; above it refused, undecided, or held against the coarse bar."""
        if refused:
            return "refuse", "More than chance explains."
        if self.upper <= self.bar:
            return "pass", ""
        if self.resolvable:
            return "inconclusive", "The interval ends above the bar."
        shortage = f"about {self.needed:,} held-out units would resolve the bar"
        if self.coarse is not None and self.upper <= self.coarse:
            return "pass", (
                f"Judged by the contract's leak_share, which allows up to {self.coarse:.2g}: "
                f"{shortage} of {self.bar:.2g}."
            )
        return "inconclusive", f"Too few held-out units to judge: {shortage}. {MORE}"


def undecided(name: str, table: str, needed: int, column: str | None = None) -> Trial:
    """A trial that could not be held: too few held-out units."""
    finding = Finding(
        name=name,
        group="copies",
        value=None,
        state="inconclusive",
        table=table,
        column=column,
        detail=f"Too few held-out units to judge: at least {needed:,} are needed. {MORE}",
    )
    return Trial(name, 1.0, lambda _: (finding,), table, column)


def outward(low: float, value: float, high: float, step: float) -> tuple[float, float, float]:
    """A figure to the nearest step, its interval to the steps around it: a band, not the score."""
    ends = np.floor(low / step + 1e-9) * step, np.ceil(high / step - 1e-9) * step
    return tuple(round(float(end), 6) for end in (ends[0], round(value / step) * step, ends[1]))  # type: ignore[return-value]
