"""Row rules as text: written and read back the same, and nothing else is a rule."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_contracts.contract import (
    Comparison,
    Factor,
    Product,
    RequiredWhen,
    Scalar,
    Sum,
    Term,
)
from data_contracts.row_rules import parse_rule, rule_text

OPERATORS = ["<", "<=", "==", "!=", ">=", ">"]
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(NAMES, st.sampled_from(OPERATORS), NAMES | NUMBERS, st.none() | NAMES)
def test_any_rule_survives_writing_and_reading(
    left: str, operator: str, right: str | float, name: str | None
) -> None:
    rule = Comparison.model_validate(
        {"left": left, "operator": operator, "right": right, "name": name}
    )
    read = parse_rule(rule_text(rule), name)
    assert isinstance(read, Comparison)
    assert read == rule
    assert type(read.right) is type(rule.right)


@pytest.mark.parametrize(
    ("text", "left", "operator", "right"),
    [
        ("starts<=ends", "starts", "<=", "ends"),
        ('  "unit price"  >  0 ', "unit price", ">", 0),
        ("a == -1.5e3", "a", "==", -1500.0),
        ("a != .5", "a", "!=", 0.5),
        ('größe >= "a\\"b"', "größe", ">=", 'a"b'),
        ("present == when", "present", "==", "when"),
    ],
)
def test_rules_read_as_written(text: str, left: str, operator: str, right: object) -> None:
    rule = parse_rule(text, None)
    assert isinstance(rule, Comparison)
    assert (rule.left, rule.operator, rule.right) == (left, operator, right)


WORDS = NAMES | st.sampled_from(["when", "present", "missing", "in", "else", "true", "'", "''"])
TERMS = st.builds(Term, column=WORDS, sign=st.sampled_from([1, -1]))
VALUES = st.lists(NUMBERS | WORDS | st.booleans(), min_size=1, max_size=4).map(tuple)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    st.lists(TERMS, min_size=2, max_size=5),
    st.sampled_from(["<=", "==", ">="]),
    WORDS | NUMBERS,
    st.none() | NAMES,
)
def test_any_sum_survives_writing_and_reading(
    terms: list[Term], operator: str, total: str | float, name: str | None
) -> None:
    rule = Sum.model_validate({"terms": terms, "operator": operator, "total": total, "name": name})
    read = parse_rule(rule_text(rule), name)
    assert isinstance(read, Sum)
    assert read == rule
    assert type(read.total) is type(rule.total)


FACTORS = st.builds(Factor, column=WORDS, power=st.sampled_from([1, -1]))
TIMES = st.sampled_from([1, 100, 0.01, 1 / 3, 0.3, -2.5, 1e-12, 1e30, 7])


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(FACTORS, min_size=2, max_size=4), TIMES, WORDS, st.none() | st.integers(0, 12))
def test_any_product_survives_writing_and_reading(
    factors: list[Factor], times: float, total: str, decimals: int | None
) -> None:
    rule = Product(factors=tuple(factors), times=times, total=total, decimals=decimals)
    assert parse_rule(rule_text(rule), None) == rule


@pytest.mark.parametrize(
    ("text", "times", "powers", "decimals"),
    [
        ("round(a * b, 2) == c", 1, [1, 1], 2),
        ("c == 100 * a / b", 100, [1, -1], None),
        ("a * b / 100 == c", 0.01, [1, 1], None),
        ("c == round(1 / a, 0)", 1, [-1], 0),
        ("a * 1.2 == c", 1.2, [1], None),
        ("round * b == c", 1, [1, 1], None),
    ],
)
def test_products_read_as_written(
    text: str, times: float, powers: list[int], decimals: int | None
) -> None:
    rule = parse_rule(text, None)
    assert isinstance(rule, Product)
    assert (rule.times, rule.total, rule.decimals) == (times, "c", decimals)
    assert [factor.power for factor in rule.factors] == powers


@settings(max_examples=200, deadline=None, derandomize=True)
@given(WORDS, WORDS, st.none() | VALUES, st.booleans(), st.booleans())
def test_any_presence_survives_writing_and_reading(
    column: str, when: str, values: tuple[Scalar, ...] | None, missing: bool, otherwise: bool
) -> None:
    rule = RequiredWhen(
        column=column, when=when, values=values, missing=missing, otherwise=otherwise
    )
    read = parse_rule(rule_text(rule), None)
    assert isinstance(read, RequiredWhen)
    assert read == rule
    assert [*map(type, read.listed)] == [*map(type, rule.listed)]


def added(*terms: tuple[str, int], total: str | float, operator: str = "==") -> Sum:
    made = [{"column": column, "sign": sign} for column, sign in terms]
    return Sum.model_validate({"terms": made, "operator": operator, "total": total})


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("a+b==c", added(("a", 1), ("b", 1), total="c")),
        ("c == a - b", added(("a", 1), ("b", -1), total="c")),
        ('- "net pay" + b -d == c', added(("net pay", -1), ("b", 1), ("d", -1), total="c")),
        ("a + b == 100", added(("a", 1), ("b", 1), total=100)),
        ("-2.5 >= a-b", added(("a", 1), ("b", -1), total=-2.5, operator="<=")),
        ("c <= a + b", added(("a", 1), ("b", 1), total="c", operator=">=")),
        ("b present when a == 'x'", RequiredWhen(column="b", when="a", values=("x",))),
        (
            "b missing when a in ('it''s',-1, 2.5 ,true) else present",
            RequiredWhen(
                column="b", missing=True, when="a", values=("it's", -1, 2.5, True), otherwise=True
            ),
        ),
        (' "b c" present when "a\\"" present ', RequiredWhen(column="b c", when='a"')),
        (
            "present present when present present else missing",
            RequiredWhen(column="present", when="present", otherwise=True),
        ),
    ],
)
def test_sums_and_presence_read_as_written(text: str, rule: Sum | RequiredWhen) -> None:
    assert parse_rule(text, None) == rule


@pytest.mark.parametrize(
    "text",
    ["a + 1 == b", "a + b < c", "a + b == c + d", "a + b != 3", "a + b <= c <= d",
     "3 + a == b", "a + b == 3 + 4", "a + b == 'x'", "a b == c", "a + == c", "+ a == b",
     "a + b ==", "a +- b == c", "a * b <= c", "a * b + d == c", "a + b = c", "-a == b", "a, b == c",
     "a * b == 3", "a * b == c / d", "a * 0 == b", "round(a * b) == c", "round(a * b, c) == d",
     "a * b / == c", "* a == c", "2 * 3 == c", "round(a * b, 99) == c", "a ** b == c",
     "b present", "b present when", "b present when a", "b present when a missing",
     'b present when a == "x"', "b present when a == x", "b present when a != 'x'",
     "b present when a in ()", "b present when a in ('x',)", "b present when a in ('x' 'y')",
     "b present when a in 'x'", "b present when a == 'x' else present",
     "b present when a == 'x' else", "b present when a == 'x' or a == 'y'",
     "b present when a == 'x", "'b' present when a present", "3 present when a present",
     "b given when a present", "b present if a present", "b present when 'a' present"],
)  # fmt: skip
def test_anything_else_is_neither_sum_nor_product_nor_presence(text: str) -> None:
    assert parse_rule(text, None) is None


@pytest.mark.parametrize(
    "text",
    ["", "a", "a <", "< 3", "a = b", "a => b", "a < b < c", "a < b and b < c", "a + 1 < b", "1 < a",
     "a < 1x", "a < --1", "a < 1.2.3", 'a < "b', "len(a) < 3", "a < __import__('os')", "a ; b < 1"],
)  # fmt: skip
def test_anything_else_is_no_rule(text: str) -> None:
    assert parse_rule(text, None) is None
