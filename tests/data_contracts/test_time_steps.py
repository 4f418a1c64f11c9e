"""Steps of a panel or series: regular, repeated, missing, irregular; on clock and calendar."""

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from data_contracts.contract import Column, Source, Table
from data_contracts.time_steps import TimeSteps


def steps_of(times: pa.Array, cadence: str | None, entity: list[str] | None = None) -> TimeSteps:
    column = Column(name="t", logical_type="timestamp", physical_type="timestamp[s]")
    names = Column(name="m", logical_type="string", physical_type="string")
    table = Table(
        name="rows", columns=(column, names), source=Source(format="csv", path="rows.csv"),
        kind="panel" if entity else "series", entity="m" if entity else None, time="t",
        cadence=cadence,
    )  # fmt: skip
    rows = pa.table({"t": times, "m": pa.array(entity or ["x"] * len(times))})
    whole, split = TimeSteps(table), TimeSteps(table)
    whole.add(rows)
    for place in range(rows.num_rows):
        split.add(rows.slice(place, 1))
    assert whole.notes() == split.notes()
    return whole


def times(*texts: str, zone: str | None = None, unit: str = "s") -> pa.Array:
    index = pd.DatetimeIndex(texts)
    index = index if zone is None else index.tz_localize(zone, ambiguous=[True] * len(index))
    return pa.Array.from_pandas(index).cast(pa.timestamp(unit, tz=zone))


def counted(steps: TimeSteps) -> dict[str, int]:
    names = ("regular", "repeated", "gaps", "absent", "irregular")
    return {name: getattr(steps, name) for name in names if getattr(steps, name)}


CASES: list[tuple[str, pa.Array, dict[str, int]]] = [
    ("h", times("2024-01-01 00", "2024-01-01 01", "2024-01-01 04"),
     {"regular": 1, "gaps": 1, "absent": 2}),
    ("15min", times("2024-01-01 00:00", "2024-01-01 00:15", "2024-01-01 00:20"),
     {"regular": 1, "irregular": 1}),
    ("500ms", times("2024-01-01 00:00:00", "2024-01-01 00:00:00.5", unit="ms"), {"regular": 1}),
    ("7D", times("2024-01-06", "2024-01-13", "2024-01-13", "2024-02-03", "2024-02-04"),
     {"regular": 1, "repeated": 1, "gaps": 1, "absent": 2, "irregular": 1}),
    ("MS", times("2024-01-01", "2024-02-01", "2024-05-01", "2024-05-15"),
     {"regular": 1, "gaps": 1, "absent": 2, "irregular": 1}),
    ("ME", times("2024-01-31", "2024-02-29", "2024-03-31"), {"regular": 2}),
    ("W-SAT", times("2024-01-06", "2024-01-13", "2024-01-27"),
     {"regular": 1, "gaps": 1, "absent": 1}),
    ("QS", times("2024-01-01", "2024-04-01", "2024-10-01"),
     {"regular": 1, "gaps": 1, "absent": 1}),
]  # fmt: skip


@pytest.mark.parametrize(("cadence", "found", "expected"), CASES, ids=str)
def test_steps_are_judged_by_the_cadence(
    cadence: str, found: pa.Array, expected: dict[str, int]
) -> None:
    assert counted(steps_of(found, cadence)) == expected


@pytest.mark.parametrize("physical", [pa.date32(), pa.date64()])
def test_dates_step_by_days(physical: pa.DataType) -> None:
    days = times("2024-01-01", "2024-01-02", "2024-01-05").cast(pa.date32()).cast(physical)
    assert counted(steps_of(days, "D")) == {"regular": 1, "gaps": 1, "absent": 2}


def test_local_days_last_a_day_when_the_clock_changes() -> None:
    """24 hours apart, or not: midnight to midnight is one day; hours count what has passed."""
    days = times("2024-03-30", "2024-03-31", "2024-04-01", zone="Europe/Vienna")
    assert counted(steps_of(days, "D")) == {"regular": 2}
    assert counted(steps_of(days, "24h")) == {"regular": 1, "irregular": 1}
    months = times("2024-03-01", "2024-04-01", zone="Europe/Vienna")
    assert counted(steps_of(months, "MS")) == {"regular": 1}


def test_entities_are_stepped_through_one_by_one() -> None:
    found = times("2024-01-01 00", "2024-01-01 01", "2024-01-01 00", "2024-01-01 01")
    assert counted(steps_of(found, "h", ["a", "a", "b", "b"])) == {"regular": 2}


@pytest.mark.parametrize(
    ("found", "note"),
    [
        (times("2024-01-01 00", "2024-01-01 01", "2024-01-01 02", "2024-01-01 09"),
         "no cadence declared: the most frequent step of t is 3,600 s (2 times, 1 other steps)"),
        (pa.array([1, 2, 3, 7]),
         "no cadence declared: the most frequent step of t is 1 (2 times, 1 other steps)"),
    ],
)  # fmt: skip
def test_without_a_cadence_the_most_frequent_step_is_told(found: pa.Array, note: str) -> None:
    assert steps_of(found, None).notes() == [note]


def test_countless_different_steps_stay_bounded() -> None:
    found: Any = pa.array(np.cumsum(np.arange(30_000)))
    column = Column(name="t", logical_type="integer", physical_type="int64")
    source = Source(format="csv", path="rows.csv")
    table = Table(name="rows", columns=(column,), source=source, kind="series", time="t")
    steps = TimeSteps(table)
    steps.add(pa.table({"t": found}))
    assert len(steps._steps) <= 10_000
    assert steps.notes()
