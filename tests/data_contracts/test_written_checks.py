"""Sums and presence on a condition: exact to the last digit, and a second judge that agrees."""

import operator
from decimal import Decimal, localcontext
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data_contracts.contract import Comparison, Product, RequiredWhen, Sum, Term
from data_contracts.expectations import judge_rows
from data_contracts.row_rules import parse_rule
from tests.data_contracts.contracts_at_random import TEXT
from tests.data_contracts.test_checks import column, found, row_rules, rows, table


def rule_of(text: str) -> Any:
    rule = parse_rule(text, None)
    assert isinstance(rule, Sum | Product | RequiredWhen)
    return rule


def broken_sums(text: str, physical: tuple[str, ...], *lines: tuple[Any, ...]) -> list[int]:
    rule = rule_of(text)
    declared = table(*map(column, rule.columns, physical), rules=(rule,))
    values = [list(line) for line in zip(*lines, strict=True)]
    data = rows(declared, **dict(zip(rule.columns, values, strict=True)))
    return found(declared, data).get(rule.text, [])


BIG = 2**62
SUMS: list[tuple[str, tuple[str, ...], list[tuple[Any, ...]]]] = [
    # Of each the last row alone breaks the rule.
    ("a + b == c", ("int64", "int64", "int64"), [(1, 2, 3), (None, 2, 9), (1, 2, None), (1, 2, 4)]),
    ("a - b == c", ("int8", "int8", "int8"), [(-128, 127, None), (100, 1, 99), (1, 1, 2)]),
    ("-a + b == c", ("int8", "int8", "int8"), [(-128, -1, 127), (5, 7, 2), (2, 1, 3)]),
    ("a + b - d == c", ("int8", "int8", "int8", "int8"), [(127, 127, 127, 127), (1, 1, 1, 2)]),
    ("a + b == c", ("int64", "int64", "int64"), [(BIG, 1, BIG + 1), (BIG, BIG, -BIG - BIG)]),
    ("a + b - d == c", ("int64", "int64", "int64", "int64"),
     [(BIG, BIG, BIG, BIG), (BIG, BIG, BIG, BIG - 1)]),
    ("a + b == c", ("uint64", "int8", "uint64"), [(2**64 - 1, -1, 2**64 - 2), (2**63, 1, 2**63)]),
    ("a + b == c", ("decimal128(5, 2)", "decimal128(7, 3)", "int64"),
     [(Decimal("0.50"), Decimal("1.500"), 2), (Decimal("0.50"), Decimal("1.501"), 2)]),
    ("a + b == c", ("decimal128(38, 0)", "decimal128(38, 38)", "decimal128(38, 0)"),
     [(Decimal(10) ** 37, Decimal(0), Decimal(10) ** 37),
      (Decimal(10) ** 37, Decimal("1e-38"), Decimal(10) ** 37)]),
    ("a - b == c", ("decimal128(38, -2)", "decimal128(38, 38)", "int8"),
     [(Decimal(100), Decimal(0), 100), (Decimal(100), Decimal("1e-38"), 100)]),
    ("a + b == c", ("float64", "float64", "float64"),
     [(0.1, 0.2, 0.3), (1e16, 1.0, 1e16), (-1e308, 1e308, 0.0), (0.1, 0.2, 0.300001)]),
    ("a + b == c", ("float64", "int64", "float64"), [(0.5, BIG, float(BIG)), (0.5, 1, 1.0)]),
    ("a + b == c", ("float32", "float32", "float32"), [(0.1, 0.2, 0.3), (0.1, 0.2, 0.3001)]),
    ("a + b == c", ("float64", "decimal128(5, 2)", "float64"),
     [(0.1, Decimal("0.20"), 0.3), (0.1, Decimal("0.20"), 0.31)]),
    ("a + b == c", ("float64", "float64", "float64"), [(0.0, 0.0, 0.0), (1e308, 1e308, 1.0)]),
    ("a + b == c", ("float64", "float64", "float64"), [(1.0, -1.0, 0.0), (1.0, -1.0, 1e-8)]),
    ("a + b == 100", ("int8", "int8"), [(40, 60), (None, 1), (127, -27), (40, 59)]),
    ("a - b <= 30", ("int64", "int64"), [(31, 1), (-BIG, BIG), (1, None), (BIG, -BIG)]),
    ("a - b >= -0.5", ("decimal128(5, 2)", "int8"),
     [(Decimal("0.50"), 1), (Decimal("0.49"), 1)]),
    ("a + b >= c", ("uint64", "int8", "uint64"), [(2**64 - 1, 0, 2**64 - 1), (1, -1, 1)]),
    ("a + b <= 0.3", ("float64", "float64"), [(0.1, 0.2), (-1e9, 5.0), (0.1, 0.200001)]),
    ("a + b >= 18446744073709551616", ("uint64", "uint64"), [(2**63, 2**63), (2**63, 2**63 - 1)]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "physical", "lines"), SUMS, ids=str)
