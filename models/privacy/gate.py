"""The privacy gate of a release: hygiene, attacks, alarms and controls, with one Holm over all."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

import pandas as pd

from data_contracts.dataset import Dataset
from data_contracts.report import Finding
from models.base import Evaluation, ProgressCallback
from models.evaluation.coded import CodedTable, Side, code_table
from models.privacy.attribute import AttributeInference, sensitive_columns
from models.privacy.copies import Copying, ExactCopies, TailCopies
from models.privacy.copy_votes import CopyTest
from models.privacy.distance_share import evaluate_distance
from models.privacy.hygiene import Columns, evaluate_hygiene
from models.privacy.membership import (
    Attacked,
    AttackedTable,
    MembershipInference,
    OutlierMembership,
)
from models.privacy.planted import fresh_finding, fresh_p_values, plant_leaks, planted_finding
from models.privacy.repeats import without_repeats
from models.privacy.risks import Inference, Linkability, SinglingOut
from models.privacy.sequence_copies import SequenceCopies, has_sequences
from models.privacy.trial import Trial, settle

# Attackers who hold the release alone, and those who know real records besides.
COPY_ATTACKS: tuple[Evaluation[Copying, Trial], ...] = (
    ExactCopies(), TailCopies(), SequenceCopies(),
)  # fmt: skip
RECORD_ATTACKS: tuple[Evaluation[AttackedTable, Trial], ...] = (
    MembershipInference(), OutlierMembership(), AttributeInference(),
    Linkability(), SinglingOut(), Inference(),
)  # fmt: skip
# The trials of every table. Beside these there is one for each sensitive column, and copies of
# sequences where a unit can have several rows.
TRIALS = ("exact_copies", "tail_copies", "membership_inference", "outlier_membership",
          "linkability", "singling_out", "inference")  # fmt: skip
STAGES = 4


class Attempt(NamedTuple):
    """The seed, and how often this model has been judged, this time included.

    `training_shares` tells by table which share of all training rows is judged, where not all are;
    then `whole` reads all rows of all sides, for `hygiene`.
    """

    seed: int
    runs: int = 1
    training_shares: Mapping[str, float] = MappingProxyType({})
    whole: Mapping[str, Columns] = MappingProxyType({})


@dataclass(frozen=True)
class Gated:
    """What the gate found, and the exact figures behind it, which stay with the model.

    `findings` are bands and states, fit to be published; `figures` are JSON-able.
    """

    findings: tuple[Finding, ...]
    figures: dict[str, Any]


@dataclass(frozen=True)
class _TableGate:
    """One table's part of the gate: findings that stand, and trials that await Holm."""

    findings: tuple[Finding, ...]
    trials: tuple[Trial, ...]
    figures: dict[str, Any]


def evaluate_privacy(
    training: Dataset,
    synthetic: Dataset,
    holdout: Dataset,
    attempt: Attempt,
    progress: ProgressCallback | None = None,
) -> Gated:
    """Judges whether a release gives away the units that were learned from.

    The three datasets keep the same contract; `holdout` holds units that no fit has seen. All tests
    of all tables share the contract's alpha (Holm, one-sided), divided by the number of runs. A
    release that is drawn again pays with wider intervals and weaker tests, whose planted leaks must
    be caught all the same. The same rows and the same seed give the same findings.
    """
    contract, seed, runs = training.contract, attempt.seed, attempt.runs
    coded: list[CodedTable] = []
    frames: list[dict[Side, pd.DataFrame]] = []
    for number, table in enumerate(contract.tables):
        sides: dict[Side, pd.DataFrame] = {
            "training": training.tables[table.name],
            "synthetic": synthetic.tables[table.name],
            "holdout": holdout.tables[table.name],
        }
        frames.append(sides)
        coded.append(code_table(table, contract.bars, sides, seed + number))
    alpha = contract.bars.alpha / runs
    level = alpha / sum(
        len(TRIALS) + sensitive_columns(each.without_names()) + has_sequences(each)
        for each in coded
    )
    gates = []
    for number, (each, sides) in enumerate(zip(coded, frames, strict=True)):
        tell = _teller(progress, number, len(coded))
        hygiene = evaluate_hygiene(each, sides, attempt.whole.get(each.table.name))
        gates.append(_gate_table(each, hygiene, (level, attempt), tell))
    trials = [trial for gate in gates for trial in gate.trials]
    findings = (*settle(trials, alpha), *(found for gate in gates for found in gate.findings))
    names = [each.table.name for each in coded]
    ordered = sorted(findings, key=lambda found: names.index(found.table or names[0]))
    exact = {gate_table.table.name: gate.figures
             for gate_table, gate in zip(coded, gates, strict=True)}  # fmt: skip
    return Gated(tuple(ordered), {"alpha": alpha, "runs": runs, "level": level, "tables": exact})


def _gate_table(
    coded: CodedTable,
    hygiene: Finding,
    rules: tuple[float, Attempt],
    tell: Callable[[float], None],
) -> _TableGate:
    level, attempt = rules
    runs, share = attempt.runs, attempt.training_shares.get(coded.table.name, 1.0)
    if min(coded.rows.values()) == 0 or not coded.without_names().columns:
        return _TableGate((hygiene, *_nothing_to_compare(coded)), (), {})
    coded, repeats = without_repeats(coded.without_names())
    test = CopyTest.of(coded, level, share)
    attacked = Attacked.of(coded, test.space)
    tell(1 / STAGES)
    planted = plant_leaks(test, attacked)
    tell(2 / STAGES)
    copying, table = Copying(test, planted.missed), AttackedTable(coded, attacked, runs)
    copies = [trial for attack in COPY_ATTACKS for trial in attack.evaluate(copying)]
    trials = (*copies, *(one for attack in RECORD_ATTACKS for one in attack.evaluate(table)))
    fresh = {"exact_copies": copying.controls.fresh_exact,
             "tail_copies": copying.controls.fresh_tail}  # fmt: skip
    fresh |= fresh_p_values(coded, RECORD_ATTACKS, runs)
    tell(3 / STAGES)
    findings = (
        hygiene,
        *([] if sensitive_columns(coded) else [_no_secret(coded)]),
        *repeats,
        planted_finding(test, planted),
        fresh_finding(coded, fresh),
        *evaluate_distance(coded),
    )
    tell(1.0)
    figures = {
        "tests": [
            {"name": trial.name, "column": trial.column, "p_value": trial.p_value, **trial.figures}
            for trial in trials
        ],
        "planted": planted.caught,
        "fresh": fresh,
    }
    return _TableGate(findings, trials, figures)


def _teller(progress: ProgressCallback | None, number: int, tables: int) -> Callable[[float], None]:
    def tell(done: float) -> None:
        if progress is not None:
            progress((number + done) / tables, {})

    return tell


def _no_secret(coded: CodedTable) -> Finding:
    """An attack that nobody asked for must not look like one that was withstood."""
    return Finding(
        name="attribute_inference", group="copies", value=None, table=coded.table.name,
        detail="Not run: the contract gives no column of this table the role sensitive.",
    )  # fmt: skip


def _nothing_to_compare(coded: CodedTable) -> tuple[Finding, ...]:
    empty = min(coded.rows.values()) == 0
    detail = "A side has no rows." if empty else "Every column is an identifier: none to compare."
    return tuple(
        Finding(
            name=name,
            group="copies",
            value=None,
            state="inconclusive" if empty and name != "dcr_share" else "info",
            table=coded.table.name,
            detail=detail,
        )
        for name in (*TRIALS, "dcr_share")
    )
