"""Rules of several columns that can't hold, or don't go with their columns, are told with a way."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from data_contracts.contract import Column, Contract, Source, Table
from data_contracts.errors import ContractError
from data_contracts.loading import dump_contract, parse_contract

_COLUMNS = (
    Column(name="id", logical_type="integer", physical_type="int64", role="identifier"),
    Column(name="key", logical_type="string", physical_type="string", unique=True),
    Column(name="net", logical_type="integer", physical_type="int64", minimum=10, maximum=20),
    Column(name="tax", logical_type="integer", physical_type="int64", minimum=1, maximum=2),
    Column(name="gross", logical_type="number", physical_type="decimal128(9, 2)"),
    Column(name="least", logical_type="number", physical_type="float64", maximum=5),
    Column(name="state", logical_type="string", physical_type="string", categories=("in", "out"),
           required=True),
    Column(name="why", logical_type="string", physical_type="string"),
    Column(name="flag", logical_type="boolean", physical_type="bool", required=True),
    Column(name="day", logical_type="date", physical_type="date32"),
    Column(name="home", logical_type="string", physical_type="string"),
    Column(name="seq", logical_type="integer", physical_type="int64", unique=True),
    Column(name="ends", logical_type="date", physical_type="date32", unique=True),
    Column(name="no", logical_type="integer", physical_type="int64", required=True,
           primary_key=True),
)  # fmt: skip
CONTRACT = Contract(
    id="sales",
    version="1.0.0",
    tables=(
        Table(
            name="sales",
            columns=_COLUMNS,
            source=Source(format="csv", path="sales.csv"),
            unit="home",
            min_rows=5,
        ),
    ),
)


def written(
    rules: list[str | dict[str, Any]], fixed: Any = None, duplicates: list[Any] | None = None
) -> str:
    """The contract as an author's file, with rules, combinations and keys of groups."""
    found = yaml.safe_load(dump_contract(CONTRACT))
    (table,) = found["schema"]
    table["quality"] += [
        {"type": "custom", "engine": "understudy", "implementation": rule} for rule in rules
    ]
    for properties in duplicates or []:
        rule = {"type": "library", "metric": "duplicateValues", "mustBe": 0}
        table["quality"].append({**rule, "arguments": {"properties": properties}})
    if fixed is not None:
        table["customProperties"][0]["value"]["fixed_combinations"] = fixed
    return yaml.safe_dump(found, sort_keys=False)


def faults_of(text: str) -> list[str]:
    with pytest.raises(ContractError) as caught:
        parse_contract(text, Path("sales.odcs.yaml"))
    head, *lines = str(caught.value).splitlines()
    assert head.startswith("sales.odcs.yaml: ")
    return [line.strip() for line in lines]


