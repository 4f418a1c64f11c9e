"""Did the generator copy training rows? The gate's exact and tail tests."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from data_contracts.report import Finding, State
from models.evaluation.verdicts import sentences
from models.privacy.copy_controls import CAUGHT, PLANTINGS, Controls, Leak, run_controls
from models.privacy.copy_votes import CopyTest
from models.privacy.real_pool import NOBODY, RealPool, Votes
from models.privacy.trial import MORE, Trial

# Of ten training units at least one must have a row of its own, else there is nothing to copy.
FEWEST_OWN = 0.1
BANDS = (0, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000)
P_VALUE_BANDS = (0.0001, 0.001, 0.01, 0.1)
# A false alarm of the control of fresh rows must mean that something is wrong, not bad luck.
BROKEN_LEVEL = 1e-4
NO_COPY = "Hardly any training row differs from all other real rows: none to copy."


@dataclass(frozen=True)
class Copying:
    """What tests of copies look at, and what leaks that were planted in it tell of their power.

    `missed` are leaks, of any rows or of the most isolated ones (True), that other plantings of
    this run did not see.
    """

    test: CopyTest
    missed: frozenset[tuple[Leak, bool]] = frozenset()

    @cached_property
    def controls(self) -> Controls:
        """The leaks that are caught, from the hardest on; planted when first asked for."""
        return run_controls(self.test, self.missed)


class ExactCopies:
    """`exact_copies` (G1): does the release repeat training rows?

    Scenario: the attacker holds the release and nothing else, and looks for rows that are one
    person's alone. Refused by a one-sided p-value. Passes only if leaks of the contract's
    `leak_share` or less that were planted in the same run were caught; else it is inconclusive: too
    few held-out rows. Where hardly any training unit has a row of its own there is nothing to copy,
    and it does not judge. Figures are bands: published exact distances and counts let outliers be
    rebuilt (Ganev and De Cristofaro 2023).

    Power: told in each run by `smallest_exact_leak`, the smallest planted leak that was caught.
    """

    def evaluate(self, copying: Copying) -> tuple[Trial, ...]:
        """One trial: its finding, and the smallest leak that it would have seen."""
        test, controls = copying.test, copying.controls
        p_value = test.exact_p_value()

        def findings(refused: bool) -> tuple[Finding, ...]:
            found = _exact_finding(test, controls, p_value, refused=refused)
            leaks = (controls.verbatim, controls.isolated_verbatim)
            return found, _smallest_leak(test, found, leaks)

        figures = {"votes": test.exact_votes()._asdict(), "fresh": controls.fresh_exact}
        return (Trial("exact_copies", p_value, findings, test.coded.table.name, figures=figures),)


class TailCopies:
    """`tail_copies` (G2): does the release hold training rows with small changes?

    Scenario: as for `exact_copies`, but the attacker looks for rows that are close to one person's,
    or equal to one but for a column or two.

    Power: told in each run by `smallest_near_leak`, the smallest planted leak that was caught.
    """

    def evaluate(self, copying: Copying) -> tuple[Trial, ...]:
        """One trial: its finding, and the smallest leak that it would have seen."""
        test, controls = copying.test, copying.controls
        p_value = test.tail_p_value()

        def findings(refused: bool) -> tuple[Finding, ...]:
            found = _tail_finding(test, controls, p_value, refused=refused)
            return found, _smallest_leak(test, found, (controls.noisy, controls.isolated_noisy))

        figures = {"votes": [each._asdict() for each in test.tail_votes()],
                   "altered": test.altered, "fresh": controls.fresh_tail}  # fmt: skip
        return (Trial("tail_copies", p_value, findings, test.coded.table.name, figures=figures),)


def _exact_finding(test: CopyTest, controls: Controls, p_value: float, *, refused: bool) -> Finding:
    pool, votes = test.pool, test.exact_votes()
    leaks = (controls.verbatim, controls.isolated_verbatim)
    state, reason = _judged(test, leaks, controls.fresh_exact, refused=refused)
    expected = votes.holdout * pool.chance / max(1 - pool.chance, 1e-12)
    compared = (
        f"Training rows found among {test.exact.size:,} synthetic rows, beside what held-out rows "
        f"lead to expect; counts are bands. {_size(pool)}"
    )
    low, high = count_band(votes.training)
    least, most = count_band(expected)
    return Finding(
        name="exact_copies",
        group="copies",
        value=high,
        low=low,
        high=high,
        reference=most,
        reference_name="from held-out rows" + (f": {least:,.0f} to" if least < most else ""),
        unit="rows",
        state=state,
        table=test.coded.table.name,
        detail=sentences((reason, compared, _p_band(p_value))),
    )


def _tail_finding(test: CopyTest, controls: Controls, p_value: float, *, refused: bool) -> Finding:
    pool = test.pool
    leaks = (controls.noisy, controls.isolated_noisy)
    state, reason = _judged(test, leaks, controls.fresh_tail, refused=refused)
    longest: Votes = test.tail_votes()[-1]
    share = longest.training / longest.total if longest.total else None
    compared = (
        f"Share of training rows among the real rows nearest to the closest of "
        f"{test.queries.size:,} synthetic rows, to the nearest 5 %. {_size(pool)}"
    )
    return Finding(
        name="tail_copies",
        group="copies",
        value=None if share is None else round(20 * share) / 20,
        reference=round(pool.chance, 3),
        reference_name="chance",
        state=state,
        table=test.coded.table.name,
        detail=sentences((reason, compared, _p_band(p_value))),
    )


def _judged(
    test: CopyTest, leaks: tuple[Leak | None, ...], fresh: float, *, refused: bool
) -> tuple[State, str]:
    pool, bar = test.pool, test.coded.bars.leak_share
    if refused:
        return "refuse", "More training rows than chance explains."
    if fresh <= BROKEN_LEVEL:
        return "refuse", (
            "The test fails its own control: it refuses held-out real rows. Training and holdout "
            "share rows or units; check the contract's unit of privacy."
        )
    seen = _smallest_share(leaks)
    if seen is not None and seen <= bar:
        return "pass", ""
    if owning_share(pool) < FEWEST_OWN:
        return "info", NO_COPY
    return "inconclusive", (
        f"Too few rows to judge: a planted leak of {100 * bar:g} % was not caught. {MORE}"
    )


def owning_share(pool: RealPool) -> float:
    """Of the training units, how many have a row of their own."""
    owning = np.unique(pool.owners[pool.owners != NOBODY])
    return float(pool.trained[owning].sum() / max(pool.trained.sum(), 1))


def _smallest_share(leaks: tuple[Leak | None, ...]) -> float | None:
    """The share from which on leaks of every kind are caught; None if those of a kind are not."""
    known = [leak.share for leak in leaks if leak is not None]
    return max(known) if len(known) == len(leaks) else None


def _smallest_leak(test: CopyTest, judged: Finding, leaks: tuple[Leak | None, ...]) -> Finding:
    """The power of one test: the smallest leak, in percent of the synthetic rows, that it sees.

    Not stated where the test refused: beside the leak that is there it would say little.
    """
    exact = judged.name == "exact_copies"
    how = "copied verbatim" if exact else "copied with small changes"
    looked = test.exact.size if exact else test.queries.size
    share, bar = _smallest_share(leaks), test.coded.bars.leak_share
    told = judged.state in ("pass", "inconclusive")
    if not told:
        detail = "Not stated: " + ("the test refused." if judged.state == "refuse" else NO_COPY)
    elif share is None:
        detail = f"Would not have seen a leak of one row in ten, {how}."
    else:
        rows = max(round(share * looked), 1)
        detail = f"Would have seen a leak of {rows:,} rows ({100 * share:g} %) or more, {how}."
    return Finding(
        name="smallest_exact_leak" if exact else "smallest_near_leak",
        group="copies",
        value=round(100 * share, 3) if told and share is not None else None,
        bar=100 * bar if told else None,
        unit="%",
        state=judged.state if told else "info",
        table=judged.table,
        detail=sentences((detail, _power(leaks) if told else "")),
    )


def _size(pool: RealPool) -> str:
    training = int(pool.trained.sum())
    return f"{training:,} training and {pool.trained.size - training:,} held-out units."


def _power(leaks: tuple[Leak | None, ...]) -> str:
    anyone, isolated = leaks
    told = []
    if anyone is not None:
        told.append(f"{anyone.text} (any rows)")
    if isolated is not None:
        told.append(f"{isolated.text} (the most isolated rows)")
    caught = f"Caught in {CAUGHT} of {PLANTINGS} plantings: "
    return f"{caught}{'; '.join(told)}." if told else ""


def _p_band(p_value: float) -> str:
    above = [edge for edge in P_VALUE_BANDS if p_value < edge]
    return f"p below {above[0]:g}." if above else f"p at least {P_VALUE_BANDS[-1]:g}."


def count_band(count: float) -> tuple[float, float]:
    """The fewest and the most of the band in which the count lies: 0, 1 to 10, 11 to 20, ..."""
    place = next((at for at, edge in enumerate(BANDS) if count <= edge), len(BANDS) - 1)
    return (BANDS[place - 1] + 1.0, float(BANDS[place])) if place else (0.0, 0.0)
