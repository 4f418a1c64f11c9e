"""Linkability, singling out, inference: the three risks, by anonymeter's definitions (G6).

The Article 29 Working Party's three risks as anonymeter measures them (Giomi et al. 2023),
implemented anew: an attack's success on training units, less its success on held-out ones, by what
the latter leave. Refused where the risk is above 0 beyond doubt, or where its interval ends above
.09, the largest risk that regulators of health data accept (EMA policy 0070), although with so many
rows an honest generator's would in one run of a thousand. Where it would more often, it is
inconclusive.
"""

from dataclasses import replace

import numpy as np

from data_contracts.report import Finding
from models.evaluation.coded import CodedColumn, CodedTable, IntArray, Side
from models.evaluation.intervals import FloatArray
from models.evaluation.mixed_space import MixedRows
from models.evaluation.verdicts import sentences
from models.privacy.linkage_space import LinkageSpace
from models.privacy.membership import REAL, AttackedTable, some_units
from models.privacy.singling_out import singling_out_rates
from models.privacy.trial import PASSING_LEVEL, Bound, Trial, outward, undecided
from models.privacy.unit_rates import UnitRates, reach

BAR = 0.09
# So seldom may an honest generator be refused for an interval that ends above the bar.
REFUSED_UNLUCKY = 0.001
MOST_UNITS = 5_000
MOST_KEYS = 50_000
FEWEST_UNITS = 20
MOST_SECRETS = 4
MOST_TOLD = 20_000
TOLERANCE = 0.05
STEP = 0.01


class Linkability:
    """`linkability` (G6): can two strangers who know half of a person each link what they know?

    Scenario: each of the two knows one half of the columns, and looks for the synthetic row that is
    nearest to what he knows. They have linked the halves where both find the same row.

    Power: beside 10,000 training and 2,500 held-out rows, copies of 2 % of the training rows in as
    many released ones were refused in 18 of 20 runs, of 1.5 % in 16 (`benchmarks/power.py`).
    """

    def evaluate(self, table: AttackedTable) -> tuple[Trial, ...]:
        """One trial."""
        return (_trial(table, "linkability", linkability_rates(table.coded)),)


class SinglingOut:
    """`singling_out` (G6): does a description from the release fit exactly one person?

    Scenario: the attacker takes four columns of a random synthetic row, more where four seldom fit
    one row alone: a category as it is, a number as "at least" above the median and "at most" below
    it. Descriptions that fit one synthetic row are guesses of somebody. Both sides have equally
    many units, since whether a description fits one person only depends on how many there are.

    Power: beside 10,000 training and 2,500 held-out rows, a release copied by 40 % was refused in
    19 of 20 runs, one copied by 70 % in 20 (`benchmarks/power.py`). Smaller leaks are for others.
    """

    def evaluate(self, table: AttackedTable) -> tuple[Trial, ...]:
        """One trial."""
        return (_trial(table, "singling_out", singling_out_rates(table.coded)),)


class Inference:
    """`inference` (G6): does the nearest synthetic row tell the one value that is not known?

    Scenario: the attacker knows all of a person's other columns, and takes the unknown value from
    the synthetic row nearest to them. Up to four columns are the unknown one in turn; a number
    counts as told within 5 % of its ranks.

    Power: beside 10,000 training and 2,500 held-out rows, copies of 5 % of the training rows in as
    many released ones were refused in 16 of 20 runs, of 3 % in 8 (`benchmarks/power.py`).
    """

    def evaluate(self, table: AttackedTable) -> tuple[Trial, ...]:
        """One trial."""
        return (_trial(table, "inference", inference_rates(table.coded)),)


