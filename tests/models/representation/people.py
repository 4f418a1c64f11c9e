"""A table whose outcome hangs on three columns, and sensitive columns that hang on them or not."""

import numpy as np
import pandas as pd
import pyarrow as pa

from data_contracts.contract import Column, Contract, Source, Table
from data_contracts.schema import arrow_schema, to_frame
from data_contracts.share import DeclaredTask, Recipient, Share

KEY, OTHER_KEY = b"k" * 32, b"o" * 32


def text(name: str, values: str, role: str = "attribute") -> Column:
    return Column.model_validate({
        "name": name, "logical_type": "string", "physical_type": "dictionary<string>",
        "categories": tuple(values), "role": role, "required": True,
    })  # fmt: skip


def number(name: str) -> Column:
    return Column(name=name, logical_type="number", physical_type="float64", required=True)


TABLE = Table(
    name="people",
    columns=(
        Column(name="id", logical_type="integer", physical_type="int64", role="identifier",
               identifier_kind="key", required=True, unique=True),
        number("size"), number("weight"), text("group", "abc"), text("sign", "xy", "sensitive"),
        text("outcome", "ny", "target"), number("bill"),
    ),
    source=Source(format="csv", path="people.csv"),
)  # fmt: skip


def contract(**changes: object) -> Contract:
    share = {
        "tasks": (DeclaredTask(kind="classification", column="outcome"),),
        "recipients": (Recipient(name="clinic", key="env:CLINIC_KEY"),),
        "epochs": 10,
        **changes,
    }
    return Contract(id="people", version="1", tables=(TABLE,), share=Share.model_validate(share))


def people(rows: int, seed: int) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    size, weight = random.normal(size=(2, rows))
    group = random.integers(0, 3, rows)
    sign = random.random(rows) < 0.5
    chance = 1 / (1 + np.exp(-2.5 * size - 1.5 * (group == 0)))
    outcome = random.random(rows) < chance
    table = pa.table({
        "id": np.arange(rows) + seed * 1_000_000,
        "size": size,
        "weight": weight,
        "group": pa.array(np.array(list("abc"))[group].tolist()),
        "sign": pa.array(np.where(sign, "x", "y").tolist()),
        "outcome": pa.array(np.where(outcome, "y", "n").tolist()),
        "bill": 100 + 20 * size + random.normal(size=rows),
    })  # fmt: skip
    return to_frame(table.cast(arrow_schema(TABLE)))
