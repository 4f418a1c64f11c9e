"""Ranges of times narrower than a day or a week: drawn there, and not by drawing until it fits."""

from datetime import date, datetime
from functools import cache
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from data_contracts.contract import Column, Contract, Source, Table
from data_contracts.dataset import Dataset
from data_contracts.errors import ModelError
from data_contracts.schema import arrow_schema, to_frame
from models.conditions import Range, Shares
from models.generators import batches, kept_rules
from models.generators.any_order import AnyOrderGenerator, AnyOrderOptions

ZONE = "Europe/Vienna"
TABLE = Table(
    name="calls",
    columns=(
        Column(
            name="at",
            logical_type="timestamp",
            physical_type=f"timestamp[s, tz={ZONE}]",
            required=True,
        ),
        Column(name="due", logical_type="date", physical_type="date32"),
        Column(name="line", logical_type="string", physical_type="string", required=True),
    ),
    source=Source(format="csv", path="calls.csv"),
)
ROWS = 500


def calls(rows: int = 5000, seed: int = 0) -> Dataset:
    """Calls in the hours of offices, early ones on line a; they are due on days of business."""
    random = np.random.default_rng(seed)
    hours = random.beta(2, 3, rows) * 10 + 7
    days = np.datetime64("2019-01-01") + random.integers(0, 1500, rows)
    wall = days.astype("datetime64[s]") + (hours * 60).astype(np.int64) * 60
    at = pd.Series(wall).dt.tz_localize(ZONE)
    due = np.busday_offset(days, random.integers(0, 5, rows), roll="forward")
    columns = {
        "at": pa.array(at),
        "due": pa.array(due, mask=random.random(rows) < 0.1),
        "line": pa.array(np.where(hours < 10, "a", "b")),
    }
    schema = arrow_schema(TABLE)
    arrays = [columns[field.name].cast(field.type) for field in schema]
    contract = Contract(id="calls", version="1.0.0", tables=(TABLE,))
    return Dataset(contract, {TABLE.name: to_frame(pa.Table.from_arrays(arrays, schema=schema))})


@cache
def call_model() -> AnyOrderGenerator:
    # So few units serve the numbers first: a column without numbers needs more passes.
    options = AnyOrderOptions(width=48, blocks=1, epochs=60, batch_rows=256)
    return AnyOrderGenerator(options).fit(calls(), seed=1)


def at(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2021, 3, day, hour, minute, tzinfo=ZoneInfo(ZONE))


@pytest.fixture
def once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that are not as wished at once are an error."""

    def kept(frame: pd.DataFrame, asked: kept_rules.Kept, redraw: object) -> pd.DataFrame:
        assert not asked.outside(frame).any()
        return frame

    monkeypatch.setattr(batches, "keep_rules", kept)


@pytest.mark.usefixtures("once")
@pytest.mark.parametrize(
    ("low", "high"),
    [
        (at(9, 8), at(9, 8, 30)),
        (at(9, 15), at(10, 8)),
        (at(9, 10), at(12, 11)),
        (at(27, 10), at(29, 9)),
    ],
)
def test_every_row_lies_between_two_times(low: datetime, high: datetime) -> None:
    rows = call_model().sample(ROWS, given={"at": Range(low, high)}, seed=2).frame
    assert rows["at"].between(low, high).all()
    assert rows["at"].nunique() > 15


@pytest.mark.usefixtures("once")
def test_what_goes_with_a_time_of_day_follows_it() -> None:
    wish = Shares({Range(at(9, 8), at(9, 8, 30)): 0.5, Range(at(9, 12), at(9, 13)): 0.5})
    rows = call_model().sample(ROWS, given={"at": wish}, seed=2).frame
    early = rows["at"] < at(9, 9)
    assert int(early.sum()) in (ROWS // 2, ROWS // 2 + 1)
    assert (rows.loc[early, "line"] == "a").mean() > 0.9
    assert (rows.loc[~early, "line"] == "b").mean() > 0.9


@pytest.mark.usefixtures("once")
def test_dates_in_a_few_days_of_a_week() -> None:
    model = call_model()
    assert model.codec_.codecs_["due"].grain_ == "week"
    for low, high in ((3, 4), (5, 8), (6, 8)):
        ends = date(2021, 3, low), date(2021, 3, high)
        due = model.sample(ROWS, given={"due": Range(*ends)}, seed=4).frame["due"]
        assert due.between(*ends).all()
        assert {day.weekday() for day in due} <= {0, 1, 2, 3, 4}


@pytest.mark.parametrize(
    "given",
    [
        {"due": Range(date(2021, 3, 6), date(2021, 3, 7))},
        {"at": Range(at(9, 2), at(9, 4))},
        {"at": Range(at(9, 20), at(10, 5))},
    ],
)
def test_times_at_which_nothing_happens_are_refused(given: dict[str, object]) -> None:
    with pytest.raises(ModelError, match="no row lies there"):
        call_model().sample(10, given=given, seed=1)


def test_a_stored_model_knows_the_weekdays() -> None:
    codec = call_model().codec_.codecs_["due"]
    again = type(codec).restore(TABLE.column("due"), codec.dtype_, codec.state())
    below = again.measure().below
    assert below is not None
    assert below.weekdays is not None
    assert below.weekdays.tolist() == [True] * 5 + [False] * 2
