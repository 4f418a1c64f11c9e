"""Whatever is wrong in a contract is told with its place, what was found and what to do."""

import copy
import json
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from data_contracts.contract import Contract
from data_contracts.errors import ContractError
from data_contracts.loading import dump_contract, load_contract, parse_contract
from tests.data_contracts.test_loading import CONTRACT

Document = dict[str, Any]
PLACE = Path("people.odcs.yaml")
TEXT = dump_contract(CONTRACT)


def document() -> Document:
    """The sample contract as an author's file: table `people` (4 columns) and child `visits`."""
    return copy.deepcopy(yaml.safe_load(TEXT))


def faults_of(found: Document) -> list[str]:
    with pytest.raises(ContractError) as caught:
        parse_contract(yaml.safe_dump(found, sort_keys=False), PLACE)
    head, *lines = str(caught.value).splitlines()
    assert re.fullmatch(r"people\.odcs\.yaml: \d+ faults? in the contract", head)
    return [line.strip() for line in lines]


def own(part: Document) -> Document:
    """Our own part of a piece of a contract, made if it is not there."""
    entry = {"property": "understudy", "value": {}}
    return part.setdefault("customProperties", [entry])[0]["value"]


def people(found: Document) -> Document:
    return found["schema"][0]


def column(found: Document, index: int) -> Document:
    return people(found)["properties"][index]


def put(part: Callable[[Document], Any], key: str, value: Any) -> Callable[[Document], None]:
    return lambda found: part(found).__setitem__(key, value)


def take(part: Callable[[Document], Any], key: str) -> Callable[[Document], None]:
    return lambda found: part(found).__delitem__(key)


def top(found: Document) -> Document:
    return found


def options(index: int) -> Callable[[Document], Document]:
    return lambda found: column(found, index).setdefault("logicalTypeOptions", {})


def own_of(index: int) -> Callable[[Document], Document]:
    return lambda found: own(column(found, index))


def own_table(found: Document) -> Document:
    return own(people(found))


def server(index: int) -> Callable[[Document], Document]:
    return lambda found: found["servers"][index]