RULES: list[tuple[list[str], str, str]] = [
    (["net + tx == gross"], "schema[0].quality(net + tx == gross): no column is called 'tx'",
     "Did you mean 'tax'"),
    (["net + tax == gros"], "no column is called 'gros' in table 'sales'", "'gross'"),
    (["net + why == gross"], "adds up column 'why' of type string", "integers and numbers"),
    (["net + tax == day"], "adds up column 'day' of type date", "integers and numbers"),
    (["net + id == gross"], "adds up the identifier 'id'", "Leave it out"),
    (["net + net == gross"], "column 'net' twice", "once"),
    (["net + tax == net"], "column 'net' twice", "once"),
    (["net + tax == least"], "terms between 11 and 22 for a total between -inf and 5.0", "ranges"),
    (["net + tax <= 10"], "terms between 11 and 22 for a total between 10.0 and 10.0", "ranges"),
    (["net + tax >= 23"], "terms between 11 and 22 for a total between 23.0 and 23.0", "ranges"),
    (["tax - net == net"], "column 'net' twice", "once"),
    (["net + tax = gross"], "schema[0].quality[1].implementation: found \"net + tax = gross\"",
     "column + column == column"),
    (["why present when state = 'out'"], "implementation: found", "present when condition"),
    (["wy present when state == 'out'"], "no column is called 'wy'", "'why'"),
    (["why present when stat == 'out'"], "no column is called 'stat'", "'state'"),
    (["why present when why == 'x'"], "column 'why' hangs on itself", "another column"),
    (["flag present when state == 'out'"], "column 'flag' is required", "Remove the rule"),
    (["flag missing when state == 'out'"], "column 'flag' is required", "Remove the rule"),
    (["why present when state present"], "column 'state' is required, so that the condition",
     "Name values"),
    (["why present when state == 'outt'"], "\"outt\" is no category of column 'state'", "'out'"),
    (["why present when state in ('out', 3)"], "value 3 for column 'state' of type string",
     "single quotes"),
    (["why present when net == '3'"], "value \"3\" for column 'net' of type integer", "numbers wi"),
    (["why present when net == true"], "value true for column 'net' of type integer", "booleans"),
    (["why present when flag == 1"], "value 1 for column 'flag' of type boolean", "true and false"),
    (["why present when net in (3, 3)"], "a value twice", "once"),
    (["why present when day == '2024-01-01'"], "lists values of column 'day' of type date",
     "present"),
    (["why present when id == 3"], "lists values of the identifier 'id'", "`present`"),
    (["why present when state == 'in'", "why missing when state == 'in'"],
     "asks for the opposite of \"why present when state == 'in'\"", "one rule of the two"),
    (["why present when state == 'in' else missing", "why present when state == 'out'"],
     "asks for the opposite", "one rule of the two"),
    (["why present when net == 1 else missing", "why present when net == 2 else missing"],
     "asks for the opposite", "one rule of the two"),
    (["net * why == gross"], "multiplies column 'why' of type string", "have products"),
    (["net * id == gross"], "multiplies the identifier 'id'", "Leave it out"),
    (["round(net * tax, 2) == net"], "column 'net' twice", "once"),
    (["net / taxx == gross"], "no column is called 'taxx'", "'tax'"),
    (["why present when net in (1, 2)", "why present when net == 2 else missing"],
     "asks for the opposite", "one rule of the two"),
    (["why present when net present", "why missing when net in (1, 2)"],
     "asks for the opposite", "one rule of the two"),
    (["net <= seq"], "compares column 'seq', whose values are made up as none may occur twice",
     "Leave it out"),
    (["day <= ends"], "compares column 'ends', whose values are made up", "Leave it out"),
    (["net < no"], "compares column 'no', whose values are made up", "Leave it out"),
    (["net == id"], "compares the identifier 'id', whose values are made up", "another role"),
    (["seq != no"], "compares column 'seq', whose values are made up", "Leave it out"),
    (["net + tax == seq"], "adds up column 'seq', whose values are made up", "Leave it out"),
    (["net * no == gross"], "multiplies column 'no', whose values are made up", "Leave it out"),
    (["why present when seq == 3"], "lists values of column 'seq', whose values are made up",
     "`present`"),
    (["why present when net present", "why present when tax present", "net >= 0", "net >= 0"],
     "'net >= 0' is the name of several rules", "its own name"),
]  # fmt: skip


@pytest.mark.parametrize(("rules", "found", "remedy"), RULES)
def test_a_faulty_row_rule_is_told(rules: list[str], found: str, remedy: str) -> None:
    told = faults_of(written([*rules]))
    assert any(found in line and remedy in line for line in told), told


SOUND = [
    ["net + tax == gross", "gross - net == tax", "-tax + gross == net"],
    ["why present when state == 'in' else missing", "home present when state == 'in'"],
    ["why present when state == 'in'", "why missing when state == 'out'"],
    ["why present when flag == true", "why missing when flag == false"],
    ["why present when net in (1, 2.0)", "why present when net in (2, 1) else missing"],
    ["id present when day present else missing", "why present when id present"],
    ["key missing when gross == 0.5"],
    ["round(net * tax, 2) == gross", "100 * tax / net == least"],
    ["net != no", "seq >= 1", "key != why", "why present when seq present"],
]


