"""Row rules as text: written and read back the same, and nothing else is a rule."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_contracts.contract import Comparison
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
    ],
)
def test_rules_read_as_written(text: str, left: str, operator: str, right: object) -> None:
    rule = parse_rule(text, None)
    assert rule is not None
    assert (rule.left, rule.operator, rule.right) == (left, operator, right)


@pytest.mark.parametrize(
    "text",
    ["", "a", "a <", "< 3", "a = b", "a => b", "a < b < c", "a < b and b < c", "a + 1 < b", "1 < a",
     "a < 1x", "a < --1", "a < 1.2.3", 'a < "b', "len(a) < 3", "a < __import__('os')", "a ; b < 1"],
)  # fmt: skip
def test_anything_else_is_no_rule(text: str) -> None:
    assert parse_rule(text, None) is None
