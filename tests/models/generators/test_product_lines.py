"""Products of columns: what they leave each other, and rows that keep them whatever is asked."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_contracts.contract import Column, Contract, Source, Table, WrittenRule
from data_contracts.dataset import Dataset
from data_contracts.row_rules import parse_rule
from data_contracts.schema import arrow_schema, to_arrow, to_frame
from data_contracts.written_checks import breaks_written
from models.conditions import Range, Shares
from models.encoding.table import TableCodec
from models.generators.any_order import AnyOrderGenerator, AnyOrderOptions
from models.generators.bounds import Bounds
from models.generators.gaussian_copula import GaussianCopulaGenerator
from models.generators.product_lines import ProductRule, product_rules

FOUND = {
    "net + tax == gross",
    "amount * price == net",
    "round(net * rate / 100, 2) == tax",
    "round(100 * part / whole, 1) == percent",
}
_LOGICAL = {"int64": "integer", "double": "number"}


def orders(rules: tuple[str, ...] = (), rows: int = 3000) -> Dataset:
    """Orders whose totals stand before what they are made of, some without a price."""
    random = np.random.default_rng(0)
    amount = random.integers(1, 20, rows)
    price = np.round(random.lognormal(2, 0.6, rows), 2)
    net, rate = np.round(amount * price, 2), random.choice([5, 10, 20], rows)
    tax = np.round(net * rate / 100, 2)
    whole = random.integers(1, 900, rows)
    part = np.floor(whole * random.random(rows)).astype(np.int64)
    missing = random.random(rows) < 0.1
    columns = {
        "gross": np.round(net + tax, 2),
        "net": net,
        "amount": amount,
        "price": price,
        "rate": rate,
        "tax": tax,
        "percent": np.round(100 * part / whole, 1),
        "part": part,
        "whole": whole,
    }
    priced = ("gross", "net", "price", "tax")
    arrays = {
        name: pa.array(values, mask=missing if name in priced else None)
        for name, values in columns.items()
    }
    table = Table(
        name="orders",
        columns=tuple(
            Column.model_validate({
                "name": name,
                "logical_type": _LOGICAL[str(array.type)],
                "physical_type": "int64" if str(array.type) == "int64" else "float64",
            })
            for name, array in arrays.items()
        ),
        source=Source(format="csv", path="orders.csv"),
        row_rules=tuple(rule_of(text) for text in rules),
    )  # fmt: skip
    contract = Contract(id="orders", version="1", tables=(table,))
    return Dataset(contract, {"orders": to_frame(pa.table(arrays).cast(arrow_schema(table)))})


def rule_of(text: str) -> WrittenRule:
    rule = parse_rule(text, None)
    assert rule is not None
    return rule


@cache
def model() -> AnyOrderGenerator:
    options = AnyOrderOptions(width=64, blocks=1, epochs=8, batch_rows=256)
    return AnyOrderGenerator(options).fit(orders(), seed=1)


def broken(data: Dataset) -> dict[str, int]:
    rows = to_arrow(data.frame, data.contract.tables[0])
    counts = {text: int(breaks_written(rule_of(text), rows).sum()) for text in FOUND}
    return {text: count for text, count in counts.items() if count}


def test_products_are_found_beside_sums() -> None:
    assert {rule.text for rule in model().found_.rules} == FOUND


ASKED: list[dict[str, Any] | None] = [
    None,
    {"amount": 3},
    {"price": 4.5, "rate": 20},
    {"net": 100.0},
    {"net": 100.03},
    {"tax": 2.0},
    {"percent": Range(20, 30), "tax": Range(1, 5)},
    {"rate": Shares({5: 0.5, 10: 0.3, 20: 0.2}), "net": Range(50, 200)},
]


@pytest.mark.parametrize("asked", ASKED, ids=str)
def test_made_rows_keep_products_to_the_last_digit(asked: dict[str, Any] | None) -> None:
    made = model().sample(400, given=asked, seed=3)
    assert not broken(made)
    for name, wish in (asked or {}).items():
        if isinstance(wish, float | int):
            assert (made.frame[name] == wish).all()


def test_made_rows_are_as_large_as_real_ones() -> None:
    made, real = model().sample(3000, seed=4).frame, orders().frame
    for name in ("net", "gross", "percent", "rate"):
        spread = float(real[name].std())
        assert abs(made[name].mean() - real[name].mean()) < 0.15 * spread, name


def test_a_total_that_few_factors_make_is_met() -> None:
    made = model().sample(300, given={"net": 100.03}, seed=5).frame
    known = made["price"].notna()
    # 10,003 is 7 times 1,429.
    assert set(made["amount"][known]) <= {1, 7}


def test_missing_cells_are_filled_in_by_products() -> None:
    data = orders()
    frame = data.frame.head(300).copy()
    frame = frame[frame["price"].notna()].reset_index(drop=True)
    gaps = frame.copy()
    gaps.loc[::3, "net"], gaps.loc[1::3, "price"], gaps.loc[2::3, "percent"] = (np.nan,) * 3
    filled = model().impute(Dataset(data.contract, {"orders": gaps}), seed=1)
    assert not broken(filled)
    assert np.allclose(filled.frame["net"], frame["net"], atol=0.011)


def test_a_saved_model_keeps_them_and_tells_the_same_density(tmp_path: Path) -> None:
    model().save(tmp_path)
    loaded = AnyOrderGenerator.load(tmp_path, orders().contract)
    assert loaded.found_.rules == model().found_.rules
    assert loaded.sample(50, seed=6).frame.equals(model().sample(50, seed=6).frame)
    some = Dataset(orders().contract, {"orders": orders().frame.head(50)})
    told = model().log_density(some)
    assert np.isfinite(told).mean() > 0.8
    assert np.array_equal(told, loaded.log_density(some))


def test_products_of_the_contract_are_promises_for_any_generator() -> None:
    texts = ("amount * price == net", "round(net * rate / 100, 2) == tax", "net + tax == gross")
    data = orders(texts)
    for made in (
        GaussianCopulaGenerator().fit(data, seed=1).sample(300, seed=2),
        AnyOrderGenerator(AnyOrderOptions(width=32, blocks=1, epochs=2, find_relations=False))
        .fit(data, seed=1)
        .sample(300, given={"amount": 4, "rate": 10}, seed=2),
    ):
        assert not {text: count for text, count in broken(made).items() if text in texts}


ENDS = st.tuples(*[st.sampled_from([-3.0, -1.0, -0.5, 0.0, 0.25, 2.0, np.inf, -np.inf])] * 2)
VALUES = st.sampled_from([-3.0, -1.0, -0.5, 0.0, 0.25, 1.0, 2.0, 5.0])


@settings(max_examples=400, deadline=None, derandomize=True)
@given(VALUES, VALUES, st.sampled_from([1, -1]), st.sampled_from([1.0, 100.0, 0.01]),
       st.sampled_from([0.0, 0.005]), st.lists(ENDS, min_size=3, max_size=3))  # fmt: skip
def test_what_is_true_is_never_ruled_out(
    one: float, other: float, power: int, times: float, half: float, ends: list[Any]
) -> None:
    if power < 0 and other == 0:
        return
    total = times * one * other**power
    numbers = {"one": one, "other": other, "total": total + half}
    rule = ProductRule({"one": 1, "other": power}, times, "total", half)
    spans = {
        name: Bounds(np.array([min(value, *pair)]), np.array([max(value, *pair)]))
        for (name, value), pair in zip(numbers.items(), ends, strict=True)
    }
    for name, value in numbers.items():
        left = rule.leaves(name, spans)
        assert left.low[0] <= value + 1e-9 and value - 1e-9 <= left.high[0], (name, left)


def test_factors_leave_a_total_one_place() -> None:
    rule = ProductRule({"one": 1, "other": 1}, 1.0, "total", 0.005)
    known = {"one": Bounds(np.array([3.0, np.nan]), np.array([3.0, np.nan])),
             "other": Bounds(np.array([0.35]*2), np.array([0.35]*2)),
             "total": Bounds.open(2)}  # fmt: skip
    low, high = rule.leaves("total", known)
    assert (low[0], high[0]) == pytest.approx((1.045, 1.055))
    assert np.isinf([low[1], high[1]]).all()


@pytest.mark.parametrize("asked", [None, {"amount": 3}, {"tax": 2.0}], ids=str)
def test_a_rate_that_is_always_the_same_makes_the_tax(asked: dict[str, Any] | None) -> None:
    data = orders(("round(amount * price * rate / 100, 2) == tax",), rows=150)
    made = np.round(data.frame["amount"] * data.frame["price"] / 5, 2)
    frame = data.frame.assign(rate=data.frame["rate"] * 0 + 20, tax=made)
    data = Dataset(data.contract, {"orders": frame})
    options = AnyOrderOptions(width=32, blocks=1, epochs=2)
    drawn = [AnyOrderGenerator(options).fit(data, seed=1).sample(200, given=asked, seed=2)]
    if asked is None:
        drawn.append(GaussianCopulaGenerator().fit(data, seed=1).sample(200, seed=2))
    for each in drawn:
        rows = each.frame[each.frame["price"].notna() & each.frame["tax"].notna()]
        assert (rows["rate"] == 20).all() and len(rows)
        assert ((rows["amount"] * rows["price"] / 5 - rows["tax"]).abs() < 0.005 + 1e-9).all()


def test_a_total_that_is_always_the_same_leaves_each_factor_what_the_other_says() -> None:
    data = orders(("amount * price == net", "gross * rate == percent"))
    table = data.contract.tables[0]
    measures = TableCodec().fit(data.frame, table).measures()
    constants = {"net": 12.0, "rate": 0.5, "percent": 0.0}
    rule, other = product_rules(table, measures, constants)
    assert (rule.names, other.names) == (("amount", "price"), ("gross",))
    spans = {"amount": Bounds(np.array([3.0]), np.array([4.0])), "price": Bounds.open(1)}
    left = rule.leaves("price", spans)
    assert (left.low[0], left.high[0]) == pytest.approx((3.0, 4.0))
