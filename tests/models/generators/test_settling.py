"""Columns that equations tie together are settled so that each equation has one that follows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.generators.lines import LinearRule, LineRule
from models.generators.product_lines import ProductRule
from models.generators.settling import settling_order


def product(total: str, *factors: str) -> ProductRule:
    return ProductRule(dict.fromkeys(factors, 1), 1.0, total, 0.005)


def added(total: str, *terms: str) -> LinearRule:
    return LinearRule({**dict.fromkeys(terms, 1), total: -1}, 0.0, 0.0)


def last_of_each(order: list[str], rules: list[LineRule]) -> list[str]:
    return [max(rule.names, key=order.index) for rule in rules]


def test_factors_are_settled_before_their_totals_and_those_before_all_else() -> None:
    rules = [product("tax", "net", "rate"), product("net", "amount", "price")]
    names = ["gross", "tax", "net", "amount", "price", "rate", "noise"]
    wanted = ["amount", "price", "rate", "net", "tax", "gross", "noise"]
    assert settling_order(names, rules) == wanted
    wanted = ["amount", "price", "rate", "net", "gross", "tax", "noise"]
    limit = LinearRule({"gross": 1, "noise": -1}, 0.0, float("inf"))
    assert settling_order(names, [*rules, added("gross", "net"), limit]) == wanted


def test_a_chain_of_products_and_sums_has_a_column_for_each() -> None:
    rules = [
        added("gross", "discount", "net"),
        added("total", "net", "vat"),
        added("total", "paid", "due"),
        product("gross", "price", "amount"),
        product("discount", "gross", "off"),
        product("vat", "net", "rate"),
    ]
    names = sorted({name for rule in rules for name in rule.names})
    for some in (rules, rules[::-1]):
        order = settling_order(names, some)
        last = last_of_each(order, some)
        assert len(set(last)) == len(rules), last
        assert {"gross", "discount", "net", "vat", "total"} <= set(last)


def test_of_several_products_with_one_total_the_others_get_a_factor() -> None:
    rules: list[LineRule] = [product("all", "black", "b"), product("all", "white", "w")]
    order = settling_order(["all", "black", "b", "white", "w"], rules)
    last = last_of_each(order, rules)
    assert last[0] == "all"
    assert last[1] in ("white", "w")


@pytest.mark.parametrize(
    "rules", [[], [added("a", "b"), added("b", "a")], [product("a", "b", "a")]]
)
def test_rules_in_a_circle_are_put_in_some_order(rules: list[LineRule]) -> None:
    assert sorted(settling_order(["a", "b", "c"], rules)) == ["a", "b", "c"]


@given(st.lists(st.lists(st.sampled_from("abcdefgh"), min_size=2, max_size=4, unique=True)))
def test_all_columns_are_settled_once_and_the_same_way_each_time(sums: list[list[str]]) -> None:
    rules: list[LineRule] = [added(*names) for names in sums]
    order = settling_order("abcdefgh", rules)
    assert sorted(order) == list("abcdefgh")
    alone = [
        names
        for names in sums
        if not any(set(names) & set(others) for others in sums if others is not names)
    ]
    # Equations that share no column have one each, after what it follows from.
    assert len({max(names, key=order.index) for names in alone}) == len(alone)
    tied = {name for names in sums for name in names}
    assert set(order[: len(tied)]) == tied
    assert settling_order("abcdefgh", rules) == order
