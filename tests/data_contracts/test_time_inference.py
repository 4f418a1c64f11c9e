"""Panels are found in spite of a few faults, and what speaks against one is told."""

import numpy as np
import pyarrow as pa
import pytest

from data_contracts.contract import Source
from data_contracts.inference import Draft, TableProfile, draft_contract
from data_contracts.time_inference import unread_time

DAY = np.timedelta64(1, "D")
START = np.datetime64("2024-01-01")


def draft_of(entity: list[str], days: list[np.datetime64], header: str = "station") -> Draft:
    profile = TableProfile("rows", Source(format="csv", path="data.csv"))
    level = [str(number * 37 % 1009 / 8) for number in range(len(days))]
    profile.update(pa.table({header: entity, "when": [str(day) for day in days], "level": level}))
    return draft_contract([profile], "test")


def panel(count: int = 100) -> tuple[list[str], list[np.datetime64]]:
    entity = [name for name in "abc" for _ in range(count)]
    return entity, [START + number * DAY for _ in "abc" for number in range(count)]


def doubts(draft: Draft) -> list[str]:
    return [note for note in draft.notes if "looks like a panel" in note]


def shape(draft: Draft) -> tuple[str, str | None, str | None]:
    table = draft.contract.tables[0]
    return table.kind, table.entity, table.cadence


def test_a_panel_without_a_fault_raises_no_doubt() -> None:
    draft = draft_of(*panel())
    assert shape(draft) == ("panel", "station", "D")
    assert doubts(draft) == []


def test_a_few_repeated_rows_keep_the_panel_and_are_counted() -> None:
    entity, days = panel()
    draft = draft_of([*entity, "a", "b", "c"], [*days, *days[:1], *days[150:152]])
    assert shape(draft) == ("panel", "station", "D")
    (note,) = doubts(draft)
    assert "'station' over 'when', but 3 rows repeat" in note


def test_a_few_odd_steps_keep_the_panel_and_are_counted() -> None:
    entity, days = panel()
    hours = [day.astype("datetime64[h]") for day in days]
    hours[50] += np.timedelta64(5, "h")
    draft = draft_of(entity, hours)
    assert shape(draft) == ("panel", "station", "D")
    (note,) = doubts(draft)
    assert "2 steps are no multiple" in note


def test_months_with_one_day_beside_them_are_still_months() -> None:
    months = [np.datetime64("2010-01") + np.timedelta64(n, "M") for n in range(100)]
    days = [month.astype("datetime64[D]") for month in months] * 3
    days[40] += DAY
    draft = draft_of(panel()[0], days)
    assert shape(draft) == ("panel", "station", "MS")
    assert len(doubts(draft)) == 1


def test_many_faults_make_a_table_with_a_note() -> None:
    entity, days = panel()
    twice = draft_of([*entity, *entity[:20]], [*days, *days[:20]])
    assert shape(twice) == ("table", None, None)
    assert "20 rows repeat" in doubts(twice)[0]
    random = np.random.default_rng(0).permutation(2000)[:300]
    irregular = draft_of(entity, [START + int(number) * DAY for number in random])
    assert shape(irregular) == ("table", None, None)
    assert "no usual length" in doubts(irregular)[0]
    assert "give its kind, entity and time" in doubts(irregular)[0]


def test_events_beside_any_column_are_no_panel() -> None:
    random = np.random.default_rng(0)
    minutes = START.astype("datetime64[m]") + random.integers(0, 500_000, 300)
    draft = draft_of([*"abc"] * 100, list(minutes), header="colour")
    assert shape(draft) == ("table", None, None)
    assert doubts(draft) == []


@pytest.mark.parametrize(
    ("values", "found"),
    [
        (["20240131", "20231201", "19991231"], "yyyymmdd"),
        (["01/31/2024 02:30 PM", "12/01/2023 12:01 AM", "1/2/2024 1:05:09 p.m."], "12-hour"),
        (["2:30pm", "11:05am", "12:00AM"], "12-hour"),
        (["20240131", "20231301", "19991231"], None),
        (["20240230", "20231201", "19991231"], None),
        (["20240131", "20231201"], None),
        (["14:30", "11:05", "12:00"], None),
        (["13:30 pm", "11:05 am", "12:00 am"], None),
        (["20050000", "20100000", "20150000"], None),
    ],
)
def test_times_that_are_not_read_as_such_are_told(values: list[str], found: str | None) -> None:
    told = unread_time(values)
    assert (told is None) == (found is None)
    assert found is None or found in (told or "")


def test_a_compact_date_is_a_remark_in_the_draft() -> None:
    profile = TableProfile("rows", Source(format="csv", path="data.csv"))
    profile.update(pa.table({"when": [f"202401{day:02d}" for day in range(1, 31)] * 2}))
    draft = draft_contract([profile], "test")
    assert any("yyyymmdd" in note for note in draft.notes)
    assert draft.contract.tables[0].column("when").logical_type == "integer"
