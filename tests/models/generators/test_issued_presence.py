"""Identifiers are there and missing where a rule between columns says so."""

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from data_contracts.checks import broken_rows, row_rules
from data_contracts.contract import Column, Contract, RequiredWhen, Source, Table
from data_contracts.dataset import Dataset
from data_contracts.schema import arrow_schema, to_arrow, to_frame
from models.generators.independent import IndependentGenerator
from models.generators.kept_rules import EarlierKeys
from models.generators.parted import keep_apart


def subscribers(*rules: RequiredWhen, rows: int = 400, physical_type: str = "string") -> Dataset:
    """People of whom half take the letter, which goes to an address."""
    text: dict[str, Any] = {"logical_type": "string", "physical_type": physical_type}
    columns = (
        Column(name="letter", logical_type="boolean", physical_type="bool", required=True),
        Column(name="address", **text, role="identifier", identifier_kind="email"),
        Column(name="room", logical_type="integer", physical_type="int64"),
        Column(name="day", logical_type="integer", physical_type="int64"),
    )
    table = Table(name="people", columns=columns, source=Source(format="csv", path="p.csv"),
                  row_rules=rules, unique_together=(("room", "day"),))  # fmt: skip
    letter = np.arange(rows) % 2 == 0
    values = {
        "letter": letter,
        "address": pa.array([f"a{row}@x.org" for row in range(rows)], mask=~letter),
        "room": np.arange(rows) % 20,
        "day": np.arange(rows) // 20 * 20 + np.arange(rows) % 20,
    }
    frame = to_frame(pa.table(values).cast(arrow_schema(table)))
    return Dataset(Contract(id="people", version="1", tables=(table,)), {"people": frame})


def unkept(frame: pd.DataFrame, table: Table) -> int:
    rows = to_arrow(frame, table)
    return sum(int(broken_rows(rule, rows).sum()) for rule in row_rules(table))


WITH_LETTER = RequiredWhen(column="address", when="letter", values=(True,), otherwise=True)
WITHOUT = RequiredWhen(
    column="address", when="letter", values=(False,), missing=True, otherwise=False
)


@pytest.mark.parametrize("rule", [WITH_LETTER, WITHOUT])
@pytest.mark.parametrize("letter", [True, False])
def test_what_is_given_decides_whether_an_identifier_is_there(
    rule: RequiredWhen, letter: bool
) -> None:
    data = subscribers(rule)
    fitted = IndependentGenerator().fit(data, seed=1)
    drawn = fitted.sample(60, given={"letter": letter}, seed=2, first_row=30).frame
    assert unkept(drawn, data.contract.tables[0]) == 0
    assert not drawn["address"].dropna().duplicated().any()
    later = fitted.sample(60, given={"letter": letter}, seed=2, first_row=90).frame
    assert not set(drawn["address"].dropna()) & set(later["address"].dropna())


def test_an_identifier_that_is_stored_as_a_dictionary_keeps_the_rule() -> None:
    data = subscribers(WITH_LETTER, physical_type="dictionary<string>")
    drawn = IndependentGenerator().fit(data, seed=1).sample(50, seed=2).frame
    assert unkept(drawn, data.contract.tables[0]) == 0
    assert drawn["address"].notna().any() and drawn["address"].isna().any()
    assert not drawn["address"].dropna().duplicated().any()


def test_rows_of_parts_that_are_drawn_again_keep_it_too() -> None:
    data = subscribers(WITH_LETTER)
    (table,) = data.contract.tables
    fitted = IndependentGenerator().fit(data, seed=1)
    earlier = EarlierKeys(table)
    earlier.add(data.frame)
    first = data.frame.head(100)

    def again(rows: int, attempt: int) -> pd.DataFrame:
        return fitted.sample(rows, seed=attempt).frame

    assert unkept(keep_apart(first, table, earlier, again), table) == 0


def test_identifiers_of_which_no_rule_speaks_hold_up_no_row_that_is_drawn_again() -> None:
    whole = {"logical_type": "integer", "physical_type": "int64"}
    names = [f"id{number}" for number in range(12)]
    columns = [Column.model_validate({"name": name, **whole, "role": "identifier"})
               for name in names]  # fmt: skip
    key = Column.model_validate({"name": "key", **whole})
    table = Table(name="t", columns=(key, *columns), unique_together=(("key",),),
                  source=Source(format="csv", path="t.csv"))  # fmt: skip
    random = np.random.default_rng(0)

    def drawn(rows: int, attempt: int = 0) -> pd.DataFrame:
        gaps = random.random((len(names), rows)) < 0.5
        ids = {name: pa.array(range(rows), mask=gap) for name, gap in zip(names, gaps, strict=True)}
        keys = pa.array(random.integers(0, 60, rows))
        return to_frame(pa.table({"key": keys, **ids}, arrow_schema(table)))

    first = drawn(40)
    kept = keep_apart(first, table, EarlierKeys(table), drawn)
    assert not kept["key"].duplicated().any()
    pd.testing.assert_frame_equal(kept[names], first[names])
