"""Combinations of values: new ones, and repeated ones, whatever the columns' types."""

import datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_contracts.combinations import distinct_combinations, outside_combinations, repeated_rows

Row = tuple[Any, ...]
TYPES: list[tuple[pa.DataType, list[Any]]] = [
    (pa.int64(), [2**62, 2**62 + 1]),
    (pa.bool_(), [True, False]),
    (pa.string(), ["", "x"]),
    (pa.dictionary(pa.int32(), pa.string()), ["", "x"]),
    (pa.float64(), [0.0, -0.0, 1.5]),
    (pa.decimal128(30, 20), [Decimal("0.1"), Decimal("0.10000000000000000001")]),
    (pa.date32(), [datetime.date(2024, 1, 1), datetime.date(2024, 1, 2)]),
    (pa.timestamp("us", tz="UTC"), [datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)]),
]


def table(lines: list[Row], types: list[pa.DataType]) -> pa.Table:
    lists = [list(values) for values in zip(*lines, strict=True)] or [[] for _ in types]
    arrays = [pa.array(values, kind) for values, kind in zip(lists, types, strict=True)]
    return pa.table(arrays, names=["a", "b", "c"])


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_rows_are_told_apart_as_tuples_are(data: st.DataObject) -> None:
    chosen = data.draw(st.lists(st.sampled_from(TYPES), min_size=3, max_size=3))
    types = [kind for kind, _ in chosen]
    lines = st.lists(st.tuples(*(st.sampled_from([None, *values]) for _, values in chosen)))
    rows, known = data.draw(lines), data.draw(lines)
    names = ("c", "a")
    keys = [(line[2], line[0]) for line in rows]
    seen = {(line[2], line[0]) for line in known}
    outside = outside_combinations(table(rows, types), names, table(known, types))
    assert outside.tolist() == [key not in seen for key in keys]
    repeated = repeated_rows(table(rows, types), names)
    assert repeated.tolist() == [
        None not in key and key in keys[:place] for place, key in enumerate(keys)
    ]
    distinct = distinct_combinations(table(rows, types), names)
    assert distinct.to_pylist() == [{"c": c, "a": a} for c, a in dict.fromkeys(keys)]


@pytest.mark.parametrize("names", [("a",), ("a", "b"), ("a", "b", "c")])
def test_many_columns_of_many_values_do_not_run_over(names: tuple[str, ...]) -> None:
    numbers = np.random.default_rng(1).permutation(50_000)
    rows = pa.table({"a": numbers, "b": numbers[::-1], "c": numbers * 7})
    assert not repeated_rows(rows, names).any()
    assert repeated_rows(pa.concat_tables([rows, rows]), names).sum() == 50_000
    assert not outside_combinations(rows, names, rows.slice(0, 49_999))[:49_999].any()


def test_columns_in_parts_are_read_as_one() -> None:
    rows = pa.table({"a": pa.chunked_array([["x"], ["y", "x"]]), "b": [1, 2, 1]})
    assert repeated_rows(rows, ("a", "b")).tolist() == [False, False, True]
