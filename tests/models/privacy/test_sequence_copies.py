"""Somebody's rows in a row: found where every single row is somebody else's as well."""

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from data_contracts.contract import Bars
from data_contracts.report import Finding
from data_contracts.schema import to_frame
from models.evaluation.coded import CodedTable, Side, code_table
from models.privacy.copies import Copying
from models.privacy.copy_votes import CopyTest
from models.privacy.gate import Attempt, evaluate_privacy
from models.privacy.sequence_copies import NAME, SequenceCopies, has_sequences
from models.privacy.trial import Trial
from tests.models.evaluation.tables import coded, contract_for, dataset, named, with_column

LEVEL = 0.001
ROWS_EACH = 12


def visits(people: int, seed: int, rows_each: int = ROWS_EACH) -> pa.Table:
    """A panel of few values: each person's state mostly stays, with a day and one of three acts."""
    random = np.random.default_rng(seed)
    start = random.integers(0, 4, (people, 1))
    moves = (random.random((people, rows_each)) < 0.3).cumsum(axis=1)
    return pa.table({
        "person": [f"{seed}-{person}" for person in np.repeat(np.arange(people), rows_each)],
        "day": np.tile(np.arange(rows_each), people),
        "state": [f"s{state}" for state in ((start + moves) % 4).ravel()],
        "act": [f"a{act}" for act in random.integers(0, 3, people * rows_each)],
    })  # fmt: skip


TRAINING, FRESH, HOLDOUT = visits(400, 1), visits(400, 2), visits(200, 3)


def table(synthetic: pa.Table, holdout: pa.Table = HOLDOUT, time: str | None = "day") -> CodedTable:
    roles = {"person": "identifier"}
    return coded(TRAINING, synthetic, holdout, roles=roles, unit="person", time=time)


def trials(found: CodedTable, level: float) -> tuple[Trial, ...]:
    return SequenceCopies().evaluate(Copying(CopyTest.of(found, level)))


def judge(found: CodedTable, level: float = LEVEL) -> tuple[float, Finding]:
    (trial,) = trials(found, level)
    (finding,) = trial.findings(trial.p_value <= level)
    return trial.p_value, finding


def copied(people: int, source: pa.Table = TRAINING) -> pa.Table:
    """Fresh people of whom some are copies under new names."""
    rows = people * ROWS_EACH
    names = [f"new {row // ROWS_EACH}" for row in range(rows)]
    copies = with_column(source.slice(0, rows), "person", names)
    return pa.concat_tables([copies, FRESH.slice(rows)])


def shuffled(rows: pa.Table) -> pa.Table:
    return rows.take(pa.array(np.random.default_rng(5).permutation(rows.num_rows)))


def test_fresh_people_pass() -> None:
    p_value, finding = judge(table(FRESH))
    assert p_value > 0.01 and finding.state == "pass"


def test_people_copied_whole_are_found_where_no_row_is_anybody_s_own() -> None:
    test = CopyTest.of(table(copied(40)), LEVEL)
    assert test.exact_p_value() > 0.01 and test.tail_p_value() > 0.01
    p_value, finding = judge(table(copied(40)))
    assert p_value < 1e-6 and finding.state == "refuse"
    assert (finding.low, finding.value) == (21, 50)


def test_copies_moved_in_time_or_in_other_order_of_rows_are_found() -> None:
    later = copied(40)
    later = with_column(later, "day", [day + 700 for day in later["day"].to_pylist()])
    assert judge(table(shuffled(later)))[0] < 1e-6


def test_rows_of_a_person_without_a_time_are_the_same_in_any_order() -> None:
    roles = {"person": "identifier"}
    for rows, found in ((FRESH, False), (shuffled(copied(400)), True)):
        sides = [side.drop_columns("day") for side in (TRAINING, rows, HOLDOUT)]
        assert (judge(coded(*sides, roles=roles, unit="person"))[0] < 1e-6) is found


def test_rows_are_put_in_the_order_of_a_time_that_is_issued_anew() -> None:
    roles = {"person": "identifier", "day": "identifier"}
    sides = (TRAINING, shuffled(copied(40)), HOLDOUT)
    found = coded(*sides, roles=roles, unit="person", time="day")
    assert [column.name for column in found.columns] == ["state", "act"]
    assert judge(found)[0] < 1e-6


def test_a_copy_is_one_under_another_name_also_where_the_name_is_no_identifier() -> None:
    contract = contract_for(TRAINING, unit="person")
    panel = contract.tables[0].model_copy(update={"time": "day"})
    contract = contract.model_copy(update={"tables": (panel,)})
    sides = (dataset(contract, rows) for rows in (TRAINING, copied(400), HOLDOUT))
    assert named(evaluate_privacy(*sides, Attempt(1)).findings, NAME).state == "refuse"


