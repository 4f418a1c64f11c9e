"""Rules between columns are proposed where each row keeps them and they say something."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from data_contracts import rule_inference
from data_contracts.contract import Column, Source, Table
from data_contracts.inference import TableProfile, draft_contract
from data_contracts.rule_contradictions import rule_contradictions
from data_contracts.rule_inference import Proposals, RuleSearch

ROWS = 1500


def orders(rows: int = ROWS, seed: int = 0) -> dict[str, np.ndarray]:
    """Orders with all kinds of rules between their columns, and columns without any."""
    random = np.random.default_rng(seed)
    count = random.integers(1, 9, rows)
    price = np.round(random.lognormal(2, 1, rows), 2)
    net, rate = np.round(count * price, 2), random.choice([5, 10, 20], rows)
    tax = np.round(net * rate / 100, 2)
    start = np.datetime64("2024-01-01") + random.integers(0, 300, rows)
    city, state = random.integers(0, 12, rows), random.choice(["open", "paid", "void"], rows)
    paid = state == "paid"
    return {
        "order_id": np.arange(rows) // 3 + 1,
        "line": np.arange(rows) % 3 + 1,
        "count": count,
        "price": price,
        "net": net,
        "rate": rate,
        "tax": tax,
        "gross": np.round(net + tax, 2),
        "start": start,
        "end": start + random.poisson(3, rows),
        "city": np.char.add("c", city.astype(str)),
        "country": np.char.add("k", (city // 4).astype(str)),
        "state": state,
        "copy": state,
        "amount": np.where(paid, np.round(random.lognormal(2, 1, rows), 2), np.nan),
        "currency": np.where(paid, random.choice(["EUR", "USD"], rows), ""),
        "low_point": random.integers(0, 50, rows),
        "size": random.normal(50, 10, rows),
        "other": random.normal(52, 10, rows),
    }


def written(columns: Mapping[str, np.ndarray]) -> pa.Table:
    """The rows as a CSV file has them: all text."""
    texts = pd.DataFrame(dict(columns)).astype(str).replace("nan", "")
    return pa.Table.from_pandas(texts, preserve_index=False).cast(
        pa.schema([(name, pa.string()) for name in texts.columns])
    )


def drafted(rows: pa.Table) -> Table:
    profile = TableProfile("orders", Source(format="csv", path="orders.csv"))
    profile.update(rows)
    return draft_contract([profile], "orders").contract.tables[0]


def proposals(columns: Mapping[str, np.ndarray], batches: int = 1) -> Proposals:
    rows = written(columns)
    search = RuleSearch(drafted(rows))
    size = math.ceil(rows.num_rows / batches)
    for start in range(0, rows.num_rows, size):
        search.update(rows.slice(start, size))
    return search.proposed()


FOUND = {
    "net + tax == gross",
    "count * price == net",
    "round(net * rate / 100, 2) == tax",
    "start <= end",
    "state == copy",
    "currency present when amount present else missing",
    "amount present when state == 'paid' else missing",
}


def texts(found: Proposals) -> set[str]:
    return {rule.text for rule in found.rules}


def test_what_each_row_keeps_is_proposed_and_nothing_else() -> None:
    found = proposals(orders())
    assert texts(found) == FOUND
    assert found.combinations == (("city", "country"),)
    assert found.keys == (("order_id", "line"),)
    assert len(found.notes) == len(FOUND) + 2
    assert 'proposes "start <= end": so in all 1,500 rows' in found.notes


def test_proposals_make_a_sound_table() -> None:
    rows = written(orders())
    table = proposals(orders()).added(drafted(rows))
    assert len(table.row_rules) == len(FOUND)
    assert not list(rule_contradictions(table, "orders"))


def test_batches_make_no_difference() -> None:
    assert proposals(orders(), batches=7) == proposals(orders())


BREAKS: list[tuple[str, int | str, str]] = [
    ("gross", 1, "net + tax == gross"),
    ("count", 99, "count * price == net"),
    ("copy", "gone", "state == copy"),
    ("currency", "", "currency present when amount present else missing"),
    ("state", "new", "amount present when state == 'paid' else missing"),
    ("end", "2020-01-01", "start <= end"),
]


@pytest.mark.parametrize(("column", "value", "text"), BREAKS)
def test_what_a_late_row_breaks_is_not_proposed(
    column: str, value: int | str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rule_inference, "FIRST_ROWS", 900)
    columns = orders()
    paid = np.flatnonzero(columns["state"] == "paid")[-1]
    columns[column] = columns[column].astype(object)
    columns[column][paid] = value
    found = texts(proposals(columns, batches=3))
    assert text not in found
    assert found >= FOUND - {
        text,
        "state == copy",
        "amount present when state == 'paid' else missing",
    }


def test_a_late_row_breaks_combinations_and_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rule_inference, "FIRST_ROWS", 900)
    columns = orders()
    columns["country"][-1] = "k9"
    columns["line"][-1] = columns["line"][-2]
    columns["order_id"][-1] = columns["order_id"][-2]
    found = proposals(columns, batches=3)
    assert not found.combinations
    assert not found.keys


def test_unrelated_columns_have_no_rules() -> None:
    random = np.random.default_rng(3)
    columns: dict[str, np.ndarray] = {f"n{at}": random.integers(0, 40, 3000) for at in range(12)}
    columns |= {f"t{at}": random.choice(list("abcd"), 3000) for at in range(8)}
    columns |= {f"x{at}": random.normal(at * 2, 1, 3000) for at in range(8)}
    for at in range(4):
        columns[f"x{at}"][random.random(3000) < 0.3] = np.nan
    found = proposals(columns)
    assert found == Proposals()


@pytest.mark.parametrize(
    "columns",
    [
        {"bmi": (18, 40), "weight": (45, 160)},
        {"capital": (0, 10), "ring": (11, 90)},
    ],
)
def test_sizes_that_never_meet_are_no_ordering(columns: dict[str, tuple[int, int]]) -> None:
    random = np.random.default_rng(4)
    share = random.random(3000)
    sizes = {name: low + (high - low) * share for name, (low, high) in columns.items()}
    assert not proposals({name: np.round(size, 1) for name, size in sizes.items()}).rules


def test_few_rows_or_people_are_not_enough() -> None:
    assert proposals(orders(150)) == Proposals()
    rows = written(orders())
    table = drafted(rows).model_copy(update={"unit": "city"})
    search = RuleSearch(table)
    search.update(rows)
    assert search.proposed() == Proposals()


def test_conditions_name_only_values_that_the_contract_lists() -> None:
    random = np.random.default_rng(5)
    code = random.integers(0, 400, 4000)
    columns = {
        "code": np.char.add("code ", code.astype(str)),
        "note": np.where(code < 100, "", random.choice(["yes", "no"], 4000)),
    }
    assert not any("code" in rule.text for rule in proposals(columns).rules)


def test_a_key_by_chance_is_none() -> None:
    random = np.random.default_rng(6)
    columns = {f"n{at}": random.integers(0, 10**6, 1000) for at in range(3)}
    assert not proposals(columns).keys


def test_identifiers_take_part_in_keys_only() -> None:
    found = proposals(orders())
    table = drafted(written(orders()))
    named = {name for rule in found.rules for name in rule.columns}
    hidden = {column.name for column in table.columns if column.role == "identifier"}
    assert "order_id" in hidden
    assert not hidden & named


def test_columns_already_typed_are_searched_as_they_are() -> None:
    columns = orders()
    rows = pa.table({name: pa.array(columns[name]) for name in ("start", "end", "count", "state")})
    rows = rows.append_column("kind", rows["state"].combine_chunks().dictionary_encode())
    kinds = [("start", "date", "date32"), ("end", "date", "date32"), ("count", "integer", "int64"),
             ("state", "string", "string"), ("kind", "string", "dictionary<string>")]  # fmt: skip
    made: list[dict[str, Any]] = [
        {"name": name, "logical_type": logical, "physical_type": physical, "required": True}
        for name, logical, physical in kinds
    ]
    table = Table(
        name="typed",
        columns=tuple(Column.model_validate(each) for each in made),
        source=Source(format="parquet", path="typed.parquet"),
    )
    search = RuleSearch(table)
    search.update(rows)
    assert texts(search.proposed()) == {"start <= end", "state == kind"}


def test_shares_of_one_whole_that_meet_in_a_sum_are_not_proposed_as_products() -> None:
    random = np.random.default_rng(6)
    parts = {f"part_{name}": random.integers(100, 900, ROWS) for name in "abcd"}
    whole = sum(parts.values())
    shares = {f"share_{name[-1]}": np.round(100 * part / whole, 4) for name, part in parts.items()}
    found = proposals({**parts, "whole": whole, **shares})
    assert any("whole" in text for text in texts(found))
    assert not any("share" in text for text in texts(found))
