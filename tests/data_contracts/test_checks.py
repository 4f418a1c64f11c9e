"""Row rules: our own exact checks, and Great Expectations as a second judge that must agree."""

import datetime
import operator
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_contracts.checks import broken_rows, row_rules
from data_contracts.column_contradictions import logical_type_of
from data_contracts.contract import Column, Comparison, Source, Table
from data_contracts.expectations import Judgement, judge_rows
from data_contracts.schema import arrow_schema, arrow_type

ROOT = Path(__file__).resolve().parent.parent.parent


def column(name: str, physical: str, **options: Any) -> Column:
    logical = logical_type_of(arrow_type(physical))
    return Column(name=name, logical_type=logical, physical_type=physical, **options)


def table(*columns: Column, rules: tuple[Comparison, ...] = ()) -> Table:
    source = Source(format="csv", path="rows.csv")
    return Table(name="rows", columns=columns, source=source, row_rules=rules)


def rows(declared: Table, **values: list[Any]) -> pa.Table:
    return pa.table(
        {field.name: pa.array(values[field.name], field.type) for field in arrow_schema(declared)}
    )


def found(declared: Table, data: pa.Table) -> dict[str, list[int]]:
    """The rows that break each rule, after Great Expectations has said the same."""
    rules = row_rules(declared)
    masks = {rule.text: broken_rows(rule, data) for rule in rules}
    for rule, judgement in judge_rows(rules, data).items():
        assert judgement == Judgement("fail" if masks[rule].any() else "pass"), rule
    return {rule: np.flatnonzero(mask).tolist() for rule, mask in masks.items() if mask.any()}


UTC = datetime.UTC
NEAR = datetime.datetime(2024, 1, 1, 12, 0, 0, 1, tzinfo=UTC)
# Physical type, a minimum, and values of which only the last breaks it.
LIMITS: list[tuple[str, Any, list[Any]]] = [
    ("int8", 5, [5, 127, None, 4]),
    ("int64", 2**62 + 1, [2**62 + 1, None, 2**62]),
    ("uint64", 2**63 + 1, [2**63 + 1, None, 2**63]),
    ("int64", 2.5, [3, 4, 2]),
    ("float64", 0.1, [0.1, None, 0.09999999999999999]),
    ("float32", 0.1, [np.float32(0.1), 0.2, 0.0999]),
    ("decimal128(12, 2)", 0.1, [Decimal("0.10"), None, Decimal("0.09")]),
    ("decimal128(12, 2)", 0.101, [Decimal("0.11"), Decimal("0.10")]),
    ("decimal128(30, 20)", 0.1, [Decimal("0.1"), None, Decimal("0.09999999999999999999")]),
    ("date32", "2024-01-02", [datetime.date(2024, 1, 2), None, datetime.date(2024, 1, 1)]),
    ("date64", "2024-01-02", [datetime.date(2024, 1, 2), None, datetime.date(2024, 1, 1)]),
    ("date32", "2024-01-01T12:00:00", [datetime.date(2024, 1, 2), datetime.date(2024, 1, 1)]),
    ("timestamp[us]", "2024-01-01T12:00:00.000001", [NEAR.replace(tzinfo=None), None,
     NEAR.replace(tzinfo=None, microsecond=0)]),
    ("timestamp[s]", "2024-01-01T12:00:00.000001", [datetime.datetime(2024, 1, 1, 12, 0, 1),
     datetime.datetime(2024, 1, 1, 12)]),
    ("timestamp[ms, tz=Europe/Vienna]", "2024-01-01T13:00:00.001", [NEAR.replace(microsecond=1000),
     None, NEAR.replace(microsecond=0)]),
    ("timestamp[us, tz=UTC]", "2024-01-01T13:00:00.000001+01:00", [NEAR,
     NEAR.replace(microsecond=0)]),
    ("timestamp[s]", "0001-01-02", [datetime.datetime(1, 1, 2), datetime.datetime(1, 1, 1)]),
]  # fmt: skip


@pytest.mark.parametrize(("physical", "minimum", "values"), LIMITS, ids=str)
def test_a_minimum_is_exact_to_the_last_digit(
    physical: str, minimum: Any, values: list[Any]
) -> None:
    declared = table(column("a", physical, minimum=minimum))
    rule = f"a: at least {minimum}"
    assert found(declared, rows(declared, a=values)) == {rule: [len(values) - 1]}
    assert found(declared, rows(declared, a=values[:-1])) == {}


