"""Promises of privacy that can't be kept are told before a row is read."""

from pathlib import Path
from typing import Any

import pytest

from data_contracts.contract import Column, Contract, Privacy, Source, Table
from data_contracts.errors import ContractError
from data_contracts.loading import dump_contract, parse_contract
from data_contracts.privacy_contradictions import privacy_contradictions
from data_contracts.share import DeclaredTask, Recipient, Share

TEXT = {"logical_type": "string", "physical_type": "string"}
AGE = Column(name="age", logical_type="integer", physical_type="int16", minimum=0, maximum=120)
CITY = Column(name="city", **TEXT, categories=("Graz", "Linz"))
PERSON = Column(name="person", **TEXT, role="identifier", identifier_kind="key")


def contract(privacy: dict[str, Any], **table: Any) -> Contract:
    columns = table.pop("columns", (PERSON, AGE, CITY))
    source = Source(format="csv", path="people.csv")
    people = Table(name="people", columns=columns, source=source, **table)
    return Contract(
        id="people",
        version="1",
        tables=(people,),
        privacy=Privacy(**{"epsilon": 1.0, "delta": 1e-6, **privacy}),
    )


def told(made: Contract) -> list[str]:
    return [f"{fault.path}: {fault.found}" for fault in privacy_contradictions(made)]


def test_a_contract_with_privacy_comes_back_from_its_file() -> None:
    made = contract({"rows_per_unit": 3, "value_share": 0.2}, unit="person")
    assert told(made) == []
    assert parse_contract(dump_contract(made), Path("people.odcs.yaml")) == made


def test_nothing_is_asked_without_privacy() -> None:
    made = contract({}, unit="person", columns=(PERSON, AGE.model_copy(update={"minimum": None})))
    assert told(made)
    assert told(made.model_copy(update={"privacy": None})) == []


@pytest.mark.parametrize("end", ["minimum", "maximum"])
def test_bounds_have_to_be_public(end: str) -> None:
    open_age = AGE.model_copy(update={end: None})
    (fault,) = told(contract({}, columns=(open_age, CITY)))
    assert f"schema[0].properties[0].logicalTypeOptions.{end}" in fault
    born = Column(name="born", logical_type="date", physical_type="date32")
    assert len(told(contract({}, columns=(born,)))) == 2


def test_an_issued_number_needs_no_bounds() -> None:
    number = Column(
        name="number",
        logical_type="integer",
        physical_type="int64",
        primary_key=True,
        required=True,
    )
    assert told(contract({}, columns=(number, CITY))) == []


def test_lists_are_public_or_paid_for() -> None:
    unlisted = CITY.model_copy(update={"categories": None})
    assert told(contract({}, columns=(unlisted,))) == []
    (fault,) = told(contract({"value_share": 0}, columns=(unlisted,)))
    assert "value_share is 0" in fault


def test_a_unit_of_many_rows_needs_a_bound() -> None:
    (fault,) = told(contract({}, unit="person"))
    assert "rows_per_unit: missing" in fault
    assert told(contract({"rows_per_unit": 1}, unit="person")) == []
    (fault,) = told(contract({"rows_per_unit": 5}))
    assert "names no unit" in fault


def test_delta_has_to_be_below_one_in_the_promised_rows() -> None:
    (fault,) = told(contract({"delta": 1e-3}, min_rows=1000))
    assert "1/rows or more" in fault
    assert told(contract({"delta": 9e-4}, min_rows=1000)) == []


def test_combinations_are_not_read_from_the_rows() -> None:
    (fault,) = told(contract({}, fixed_combinations=(("city", "age"),)))
    assert "nobody pays for" in fault


@pytest.mark.parametrize("wrong", [{"epsilon": 0}, {"epsilon": -1}, {"delta": 0}, {"delta": 1}])
def test_budgets_that_make_no_sense_are_faults(wrong: dict[str, float]) -> None:
    text = dump_contract(contract({}))
    for key, value in wrong.items():
        before = {"epsilon": "epsilon: 1.0", "delta": "delta: 1.0e-06"}[key]
        assert before in text
        text = text.replace(before, f"{key}: {value}")
    with pytest.raises(ContractError, match=f"privacy.{next(iter(wrong))}"):
        parse_contract(text, Path("people.odcs.yaml"))


def test_two_tables_are_two_contracts() -> None:
    made = contract({})
    other = made.tables[0].model_copy(update={"name": "others"})
    (fault,) = told(made.model_copy(update={"tables": (*made.tables, other)}))
    assert "one budget for 2 tables" in fault


def test_codes_of_single_rows_have_no_budget() -> None:
    task = DeclaredTask(kind="clustering", clusters=3)
    share = Share(tasks=(task,), recipients=(Recipient(name="partner", key="partner.pub"),))
    (fault,) = told(contract({}).model_copy(update={"share": share}))
    assert fault.startswith("customProperties.understudy.privacy: a budget, and share")


def test_a_total_has_room_for_one_fit() -> None:
    assert told(contract({"total_epsilon": 1.0})) == []
    (fault,) = told(contract({"total_epsilon": 0.5}))
    assert "total_epsilon: 0.5, less than one fit costs (1)" in fault
