"""Any of several numbers or times that have no codes of their own: as likely as the model says."""

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

_KINDS = {
    "string": ("string", "string"),
    "double": ("number", "float64"),
    "timestamp[us]": ("timestamp", "timestamp[us]"),
}


@cache
def parcels() -> Dataset:
    """Parcels of two groups that differ in size; some have no price."""
    random, rows = np.random.default_rng(0), 3000
    group = random.integers(0, 2, rows)
    minutes = random.integers(0, 300 * 24 * 60, rows) * np.timedelta64(60_000_000, "us")
    arrays = {
        "group": pa.array(np.where(group, "a", "b")),
        "size": pa.array(np.round(random.normal(50 + 20 * group, 8, rows), 2)),
        "drift": pa.array(random.normal(3 * group, 1, rows)),
        "price": pa.array(
            np.round(random.lognormal(2, 0.5, rows), 2), mask=random.random(rows) < 0.02
        ),
        "sent": pa.array(np.datetime64("2024-01-01", "us") + minutes),
    }
    table = Table(
        name="parcels",
        columns=tuple(
            Column.model_validate({
                "name": name,
                "logical_type": _KINDS[str(array.type)][0],
                "physical_type": _KINDS[str(array.type)][1],
            })
            for name, array in arrays.items()
        ),
        source=Source(format="csv", path="parcels.csv"),
    )  # fmt: skip
    rows_of = pa.table(arrays).cast(arrow_schema(table))
    contract = Contract(id="parcels", version="1", tables=(table,))
    return Dataset(contract, {"parcels": to_frame(rows_of)})


def moments() -> Dataset:
    """Times to the microsecond, and nothing else."""
    random = np.random.default_rng(0)
    ticks = random.integers(0, 30 * 86_400_000_000, 800) * np.timedelta64(1, "us")
    column = Column(name="sent", logical_type="timestamp", physical_type="timestamp[us]")
    source = Source(format="csv", path="moments.csv")
    table = Table(name="moments", columns=(column,), source=source)
    contract = Contract(id="moments", version="1", tables=(table,))
    sent = pd.Series(np.datetime64("2024-03-01", "us") + ticks)
    return Dataset(contract, {"moments": pd.DataFrame({"sent": sent})})


@cache
def model() -> AnyOrderGenerator:
    options = AnyOrderOptions(width=48, blocks=1, epochs=6, batch_rows=128)
    return AnyOrderGenerator(options).fit(parcels(), seed=1)


def likely(name: str, values: list[Any], given: dict[str, str] | None = None) -> np.ndarray:
    """How likely the model takes the values to be among themselves."""
    frame = parcels().frame.head(len(values)).copy()
    frame[name] = pd.Series(values).astype(frame[name].dtype)
    frame = frame.assign(**(given or {}))
    data = Dataset(parcels().contract, {"parcels": frame})
    columns = [name, *(given or {})]
    logs = model().log_density(data, columns=columns)
    shares: np.ndarray = np.exp(logs - logs.max())
    return shares / shares.sum()


def drawn_shares(name: str, values: list[Any], **others: Any) -> np.ndarray:
    made = model().sample(3000, given={name: OneOf(tuple(values)), **others}, seed=2).frame[name]
    shares = np.array(
        [(made.isna() if value is None else made == value).mean() for value in values]
    )
    assert shares.sum() == 1
    return shares


TIMES = [pd.Timestamp("2024-03-01 10:00"), pd.Timestamp("2024-07-01 10:30")]
ASKED: list[tuple[str, list[Any]]] = [
    ("size", [45.5, 60.25, 72.0]),
    ("drift", [0.0, 1.5, 3.25]),
    ("price", [5.01, 12.34]),
    ("sent", TIMES),
]


@pytest.mark.parametrize(("name", "values"), ASKED, ids=[name for name, _ in ASKED])
def test_each_is_as_likely_as_the_model_says(name: str, values: list[Any]) -> None:
    assert drawn_shares(name, values) == pytest.approx(likely(name, values), abs=0.06)


def test_microseconds_are_as_likely_as_the_model_says() -> None:
    data = moments()
    made = AnyOrderGenerator(AnyOrderOptions(width=32, blocks=1, epochs=3)).fit(data, seed=1)
    times = made.sample(30, seed=2).frame["sent"].sort_values()
    for pair in (times.iloc[[3, 9]], times.iloc[[12, 20]], times.iloc[[1, 28]]):
        asked = data.frame.head(2).assign(sent=pair.to_numpy())
        logs = made.log_density(Dataset(data.contract, {"moments": asked}))
        drawn = made.sample(1000, given={"sent": OneOf(tuple(pair))}, seed=1).frame["sent"]
        assert drawn.isin(pair).all()
        share = 1 / (1 + np.exp(logs[0] - logs[1]))
        assert (drawn == pair.iloc[1]).mean() == pytest.approx(share, abs=0.06)


def test_other_given_columns_count() -> None:
    values = [45.5, 72.0]
    shares = drawn_shares("size", values, group="b")
    assert shares == pytest.approx(likely("size", values, {"group": "b"}), abs=0.06)
    assert shares[0] > 0.7


def test_a_missing_value_is_one_of_them() -> None:
    shares = drawn_shares("price", [7.01, None])
    odds = 0.02 / (0.98 * 0.01 * 0.1)
    assert 1 - 1.8 / odds < shares[1] < 1


def test_they_go_with_ranges_and_shares_of_others() -> None:
    asked = {
        "size": OneOf((45.5, 60.25)),
        "drift": Range(0, 2),
        "price": Shares({OneOf((5.01, 12.34)): 0.5, Range(20, 30): 0.25}),
    }
    made = model().sample(400, given=asked, seed=3).frame
    assert made["size"].isin([45.5, 60.25]).all()
    assert made["drift"].between(0, 2).all()
    assert (made["price"].isin([5.01, 12.34])).sum() == 200
    assert made["price"].between(20, 30).sum() == 100


def test_one_row_gets_one_of_them() -> None:
    made = model().sample(1, given={"size": OneOf((45.5, 60.25))}, seed=4).frame
    assert made["size"][0] in (45.5, 60.25)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (OneOf((45.5, 60.255)), r"size: no row lies there \(60.255\)"),
        (OneOf((60.255,)), r"size: no row lies there \(60.255\)"),
        (OneOf((45.5, 1e6)), r"size: no row lies there \(1e\+06\)"),
        (OneOf(()), "size: any of no values"),
        (OneOf((45.5, None)), "size: it can be a number"),
    ],
)
def test_what_no_row_can_have_is_refused_before_any_is_drawn(asked: OneOf, told: str) -> None:
    with pytest.raises(ModelError, match=told):
        model().sample(10, given={"size": asked}, seed=1)
