"""What a contract cannot say of sharing: told with its place, and never with a key in it."""

from typing import Any

import pytest

from data_contracts.contract import Column, Contract, Source, Table
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


def faults(table: str = "table", **changes: Any) -> list[tuple[str, str]]:
    time = {"time": "joined"} if table == "series" else {}
    tables = (
        Table.model_validate({
            "name": "people", "columns": COLUMNS, "kind": table, **time,
            "source": Source(format="csv", path="people.csv"),
        }),
    )  # fmt: skip
    share = Share.model_validate({**GOOD, **changes})
    contract = Contract(id="people", version="1", tables=tables, share=share)
    return [
        (fault.path, f"{fault.found} {fault.remedy}") for fault in share_contradictions(contract)
    ]


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
        ({"table": "series"}, "share", "series"),
    ],
)  # fmt: skip
def test_each_contradiction_is_told_where_it_stands(
    changes: dict[str, Any], place: str, found: str
) -> None:
    told = faults(**changes)
    assert [where.endswith(place) for where, _ in told] == [True]
    assert found in told[0][1]


def test_a_key_that_is_written_out_is_refused_and_not_repeated() -> None:
    for changes in ({"holder": SECRET}, {"recipients": [{"name": "clinic", "key": SECRET}]}):
        ((_, told),) = faults(**changes)
        assert "written out" in told
        assert "AAAA" not in told
