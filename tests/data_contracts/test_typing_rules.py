"""Text and typed columns cast to exact types: nothing rounded, cut or guessed, every row told."""

import datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_contracts.column_contradictions import logical_type_of
from data_contracts.contract import Column, Source
from data_contracts.errors import SourceError
from data_contracts.schema import arrow_type
from data_contracts.typing_rules import Typed, type_column

CSV = Source(format="csv", path="rows.csv")
PARQUET = Source(format="parquet", path="rows")
SQL = Source(format="sql", url="sqlite:///rows.db", table="rows")


def column(physical: str, **options: Any) -> Column:
    logical = logical_type_of(arrow_type(physical))
    return Column(name="a", logical_type=logical, physical_type=physical, **options)


def typed(values: Any, physical: str, source: Source = CSV, **options: Any) -> Typed:
    array = values if isinstance(values, pa.Array) else pa.array(values)
    found = type_column(array, column(physical, **options), source)
    assert found.array.type == arrow_type(physical)
    return found


def broken(found: Typed) -> dict[str, list[int]]:
    return {reason: np.flatnonzero(mask).tolist() for reason, mask in found.broken.items()}


def test_integers_are_written_in_decimal_digits() -> None:
    found = typed(["1", "+1", "1.", "007", " 2 ", "-0", None], "int64")
    assert found.array.to_pylist() == [1, 1, 1, 7, 2, 0, None]
    found = typed(["0x1F", "1e3", "1.5", "9" * 40, "1_000", "١"], "int64")
    assert broken(found) == {"not an integer": [0, 1, 2, 4, 5], "outside int64": [3]}


@pytest.mark.parametrize("bits", [8, 16, 32, 64])
@pytest.mark.parametrize("sign", ["", "u"])
def test_integers_keep_to_their_range(bits: int, sign: str) -> None:
    low, high = (0, 2**bits - 1) if sign else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    kind = f"{sign}int{bits}"
    found = typed([str(low), str(high), str(low - 1), str(high + 1)], kind)
    assert found.array.to_pylist() == [low, high, None, None]
    assert broken(found) == {f"outside {kind}": [2, 3]}


def test_floats_take_every_decimal_form() -> None:
    found = typed(["1.5", "+1.5", "1.", ".5", "1e3", " 2 ", "abc", "0x1F", "1,5"], "float64")
    assert found.array.to_pylist()[:6] == [1.5, 1.5, 1, 0.5, 1000, 2]
    assert broken(found) == {"not a number": [6, 7, 8]}


def test_decimals_are_never_rounded() -> None:
    kind = "decimal128(5, 2)"
    found = typed(["1.23", "1.2300", "+1", "-.5", "1.234", "1000", "1e1", "."], kind)
    expected = [Decimal("1.23"), Decimal("1.23"), Decimal(1), Decimal("-.5"), *[None] * 4]
    assert found.array.to_pylist() == expected
    assert broken(found) == {"not a number": [6, 7], f"outside {kind}": [4, 5]}


@pytest.mark.parametrize("kind", ["float64", "decimal128(5, 2)"])
def test_a_decimal_comma_is_the_only_sign_then(kind: str) -> None:
    source = Source(format="csv", path="rows.csv", delimiter=";", decimal=",")
    found = typed(["1,5", "1.5", "1.000,5"], kind, source)
    assert [float(v) if v is not None else None for v in found.array.to_pylist()] == [
        1.5,
        None,
        None,
    ]
    assert broken(found) == {"not a number": [1, 2]}


def test_booleans_are_declared_words() -> None:
    found = typed(["true", "0", "maybe", None], "bool")
    assert found.array.to_pylist() == [True, False, None, None]
    assert broken(found) == {"neither a true word nor a false word": [2]}


def test_null_words_are_missing_and_a_required_column_misses_them() -> None:
    found = typed(["1", "NA", ""], "int64", required=True)
    assert broken(found) == {"missing": [1, 2]}
    own = typed(["?", "NA"], "string", null_words=("?",))
    assert own.array.to_pylist() == [None, "NA"]


