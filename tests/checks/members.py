"""A small table with a column of every kind, and what each generator may cost in a test."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.choice import ModelChoice
from data_contracts.contract import Column, Comparison, Contract, Privacy, Source, Table
from data_contracts.dataset import Dataset
from data_contracts.schema import arrow_schema, to_frame
from models.registry import REGISTRY

ROWS = 300
RARE = "emerald"
"""A plan of two members: too few to be shown."""
CHOICES = {
    "any_order": ModelChoice(
        name="any_order", options={"epochs": 2, "width": 16, "blocks": 1, "batch_rows": 64}
    ),
    "vae": ModelChoice(
        name="vae",
        options={"epochs": 2, "width": 16, "blocks": 1, "latents": 4, "batch_rows": 64},
    ),
    "gan": ModelChoice(
        name="gan",
        options={
            "epochs": 2,
            "width": 16,
            "blocks": 1,
            "noise": 4,
            "batch_rows": 32,
            "critic_width": 16,
            "critic_steps": 1,
        },
    ),
    "dp_marginals": ModelChoice(name="dp_marginals", options={"rounds": 3, "steps": 60}),
    "gaussian_copula": ModelChoice(name="gaussian_copula"),
    "independent": ModelChoice(name="independent"),
    "bootstrap": ModelChoice(name="bootstrap"),
}

_TEXT = {"logical_type": "string", "physical_type": "string"}
_COLUMNS = (
    Column(
        name="id", logical_type="integer", physical_type="int64", required=True, unique=True,
        primary_key=True, role="identifier", identifier_kind="key",
    ),
    Column(name="email", **_TEXT, role="identifier", identifier_kind="email"),
    Column(name="age", logical_type="integer", physical_type="int16", minimum=0, maximum=120),
    Column(name="fee", logical_type="number", physical_type="decimal128(9, 2)", required=True),
    Column(name="weight", logical_type="number", physical_type="float64"),
    Column(name="first", logical_type="integer", physical_type="int32", required=True),
    Column(name="last", logical_type="integer", physical_type="int32", required=True),
    Column(name="plan", logical_type="string", physical_type="dictionary<string>", required=True),
    Column(
        name="level", logical_type="string", physical_type="dictionary<string>", ordered=True,
        categories=("novice", "able", "expert"),
    ),
    Column(name="active", logical_type="boolean", physical_type="bool"),
    Column(name="born", logical_type="date", physical_type="date32", minimum="1900-01-01"),
    Column(
        name="seen", logical_type="timestamp", physical_type="timestamp[ms, tz=Europe/Vienna]",
        timezone="Europe/Vienna",
    ),
    Column(name="country", **_TEXT, required=True),
    Column(name="nothing", logical_type="number", physical_type="float32"),
)  # fmt: skip
TABLE = Table(
    name="members",
    columns=_COLUMNS,
    source=Source(format="csv", path="members.csv"),
    row_rules=(Comparison(left="first", operator="<=", right="last"),),
)
CONTRACT = Contract(id="members", version="1.0.0", tables=(TABLE,))
_BOUNDS = {
    "fee": (0, 1000),
    "weight": (0, 300),
    "first": (1990, 2030),
    "last": (1990, 2030),
    "born": ("1900-01-01", "2020-12-31"),
    "seen": ("2023-01-01T00:00:00", "2023-12-31T00:00:00"),
    "nothing": (0, 1),
}


def contract_for(name: str) -> Contract:
    """The contract that a generator is tried under: bounds in public, and a budget, if it asks.

    The budget is large: the laws are about rows that the noise has left something of.
    """
    if "only_dp" not in REGISTRY[name].supports:
        return CONTRACT
    columns = []
    for column in TABLE.columns:
        low, high = _BOUNDS.get(column.name, (column.minimum, column.maximum))
        columns.append(column.model_copy(update={"minimum": low, "maximum": high}))
    table = TABLE.model_copy(update={"columns": tuple(columns)})
    privacy = Privacy(epsilon=100, delta=1e-6)
    return CONTRACT.model_copy(update={"tables": (table,), "privacy": privacy})


def members_for(name: str, rows: int = ROWS) -> Dataset:
    """Members under the contract that a generator is tried under."""
    return Dataset(contract_for(name), members(rows).tables)


def members(rows: int = ROWS, seed: int = 0) -> Dataset:
    """Members of a club; `country` is the same for all, `nothing` is always missing."""
    random = np.random.default_rng(seed)
    first = random.integers(2000, 2020, rows)
    plans = random.choice(["basic", "plus", "gold"], rows, p=[0.6, 0.3, 0.1]).astype(object)
    plans[:2] = RARE
    start = np.datetime64("2023-03-01T08:00:00", "ms")
    columns = {
        "id": pa.array(np.arange(rows) + 100_000),
        "email": pa.array([f"person{row}@mail.invalid" for row in range(rows)]),
        "age": pa.array(random.integers(18, 80, rows), mask=random.random(rows) < 0.1),
        "fee": pa.array(random.integers(500, 90_000, rows) / 100).cast(
            pa.decimal128(9, 2), safe=False
        ),
        "weight": pa.array(random.normal(75, 12, rows), mask=random.random(rows) < 0.2),
        "first": pa.array(first),
        "last": pa.array(first + random.integers(0, 4, rows)),
        "plan": pa.array(list(plans)).dictionary_encode(),
        "level": _levels(rows, seed),
        "active": pa.array(random.random(rows) < 0.7, mask=random.random(rows) < 0.1),
        "born": pa.array(np.datetime64("1950-01-01") + random.integers(0, 18_000, rows)),
        "seen": pa.array(start + 1000 * random.integers(0, 10**7, rows)),
        "country": pa.array(["AT"] * rows),
        "nothing": pa.nulls(rows),
    }
    schema = arrow_schema(TABLE)
    arrays = [columns[field.name].cast(field.type) for field in schema]
    return Dataset(CONTRACT, {"members": to_frame(pa.Table.from_arrays(arrays, schema=schema))})


def _levels(rows: int, seed: int) -> pa.DictionaryArray:
    """Ordered, and sometimes missing; draws of its own leave the other columns as they are."""
    random = np.random.default_rng([seed, 1])
    places = pa.array(random.choice(3, rows, p=[0.5, 0.3, 0.2]).astype(np.int32))
    missing = pa.array(random.random(rows) < 0.1)
    known = pc.if_else(missing, pa.scalar(None, pa.int32()), places)
    levels = pa.array(["novice", "able", "expert"])
    return pa.DictionaryArray.from_arrays(known, levels, ordered=True)


def frame_of(data: Dataset) -> pd.DataFrame:
    return data.tables["members"]