def test_only_the_last_row_breaks_the_sum(
    text: str, physical: tuple[str, ...], lines: list[tuple[Any, ...]]
) -> None:
    assert broken_sums(text, physical, *lines) == [len(lines) - 1]


PRODUCTS: list[tuple[str, tuple[str, ...], list[tuple[Any, ...]]]] = [
    # Of each the last row alone breaks the rule.
    ("a * b == c", ("int64", "int64", "int64"),
     [(3, 4, 12), (None, 4, 9), (3, 4, None), (3, 4, 11)]),
    ("a * b == c", ("int8", "decimal128(12, 2)", "decimal128(12, 2)"),
     [(3, Decimal("33.33"), Decimal("99.99")), (0, Decimal(5), Decimal(0)),
      (7, Decimal("12345678.91"), Decimal("86419752.36"))]),
    ("round(a * b, 2) == c", ("int64", "float64", "float64"),
     [(3, 0.335, 1.0), (3, 0.335, 1.01), (1, 0.004, 0.0), (3, 0.335, 1.02)]),
    ("round(100 * a / b, 1) == c", ("int64", "int64", "float64"),
     [(1, 3, 33.3), (5, 0, 7.0), (2, 3, 66.7), (-1, 3, -33.3), (2, 3, 66.6)]),
    ("a * b / 100 == c", ("float64", "float64", "float64"),
     [(0.1, 30.0, 0.03), (1e200, 1e200, 1.0), (7.0, 7.0, 0.49), (7.0, 7.0, 0.490001)]),
    ("a * b == c", ("float32", "float32", "float32"), [(0.1, 0.2, 0.02), (0.1, 0.2, 0.0201)]),
    ("1 / a == c", ("float64", "float64"), [(4.0, 0.25), (0.0, 3.0), (4.0, 0.26)]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "physical", "lines"), PRODUCTS, ids=str)
def test_only_the_last_row_breaks_the_product(
    text: str, physical: tuple[str, ...], lines: list[tuple[Any, ...]]
) -> None:
    assert broken_sums(text, physical, *lines) == [len(lines) - 1]


EXACT = [
    ("int64", st.integers(-(2**63), 2**63 - 1)),
    ("int8", st.integers(-3, 3)),
    ("uint64", st.integers(2**63, 2**63 + 3)),
    ("decimal128(30, 20)", st.decimals(-1, 1, places=20)),
    ("decimal128(5, 2)", st.decimals(-1, 1, places=2)),
]


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_exact_numbers_add_up_exactly(data: st.DataObject) -> None:
    chosen = data.draw(st.lists(st.sampled_from(EXACT), min_size=3, max_size=5))
    signs = data.draw(st.lists(st.sampled_from([1, -1]), min_size=5, max_size=5))
    sign = data.draw(st.sampled_from(["<=", "==", ">="]))
    drawn = data.draw(
        st.lists(st.tuples(*(st.none() | values for _, values in chosen)), min_size=1, max_size=5)
    )
    names = "abcde"[: len(chosen)]
    terms = tuple(Term(column=name, sign=sign) for name, sign in zip(names[:-1], signs))  # noqa: B905
    rule = Sum(terms=terms, operator=sign, total=names[-1])
    keeps = {"<=": operator.le, "==": operator.eq, ">=": operator.ge}[sign]
    declared = table(*(column(n, kind) for n, (kind, _) in zip(names, chosen)), rules=(rule,))  # noqa: B905
    lists = [list(values) for values in zip(*drawn, strict=True)]
    broken = []
    with localcontext(prec=100):
        for place, (*values, total) in enumerate(drawn):
            if total is not None and None not in values:
                added = sum(one * Decimal(value) for one, value in zip(signs, values))  # noqa: B905
                broken += [place] * (not keeps(added, total))
    data = rows(declared, **dict(zip(names, lists, strict=True)))
    assert found(declared, data).get(rule.text, []) == broken