@pytest.mark.parametrize("rules", SOUND, ids=str)
def test_sound_rules_load_and_come_back(rules: list[str]) -> None:
    contract = parse_contract(written([*rules]), Path("sales.odcs.yaml"))
    assert len(contract.tables[0].row_rules) == len(rules)
    assert parse_contract(dump_contract(contract), Path("sales.odcs.yaml")) == contract


def test_rows_that_are_only_proved_may_compare_any_columns() -> None:
    found = yaml.safe_load(written(["day <= ends"]))
    (understudy,) = found["schema"][0]["customProperties"]
    understudy["value"] |= {"kind": "series", "time": "ends"}
    contract = parse_contract(yaml.safe_dump(found), Path("sales.odcs.yaml"))
    assert contract.tables[0].kind == "series"


FIXED: list[tuple[Any, str, str]] = [
    ([["state", "whi"]], "fixed_combinations[0]: no column is called 'whi'", "'why'"),
    ([["state"]], "fixed_combinations[0]: a list of 1", "two columns"),
    ([["state", "state"]], "column 'state' 2 times", "once"),
    ([["state", "flag"], ["flag", "state"]], "fixed_combinations[1]: the same columns", "one of"),
    ([["state", "id"]], "identifier 'id' in a combination", "would publish it"),
    ([["state", "home"]], "unit 'home' in a combination", "would publish it"),
    ([["state", "key"]], "(key) is unique, so that each combination is one row's", "copies"),
    (["state", "flag"], "customProperties.understudy.fixed_combinations[0]: found \"state\"", ""),
    ([["state", 3]], "fixed_combinations[0][1]: found 3", "string"),
]  # fmt: skip


@pytest.mark.parametrize(("fixed", "found", "remedy"), FIXED)
def test_a_faulty_combination_is_told(fixed: Any, found: str, remedy: str) -> None:
    told = faults_of(written([], fixed))
    assert any(found in line and remedy in line for line in told), told


def test_columns_unique_together_are_no_fixed_combination() -> None:
    (told,) = faults_of(written([], [["state", "net", "tax"]], [["net", "tax"]]))
    assert "(net, tax) is unique" in told


DUPLICATES: list[tuple[list[Any], str, str]] = [
    ([["net", "taxx"]], "quality(duplicateValues of net, taxx): no column is called", "'tax'"),
    ([["net"]], "a list of 1", "for one there is unique"),
    ([["net", "net"]], "column 'net' 2 times", "once"),
    ([["net", "tax"], ["tax", "net"]], "the same columns again", "Keep one"),
    ([["state", "flag"]], "at least 5 rows, but 4 different keys at most", "Add a column"),
    (["net"], "schema[0].quality[1].arguments: found", "properties: [a, b]"),
    ([["net", 3]], "quality[1].arguments.properties[1]: found 3", "name of a column"),
]


@pytest.mark.parametrize(("groups", "found", "remedy"), DUPLICATES)
def test_a_faulty_key_of_a_group_is_told(groups: list[Any], found: str, remedy: str) -> None:
    told = faults_of(written([], None, groups))
    assert any(found in line and remedy in line for line in told), told


def test_duplicates_are_never_partly_allowed() -> None:
    found = yaml.safe_load(written([], None, [["net", "tax"]]))
    found["schema"][0]["quality"][-1]["mustBe"] = 3
    (told,) = faults_of(yaml.safe_dump(found))
    assert "duplicates that may be" in told
    assert "mustBe: 0" in told


def test_groups_load_and_come_back_as_the_standard_writes_them() -> None:
    text = written([], [["state", "flag"], ["flag", "net"]], [["net", "tax"]])
    contract = parse_contract(text, Path("sales.odcs.yaml"))
    (table,) = contract.tables
    assert table.fixed_combinations == (("state", "flag"), ("flag", "net"))
    assert table.unique_together == (("net", "tax"),)
    again = dump_contract(contract)
    assert yaml.safe_load(again) == yaml.safe_load(text)