@pytest.mark.parametrize(
    ("physical", "limits", "values", "expected"),
    [
        ("int8", {"minimum": 200}, [1, None, 127], {"a: at least 200": [0, 2]}),
        ("int8", {"maximum": 200}, [1, None, 127], {}),
        ("uint8", {"minimum": -5}, [0, 255], {}),
        ("uint8", {"maximum": -5}, [0, None], {"a: at most -5": [0]}),
        ("decimal128(3, 1)", {"maximum": 1000}, [Decimal("99.9")], {}),
        ("decimal128(3, 1)", {"minimum": 1000}, [Decimal("99.9")], {"a: at least 1000": [0]}),
        ("int64", {"maximum": 2.5}, [2, 3], {"a: at most 2.5": [1]}),
        ("float64", {"minimum": 0, "maximum": 1}, [0.5, -1, 2],
         {"a: at least 0": [1], "a: at most 1": [2]}),
    ],
)  # fmt: skip
def test_limits_beyond_the_type(
    physical: str, limits: dict[str, Any], values: list[Any], expected: dict[str, list[int]]
) -> None:
    declared = table(column("a", physical, **limits))
    assert found(declared, rows(declared, a=values)) == expected


@pytest.mark.parametrize(
    ("physical", "categories", "values"),
    [
        ("string", ("x", "y"), ["x", None, "y", "X"]),
        ("dictionary<string>", ("x", "y"), ["y", None, "x", "z"]),
        ("large_string", ("x",), ["x", "z"]),
        ("int8", (1, 2, 1000), [1, None, 2, 3]),
        ("float64", (1, 2.5), [1.0, None, 2.5, 2.0]),
        ("float32", (0.1, 0.5), [0.1, 0.5, 0.25]),
        ("decimal128(5, 2)", (1.5, 2), [Decimal("1.50"), None, Decimal("2.01")]),
        ("decimal128(20, 2)", (1.5, 2), [Decimal("1.50"), None, Decimal("2.01")]),
    ],
    ids=str,
)
def test_categories(physical: str, categories: tuple[Any, ...], values: list[Any]) -> None:
    declared = table(column("a", physical, categories=categories))
    expected = {f"a: one of {len(categories)} categories": [len(values) - 1]}
    assert found(declared, rows(declared, a=values)) == expected
    assert found(declared, rows(declared, a=values[:-1])) == {}


@pytest.mark.parametrize("physical", ["string", "dictionary<string>", "large_string"])
@pytest.mark.parametrize("pattern", [r"^[A-Z]{2}\d+$", r"^([A-Z]{2})(?=\d).*$"])
def test_patterns(physical: str, pattern: str) -> None:
    declared = table(column("a", physical, pattern=pattern))
    data = rows(declared, a=["AB1", None, "AB1", "ab1", "", "xAB1"])
    assert found(declared, data) == {"a: has its pattern": [3, 4, 5]}


def test_presence() -> None:
    declared = table(column("a", "int64", required=True), column("b", "string", required=True))
    data = rows(declared, a=[1, None], b=[None, None])
    assert found(declared, data) == {"a: present": [1], "b: present": [0, 1]}


SIGNS: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt, "<=": operator.le, "==": operator.eq, "!=": operator.ne,
    ">=": operator.ge, ">": operator.gt,
}  # fmt: skip
PAIRS: list[tuple[str, str, st.SearchStrategy[Any], st.SearchStrategy[Any]]] = [
    ("int64", "int64", st.integers(-3, 3), st.integers(-3, 3)),
    ("int64", "int8", st.integers(2**62, 2**62 + 2), st.integers(-3, 3)),
    ("int64", "int64", st.integers(2**62, 2**62 + 2), st.integers(2**62, 2**62 + 2)),
    ("uint64", "int64", st.integers(2**63, 2**63 + 2), st.integers(-3, 3)),
    ("int64", "float64", st.integers(-3, 3), st.sampled_from([-1.5, 0.0, 1.0, 1e300])),
    ("int64", "float64", st.integers(2**53, 2**53 + 3), st.sampled_from([2.0**53, 2.0**53 + 2])),
    ("decimal128(5, 2)", "decimal128(7, 3)", st.decimals(-1, 1, places=2),
     st.decimals(-1, 1, places=2)),
    ("decimal128(30, 20)", "decimal128(30, 20)", st.decimals(0, 1, places=20),
     st.decimals(0, 1, places=20)),
    ("decimal128(5, 2)", "int64", st.decimals(-2, 2, places=2), st.integers(-2, 2)),
    ("date32", "date64", st.dates(), st.dates()),
    ("timestamp[us]", "timestamp[ms]", st.datetimes(), st.datetimes().map(
        lambda when: when.replace(microsecond=0))),
]  # fmt: skip


