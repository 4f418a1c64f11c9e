"""A draft lists what several people hold, and nothing that may be one person's."""

import json
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pytest

from data_contracts import column_profile
from data_contracts.contract import Source, Table
from data_contracts.inference import TableProfile, draft_contract


def profile_of(columns: dict[str, Any], name: str = "rows", parts: int = 1) -> TableProfile:
    """A profile of text columns, read in several parts."""
    table = pa.table({key: pa.array(values, pa.string()) for key, values in columns.items()})
    profile = TableProfile(name, Source(format="csv", path="data.csv"))
    size = -(-table.num_rows // parts)
    for start in range(0, table.num_rows, size):
        profile.update(table.slice(start, size))
    return profile


def draft_of(columns: dict[str, Any], parts: int = 1) -> Table:
    return draft_contract([profile_of(columns, parts=parts)], "test").contract.tables[0]


def _kinds(secret: Sequence[int], rows: int = 300) -> list[str]:
    """A text for each row: `secret` in some of them, one of two others elsewhere."""
    return ["secret" if row in secret else "ab"[row % 2] for row in range(rows)]


_ONES = range(35, 40)
"""The five rows of the eighth of the customers below."""
_OF_FIVE = range(0, 25, 5)
_CUSTOMERS = [str(100 + row // 5) for row in range(300)]


@pytest.mark.parametrize(("secret", "listed"), [(_ONES, False), (_OF_FIVE, True)])
def test_a_category_is_listed_only_where_several_units_hold_it(secret: range, listed: bool) -> None:
    columns = {
        "customer_id": _CUSTOMERS,
        "kind": _kinds(secret),
        "flag": [str(int(row in secret)) for row in range(300)],
    }
    draft = draft_contract([profile_of(columns, parts=7)], "test")
    table = draft.contract.tables[0]
    assert table.unit == "customer_id"
    assert table.column("kind").categories == (("a", "b", "secret") if listed else None)
    assert table.column("flag").categories == ((0, 1) if listed else None)
    told = json.dumps(draft.notes) + draft.contract.model_dump_json()
    assert ("secret" in told) is listed
    assert ("1 of its 3 texts are of fewer than 5 units each" in told) is not listed


@pytest.mark.parametrize(("secret", "listed"), [(_ONES, False), (_OF_FIVE, True)])
def test_the_units_of_children_are_their_parents(secret: range, listed: bool) -> None:
    parents = profile_of(
        {"id": [str(number) for number in range(100, 160)], "sex": ["f", "m"] * 30}, "people"
    )
    children = profile_of({"person_id": _CUSTOMERS, "kind": _kinds(secret)}, "visits")
    people, visits = draft_contract([parents, children], "test").contract.tables
    assert (people.unit, visits.unit) == ("id", "person_id")
    assert people.column("sex").categories == ("f", "m")
    assert visits.column("kind").categories == (("a", "b", "secret") if listed else None)


def test_the_names_of_a_panels_entities_are_not_listed() -> None:
    names = [name for name in ("Ann", "Bob", "Eve") for _ in range(20)]
    days = [f"2024-01-{day:02d}" for day in range(1, 21)]
    levels = [str(row % 11) for row in range(60)]
    table = draft_of({"patient": names, "day": days * 3, "level": levels})
    assert (table.kind, table.unit) == ("panel", "patient")
    assert table.column("patient").categories is None


@pytest.mark.parametrize(("others", "listed"), [([], False), ([8], True)])
def test_without_a_unit_a_value_beside_one_name_alone_is_not_listed(
    others: list[int], listed: bool
) -> None:
    names = ["Anna Gruber", "Max Huber", "Eva Maier", "Karl Bauer", "Lisa Wagner", "Paul Moser"]
    kinds = _kinds([*range(1, 31, 6), *others])
    table = draft_of({"name": [names[row % 6] for row in range(300)], "kind": kinds})
    assert (table.unit, table.column("name").role) == (None, "identifier")
    assert table.column("kind").categories == (("a", "b", "secret") if listed else None)


@pytest.mark.parametrize(("secret", "listed"), [(_ONES, False), (_OF_FIVE, True)])
def test_a_holdouts_categories_need_units_of_its_own(secret: range, listed: bool) -> None:
    train = profile_of({"customer_id": _CUSTOMERS, "kind": _kinds(())})
    train.widen(profile_of({"customer_id": _CUSTOMERS, "kind": _kinds(secret)}))
    table = draft_contract([train], "test").contract.tables[0]
    assert table.column("kind").categories == (("a", "b", "secret") if listed else None)


def test_units_are_counted_beside_parts_without_a_value() -> None:
    profile = TableProfile("rows", Source(format="parquet", path="data.parquet"))
    profile.update(pa.table({"customer_id": _CUSTOMERS[:90], "kind": pa.nulls(90)}))
    profile.update(pa.table({"customer_id": _CUSTOMERS[90:], "kind": _kinds(())[90:]}))
    table = draft_contract([profile], "test").contract.tables[0]
    assert table.column("kind").categories == ("a", "b")


def test_what_comes_after_the_first_rows_is_not_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(column_profile, "HEAD_ROWS", 200)
    table = draft_of({"customer_id": _CUSTOMERS, "kind": _kinds(range(250, 300))}, parts=3)
    assert table.column("kind").categories is None