def linkability_rates(coded: CodedTable) -> UnitRates | None:
    """Of each unit, whether the row nearest to either half of its columns is the same one."""
    if len(coded.columns) < 2 or not _enough(coded):
        return None
    random = coded.random(90)
    order = random.permutation(len(coded.columns))
    halves = (order[: order.size // 2], order[order.size // 2 :])
    asked = {side: some_units(coded, side, random, MOST_UNITS) for side in REAL}
    keys = random.permutation(coded.rows["synthetic"])[:MOST_KEYS].astype(np.int64)
    found: dict[str, list[IntArray]] = {side: [] for side in REAL}
    for half in halves:
        part = replace(coded, columns=tuple(coded.columns[at] for at in sorted(half)))
        space = LinkageSpace.of(part)
        release = space.rows["synthetic"].take(keys)
        for side in REAL:
            mine = space.rows[side].take(asked[side][0])
            found[side].append(space.nearest(mine, release).key)
    success = {side: (one == two).astype(np.float64) for side, (one, two) in found.items()}
    return UnitRates.of_rows(success, {side: asked[side][1] for side in REAL})


def inference_rates(coded: CodedTable) -> UnitRates | None:
    """Of each unit, how many of up to four values, drawn by the seed, the nearest row tells.

    A number counts as told within 5 % of its ranks. A unit's success is the mean over the columns.
    """
    if len(coded.columns) < 2 or not _enough(coded):
        return None
    random = coded.random(91)
    asked = {side: some_units(coded, side, random, MOST_UNITS) for side in REAL}
    keys = random.permutation(coded.rows["synthetic"])[:MOST_TOLD].astype(np.int64)
    secrets = random.permutation(len(coded.columns))[:MOST_SECRETS]
    success: dict[str, FloatArray] = {side: np.zeros(asked[side][0].size) for side in REAL}
    for secret in secrets:
        others = tuple(each for at, each in enumerate(coded.columns) if at != secret)
        space = LinkageSpace.of(replace(coded, columns=others))
        release = space.rows["synthetic"].take(keys)
        for side in REAL:
            mine: MixedRows = space.rows[side].take(asked[side][0])
            told = keys[space.nearest(mine, release).key]
            right = _agrees(coded.columns[secret], side, asked[side][0], told)
            success[side] += right / secrets.size
    return UnitRates.of_rows(success, {side: asked[side][1] for side in REAL})


def _agrees(column: CodedColumn, side: Side, rows: IntArray, told: IntArray) -> FloatArray:
    """1 where a synthetic row has the real row's value, numbers within 5 % of all ranks."""
    truth, guess = column.values[side][rows], column.values["synthetic"][told]
    if not column.is_number:
        return np.asarray(truth == guess, dtype=np.float64)
    real = np.concatenate([column.values[each] for each in REAL]).astype(np.float64)
    known = np.sort(real[~np.isnan(real)])
    ranks = [
        (np.searchsorted(known, values, side="left") + np.searchsorted(known, values, side="right"))
        / (2 * max(known.size, 1))
        for values in (truth, guess)
    ]
    same = np.abs(ranks[0] - ranks[1]) <= TOLERANCE
    gaps = np.isnan(truth.astype(np.float64)), np.isnan(guess.astype(np.float64))
    return np.where(gaps[0] | gaps[1], gaps[0] & gaps[1], same).astype(np.float64)


def _enough(coded: CodedTable) -> bool:
    return all(np.unique(coded.units[side]).size >= FEWEST_UNITS for side in REAL)


def _trial(attacked: AttackedTable, name: str, rates: UnitRates | None) -> Trial:
    table, runs = attacked.coded.table.name, attacked.runs
    if rates is None:
        return undecided(name, table, FEWEST_UNITS)
    level = PASSING_LEVEL / runs
    upper = rates.upper(rates.risk, rates.risk_deviation, level)
    farthest = reach(rates.risk_deviation, level)
    needed = int(np.ceil(rates.holdout.size * (farthest / BAR) ** 2))
    bound = Bound(upper, BAR, resolvable=farthest <= BAR, coarse=None, needed=needed)

    def findings(refused: bool) -> tuple[Finding, ...]:
        beyond = upper > BAR and reach(rates.risk_deviation, level, REFUSED_UNLUCKY) <= BAR
        state, reason = bound.judged(refused=refused or beyond)
        if beyond and not refused:
            reason = "The risk may be above the bar."
        low = max(2 * rates.risk - upper, -1.0)
        ends = outward(low, max(rates.risk, -1.0), min(upper, 1.0), STEP)
        detail = (
            f"Attacks on {rates.training.size:,} training and {rates.holdout.size:,} held-out "
            "units."
        )
        return (
            Finding(
                name=name, group="copies", value=ends[1], low=ends[0], high=ends[2],
                reference=0.0, reference_name="without a leak", bar=BAR, state=state, table=table,
                detail=sentences((reason, detail)),
            ),
        )  # fmt: skip

    p_value = rates.p_value()
    figures = {**rates.figures(), "upper": upper, "p_value": p_value}
    return Trial(name, p_value, findings, table, figures=figures)
