"""Codecs side by side: given values are taken exactly or refused."""

import datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from data_contracts.contract import Column, LogicalType, Source, Table
from data_contracts.errors import ModelError
from models.encoding.table import TableCodec
from tests.models.encoding.columns import series

VIENNA = "timestamp[ms, tz=Europe/Vienna]"
NOON = datetime.datetime(2024, 5, 1, 12)
DAY = datetime.date(2024, 5, 1)


def given_to(logical: LogicalType, physical: str, value: Any) -> Any:
    """What becomes of a given value in a column that was fitted to values of its type."""
    zone = "Europe/Vienna" if "tz=" in physical else None
    column = Column(name="x", logical_type=logical, physical_type=physical, timezone=zone)
    seen: Any = [0, 1] * 20
    if logical in ("date", "timestamp"):
        seen = np.arange("2024-01-01", "2024-07-01", dtype="datetime64[D]")
    elif "decimal" in physical:
        seen = [Decimal(0), Decimal(1)] * 20
    frame = pd.DataFrame({"x": series(column, seen)})
    table = Table(name="rows", columns=(column,), source=Source(format="csv", path="x.csv"))
    codec = TableCodec().fit(frame, table)
    return codec.apply_given(frame[:1], {"x": value}, 1)["x"].iloc[0]


@pytest.mark.parametrize(
    ("logical", "physical", "value"),
    [
        ("integer", "int8", 3.5),
        ("integer", "int8", 300),
        ("integer", "int64", float("inf")),
        ("number", "float32", 1e40),
        ("number", "float64", float("inf")),
        ("number", "float64", 2**53 + 1),
        ("number", "decimal128(9, 2)", Decimal("1.234")),
        ("date", "date32", NOON),
        ("date", "date32", "2024-05-01"),
        ("timestamp", "timestamp[ms]", NOON + datetime.timedelta(microseconds=1)),
        ("timestamp", "timestamp[us]", pd.Timestamp(1, unit="ns")),
        ("timestamp", VIENNA, pd.Timestamp(1_500, unit="us", tz="UTC")),
        ("timestamp", VIENNA, np.datetime64("2024-05-01T12:00:00.000001")),
    ],
)
def test_what_its_type_cannot_hold_exactly_is_refused(
    logical: LogicalType, physical: str, value: Any
) -> None:
    with pytest.raises(ModelError, match="given x: not of its type"):
        given_to(logical, physical, value)


@pytest.mark.parametrize(
    ("logical", "physical", "value"),
    [
        ("integer", "int8", 3.0),
        ("number", "float32", np.float32(0.1)),
        ("number", "float64", 3),
        ("number", "decimal128(9, 2)", Decimal("1.2")),
        ("date", "date32", DAY),
        ("timestamp", "timestamp[ms]", NOON),
        ("timestamp", VIENNA, pd.Timestamp(NOON, tz="Europe/Vienna")),
    ],
)
def test_what_its_type_can_hold_is_taken_exactly(
    logical: LogicalType, physical: str, value: Any
) -> None:
    assert given_to(logical, physical, value) == value


def test_a_fraction_goes_to_the_nearest_float() -> None:
    assert given_to("number", "float32", 0.1) == np.float32(0.1)


def test_a_midnight_may_stand_for_a_date() -> None:
    assert given_to("date", "date32", datetime.datetime(2024, 5, 1)) == DAY


@pytest.mark.parametrize(
    ("values", "drawn"),
    [((0, 90), True), ((None, 30), True), ((5001,), False), ((35,), False), ((0, -700), False)],
)
def test_what_is_never_drawn_stands_for_no_value_that_is(
    values: tuple[int | None, ...], drawn: bool
) -> None:
    """One person has 5,001, one -700; tens are shared, and nothing lies between them."""
    column = Column(name="x", logical_type="integer", physical_type="int64")
    seen = [*(10 * (row % 10) for row in range(200)), 5001, -700, None]
    frame = pd.DataFrame({"x": series(column, seen)})
    table = Table(name="rows", columns=(column,), source=Source(format="csv", path="x.csv"))
    codec = TableCodec().fit(frame, table)
    assert codec.lists("x", values)
    assert codec.draws("x", values) is drawn
