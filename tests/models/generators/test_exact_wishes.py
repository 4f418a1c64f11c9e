"""Wishes for values that floats do not tell apart: kept to the very value, or refused."""

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from data_contracts.contract import Column, Contract, Source, Table
from data_contracts.dataset import Dataset
from data_contracts.errors import ModelError
from data_contracts.schema import arrow_schema, to_frame
from models.conditions import OneOf, Range, Shares
from models.generators.any_order import AnyOrderGenerator, AnyOrderOptions

ROWS = 400
NIGHT = datetime(2021, 10, 31, tzinfo=UTC)
"""At 01:00 the clocks of Vienna are put back from three to two."""
LARGE = 2**62
MOMENT = pd.Timestamp("2024-03-09 10:11:12.123456789")
TYPES = {
    "self": ("integer", "int64"),
    "vienna": ("timestamp", "timestamp[us, tz=Europe/Vienna]"),
    "nano": ("timestamp", "timestamp[ns]"),
    "large": ("integer", "int64"),
}


def minutes(number: int) -> datetime:
    """So many minutes after midnight in UTC."""
    return NIGHT + timedelta(minutes=number)


@cache
def model(name: str) -> AnyOrderGenerator:
    """A model of one column: quarters of hours, nanoseconds, or numbers around 2**62."""
    random = np.random.default_rng(0)
    nanos = np.datetime64("2024-03-01", "ns").astype(np.int64) + random.integers(
        0, 30 * 86_400 * 10**9, 800
    )
    values: dict[str, Any] = {
        "vienna": [minutes(15 * int(number)) for number in random.integers(-48, 144, 800)],
        "nano": pa.array(nanos).cast(pa.timestamp("ns")),
        "large": LARGE + random.integers(-(10**6), 10**6, 800),
    }
    values["self"] = values["large"]
    logical, physical = TYPES[name]
    column = Column.model_validate(
        {"name": name, "logical_type": logical, "physical_type": physical}
    )
    table = Table(name="t", columns=(column,), source=Source(format="csv", path="t.csv"))
    schema = arrow_schema(table)
    typed = pa.array(values[name], schema.field(name).type)
    rows = to_frame(pa.Table.from_arrays([typed], schema=schema))
    data = Dataset(Contract(id="c", version="1", tables=(table,)), {"t": rows})
    return AnyOrderGenerator(AnyOrderOptions(width=32, blocks=1, epochs=3)).fit(data, seed=1)


def drawn(name: str, wish: Range | OneOf | Shares) -> pd.Series:
    return model(name).sample(ROWS, given={name: wish}, seed=1).frame[name]


@pytest.mark.parametrize(("low", "high"), [(75, 180), (-60, 45), (15, 75), (60, 240)])
def test_a_range_holds_in_the_hour_that_the_clock_repeats(low: int, high: int) -> None:
    found = drawn("vienna", Range(minutes(low), minutes(high)))
    assert found.between(minutes(low), minutes(high)).all()


def test_a_moment_of_the_repeated_hour_is_the_one_asked_for() -> None:
    for number in (30, 90):
        found = drawn("vienna", Shares({minutes(number): 0.5}))
        assert int((found == minutes(number)).sum()) == ROWS // 2
        found = drawn("vienna", OneOf((minutes(number), minutes(240))))
        assert found.isin([minutes(number), minutes(240)]).all()
        assert found.nunique() == 2


def test_a_range_of_moments_that_are_never_drawn_is_refused() -> None:
    with pytest.raises(ModelError, match="400 do not keep what is asked of vienna"):
        drawn("vienna", Range(minutes(75), minutes(105)))
    with pytest.raises(ModelError, match="400 do not keep what is asked of nano"):
        drawn("nano", Range(MOMENT, MOMENT + pd.Timedelta(3, "ns")))


def test_any_of_several_nanoseconds_or_large_numbers() -> None:
    moments = [pd.Timestamp(f"2024-03-{day} 10:11:12.123456789") for day in ("09", "17")]
    found = drawn("nano", OneOf(tuple(moments)))
    assert found.isin(moments).all()
    assert found.nunique() == 2
    numbers = [LARGE + 3, LARGE - 50_001]
    for name in ("large", "self"):
        found = drawn(name, OneOf(tuple(numbers)))
        assert found.isin(numbers).all()
        assert found.nunique() == 2
    found = drawn("large", Shares({LARGE + 3: 0.25}))
    assert int((found == LARGE + 3).sum()) == ROWS // 4


def test_a_range_of_large_numbers_holds_to_the_last_one() -> None:
    for ends in ((LARGE - 10**5, LARGE + 9), (LARGE + 1, LARGE + 50_001)):
        assert drawn("large", Range(*ends)).between(*ends).all()
    apart = drawn("large", Shares({Range(LARGE - 1000, LARGE + 1001): 0.5}))
    assert int(apart.between(LARGE - 1000, LARGE + 1001).sum()) == ROWS // 2


@pytest.mark.parametrize(("name", "value"), [("large", LARGE + 777), ("nano", MOMENT)])
def test_a_range_of_one_value_is_that_value(name: str, value: Any) -> None:
    drawn = model(name).sample(20, given={name: Range(value, value)}, seed=3).frame[name]
    assert set(drawn) == {value}
    shares = Shares({Range(value, value): 0.25})
    some = model(name).sample(20, given={name: shares}, seed=3).frame[name]
    assert (some == value).sum() == 5


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("vienna", (minutes(30), minutes(90))),
        ("nano", (MOMENT, MOMENT + pd.Timedelta(1, "ns"))),
        ("large", (LARGE + 3, LARGE + 4)),
    ],
)
def test_what_cannot_be_told_apart_is_refused(name: str, values: tuple[Any, ...]) -> None:
    for wish in (OneOf(values), Shares(dict.fromkeys(values, 0.1))):
        with pytest.raises(ModelError, match=f"given {name}: .*too near"):
            drawn(name, wish)
