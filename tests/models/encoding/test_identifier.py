"""Identifiers are issued anew: right in form, different from each other and from real ones."""

import re

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_contracts.contract import Column, Source, Table
from data_contracts.errors import ModelError
from data_contracts.identifiers import guess_identifier
from data_contracts.row_rules import parse_rule
from models.encoding.column import IntArray
from models.encoding.identifier import IdentifierCodec
from models.encoding.pattern import learn_pattern, parse_pattern, scattered, widened
from models.encoding.table import TableCodec
from tests.models.encoding.columns import round_trip, series

PATTERNS = [
    r"^[A-Z]{2}\d{6}$",
    r"^(ab|cd)-[0-9a-f]{4}$",
    r"^\d{3}-\d{2}-\d{4}$",
    r"^[^\W_]{3}x?$",
    r"a+b*c",
    r"^AT\d{18}$",
    r"^.{4}[!-/]$",
]


def column(**promises: object) -> Column:
    return Column.model_validate(
        {
            "name": "x", "logical_type": "string", "physical_type": "string",
            "role": "identifier", **promises,
        }
    )  # fmt: skip


def issued(
    own: Column, texts: object, rows: int = 500, units: IntArray | None = None
) -> list[object]:
    values = series(own, texts)
    codec, _ = round_trip(IdentifierCodec, own, values, units)
    assert codec.parts_ == ()
    return codec.issue(0, rows, np.random.default_rng(0)).tolist()


@pytest.mark.parametrize("kind", ["name", "email", "phone", "iban", "address", "free_text", "key"])
def test_each_kind_looks_like_its_kind_and_never_repeats(kind: str) -> None:
    real = [f"K{row:05d}" for row in range(200)]
    own = column(identifier_kind=kind, unique=True)
    found = [str(value) for value in issued(own, real)]
    assert len(set(found)) == 500
    if kind != "key":
        assert not set(found) & set(real)
    if kind in ("email", "phone", "iban"):
        guess = guess_identifier("x", found, 1.0, is_text=True)
        assert guess is not None
        assert guess.kind == kind


def test_account_numbers_keep_country_and_checksum() -> None:
    real = [f"AT{61 + row % 9}19043{row:011d}" for row in range(100)]
    found = [str(value) for value in issued(column(identifier_kind="iban"), real)]
    assert {text[:2] for text in found} == {"AT"}
    assert {len(text) for text in found} == {20}
    for text in found:
        digits = "".join(str(int(letter, 36)) for letter in text[4:] + text[:4])
        assert int(digits) % 97 == 1


@pytest.mark.parametrize("expression", PATTERNS)
def test_the_contracts_pattern_is_kept(expression: str) -> None:
    own = column(pattern=expression, identifier_kind="name")
    found = [str(value) for value in issued(own, ["anything"] * 20, rows=300)]
    assert all(re.search(expression, text) for text in found)
    assert len(set(found)) > 80


def test_a_pattern_with_too_little_room_is_told() -> None:
    own = column(pattern=r"^[ab]\d$", unique=True)
    codec = IdentifierCodec(own).fit(series(own, ["a1", "b2"] * 10))
    with pytest.raises(ModelError, match="20"):
        codec.issue(0, 21, np.random.default_rng(0))


def test_a_shape_is_learned_without_remembering_anyone() -> None:
    real = [f"CU-{row:06d}/x" for row in range(300)]
    found = [str(value) for value in issued(column(identifier_kind="key"), real)]
    assert all(re.fullmatch(r"CU-\d{6}/x", text) for text in found)
    few = [str(value) for value in issued(column(identifier_kind="key"), ["Mary Stone", "Al Bo"])]
    assert all(text.isdigit() for text in few)


OTHERS = [f"u{number:02d}" for number in range(20)]


@pytest.mark.parametrize(
    ("own", "whose"),
    [
        (["margaret.h"] * 400, None),
        (["margaret.h"] * 400, [0] * 400),
        # One person, many accounts.
        ([f"margaret.h{row:03d}" for row in range(400)], [0] * 400),
        (["margaret.h"] * 60_000, None),
    ],
)
def test_one_persons_many_rows_are_no_shape(own: list[str], whose: list[int] | None) -> None:
    units = None if whose is None else np.array([*whose, *range(1, 21)])
    found = issued(column(identifier_kind="key"), [*own, *OTHERS], units=units)
    assert all(re.fullmatch(r"u\d+", str(text)) for text in found)


