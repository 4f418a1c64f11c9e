"""Who was among the training rows? The calibrated neighbour attack, on all and on the isolated."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from data_contracts.report import Finding
from models.evaluation.coded import CodedTable, IntArray, Side, draw
from models.evaluation.intervals import FloatArray
from models.evaluation.mixed_space import MixedRows
from models.evaluation.verdicts import sentences
from models.privacy.copy_votes import usual_crowd
from models.privacy.exceedance import (
    FALSE_POSITIVE_RATE,
    FEWEST_FALSE_ALARMS,
    Exceedance,
    needed_non_members,
)
from models.privacy.linkage_space import LinkageSpace
from models.privacy.trial import PASSING_LEVEL, UNLUCKY, Bound, Trial, outward, undecided

MOST_UNITS = 20_000
MOST_KEYS = 50_000
ISOLATED = 0.05
MOST_ISOLATED = 0.25
# Of fewer isolated non-members than this no rate can be told.
FEWEST_ISOLATED = 75
STEP = 0.005
REAL: tuple[Side, Side] = ("training", "holdout")
# A leak that falls on isolated records alone must expose at most half of them to go unseen.
MOST_EXPOSED = 0.5


@dataclass(frozen=True)
class Attacked:
    """Members and non-members, and how near each one's rows lie to the release and to a reference.

    `rows` are all rows of the attacked units, `units` (rows,) their units from 0, `members`
    (units,) whether a unit was trained on; `near` and `usual` (rows,) are squared distances to the
    nearest synthetic row and to the nearest reference row. `looked_at` is the share of all
    synthetic rows among which the nearest one was looked for.
    """

    space: LinkageSpace
    rows: MixedRows
    units: IntArray
    members: npt.NDArray[np.bool_]
    near: FloatArray
    usual: FloatArray
    looked_at: float

    @classmethod
    def of(cls, coded: CodedTable, space: LinkageSpace) -> "Attacked":
        """Draws at most 20,000 units a side; each half of the holdout refers for the other one.

        So every held-out unit is a non-member once, with a reference that does not hold it, and
        half of the members are held against either half.
        """
        random = coded.random(70)
        keys = random.permutation(coded.rows["synthetic"])[:MOST_KEYS].astype(np.int64)
        release = space.rows["synthetic"].take(keys)
        held_out = np.unique(coded.units["holdout"], return_inverse=True)[1]
        half = {
            "training": random.integers(0, 2, coded.rows["training"]),
            "holdout": random.permutation(int(held_out.max()) + 1) % 2,
        }
        chosen = {side: some_units(coded, side, random) for side in REAL}
        found: list[tuple[Any, ...]] = []
        for reference in (0, 1):
            kept = random.permutation(np.flatnonzero(half["holdout"][held_out] == reference))
            usual = space.rows["holdout"].take(kept[:MOST_KEYS])
            for side in REAL:
                rows, units = chosen[side]
                mine = half[side][units] != reference
                asked = space.rows[side].take(rows[mine])
                found.append((
                    asked, units[mine], np.full(int(mine.sum()), side == "training"),
                    space.nearest(asked, release).squared, space.nearest(asked, usual).squared,
                ))  # fmt: skip
        return cls._joined(space, found, keys.size / max(coded.rows["synthetic"], 1))

    @classmethod
    def _joined(
        cls, space: LinkageSpace, found: list[tuple[Any, ...]], looked_at: float
    ) -> "Attacked":
        asked, units, trained, near, usual = zip(*found, strict=True)
        owners = np.concatenate(units) * 2 + np.concatenate(trained)
        present, place = np.unique(owners, return_inverse=True)
        rows = MixedRows(
            np.concatenate([each.numbers for each in asked]),
            np.concatenate([each.codes for each in asked]),
        )
        return cls(space, rows, place.astype(np.int64), present % 2 == 1,
                   np.concatenate(near), np.concatenate(usual), looked_at)  # fmt: skip

    def with_planted(self, planted: MixedRows) -> "Attacked":
        """The same attack on a release that holds these rows as well."""
        if not len(planted):
            return self
        found = self.space.nearest(self.rows, planted).squared
        return replace(self, near=np.minimum(self.near, found))

    def scores(self) -> FloatArray:
        """Of each unit the most exposed row's log ratio of both distances (units,)."""
        crowd = usual_crowd(self.usual)
        exposed = np.log(self.usual + crowd) - np.log(self.near + crowd)
        return self._by_unit(exposed)

    def isolated(self) -> npt.NDArray[np.bool_]:
        """The units furthest from any reference row: 5 %, or as many as give 75 non-members."""
        far = self._by_unit(self.usual)
        others = max(int((~self.members).sum()), 1)
        share = min(max(ISOLATED, FEWEST_ISOLATED / others), MOST_ISOLATED)
        order = np.argsort(-far, kind="stable")
        chosen = np.zeros(far.size, dtype=np.bool_)
        chosen[order[: int(np.ceil(share * far.size))]] = True
        return chosen

    def _by_unit(self, values: FloatArray) -> FloatArray:
        most = np.full(self.members.size, -np.inf)
        np.maximum.at(most, self.units, values)
        return most

    def exceedances(self, coded: CodedTable) -> tuple[Exceedance | None, Exceedance | None]:
        """Finds at few false alarms, of all units and of the isolated ones; None if too few."""
        if not np.isfinite(self.usual).all():
            return None, None
        scores, alone = self.scores(), self.isolated()
        return (
            Exceedance.of(scores, self.members, coded.random(71)),
            Exceedance.of(scores[alone], self.members[alone], coded.random(72)),
        )