@pytest.mark.parametrize("apart", ["given to units of their own", "moved in time"])
def test_series_of_a_unit_are_found_apart(apart: str) -> None:
    """Three people of a home: in the order of their days their rows are mixed with each other's."""

    def homes(rows: pa.Table) -> pa.Table:
        names = [f"{name.split('-')[0]}-{int(name.split('-')[1]) // 3}"
                 for name in rows["person"].to_pylist()]  # fmt: skip
        return rows.append_column("home", pa.array(names))

    training, holdout = homes(visits(600, 1)), homes(visits(300, 3))
    people = [f"new {name}" for name in training["person"].to_pylist()]
    copies = with_column(training, "person", people)
    if apart == "moved in time":
        days = zip(training["day"].to_pylist(), np.repeat(np.arange(600) % 7 * 50, 12), strict=True)
        copies = with_column(copies, "day", [day + int(later) for day, later in days])
    else:
        copies = with_column(copies, "home", people)
    contract = contract_for(training, {"person": "identifier", "home": "identifier"}, unit="home")
    panel = contract.tables[0].model_copy(update={"time": "day", "entity": "person"})

    def p_value(synthetic: pa.Table) -> float:
        frames: dict[Side, Any] = {"training": to_frame(training), "synthetic": to_frame(synthetic),
                  "holdout": to_frame(holdout)}  # fmt: skip
        return judge(code_table(panel, contract.bars, frames, 1).without_names())[0]

    assert p_value(copies) < 1e-6 and p_value(homes(visits(600, 2))) > 0.01


def test_copies_of_held_out_people_are_no_evidence_and_hide_none() -> None:
    for people in (40, 100, 200):
        assert judge(table(copied(people, HOLDOUT)))[0] > 0.01
    for share in (0.4, 1):
        of_both = [rows.slice(0, round(share * rows.num_rows)) for rows in (TRAINING, HOLDOUT)]
        source = pa.concat_tables(of_both)
        names = [f"new {name}" for name in source["person"].to_pylist()]
        source = with_column(source, "person", names)
        made = pa.concat_tables([source, FRESH.slice(source.num_rows)])
        assert judge(table(made))[0] < 1e-6


def test_too_few_people_are_undecided_where_rows_tell_nothing_either() -> None:
    """With 80 held out of 480, no leak of one person in twenty is seen, but one of one in ten."""
    few = table(FRESH, HOLDOUT.slice(0, 80 * ROWS_EACH))
    p_value, finding = judge(few)
    assert p_value > 0.01 and finding.state == "inconclusive" and "Hold out more" in finding.detail
    lax = replace(few, bars=Bars(leak_share=0.1))
    assert judge(lax, 0.02)[1].state == "pass"


def test_people_who_were_copied_help_no_planted_copy_to_be_found() -> None:
    few = HOLDOUT.slice(0, 80 * ROWS_EACH)

    def seen(people: int) -> float:
        (trial,) = trials(table(copied(people), few), 0.02)
        return trial.figures["seen"] or np.inf

    assert seen(20) >= seen(0) > 0.05
    assert seen(0) < np.inf


def test_where_rows_are_somebody_s_own_the_tests_of_rows_judge() -> None:
    def precise(rows: pa.Table, seed: int) -> pa.Table:
        values = np.random.default_rng(seed).normal(size=rows.num_rows)
        return rows.append_column("value", pa.array(values))

    made = coded(
        precise(TRAINING, 1), precise(FRESH, 2), precise(HOLDOUT.slice(0, 40 * ROWS_EACH), 3),
        roles={"person": "identifier"}, unit="person",
    )  # fmt: skip
    assert judge(made)[1].state == "info"


@pytest.mark.parametrize("unit", [None, "person"])
def test_without_several_rows_of_a_unit_there_is_no_such_test(unit: str | None) -> None:
    single = [visits(50, seed, 1) for seed in (1, 2, 3)] if unit else [TRAINING, FRESH, HOLDOUT]
    made = coded(*single, roles={"person": "identifier"}, unit=unit)
    assert not has_sequences(made)
    assert trials(made, LEVEL) == ()


def test_fresh_people_are_found_no_more_often_than_chance() -> None:
    below = 0
    for number in range(60):
        sides = [visits(people, 3 * number + at, 6) for at, people in enumerate((60, 60, 40), 90)]
        made = coded(*sides, roles={"person": "identifier"}, unit="person", seed=number)
        (trial,) = trials(made, LEVEL)
        below += trial.p_value < 0.05
    assert below <= 8
