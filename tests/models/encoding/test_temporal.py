"""Dates and times of every unit and zone go through codes and come back in their type."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from data_contracts.contract import Column
from models.encoding.column import THRESHOLD
from models.encoding.temporal import TemporalCodec
from tests.models.encoding.columns import round_trip, series


def column(physical_type: str, **promises: object) -> Column:
    logical = "date" if "date" in physical_type else "timestamp"
    return Column.model_validate(
        {"name": "x", "logical_type": logical, "physical_type": physical_type, **promises}
    )


def instants(unit: str, rows: int = 800, seed: int = 0) -> pa.Array:
    random = np.random.default_rng(seed)
    start = np.datetime64("2023-01-01T00:00:00", unit)
    hour = np.timedelta64(3600, "s").astype(f"timedelta64[{unit}]").astype(int)
    ticks = random.integers(0, 24 * 360, rows) * hour + random.integers(0, hour, rows)
    return pa.array(start + ticks, mask=random.random(rows) < 0.1)


@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Vienna", "America/Sao_Paulo"])
@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_timestamps_of_every_unit_and_zone(unit: str, zone: str | None) -> None:
    own = column(f"timestamp[{unit}{f', tz={zone}' if zone else ''}]")
    values = series(own, instants(unit))
    _, back = round_trip(TemporalCodec, own, values)
    assert (back.isna() == values.isna()).all()
    assert back.min() >= values.min() - pd.Timedelta(days=1)
    assert back.max() <= values.max() + pd.Timedelta(days=1)


@pytest.mark.parametrize("physical_type", ["date32", "date64"])
def test_dates_stay_within_what_many_hold(physical_type: str) -> None:
    random = np.random.default_rng(1)
    days = np.datetime64("1950-01-01") + random.integers(0, 20_000, 1000)
    own = column(physical_type)
    values = series(own, pa.array(days, mask=random.random(1000) < 0.2))
    _, back = round_trip(TemporalCodec, own, values)
    ordered = values.dropna().sort_values()
    assert back.min() >= ordered.iloc[7]
    assert back.max() <= ordered.iloc[-8]


def test_firsts_of_months_stay_firsts() -> None:
    random = np.random.default_rng(2)
    months = np.datetime64("2000-01", "M") + random.integers(0, 200, 600)
    own = column("date32")
    codec, back = round_trip(TemporalCodec, own, series(own, months.astype("datetime64[D]")))
    assert codec.grain_ == "month"
    assert {day.day for day in back} == {1}


def test_weekends_stay_free() -> None:
    random = np.random.default_rng(3)
    days = np.datetime64("2010-01-01") + random.integers(0, 4000, 4000)
    own = column("date32")
    codec, back = round_trip(TemporalCodec, own, series(own, days[np.is_busday(days)]))
    assert codec.grain_ == "week"
    inside = back.iloc[10:-10]
    assert np.is_busday(inside.to_numpy(dtype="datetime64[D]")).mean() > 0.995


def test_office_hours_stay_office_hours_when_the_clock_changes() -> None:
    random = np.random.default_rng(4)
    zone = "Europe/Vienna"
    day, minute = np.timedelta64(86_400_000_000, "us"), np.timedelta64(60_000_000, "us")
    moments = np.datetime64("2023-01-01T00:00:00", "us") + random.integers(0, 360, 3000) * day
    naive = pd.Series(moments + random.integers(8 * 60, 17 * 60, 3000) * minute)
    own = column(f"timestamp[us, tz={zone}]")
    values = series(own, pa.Array.from_pandas(naive.dt.tz_localize(zone)))
    _, back = round_trip(TemporalCodec, own, values)
    assert back.dt.hour.between(8, 16).all()
    assert (back.dt.second == 0).all()


def test_the_contracts_range_holds_and_decides_what_can_be_given() -> None:
    own = column("timestamp[ms]", minimum="2023-01-01T00:00:00", maximum="2023-06-01T12:00:00")
    random = np.random.default_rng(5)
    top = np.datetime64("2023-06-01T12:00:00", "ms")
    values = series(own, top - 1000 * random.integers(0, 10**6, 900))
    codec, back = round_trip(TemporalCodec, own, values)
    assert back.max() <= pd.Timestamp("2023-06-01T12:00:00")
    asked = series(own, pa.array([top, top + 1000, None]))
    assert codec.outside(asked).tolist() == [False, True, True]
    assert "up to 2023-06-01T12:00:00" in codec.domain


def test_no_instant_lies_beyond_what_enough_rows_reach() -> None:
    column = Column(name="x", logical_type="timestamp", physical_type="timestamp[ns]")
    random = np.random.default_rng(0)
    # Long days but the last one, which ends at noon, and the first one, which begins then.
    clock = np.concatenate([random.integers(0, 86_400, 960), random.integers(0, 43_200, 20)])
    day = np.concatenate([random.integers(1, 9, 960), np.full(20, 9)])
    late = np.datetime64("2024-05-01", "ns") + (day * 86_400 + clock) * np.timedelta64(10**9, "ns")
    late[:12] = np.datetime64("2024-05-01T23:00:00.000000001", "ns") + np.arange(12)
    values = series(column, late)
    codec, _ = round_trip(TemporalCodec, column, values)
    codes = codec.encode(values)
    # Any day with any time of day.
    mixed = np.column_stack([one[random.permutation(len(one))] for one in codes.T])
    made = codec.decode(np.tile(mixed, (20, 1)), random)
    ordered = np.sort(late)
    assert made.min() >= ordered[THRESHOLD - 1]
    assert made.max() <= ordered[-THRESHOLD]


@pytest.mark.parametrize("count", range(THRESHOLD, 2 * THRESHOLD - 1))
@pytest.mark.parametrize("physical_type", ["date32", "timestamp[us]"])
def test_few_dates_become_one_that_nobody_has(count: int, physical_type: str) -> None:
    days = np.datetime64("1930-01-01") + 100 * np.arange(count) ** 2
    own = column(physical_type)
    values = series(own, days)
    codec, back = round_trip(TemporalCodec, own, values)
    assert len(set(back)) == 1
    assert not set(back) & set(values)
    middle = np.arange(count)[count // 4 : count - count // 4]
    numbers = codec.numbers(back) - codec.numbers(values)[0]
    assert numbers[0] == round(100 * float((middle**2).mean()))


def test_few_firsts_of_months_become_a_first() -> None:
    months = np.datetime64("1990-01", "M") + 5 * np.arange(9) ** 2
    own = column("date32")
    _, back = round_trip(TemporalCodec, own, series(own, months.astype("datetime64[D]")))
    assert {day.day for day in back} == {1}


def test_one_persons_many_rows_do_not_set_the_middle_of_few() -> None:
    first, others = np.datetime64("1930-05-17"), np.datetime64("1980-01-01") + np.arange(8) ** 2
    own = column("date32")
    days = np.concatenate([np.full(500, first), others])
    units = np.concatenate([np.zeros(500, dtype=np.int64), np.arange(1, 9)])
    _, back = round_trip(TemporalCodec, own, series(own, days), units)
    # As of one row for each of the nine.
    _, alone = round_trip(TemporalCodec, own, series(own, days[499:]))
    assert set(back) == set(alone)
    assert min(back).year == 1980