CASES: list[tuple[Callable[[Document], None], str, str]] = [
    # What the standard itself does not allow.
    (put(top, "apiVersion", "v2.2.2"), "apiVersion: found", "ODCS 3"),
    (take(top, "apiVersion"), "apiVersion: missing", "Add it"),
    (put(top, "kind", "Contract"), "kind: found", "DataContract"),
    (take(top, "id"), "id: missing", "Add it"),
    (put(top, "id", 5), "id: found 5", "put it in quotes"),
    (put(top, "ids", "x"), "ids: unknown key 'ids'", "Did you mean 'id'"),
    (put(top, "version", 1.0), "version: found 1.0", "put it in quotes"),
    (put(people, "propertys", []), "schema[0].propertys: unknown key", "Did you mean 'properties'"),
    (lambda found: column(found, 0).update(requierd=True), "unknown key 'requierd'", "'required'"),
    (put(lambda found: column(found, 0), "required", "yes"), "required: found", "boolean"),
    (put(lambda found: column(found, 0), "logicalType", "int"), "logicalType: found", "'integer'"),
    (put(lambda found: column(found, 0), "logicalType", ["integer"]), "logicalType", ""),
    (put(lambda found: column(found, 0), "logicalType", "array"), "logicalType: found", "Use one"),
    (take(lambda found: column(found, 0), "logicalType"), "logicalType: missing", "Use one of"),
    (take(lambda found: column(found, 0), "name"), "properties[0].name: missing", "Add it"),
    (put(options(3), "minimum", "0"), "minimum", "number"),
    (put(options(3), "multipleOf", 3), "multipleOf: a promise that Understudy does not", "Use one"),
    (put(server(0), "delimiter", ";"), "servers[0].delimiter: the standard has no", "customProp"),
    (put(top, "schema", []), "schema: no tables", "at least one table"),
    (put(people, "properties", []), "schema[0].properties: no columns", "at least one column"),
    # Our own parts.
    (put(own_table, "units", "id"), "understudy.units: unknown key", "Did you mean 'unit'"),
    (put(own_table, "unit", "ident"), "understudy.unit: no column is called 'ident'", ""),
    (put(own_table, "unit", 3), "understudy.unit: found 3", "string"),
    (put(own_table, "kind", "pannel"), "understudy.kind: found", "panel"),
    (put(own_table, "kind", "panel"), "understudy.entity: missing in a panel", "Name the column"),
    (put(own_table, "kind", "series"), "understudy.time: missing in a series", "Name the column"),
    (put(own_table, "cadence", "7D"), "cadence: given without a time", "Add time"),
    (lambda f: own(people(f)).update(time="seen", cadence="soon"), "'soon' is no pandas", "'7D'"),
    (put(own_table, "time", "pay"), "time: column 'pay' is of type number", "Name a date"),
    (put(own_table, "reject_tolerance", 2), "reject_tolerance: found 2", "less than or equal to 1"),
    (put(own_of(0), "rol", "key"), "understudy.rol: unknown key", "Did you mean 'role'"),
    (put(own_of(1), "role", "label"), "role: found", "target"),
    (put(own_of(0), "role", "target"), "identifier_kind: 'key' on a column with the role", "never"),
    (put(own_of(3), "role", "target"), "several targets: ['rank', 'pay']", "Keep one"),
    (put(own_of(3), "ordered", True), "ordered: no categories are listed", "validValues"),
    (put(own_of(1), "tolerance", 1.5), "tolerance: a tolerance on a column", "Only numbers"),
    (put(lambda f: own(f), "generatr", {}), "understudy.generatr: unknown key", "'generator'"),
    (put(lambda f: own(f), "holdout", {"share": 1.5}), "holdout.share: found 1.5", "less than 1"),
    (put(lambda f: own(f), "holdout", {"part": 0.1}), "holdout.part: unknown key", "share"),
    (put(lambda f: own(f), "bars", {"alpha": "low"}), "bars.alpha: found", "number"),
    (
        lambda f: own(f)["holdout"]["sources"].update(peple={"format": "csv", "path": "x"}),
        "holdout.sources.peple: no table has this name",
        "Did you mean 'people'",
    ),
    (put(top, "customProperties", [{"property": "understudy", "value": 3}]), "found 3", "mapping"),
    (lambda f: f["customProperties"].append(f["customProperties"][0]), "given 2 times", "Keep one"),
    # Names, and what becomes a folder.
    (put(top, "id", "../../etc"), "id: found \"../../etc\"", "match"),
    (put(top, "id", ".."), "id: found", "match"),
    (put(top, "id", "a/b"), "id: found", "match"),
    (put(top, "id", "x" * 65), "id: found", "64"),
    (put(people, "name", "a b"), "schema[0].name: found", "match"),
    (lambda f: (people(f).update(name="holdout"), f["servers"][0].update(server="holdout")),
     "schema[0].name: 'holdout' is a folder of the store's own", "another name"),
    (lambda f: (people(f).update(name="Rejects"), f["servers"][0].update(server="Rejects")),
     "schema[0].name: 'Rejects' is a folder of the store's own", "another name"),
    (lambda f: f["schema"].append(copy.deepcopy(people(f))), "table 'people' again", "Rename"),
    (put(lambda f: column(f, 1), "name", "id"), "column 'id' again (first at 0)", "Rename"),
    # Types, ranges, categories.
    (put(lambda f: column(f, 0), "physicalType", "INT"), "physicalType: found \"INT\"", "int64"),
    (put(lambda f: column(f, 0), "physicalType", "string"), "'string' holds string, but", "same"),
    (put(options(3), "minimum", 9), "minimum: 9 is above the maximum 2.5", "Swap"),
    (put(options(2), "minimum", "soon"), "minimum: found", "ISO 8601"),
    (put(options(2), "format", "soon"), "format: found", "yyyy-MM-dd"),
    (put(options(2), "defaultTimezone", "Mars"), "defaultTimezone: no time zone", "Europe/Vienna"),
    (put(options(2), "timezone", False), "timezone: false, but physicalType is", "same"),
    (put(options(1), "pattern", "["), "pattern: no regular expression", "Mend it"),
    (put(lambda f: column(f, 1)["quality"][0]["arguments"], "validValues", []), "found a list of 0",
     "at least one value"),
    (put(lambda f: column(f, 1)["quality"][0]["arguments"], "validValues", ["a", "a"]),
     "a category twice", "once"),
    (put(lambda f: column(f, 1)["quality"][0]["arguments"], "validValues", ["a", 1]),
     "category 1 in a column of type string", "quotes"),
    (put(lambda f: column(f, 1)["quality"][0]["arguments"], "validValues", [None]),
     "validValues[0]: found null", "text or a number"),
    (put(lambda f: column(f, 1)["quality"][0], "mustBe", 3), "does not prove", "mustBe: 0"),
    (lambda f: column(f, 1)["quality"].append({"type": "sql", "query": "select 1", "mustBe": 0}),
     "an SQL rule", "engine: understudy"),
    (lambda f: column(f, 0).update(quality=column(f, 1)["quality"]),
     "categories on an identifier", "Remove them"),
    # Rules, keys, freshness.
    (put(lambda f: people(f)["quality"][2], "implementation", "pay is good"),
     "quality[2].implementation: found", "column operator"),
    (put(lambda f: people(f)["quality"][2], "implementation", "pai >= 0"),
     "no column is called 'pai'", "Did you mean 'pay'"),
    (put(lambda f: people(f)["quality"][2], "implementation", "pay >= rank"),
     "compares number with string", "like types"),
    (put(lambda f: people(f)["quality"][2], "implementation", "rank >= rank"),
     "orders string values", "=="),
    (put(lambda f: people(f)["quality"][0], "mustBeGreaterOrEqualTo", 99),
     "rowCount at least 99 and at most 10", "Swap"),
    (put(lambda f: f["schema"][1]["relationships"][0], "to", "people.idd"),
     "relationships[0].to: found \"people.idd\"", "table.column"),
    (put(lambda f: f["schema"][1]["relationships"][0], "to", "people.rank"),
     "'person' is int64, 'rank' string", "same type"),
    (take(lambda f: f["schema"][1], "relationships"), "a child without a foreign key", "relation"),
    (put(lambda f: f["slaProperties"][0], "element", "people.soon"), "element: found", "table.col"),
    (put(lambda f: f["slaProperties"][0], "unit", "years"), "unit: found \"years\"", "h, d or min"),
    (put(lambda f: f["slaProperties"][0], "value", -1), "value: found -1", "above 0"),
    (put(lambda f: f["slaProperties"][0], "element", "people.pay"), "is of type number", "date or"),
    # Sources.
    (lambda f: f["servers"].pop(0), "servers: no server called 'people'", "server: people"),
    (lambda f: f["servers"].append(f["servers"][0]), "servers[2].server: 'people' again", "one"),
    (put(server(0), "format", "xlsx"), "servers[0].format: found \"xlsx\"", "csv"),
    (put(server(0), "type", "s3"), "servers[0].type: found \"s3\"", "local"),
    (put(server(0), "encoding", "klingon"), "no encoding is called 'klingon'", "utf-8"),
    (put(lambda f: own(f["servers"][0]), "delimiter", ";;"), "delimiter: found", "one character"),
    (put(lambda f: own(f["servers"][0]), "delimiter", "."), "also the decimal sign", "different"),
    (put(lambda f: own(f["servers"][0]), "url_env", "DB"), "url_env: given for csv", "use sql"),
    (put(lambda f: own(f["servers"][1]), "url", "sqlite:///x"), "neither or both of url", "one of"),
    (lambda f: f["servers"][1]["customProperties"][0].update(
        value={"url": "postgresql://me:secret@host/db", "table": "visits"}),
     "url: a password in the contract", "environment variable"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "found", "remedy"), CASES)