@pytest.mark.parametrize(
    ("text", "broken"),
    [
        ("b present when a == 'x'", [1]),
        ("b present when a == 'x' else missing", [1, 2, 4]),
        ("b present when a in ('x', 'y')", [1, 3]),
        ("b present when a in ('x', 'y') else missing", [1, 3, 4]),
        ("b missing when a == 'y'", [2]),
        ("b missing when a == 'y' else present", [1, 2, 5]),
        ("b present when a present", [1, 3]),
        ("b present when a present else missing", [1, 3, 4]),
        ("b missing when a present", [0, 2]),
        ("b present when a == 'never seen'", []),
    ],
)
@pytest.mark.parametrize("physical", ["string", "large_string", "dictionary<string>"])
def test_presence_hangs_on_the_condition(text: str, broken: list[int], physical: str) -> None:
    rule = rule_of(text)
    declared = table(column("a", physical), column("b", "int64"), rules=(rule,))
    data = rows(declared, a=["x", "x", "y", "y", None, None], b=[1, None, 2, None, 3, None])
    assert found(declared, data).get(text, []) == broken


LISTED: list[tuple[str, list[Any], tuple[Any, ...], list[int]]] = [
    ("bool", [True, False, None], (True,), [0]),
    ("int8", [1, 2, None], (1, 999), [0]),
    ("int64", [1, 2, None], (1.0, 2.5), [0]),
    ("int64", [2**53, 2**53 + 1, None], (2**53 + 1,), [1]),
    ("uint64", [2**64 - 1, 0, None], (2**64 - 1,), [0]),
    ("float64", [0.1, 0.2, None], (0.1, 5), [0]),
    ("float32", [0.1, 0.2, None], (0.1,), [0]),
    ("decimal128(5, 2)", [Decimal("0.10"), Decimal("0.20"), None], (0.1, 7.123), [0]),
    ("decimal128(30, 20)", [Decimal("0.1"), Decimal("0.10000000000000000001"), None], (0.1,), [0]),
]


@pytest.mark.parametrize(("physical", "values", "listed", "met"), LISTED, ids=str)
def test_values_of_every_type_can_be_listed(
    physical: str, values: list[Any], listed: tuple[Any, ...], met: list[int]
) -> None:
    rule = RequiredWhen(column="b", when="a", values=listed, otherwise=True)
    declared = table(column("a", physical), column("b", "string"), rules=(rule,))
    kept = ["there" if place in met else None for place in range(len(values))]
    assert found(declared, rows(declared, a=values, b=kept)) == {}
    turned = [None if each else "there" for each in kept]
    assert found(declared, rows(declared, a=values, b=turned)) == {rule.text: [0, 1, 2]}


@given(
    values=st.lists(st.none() | TEXT, min_size=1, max_size=5),
    listed=st.lists(TEXT, min_size=1, max_size=3, unique=True),
    names=st.lists(TEXT.filter(bool), min_size=2, max_size=2, unique=True),
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_odd_names_and_texts_are_judged_alike(
    values: list[str | None], listed: list[str], names: list[str]
) -> None:
    when, then = names
    rule = RequiredWhen(column=then, when=when, values=tuple(listed), otherwise=True, name="rule")
    declared = table(column(when, "string"), column(then, "int64"), rules=(rule,))
    kept = [1 if value in listed else None for value in values]
    assert found(declared, rows(declared, **{when: values, then: kept})) == {}
    turned = [None if value in listed else 1 for value in values]
    broken = list(range(len(values)))
    assert found(declared, rows(declared, **{when: values, then: turned})) == {"rule": broken}


def test_great_expectations_judges_presence_but_no_sums() -> None:
    rules = (rule_of("a + b == c"), rule_of("a present when b present else missing"))
    declared = table(*(column(name, "int64") for name in "abc"), rules=rules)
    told = judge_rows(row_rules(declared), rows(declared, a=[1], b=[1], c=[3]))
    assert list(told) == [rules[1].text]


def test_columns_of_nothing_and_no_rows() -> None:
    rules = (
        rule_of("a + b == c"),
        rule_of("a present when b present else missing"),
        rule_of("c missing when b in (1, 2)"),
    )
    declared = table(*(column(name, "int64") for name in "abc"), rules=rules)
    nothing: list[Any] = [None, None]
    assert found(declared, rows(declared, a=nothing, b=nothing, c=nothing)) == {}
    assert found(declared, rows(declared, a=[], b=[], c=[])) == {}


def test_rules_of_all_kinds_together() -> None:
    rules = (
        Comparison(left="a", operator="<=", right="c"),
        rule_of("a + b == c"),
        rule_of("b missing when a == 0"),
    )
    declared = table(*(column(name, "int64") for name in "abc"), rules=rules)
    data = rows(declared, a=[1, 2, 0], b=[1, -5, 4], c=[2, 1, 4])
    expected = {"a <= c": [1], "a + b == c": [1], "b missing when a == 0": [2]}
    assert found(declared, data) == expected
    assert found(declared, data.slice(0, 1)) == {}
