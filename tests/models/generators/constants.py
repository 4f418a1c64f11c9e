"""A table of columns that hold one value or none, one of keys, and one that is drawn."""

from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any

import pyarrow as pa

from data_contracts.contract import Column, Contract, Source, Table
from data_contracts.dataset import Dataset
from data_contracts.schema import arrow_schema, to_frame
from models.generators.any_order import AnyOrderGenerator, AnyOrderOptions

CONSTANTS: dict[str, Any] = {
    "total": 100,
    "price": Decimal("9.90"),
    "day": date(2024, 5, 1),
    "city": "Graz",
    "empty": None,
}
TABLE = Table(
    name="rows",
    columns=(
        Column(name="total", logical_type="integer", physical_type="int64"),
        Column(name="price", logical_type="number", physical_type="decimal128(5, 2)"),
        Column(name="day", logical_type="date", physical_type="date32"),
        Column(name="city", logical_type="string", physical_type="string"),
        Column(name="empty", logical_type="integer", physical_type="int64"),
        Column(name="key", logical_type="string", physical_type="string", role="identifier"),
        Column(name="size", logical_type="integer", physical_type="int64"),
    ),
    source=Source(format="csv", path="rows.csv"),
)


@cache
def constants_model(rows: int = 200) -> AnyOrderGenerator:
    """A model of such rows, fitted once for all tests."""
    columns = {name: [value] * rows for name, value in CONSTANTS.items()}
    columns |= {"key": [f"A{row:05}" for row in range(rows)], "size": [0, 1, 2, 3] * (rows // 4)}
    frame = to_frame(pa.table(columns, schema=arrow_schema(TABLE)))
    contract = Contract(id="rows", version="1.0.0", tables=(TABLE,))
    options = AnyOrderOptions(width=16, blocks=1, epochs=1)
    return AnyOrderGenerator(options).fit(Dataset(contract, {TABLE.name: frame}), seed=1)
