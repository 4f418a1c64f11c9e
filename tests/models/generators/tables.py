"""A small table with relations that a generator can keep or lose, and its figures."""

import numpy as np
import pyarrow as pa

from data_contracts.contract import Column, Contract, Source, Table
from data_contracts.dataset import Dataset
from data_contracts.schema import arrow_schema, to_frame

_NUMBER = {"logical_type": "number", "physical_type": "float64"}
_COLUMNS = (
    Column(name="group", logical_type="string", physical_type="string", required=True),
    Column(name="height", **_NUMBER, required=True),
    Column(name="weight", **_NUMBER),
    Column(name="member", logical_type="boolean", physical_type="bool", required=True),
)
_TABLE = Table(name="people", columns=_COLUMNS, source=Source(format="csv", path="people.csv"))
CONTRACT = Contract(id="people", version="1.0.0", tables=(_TABLE,))
CORRELATION = 0.8
MEMBERS = {"north": 0.9, "south": 0.1}


def people(rows: int, seed: int, correlation: float = CORRELATION) -> Dataset:
    """Heights and weights of correlation .8 about their group's mean; members live in the north."""
    random = np.random.default_rng(seed)
    group = np.where(random.random(rows) < 0.5, "north", "south")
    height, other = random.normal(size=(2, rows))
    weight = correlation * height + np.sqrt(1 - correlation**2) * other
    chance = np.where(group == "north", MEMBERS["north"], MEMBERS["south"])
    columns = {
        "group": pa.array(group),
        "height": pa.array(np.where(group == "north", 180, 160) + 8 * height),
        "weight": pa.array(75 + 10 * weight, mask=random.random(rows) < 0.1),
        "member": pa.array(random.random(rows) < chance),
    }
    schema = arrow_schema(_TABLE)
    table = pa.Table.from_arrays([columns[field.name] for field in schema], schema=schema)
    return Dataset(CONTRACT, {"people": to_frame(table)})