def test_a_fault_is_told(change: Callable[[Document], None], found: str, remedy: str) -> None:
    broken = document()
    change(broken)
    assert any(found in line and remedy in line for line in faults_of(broken)), faults_of(broken)


def test_the_sample_itself_has_no_fault() -> None:
    assert parse_contract(yaml.safe_dump(document()), PLACE) == CONTRACT


def test_all_faults_are_told_at_once() -> None:
    broken = document()
    for change, _, _ in (CASES[6], CASES[21], CASES[30]):
        change(broken)
    told = faults_of(broken)
    assert len(told) == 3
    for (_, found, _), line in zip((CASES[6], CASES[21], CASES[30]), told, strict=False):
        assert any(found in each for each in told), line


def test_a_password_is_never_shown() -> None:
    broken = document()
    CASES[-1][0](broken)
    assert "secret" not in "\n".join(faults_of(broken))


def test_a_contradictory_contract_is_not_written() -> None:
    table = CONTRACT.tables[0].model_copy(update={"unit": "nobody"})
    with pytest.raises(ContractError, match="no column is called 'nobody'"):
        dump_contract(CONTRACT.model_copy(update={"tables": (table,)}))


@pytest.mark.parametrize("name", ["fair", "co2"])
def test_the_demo_contracts_hold(name: str) -> None:
    path = Path(__file__).resolve().parents[2] / "data_contracts" / f"{name}.odcs.yaml"
    contract = load_contract(path)
    assert contract.id == name
    assert parse_contract(dump_contract(contract), path) == contract


