"""What a contract cannot say of sharing: told with its place, and never with a key in it."""

from pathlib import Path
from typing import Any

import pytest

from data_contracts.contract import Column, Contract, Source, Table
from data_contracts.errors import ContractError
from data_contracts.loading import dump_contract, parse_contract
from data_contracts.share import Share
from data_contracts.share_contradictions import share_contradictions

COLUMNS = (
    Column(name="id", logical_type="integer", physical_type="int64", role="identifier",
           identifier_kind="key"),
    Column(name="age", logical_type="integer", physical_type="int64"),
    Column(name="joined", logical_type="date", physical_type="date32"),
    Column(name="sex", logical_type="string", physical_type="string", role="sensitive"),
    Column(name="group", logical_type="string", physical_type="string"),
)  # fmt: skip
GOOD: dict[str, Any] = {
    "tasks": [{"kind": "classification", "column": "group"}],
    "recipients": [{"name": "clinic", "key": "env:CLINIC_KEY"}],
}
SECRET = "understudy-key-1:" + "A" * 43 + "="
AGE_SECRET = "AGE-SECRET-KEY-1" + "A" * 58
WRITTEN_OUT = [
    SECRET, f"env:{SECRET}", f"file:{SECRET}", f"file:keys/{SECRET.upper()}", f"env:{AGE_SECRET}",
    f"env: {AGE_SECRET.lower()}", f"vault:clinic {AGE_SECRET}", f"CLINIC_KEY={SECRET}",
]  # fmt: skip


def contract_with(table: str = "table", **changes: Any) -> Contract:
    time = {"time": "joined"} if table == "series" else {}
    tables = (
        Table.model_validate({
            "name": "people", "columns": COLUMNS, "kind": table, **time,
            "source": Source(format="csv", path="people.csv"),
        }),
    )  # fmt: skip
    share = Share.model_validate({**GOOD, **changes})
    return Contract(id="people", version="1", tables=tables, share=share)


def faults(table: str = "table", **changes: Any) -> list[tuple[str, str]]:
    found = share_contradictions(contract_with(table, **changes))
    return [(fault.path, f"{fault.found} {fault.remedy}") for fault in found]


def test_a_good_share_has_no_faults() -> None:
    assert faults() == []
    assert faults(public=["age"], holder="file:holder.key") == []


@pytest.mark.parametrize(
    ("changes", "place", "found"),
    [
        ({"tasks": [{"kind": "classification"}]}, "tasks[0].column", "no column"),
        ({"tasks": [{"kind": "regression", "column": "group"}]}, "tasks[0].column", "no number"),
        ({"tasks": [{"kind": "classification", "column": "id"}]}, "tasks[0].column", "identifier"),
        ({"tasks": [{"kind": "classification", "column": "sex"}]}, "tasks[0].column", "sensitive"),
        ({"tasks": [{"kind": "classification", "column": "joined"}]}, "tasks[0].column", "time"),
        ({"tasks": [{"kind": "clustering"}]}, "tasks[0].clusters", "missing"),
        ({"tasks": [{"kind": "clustering", "clusters": 3, "column": "age"}]}, "tasks[0].column",
         "given"),
        ({"tasks": GOOD["tasks"] * 2}, "tasks", "more than once"),
        ({"public": ["sex"]}, "public", "sensitive"),
        ({"public": ["agee"]}, "public", "'agee'"),
        ({"recipients": GOOD["recipients"] * 2}, "recipients", "more than once"),
        ({"recipients": [*GOOD["recipients"], {"name": "Clinic", "key": "env:OTHER_KEY"}]},
         "recipients", "'clinic' more than once"),
        ({"table": "series"}, "share", "series"),
    ],
)  # fmt: skip
def test_each_contradiction_is_told_where_it_stands(
    changes: dict[str, Any], place: str, found: str
) -> None:
    told = faults(**changes)
    assert [where.endswith(place) for where, _ in told] == [True]
    assert found in told[0][1]


@pytest.mark.parametrize("key", WRITTEN_OUT)
def test_a_key_that_is_written_out_is_refused_and_not_repeated(key: str) -> None:
    for changes in ({"holder": key}, {"recipients": [{"name": "clinic", "key": key}]}):
        ((_, told),) = faults(**changes)
        assert "written out" in told
        assert "aaaa" not in told.lower()


@pytest.mark.parametrize("key", WRITTEN_OUT)
def test_a_contract_that_holds_a_key_is_not_even_loaded(key: str) -> None:
    """So that no flow works with it or publishes it, those that share nothing included."""
    text = dump_contract(contract_with())
    assert parse_contract(text, Path("people.odcs.yaml")).share is not None
    for place in ("env:CLINIC_KEY", "clinic"):
        with pytest.raises(ContractError, match=r"understudy\.share\.recipients") as told:
            parse_contract(text.replace(f": {place}", f": '{key}'"), Path("people.odcs.yaml"))
        assert "aaaa" not in str(told.value).lower()