@pytest.mark.parametrize(
    ("values", "kind", "reason"),
    [
        (pa.array([1.0, 2.5]), "int64", "does not fit int64 without loss"),
        (pa.array([1, 300]), "int8", "does not fit int8 without loss"),
        (pa.array([0.5, 1e300]), "float32", "outside float32"),
        (pa.array([1, 100]), "decimal128(3, 2)", "does not fit decimal128(3, 2) without loss"),
        (pa.array([0, 2]), "bool", "neither 0 nor 1"),
        (pa.array([10**9, 1], pa.timestamp("ns")), "timestamp[us]",
         "does not fit timestamp[us] without loss"),
        (pa.array([0, 1], pa.timestamp("us")), "date32", "has a time of day"),
        (pa.array([1, 2**53 + 1]), "float64", "does not fit float64 without loss"),
    ],
    ids=str,
)  # fmt: skip
def test_typed_values_are_cast_where_each_of_them_fits(
    values: pa.Array, kind: str, reason: str
) -> None:
    found = typed(values, kind, PARQUET)
    assert broken(found) == {reason: [1]}
    assert found.array.null_count == 1


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (pa.array([1.5]), "decimal128(3, 1)"),
        (pa.array([Decimal("1.5")]), "float64"),
        (pa.array([0], pa.timestamp("us", tz="UTC")), "timestamp[us]"),
        (pa.array([0], pa.timestamp("us")), "timestamp[us, tz=UTC]"),
        (pa.array([b"x"]), "string"),
        (pa.array([1]), "string"),
        (pa.array([[1]]), "int64"),
        (pa.array([True]), "int64"),
    ],
    ids=str,
)
def test_types_that_no_lossless_cast_joins_are_refused(values: pa.Array, kind: str) -> None:
    with pytest.raises(SourceError, match=r"column 'a' is .* no lossless cast"):
        typed(values, kind, PARQUET)


def test_a_database_without_decimals_gives_them_as_floats() -> None:
    found = typed(pa.array([0.1, 1e-7, 12.5, 1e22, None]), "decimal128(3, 1)", SQL)
    assert found.array.to_pylist() == [Decimal("0.1"), None, Decimal("12.5"), None, None]
    assert broken(found) == {"outside decimal128(3, 1)": [1, 3]}


def test_a_typed_time_without_a_zone_is_local_where_the_contract_says_so() -> None:
    local = pa.array([datetime.datetime(2024, 7, 1, 12)])
    found = typed(local, "timestamp[us, tz=UTC]", PARQUET, timezone="Europe/Vienna")
    assert found.array.cast(pa.int64()).to_pylist() == [1719828000 * 10**6]


VALUES = {
    "int32": st.integers(-(2**31), 2**31 - 1),
    "uint64": st.integers(0, 2**64 - 1),
    "float64": st.floats(allow_nan=False, allow_infinity=False),
    "decimal128(12, 2)": st.decimals(-(10**9), 10**9, places=2),
    "date32": st.dates(),
    "timestamp[us]": st.datetimes(),
    "timestamp[us, tz=Europe/Vienna]": st.datetimes(
        min_value=datetime.datetime(1900, 1, 1), timezones=st.just(datetime.UTC)
    ),
    "string": st.text(),
    "dictionary<string>": st.text(),
}


@pytest.mark.parametrize("kind", VALUES)
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_a_value_written_out_is_read_back_exactly(kind: str, data: st.DataObject) -> None:
    values = data.draw(st.lists(st.none() | VALUES[kind], max_size=6))
    written = [None if value is None else str(value) for value in values]
    found = type_column(pa.array(written, pa.string()), column(kind, null_words=()), CSV)
    expected = pa.array(values, pa.string() if "string" in kind else arrow_type(kind))
    assert broken(found) == {}
    assert found.array.to_pylist() == expected.to_pylist()


@pytest.mark.parametrize("kind", [*VALUES, "bool", "float32", "timestamp[s]"])
@given(
    texts=st.lists(st.none() | st.text(alphabet="0123456789+-.:eETZx ab,", max_size=20), max_size=8)
)
@settings(max_examples=60, deadline=None)
def test_every_text_is_typed_or_told(kind: str, texts: list[str | None]) -> None:
    found = type_column(pa.array(texts, pa.string()), column(kind, null_words=("",)), CSV)
    told = np.zeros(len(texts), dtype=bool)
    for mask in found.broken.values():
        told |= mask
    for text, value, is_told in zip(texts, found.array.to_pylist(), told, strict=True):
        assert is_told == (value is None and text not in (None, ""))