JUNK: list[Any] = [
    None, True, 0, -1, 1.5, 10**30, "", "x", "../x", [], {}, [1], ["a"], [None], {"a": 1}, [[1]],
    [{}], "nan", {"property": "understudy", "value": {"kind": 5}}, "panel",
    [{"property": "understudy", "value": {"unit": "zz", "foreign_keys": 3}}],
]  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inside: list[tuple[Any, Any]] = []
    if isinstance(value, dict | list):
        inside = list(value.items() if isinstance(value, dict) else enumerate(value))
    return [path, *(each for step, item in inside for each in places(item, (*path, step)))]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(0, 2**32), st.integers(1, 3))
def test_any_change_gives_a_contract_or_a_contract_error(seed: int, changes: int) -> None:
    chosen, broken = random.Random(seed), document()
    for _ in range(changes):
        *path, last = chosen.choice(places(broken)[1:])
        part: Any = broken
        for step in path:
            part = part[step]
        if chosen.random() < 0.2:
            del part[last]
        else:
            part[last] = copy.deepcopy(chosen.choice(JUNK))
    try:
        found = parse_contract(json.dumps(broken), PLACE)
    except ContractError as error:
        assert "faults in the contract" in str(error) or "1 fault in the contract" in str(error)
    else:
        assert isinstance(found, Contract)


def test_a_fault_in_a_column_or_a_table_carries_its_name() -> None:
    """Nobody counts columns: an index alone would not be found in a file of three hundred."""
    broken = document()
    people(broken)["properties"][1]["logicalType"] = "integr"
    people(broken)["quality"][0]["mustBe"] = "many"
    broken["schema"].append({"name": 7, "properties": "none"})
    told = faults_of(broken)
    column = people(broken)["properties"][1]["name"]
    assert any(line.strip().startswith(f"column {column!r}: schema[0].prop") for line in told)
    assert any(line.strip().startswith("table 'people': schema[0].quality[0]") for line in told)
    assert any(line.strip().startswith("schema[2].") for line in told)
