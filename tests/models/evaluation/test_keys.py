"""Keys of made rows: once each, and leading to rows that exist."""

import pandas as pd
import pytest

from data_contracts.contract import Column, Contract, ForeignKey, Source, Table
from data_contracts.dataset import Dataset
from models.evaluation.keys import evaluate_keys
from tests.models.evaluation.tables import named

SOURCE = Source(format="csv", path="rows.csv")


def integer(name: str, *, key: bool = False) -> Column:
    return Column(name=name, logical_type="integer", physical_type="int64", primary_key=key)


SHOPS = Table(name="shops", columns=(integer("shop", key=True),), source=SOURCE)
SALES = Table(
    name="sales",
    columns=(integer("sale", key=True), integer("line", key=True), integer("shop")),
    source=SOURCE,
    kind="child",
    foreign_keys=(ForeignKey(columns=("shop",), parent="shops", parent_columns=("shop",)),),
)
CONTRACT = Contract(id="tests", version="1", tables=(SHOPS, SALES))


def made(sales: list[tuple[int, int | None, int | None]]) -> Dataset:
    frame = pd.DataFrame(sales, columns=["sale", "line", "shop"]).astype("Int64")
    shops = pd.DataFrame({"shop": [1, 2, 3]}).astype("Int64")
    return Dataset(CONTRACT, {"shops": shops, "sales": frame})


def test_whole_keys_that_lead_somewhere_pass() -> None:
    """A part of a key may repeat, and a foreign key may be missing."""
    found = evaluate_keys(made([(1, 1, 2), (1, 2, 2), (2, 1, None)]), SALES)
    assert [(finding.value, finding.state) for finding in found] == [(100.0, "pass")] * 2
    assert "2 of 2" in named(found, "foreign_key_coverage").detail


@pytest.mark.parametrize("line", [1, None])
def test_a_key_that_repeats_or_is_missing_refuses(line: int | None) -> None:
    found = named(evaluate_keys(made([(1, 1, 1), (1, line, 1), (2, 1, 1), (3, 1, 1)]), SALES),
                  "primary_key_uniqueness")  # fmt: skip
    assert found.value == (50.0 if line else 75.0)
    assert found.state == "refuse"


def test_a_foreign_key_that_leads_nowhere_refuses() -> None:
    found = named(evaluate_keys(made([(1, 1, 1), (2, 1, 9)]), SALES), "foreign_key_coverage")
    assert (found.value, found.state, found.bar) == (50.0, "refuse", 100.0)
    assert "leads to a row of shops: 1 of 2" in found.detail


def test_a_table_without_rows_or_keys_judges_nothing() -> None:
    assert {finding.state for finding in evaluate_keys(made([]), SALES)} == {"info"}
    plain = SHOPS.model_copy(update={"columns": (integer("shop"),)})
    assert evaluate_keys(made([]), plain) == ()