@pytest.mark.parametrize(
    "real",
    [
        ["margaret.h"[:size] for size in range(3, 11)],
        ["margaret.h"] * 100,
        [*["margaret.h"] * 100, *(f"margaret.{letter}" for letter in "abcdef")],
    ],
)
def test_what_few_different_texts_share_is_no_shape(real: list[str]) -> None:
    found = issued(column(identifier_kind="key"), real)
    assert all(re.fullmatch(r"\d+", str(text)) for text in found)


@pytest.mark.parametrize("units", [None, np.zeros(100, dtype=np.int64)])
def test_the_country_of_one_account_is_not_told(units: IntArray | None) -> None:
    found = issued(column(identifier_kind="iban"), ["AT611904300234573201"] * 100, units=units)
    assert {str(text)[:2] for text in found} == {"XX"}


@pytest.mark.parametrize(
    ("logical", "physical", "promises"),
    [
        ("integer", "int8", {}), ("integer", "int64", {"minimum": 1000, "maximum": 9999}),
        ("integer", "uint32", {}), ("number", "float64", {}), ("number", "decimal128(10, 0)", {}),
        ("date", "date32", {}), ("timestamp", "timestamp[us, tz=UTC]", {}), ("boolean", "bool", {}),
    ],
)  # fmt: skip
def test_identifiers_of_other_types(
    logical: str, physical: str, promises: dict[str, object]
) -> None:
    own = column(logical_type=logical, physical_type=physical, **promises)
    source = pa.array([0, 1] * 20).cast(pa.bool_()) if logical == "boolean" else pa.nulls(40)
    values = series(own, source)
    codec = IdentifierCodec(own).fit(values)
    found = codec.issue(0, 100, np.random.default_rng(0)).dropna()
    assert len(found) == (100 if logical == "boolean" else 0)
    kept = IdentifierCodec(own).fit(values.iloc[:0]).issue(0, 100, np.random.default_rng(0))
    assert kept.notna().all()
    assert str(kept.dtype) == str(values.dtype)
    if logical != "boolean":
        assert kept.nunique() == 100


def test_the_share_of_missing_ones_comes_back() -> None:
    own = column(identifier_kind="email")
    texts = [None if row % 4 == 0 else f"p{row}@mail.invalid" for row in range(400)]
    found = issued(own, texts, rows=4000)
    assert abs(sum(value is None or value != value for value in found) / 4000 - 0.25) < 0.03


def in_parts(own: Column, values: object, sizes: list[int]) -> list[object]:
    """The values of parts of a release, one after the other."""
    codec = IdentifierCodec(own).fit(series(own, values))
    random, starts = np.random.default_rng(0), np.cumsum([0, *sizes]).tolist()
    parts = [codec.issue(first, rows, random) for first, rows in zip(starts, sizes, strict=False)]
    return [value for part in parts for value in part.tolist()]


@pytest.mark.parametrize("sizes", [[6000, 6000], [9000, 2000, 2000], [1, 12_000, 30_000]])
@pytest.mark.parametrize("shape", ["ORD-{:06d}", "{:04d}", "A{:03d}x0", "u{:05d}"])
def test_parts_have_no_text_in_common(shape: str, sizes: list[int]) -> None:
    own = column(unique=True)
    real = [shape.format(row) for row in range(1000)]
    found = in_parts(own, real, sizes)
    assert len(set(found)) == sum(sizes)
    assert found == in_parts(own, real, [sum(sizes)])


@pytest.mark.parametrize(
    ("physical", "promises", "rows"),
    [
        ("timestamp[us]", {}, 25_000),
        ("timestamp[ms, tz=UTC]", {}, 25_000),
        ("timestamp[s]", {"minimum": "2024-01-01T00:00:00", "maximum": "2024-01-01T02:46:40"},
         10_000),
        ("timestamp[us]", {"minimum": "2024-01-01T00:00:00", "maximum": "2024-01-03T00:00:00"},
         9000),
        ("timestamp[us]", {"minimum": "2024-01-01T00:00:00", "maximum": "2024-01-01T00:00:00.01"},
         10_001),
    ],
)  # fmt: skip
def test_moments_go_on_between_days_where_there_are_more_rows(
    physical: str, promises: dict[str, object], rows: int
) -> None:
    own = column(logical_type="timestamp", physical_type=physical, unique=True, **promises)
    found = pd.Series(in_parts(own, pa.nulls(0), [rows - 100, 100]))
    assert found.nunique() == rows
    if promises:
        assert found.min() == pd.Timestamp(str(promises["minimum"]))
        assert found.max() <= pd.Timestamp(str(promises["maximum"]))