@pytest.mark.parametrize("sign", SIGNS)
@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: f"{pair[0]} {pair[1]}")
@given(data=st.data())
@settings(max_examples=8, deadline=None)
def test_comparisons_are_those_of_exact_numbers(sign: str, pair: Any, data: st.DataObject) -> None:
    left, right, lefts, rights = pair
    some = st.lists(st.tuples(st.none() | lefts, st.none() | rights), min_size=1, max_size=5)
    drawn = data.draw(some)
    rule = Comparison(left="a", operator=sign, right="b")  # type: ignore[arg-type]
    declared = table(column("a", left), column("b", right), rules=(rule,))
    values = rows(declared, a=[one for one, _ in drawn], b=[other for _, other in drawn])
    broken = [
        place
        for place, (one, other) in enumerate(drawn)
        if one is not None and other is not None and not SIGNS[sign](one, other)
    ]
    assert found(declared, values).get(rule.text, []) == broken


@pytest.mark.parametrize("sign", SIGNS)
@pytest.mark.parametrize("bound", [1, 1.5, -1])
@pytest.mark.parametrize("physical", ["int8", "uint8", "int64", "float32", "decimal128(5, 2)"])
def test_comparisons_with_a_number(sign: str, bound: float, physical: str) -> None:
    rule = Comparison(left="a", operator=sign, right=bound)  # type: ignore[arg-type]
    declared = table(column("a", physical), rules=(rule,))
    values = [0, 1, None, 2]
    broken = [
        place for place, value in enumerate(values)
        if value is not None and not SIGNS[sign](value, bound)
    ]  # fmt: skip
    assert found(declared, rows(declared, a=values)).get(rule.text, []) == broken


@pytest.mark.parametrize("sign", ["==", "!="])
def test_texts_and_booleans_are_equal_or_not(sign: str) -> None:
    rules = (
        Comparison(left="a", operator=sign, right="b", name="texts"),  # type: ignore[arg-type]
        Comparison(left="c", operator=sign, right="d", name="flags"),  # type: ignore[arg-type]
    )
    declared = table(
        column("a", "dictionary<string>"), column("b", "large_string"),
        column("c", "bool"), column("d", "bool"), rules=rules,
    )  # fmt: skip
    data = rows(
        declared, a=["x", "x", None], b=["x", "y", "y"], c=[True, None, True], d=[False, True, True]
    )
    expected = {"texts": [1], "flags": [0]} if sign == "==" else {"texts": [0], "flags": [2]}
    assert found(declared, data) == expected


def test_instants_compare_whatever_their_zones() -> None:
    rule = Comparison(left="a", operator="<", right="b")
    declared = table(
        column("a", "timestamp[us, tz=Europe/Vienna]"), column("b", "timestamp[ms, tz=UTC]"),
        rules=(rule,),
    )  # fmt: skip
    later = NEAR + datetime.timedelta(minutes=1)
    assert found(declared, rows(declared, a=[NEAR, later], b=[later, NEAR])) == {"a < b": [1]}


def test_a_column_of_nothing_keeps_every_rule() -> None:
    rule = Comparison(left="a", operator="<", right="b")
    declared = table(
        column("a", "int64", minimum=0, categories=(1,)), column("b", "int64"),
        column("c", "string", pattern="x"), column("d", "date32", maximum="2024-01-01"),
        rules=(rule,),
    )  # fmt: skip
    nothing: list[Any] = [None, None]
    assert found(declared, rows(declared, a=nothing, b=nothing, c=nothing, d=nothing)) == {}
    assert found(declared, rows(declared, a=[], b=[], c=[], d=[])) == {}


def test_a_check_that_raises_is_told_from_one_that_fails() -> None:
    declared = table(column("a", "int64", minimum=0), column("b", "string", pattern="("))
    told = judge_rows(row_rules(declared), rows(declared, a=[-1], b=["x"]))
    assert told["a: at least 0"] == Judgement("fail")
    assert told["b: has its pattern"].state == "crashed"
    assert told["b: has its pattern"].detail.startswith("Great Expectations raised ")


def test_judging_tells_nobody_and_leaves_nothing_behind(tmp_path: Path) -> None:
    """No line of output, no file in the home folder or the temporary folder, no telemetry."""
    program = (
        "import socket\n"
        "def refuse(*_): raise SystemExit('a connection')\n"
        "socket.socket.connect = refuse\n"
        "from data_contracts import expectations\n"
        "from tests.data_contracts.test_checks import *\n"
        "declared = table(column('a', 'int64', minimum=0))\n"
        "found(declared, rows(declared, a=[1]))\n"
        "assert not expectations._batches().data_asset.datasource.data_context.config"
        ".analytics_enabled\n"
    )
    home, temporary = tmp_path / "home", tmp_path / "temporary"
    home.mkdir()
    temporary.mkdir()
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=ROOT,
        env={"HOME": str(home), "TMPDIR": str(temporary), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    assert list(home.rglob("*")) == []
    assert list(temporary.iterdir()) == []
