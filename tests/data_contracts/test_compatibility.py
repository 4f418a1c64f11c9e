"""Which changes break someone who reads the published Parquet, and which do not."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from data_contracts.choice import ModelChoice
from data_contracts.compatibility import breaking_changes
from data_contracts.contract import (
    Column,
    Comparison,
    Contract,
    RequiredWhen,
    Source,
    Sum,
    Table,
    Term,
)
from tests.data_contracts.contracts_at_random import contracts

COLUMNS = (
    Column(name="id", logical_type="integer", physical_type="int64", required=True, unique=True,
           primary_key=True),
    Column(name="age", logical_type="integer", physical_type="int64", required=True, minimum=0,
           maximum=120),
    Column(name="rank", logical_type="string", physical_type="string", categories=("low", "high"),
           ordered=True),
    Column(name="seen", logical_type="timestamp", physical_type="timestamp[us]",
           minimum="2020-01-01T00:00:00"),
)  # fmt: skip
TABLE = Table(
    name="people",
    columns=COLUMNS,
    source=Source(format="csv", path="people.csv"),
    row_rules=(
        Comparison(left="age", operator=">=", right=0),
        RequiredWhen(column="rank", when="seen"),
    ),
    unique_together=(("age", "seen"),),
    fixed_combinations=(("age", "rank"),),
    unit="id",
)
SUM = Sum(terms=(Term(column="id"), Term(column="id")), total="age")
WEAKER = RequiredWhen(column="rank", when="age", values=(1,))
OLD = Contract(id="people", version="1.0.0", tables=(TABLE,))


def with_table(**changes: Any) -> Contract:
    return OLD.model_copy(update={"tables": (TABLE.model_copy(update=changes),)})


def with_column(which: str, **changes: Any) -> Contract:
    columns = [
        column.model_copy(update=changes) if column.name == which else column for column in COLUMNS
    ]
    return with_table(columns=tuple(columns))


EXTRA = Column(name="city", logical_type="string", physical_type="string")
FURTHER = TABLE.model_copy(update={"name": "visits"})

BREAKING = [
    (OLD.model_copy(update={"id": "persons"}), "id", "renamed"),
    (with_table(name="persons"), "people", "table removed"),
    (with_table(columns=COLUMNS[:3]), "people.seen", "column removed"),
    (with_column("age", name="years"), "people.age", "column renamed"),
    (with_column("age", physical_type="int32"), "people.age", "type changed"),
    (with_column("seen", physical_type="timestamp[ns]"), "people.seen", "type changed"),
    (with_column("seen", timezone="Europe/Vienna"), "people.seen", "time zone changed"),
    (with_column("age", required=False), "people.age", "required changed"),
    (with_column("id", unique=False), "people.id", "unique changed"),
    (with_column("id", primary_key=False), "people.id", "primary_key changed"),
    (with_column("age", primary_key=True), "people.age", "primary_key changed"),
    (with_column("rank", categories=("low", "mid", "high")), "people.rank", "categories added"),
    (with_column("rank", categories=None, ordered=False), "people.rank", "categories dropped"),
    (with_column("rank", categories=("high", "low")), "people.rank", "category order changed"),
    (with_column("rank", ordered=False), "people.rank", "category order changed"),
    (with_column("age", maximum=150), "people.age", "range wider"),
    (with_column("age", minimum=None), "people.age", "range wider"),
    (with_column("seen", minimum="2019-12-31"), "people.seen", "range wider"),
    (with_column("age", role="identifier"), "people.age", "role changed"),
    (with_table(kind="series", time="seen"), "people.kind", "kind changed"),
    (with_table(unit="age"), "people.unit", "unit changed"),
    (with_table(row_rules=()), "people.row_rules", "row rule gone"),
    (with_table(row_rules=TABLE.row_rules[:1]), "people.row_rules", "row rule gone"),
    (with_table(row_rules=(TABLE.row_rules[0], WEAKER)), "people.row_rules", "row rule gone"),
    (with_table(unique_together=()), "people.unique_together", "unique group gone"),
    (
        with_table(unique_together=(("age", "seen", "rank"),)),
        "people.unique_together",
        "unique group gone",
    ),
    (with_table(fixed_combinations=()), "people.fixed_combinations", "fixed combination gone"),
]
FINE = [
    (OLD.model_copy(update={"version": "1.1.0"}), "version", "changed"),
    (OLD.model_copy(update={"generator": ModelChoice(name="other")}), "generator", "work"),
    (OLD.model_copy(update={"tables": (TABLE, FURTHER)}), "visits", "table added"),
    (with_table(columns=(*COLUMNS, EXTRA)), "people.city", "column added"),
    (with_table(columns=COLUMNS[::-1]), "people", "columns reordered"),
    (with_table(source=Source(format="parquet", path="x")), "people.source", "work"),
    (with_table(min_rows=5), "people.min_rows", "work"),
    (with_table(row_rules=(*TABLE.row_rules, SUM)), "people.row_rules", "row rule added"),
    (with_table(row_rules=TABLE.row_rules[::-1]), "people.row_rules", "note"),
    (
        with_table(
            row_rules=(TABLE.row_rules[0].model_copy(update={"name": "grown"}), TABLE.row_rules[1])
        ),
        "people.row_rules",
        "note",
    ),
    (
        with_table(unique_together=(("age", "seen"), ("age", "rank"))),
        "people.unique_together",
        "unique group added",
    ),
    (with_table(unique_together=(("seen", "age"),)), "people.unique_together", "note"),
    (
        with_table(fixed_combinations=(("age", "rank"), ("age", "seen"))),
        "people.fixed_combinations",
        "fixed combination added",
    ),
    (with_column("rank", required=True), "people.rank", "required changed"),
    (with_column("age", unique=True), "people.age", "unique changed"),
    (with_column("rank", categories=("low",)), "people.rank", "categories removed"),
    (with_column("age", maximum=100), "people.age", "range narrower"),
    (with_column("seen", maximum="2030-01-01"), "people.seen", "range narrower"),
    (with_column("seen", minimum="2020-06-01T00:00:00Z"), "people.seen", "range narrower"),
    (with_column("age", role="sensitive"), "people.age", "role changed"),
    (with_column("age", description="In years."), "people.age", "note"),
]


@pytest.mark.parametrize(("new", "path", "kind"), BREAKING)
def test_changes_that_break_readers(new: Contract, path: str, kind: str) -> None:
    changes = breaking_changes(OLD, new)
    assert (path, kind, True) in [(each.path, each.kind, each.breaking) for each in changes]
    assert changes[0].breaking
    assert all(change.text for change in changes)


@pytest.mark.parametrize(("new", "path", "kind"), FINE)
def test_changes_that_break_nobody(new: Contract, path: str, kind: str) -> None:
    (change,) = breaking_changes(OLD, new)
    assert (change.path, change.kind, change.breaking) == (path, kind, False)


def test_the_way_back_of_a_new_column_breaks() -> None:
    wide = with_table(columns=(*COLUMNS, EXTRA))
    (change,) = breaking_changes(wide, OLD)
    assert (change.kind, change.breaking) == ("column removed", True)


def test_a_renamed_column_is_told_once() -> None:
    (change,) = breaking_changes(OLD, with_column("age", name="years"))
    assert "'years'" in change.text


@settings(
    max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
@given(contracts(), contracts())
def test_any_two_contracts_compare_and_equal_ones_do_not_differ(
    old: Contract, new: Contract
) -> None:
    assert breaking_changes(old, old) == ()
    changes = breaking_changes(old, new)
    assert [each.breaking for each in changes] == sorted(
        (each.breaking for each in changes), reverse=True
    )
    assert bool(changes) == (old != new)