def some_units(
    coded: CodedTable, side: Side, random: np.random.Generator, most: int = MOST_UNITS
) -> tuple[IntArray, IntArray]:
    """Rows of some units of a side, at most 20,000 of them, and each row's unit from 0."""
    distinct, units = np.unique(coded.units[side], return_inverse=True)
    rows_each = max(units.size / max(distinct.size, 1), 1.0)
    chosen = draw(distinct.size, max(int(most / rows_each), 1), random)
    rows = np.flatnonzero(np.isin(units, chosen)).astype(np.int64)
    return rows, units[rows].astype(np.int64)


@dataclass(frozen=True)
class AttackedTable:
    """A table's three sides as an attacker sees them who knows real records.

    `runs` is how often the model was judged, this time included: intervals pay for retries.
    """

    coded: CodedTable
    attacked: Attacked
    runs: int = 1


class MembershipInference:
    """`membership_inference` (G3): was this person trained on?

    Scenario: the attacker knows a person's whole record, has the release and a sample of other
    people, and says yes where the record lies much nearer to the release than to the sample (the
    calibrated neighbour ratio; DOMIAS, van Breugel et al. 2023). Judged at 1 % false positives,
    since a whole-sample score hides a leak of few records.

    Power: beside 10,000 training and 2,500 held-out rows, verbatim copies of 2.5 % of the training
    rows in as many released ones were refused in 19 of 20 runs (`benchmarks/power.py`).
    """

    def evaluate(self, table: AttackedTable) -> tuple[Trial, ...]:
        """One trial, over all records."""
        whole, _ = table.attacked.exceedances(table.coded)
        rule = ("membership_inference", 1.5, table.coded.bars.leak_share)
        return (_trial(table.coded, rule, whole, table.runs),)


class OutlierMembership:
    """`outlier_membership` (G4): was this person, who is like nobody else, trained on?

    Scenario: that of G3 on the most isolated records alone, which are most at risk (Meeus et al.
    2023): 5 % of them, or as many as give 75 non-members.

    Power: beside 10,000 training and 2,500 held-out rows, copies of the 1.5 % most isolated ones
    were refused in 19 of 20 runs, of the 1 % most isolated ones in 2 (`benchmarks/power.py`).
    """

    def evaluate(self, table: AttackedTable) -> tuple[Trial, ...]:
        """One trial, over the isolated records."""
        _, alone = table.attacked.exceedances(table.coded)
        share = float(table.attacked.isolated().mean())
        leak = min(table.coded.bars.leak_share / share, MOST_EXPOSED)
        return (_trial(table.coded, ("outlier_membership", 2.0, leak), alone, table.runs),)


def _trial(
    coded: CodedTable, rule: tuple[str, float, float], found: Exceedance | None, runs: int
) -> Trial:
    name, ratio, leak = rule
    if found is None:
        return undecided(name, coded.table.name, 2 * FEWEST_FALSE_ALARMS)
    level = PASSING_LEVEL / runs
    deviations = float(stats.norm.isf(UNLUCKY) + stats.norm.isf(level))
    needed = needed_non_members(found, ratio - 1, deviations)
    rate = found.false_positive_rate
    interval = found.interval(level)
    bound = Bound(
        upper=interval.high,
        bar=ratio * rate,
        resolvable=found.non_members >= needed and rate < 1.5 * FALSE_POSITIVE_RATE,
        coarse=rate + leak,
        needed=needed,
    )
    p_value = found.p_value(ratio)

    def findings(refused: bool) -> tuple[Finding, ...]:
        state, reason = bound.judged(refused=refused)
        low, value, high = outward(interval.low, found.true_positive_rate, interval.high, STEP)
        detail = (
            f"At {100 * rate:.2g} % false positives, among {found.members:,} members and "
            f"{found.non_members:,} non-members."
        )
        return (
            Finding(
                name=name, group="copies", value=value, low=low, high=high,
                reference=round(rate, 4), reference_name="without a leak", bar=round(bound.bar, 4),
                state=state, table=coded.table.name, detail=sentences((reason, detail)),
            ),
        )  # fmt: skip

    figures = {"found": found.found, "alarms": found.alarms, "members": found.members,
               "non_members": found.non_members, "rate": found.true_positive_rate,
               "interval": list(interval), "bar": bound.bar, "p_value": p_value}  # fmt: skip
    return Trial(name, p_value, findings, coded.table.name, figures=figures)
