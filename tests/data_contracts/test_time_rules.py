"""Dates and times from text: never guessed, whatever the clock did that night."""

import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from data_contracts.contract import Column
from data_contracts.schema import arrow_type
from data_contracts.time_rules import type_dates, type_timestamps

UTC = datetime.UTC


def broken(reasons: dict[str, Any]) -> dict[str, list[int]]:
    return {why: np.flatnonzero(mask).tolist() for why, mask in reasons.items() if mask.any()}


def times(texts: list[str], physical: str, **options: str) -> tuple[list[Any], dict[str, Any]]:
    column = Column(name="t", logical_type="timestamp", physical_type=physical, **options)
    array, reasons = type_timestamps(pa.array(texts), arrow_type(physical), column)
    assert array.type == arrow_type(physical)
    return array.to_pylist(), broken(reasons)


@pytest.mark.parametrize("physical", ["date32", "date64"])
def test_iso_dates_of_the_calendar(physical: str) -> None:
    texts = pa.array(["2024-02-29", " 2024-01-01", "2023-02-29", "2024-1-1", "2024-01-01 12:00"])
    days, reasons = type_dates(texts, arrow_type(physical), None)
    assert days.type == arrow_type(physical)
    assert days.to_pylist()[:2] == [datetime.date(2024, 2, 29), datetime.date(2024, 1, 1)]
    assert broken(reasons) == {
        "not an ISO date or time in range": [2, 3], "has a time of day": [4],
    }  # fmt: skip


def test_dates_in_a_declared_format() -> None:
    texts = pa.array(["29.02.2024", "30.02.2024", "2024-02-29", "29.02.24"])
    days, reasons = type_dates(texts, pa.date32(), "%d.%m.%Y")
    assert days.to_pylist() == [datetime.date(2024, 2, 29), None, None, None]
    assert broken(reasons) == {"not in the format %d.%m.%Y": [1, 2, 3]}


def test_a_time_without_a_zone_takes_no_offset() -> None:
    found, reasons = times(["2024-01-01 12:00:00.5", "2024-01-01T12:00:00Z"], "timestamp[us]")
    assert found == [datetime.datetime(2024, 1, 1, 12, 0, 0, 500_000), None]
    assert reasons == {"not an ISO date or time in range": [1]}


def test_a_finer_time_than_its_unit_is_told() -> None:
    found, reasons = times(["2024-01-01T12:00:00", "2024-01-01T12:00:00.5"], "timestamp[s]")
    assert found[1] is None
    assert reasons == {"does not fit timestamp[s] without loss": [1]}


def test_local_times_around_daylight_saving() -> None:
    texts = [
        "2024-03-31 01:59", "2024-03-31 02:30", "2024-10-27 02:30", "2024-10-27 02:30+02:00",
        "2024-10-27 02:30+01:00", "2024-10-27 00:30Z",
    ]  # fmt: skip
    found, reasons = times(texts, "timestamp[s, tz=Europe/Vienna]")
    instants = [
        None if value is None else value.astimezone(UTC).strftime("%dT%H:%M") for value in found
    ]
    assert instants == ["31T00:59", None, None, "27T00:30", "27T01:30", "27T00:30"]
    assert reasons == {
        "skipped by the clock": [1], "shown twice by the clock; give an offset": [2],
    }  # fmt: skip


def test_the_columns_own_zone_may_differ_from_the_types() -> None:
    found, _ = times(["2024-07-01 12:00"], "timestamp[us, tz=UTC]", timezone="Asia/Tokyo")
    assert found[0].astimezone(UTC) == datetime.datetime(2024, 7, 1, 3, tzinfo=UTC)


def test_a_declared_format_with_offsets() -> None:
    options = {"format": "%d/%m/%Y %H:%M %z"}
    texts = ["01/02/2024 10:00 +0100", "01/02/2024 10:00"]
    found, reasons = times(texts, "timestamp[s, tz=UTC]", **options)
    assert found == [datetime.datetime(2024, 2, 1, 9, tzinfo=UTC), None]
    assert reasons == {"not a timestamp": [1]}