@pytest.mark.parametrize(
    ("room", "promises"),
    [
        (40, {"categories": tuple(f"c{number}" for number in range(40))}),
        (2, {"logical_type": "boolean", "physical_type": "bool"}),
        (3, {"logical_type": "date", "physical_type": "date64", "minimum": "2024-01-01",
             "maximum": "2024-01-03"}),
    ],
)  # fmt: skip
def test_too_few_values_for_a_unique_column_are_told(
    room: int, promises: dict[str, object]
) -> None:
    own = column(unique=True, **promises)
    assert len(set(in_parts(own, pa.nulls(0), [room]))) == room
    with pytest.raises(ModelError, match=f"{room + 1} rows need .* has {room}"):
        in_parts(own, pa.nulls(0), [1, room])


def test_a_listed_value_may_repeat_in_a_key_of_several_columns() -> None:
    """A list is refused for a key of its own only."""
    names = {"categories": ("a", "b"), "role": "identifier", "identifier_kind": None}
    listed = column(**names, primary_key=True)
    other = column(name="y", role="attribute", logical_type="integer", physical_type="int64")
    for key in (False, True):
        columns = (listed, other.model_copy(update={"primary_key": key}))
        table = Table(name="t", columns=columns, source=Source(format="csv", path="t.csv"))
        frame = pd.DataFrame({"x": series(listed, ["a"] * 20), "y": series(other, range(20))})
        codec = TableCodec().fit(frame, table)
        issued = codec.codecs_["x"]
        assert isinstance(issued, IdentifierCodec)
        if key:
            assert issued.issue(0, 3, np.random.default_rng(0)).tolist() == ["a", "b", "a"]
        else:
            with pytest.raises(ModelError, match="has 2"):
                issued.issue(0, 3, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        (["x >= 1000"], [1000, 1001, 1002, 1003]),
        (["x > 2.5", "x != 4"], [3, 5, 6, 7]),
        (["x < 6", "x != 2", "x != 1", "x != 9"], [3, 4, 5]),
        (["x <= 0"], [0]),
        (["x >= -5", "x <= -3"], [-5, -4, -3]),
        (["x >= -2", "x <= 1"], [-2, -1, 0, 1]),
        # These hold anyway.
        (["x >= 0"], [1, 2, 3, 4]),
        (["x >= -5", "x < 1000000000000000000000"], [1, 2, 3, 4]),
    ],
)
def test_numbers_keep_the_rules_about_them(rules: list[str], expected: list[int]) -> None:
    own = column(logical_type="integer", physical_type="int64", role="attribute", unique=True)
    written = tuple(rule for rule in (parse_rule(text, None) for text in rules) if rule)
    table = Table(name="t", columns=(own,), source=Source(format="csv", path="x"),
                  row_rules=written)  # fmt: skip
    fitted = TableCodec().fit(series(own, range(1000, 1200)).to_frame("x"), table)
    for codec in (fitted, TableCodec.restore(table, fitted.state())):
        random, rows = np.random.default_rng(0), len(expected)
        assert codec.issue(0, rows, random)["x"].tolist() == expected
        assert codec.issue(1, rows - 1, random)["x"].tolist() == expected[1:]
        if rows < 4:
            with pytest.raises(ModelError, match=f"has {rows}"):
                codec.issue(0, 4, random)


@given(st.integers(1, 10**9), st.integers(0, 10**6))
def test_scattered_numbers_differ(count: int, start: int) -> None:
    indexes = range(start % count, min(start % count + 50, count))
    found = {scattered(index, count) for index in indexes}
    assert len(found) == len(indexes)
    assert all(0 <= number < count for number in found)


@given(st.sampled_from(PATTERNS))
def test_texts_of_a_pattern_are_numbered_without_gaps(expression: str) -> None:
    pattern = parse_pattern(expression)
    assert pattern is not None
    for index in {0, 1, pattern.count // 2, pattern.count - 1}:
        assert re.search(expression, pattern.text(index))


def test_what_cannot_be_numbered_is_left_alone() -> None:
    assert parse_pattern(r"^(?=.*x)\d+$") is None
    assert parse_pattern(r"(\d)\1") is None


def test_a_shape_widens_inside_first() -> None:
    shape = widened(learn_pattern(["A001", "A002", "A003"], 3), 500)
    assert shape.count >= 500
    assert re.fullmatch(r"A\d+", shape.text(0))
