"""The gate's own controls: leaks planted in the release must be caught, held-out rows must pass."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from data_contracts.report import Finding, State
from models.base import Evaluation
from models.evaluation.coded import CodedColumn, CodedTable, IntArray
from models.privacy.copies import BROKEN_LEVEL
from models.privacy.copy_controls import Leak, most_isolated, mostly, own_rows, with_noise
from models.privacy.copy_votes import CopyTest
from models.privacy.linkage_space import LinkageSpace
from models.privacy.membership import Attacked, AttackedTable
from models.privacy.trial import Trial

# Beside these many units nothing excuses a gate that does not see a verbatim leak.
ENOUGH_UNITS = 10_000
LEAKS = {
    "0.2 % verbatim": (Leak(0.002), False),
    "1 % with noise": (Leak(0.01, 0.1, 0.05), False),
    "1 % of the most isolated, verbatim": (Leak(0.01), True),
    "1 % of the most isolated, with noise": (Leak(0.01, 0.1, 0.05), True),
}
RATIOS = (1.5, 2.0)


@dataclass(frozen=True)
class PlantedLeaks:
    """Which planted leaks at least one of G1 to G4 caught, in four of five plantings."""

    caught: dict[str, bool]
    own_units: int
    held_out: int

    @property
    def missed(self) -> frozenset[tuple[Leak, bool]]:
        """The leaks that were not caught, each with whether it was of the most isolated rows."""
        return frozenset(LEAKS[name] for name, seen in self.caught.items() if not seen)


def plant_leaks(test: CopyTest, attacked: Attacked) -> PlantedLeaks:
    """Splices each leak into the release five times and runs G1 to G4 on it again.

    Numbers of noisy copies move by a tenth of a standard deviation, and of their categories 5 % are
    drawn anew. A test catches a leak where it alone would refuse at the first step of Holm.
    """
    random = test.coded.random(46)
    own = random.permutation(own_rows(test))
    lonely = most_isolated(test, own)
    caught = {}
    for name, (leak, isolated) in LEAKS.items():
        count = test.leaked(leak.share)
        rows = lonely if isolated else own
        seen = partial(_is_caught, test, attacked, (rows, count, leak, isolated), random)
        caught[name] = bool(rows.size >= count and mostly(seen))
    pool = test.pool
    return PlantedLeaks(caught, own.size, int((~pool.trained).sum()))


def _is_caught(
    test: CopyTest,
    attacked: Attacked,
    planting: tuple[IntArray, int, Leak, bool],
    random: np.random.Generator,
) -> bool:
    rows, count, leak, isolated = planting
    planted = rows[:count] if isolated else random.choice(rows, count, replace=False)
    source = test.pool.rows.take(planted)
    if leak.noise == 0:
        if test.with_exact(test.pool.exact[planted], random).exact_p_value() <= test.level:
            return True
        copies = source
    else:
        copies = with_noise(source, test.space.rows["training"], leak, random)
    # Each test looks at a sample of a large release, and so at as many of its copies.
    asked = copies.take(np.arange(round(count * test.queries.size / test.exact.size)))
    found = test.space.nearest(asked, test.pool.rows)
    if test.with_nearest(found, test.pool.units[planted], random).tail_p_value() <= test.level:
        return True
    near = copies.take(np.arange(round(count * attacked.looked_at)))
    spliced = attacked.with_planted(near).exceedances(test.coded)
    return any(
        each is not None and each.p_value(ratio) <= test.level
        for each, ratio in zip(spliced, RATIOS, strict=True)
    )


def planted_finding(test: CopyTest, leaks: PlantedLeaks) -> Finding:
    """`planted_leaks`: how many of the four kinds of leak the gate sees in this table.

    That verbatim leaks are missed in a large table is the gate's fault, unless the release is
    refused for its own.
    """
    missed = [name for name, seen in leaks.caught.items() if not seen]
    large = min(leaks.own_units, leaks.held_out) >= ENOUGH_UNITS
    state: State = "pass"
    detail = "Every planted leak was caught by at least one test."
    if missed:
        state, detail = "info", f"Not caught here: {'; '.join(missed)}."
        if min(test.exact_p_value(), test.tail_p_value()) <= test.level:
            detail += (
                " The release holds copies of its own, beside which others are told less well."
            )
        elif large and any("verbatim" in name for name in missed):
            state = "refuse"
            detail = f"The gate is broken, it fails its own control. {detail}"
        elif not large:
            detail += f" {_shortage(test, leaks)}"
    caught = len(leaks.caught) - len(missed)
    return Finding(
        name="planted_leaks", group="copies", value=float(caught), bar=float(len(leaks.caught)),
        unit="count", state=state, table=test.coded.table.name, detail=detail,
    )  # fmt: skip


def _shortage(test: CopyTest, leaks: PlantedLeaks) -> str:
    chance = min(max(test.pool.chance, 0.01), 0.9999)
    votes = np.log(test.level) / np.log(chance)
    rows = int(np.ceil(1.5 * votes / 0.002 / 1_000)) * 1_000
    return (
        f"{leaks.own_units:,} training units have a row of their own, {leaks.held_out:,} were held "
        f"out; it takes about {rows:,} synthetic rows. What leak would be seen is told with G1 and "
        "G2, and must be the contract's leak_share or less."
    )


def fresh_p_values(
    coded: CodedTable, attacks: Iterable[Evaluation[AttackedTable, Trial]], runs: int
) -> dict[str, float]:
    """What attacks say of half of the held-out units in the place of the release."""
    fresh = _with_held_out_rows(coded)
    if min(fresh.rows.values()) == 0:
        return {}
    table = AttackedTable(fresh, Attacked.of(fresh, LinkageSpace.of(fresh)), runs)
    trials = [trial for attack in attacks for trial in attack.evaluate(table)]
    return {f"{trial.name} {trial.column or ''}".strip(): trial.p_value for trial in trials}


def fresh_finding(coded: CodedTable, p_values: dict[str, float]) -> Finding:
    """`fresh_rows`: how many tests refuse held-out rows, which nobody has copied."""
    refusing = [name for name, p_value in p_values.items() if p_value <= BROKEN_LEVEL]
    detail = "Half of the held-out units, in the place of the release, pass every test."
    if refusing:
        detail = (
            f"The gate is broken: {', '.join(refusing)} refuse held-out rows. Training and holdout "
            "share rows or units; check the contract's unit of privacy."
        )
    if not p_values:
        detail = "Too few held-out units to take some of them for a release."
    return Finding(
        name="fresh_rows", group="copies", value=float(len(refusing)), bar=0.0,
        unit="count", state="refuse" if refusing else "pass" if p_values else "info",
        table=coded.table.name, detail=detail,
    )  # fmt: skip


def _with_held_out_rows(coded: CodedTable) -> CodedTable:
    """The table with one half of the held-out units for a release, the other half held out."""
    units = np.unique(coded.units["holdout"])
    standing_in = coded.random(47).permutation(units)[: units.size // 2]
    chosen = np.isin(coded.units["holdout"], standing_in)
    return replace(
        coded,
        columns=tuple(_split(column, chosen) for column in coded.columns),
        rows={**coded.rows, "synthetic": int(chosen.sum()), "holdout": int((~chosen).sum())},
        units={
            **coded.units,
            "synthetic": coded.units["holdout"][chosen],
            "holdout": coded.units["holdout"][~chosen],
        },
        time=None,
    )


def _split(column: CodedColumn, chosen: Any) -> CodedColumn:
    values: Any = {
        "training": column.values["training"],
        "synthetic": column.values["holdout"][chosen],
        "holdout": column.values["holdout"][~chosen],
    }
    return replace(column, values=values)
