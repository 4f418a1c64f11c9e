"""Columns of one value, and those of which too few people have any."""

import json
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from data_contracts.contract import Column
from models.encoding.column import THRESHOLD
from models.encoding.fixed import FixedCodec
from tests.models.encoding.columns import round_trip, series

NUMBER = Column(name="x", logical_type="number", physical_type="float64")


def test_one_value_in_all_rows_comes_back() -> None:
    values = series(NUMBER, [2.5] * 20)
    assert FixedCodec.suits(values)
    _, back = round_trip(FixedCodec, NUMBER, values)
    assert back.tolist() == [2.5] * 20


@pytest.mark.parametrize("known", [[7.25], [7.25, 7.25, 7.25], [1.0, 2.0, 4.0, 8.0]])
def test_what_too_few_rows_have_is_missing_and_not_stored(known: list[float]) -> None:
    values = series(NUMBER, known + [None] * 500)
    assert FixedCodec.suits(values)
    codec, back = round_trip(FixedCodec, NUMBER, values)
    assert back.isna().all()
    assert json.dumps(codec.state().settings) == '{"value": null}'
    assert codec.outside(values).tolist() == values.notna().tolist()


def test_people_count_and_not_rows() -> None:
    values = series(NUMBER, [1.0, 2.0] * THRESHOLD + [None] * 100)
    rows = np.arange(len(values))
    assert not FixedCodec.suits(values, rows)
    assert FixedCodec.suits(values, rows % 2)


@pytest.mark.parametrize("values", [[1.0, 2.0] * 20, [1.0] * THRESHOLD + [None]])
def test_other_columns_are_left_to_other_codecs(values: list[Any]) -> None:
    assert not FixedCodec.suits(series(NUMBER, values))


@pytest.mark.parametrize(
    ("column", "values", "number"),
    [
        (NUMBER, [2.5] * 20, 2.5),
        (NUMBER, [None] * 20, None),
        (NUMBER, [float("inf")] * 20, None),
        (NUMBER.model_copy(update={"physical_type": "float32"}), [0.1] * 20, 0.1),
        (NUMBER.model_copy(update={"physical_type": "decimal128(9, 2)"}), [Decimal("7.20")], 7.2),
        (Column(name="x", logical_type="string", physical_type="string"), ["20"] * 20, None),
    ],
    ids=["double", "none", "infinite", "single", "decimal", "text"],
)
def test_the_number_of_a_column_of_numbers(
    column: Column, values: list[Any], number: float | None
) -> None:
    assert FixedCodec(column).fit(series(column, values)).number == number
