"""A table of columns that hang together in every way that can be found, and of some that do not."""

import numpy as np
import pyarrow as pa

from data_contracts.contract import Column, Contract, Source, Table
from data_contracts.dataset import Dataset
from data_contracts.schema import arrow_schema, to_frame

_LOGICAL = {
    "int64": "integer", "double": "number", "string": "string", "date32[day]": "date",
}  # fmt: skip


def related(rows: int = 4000, seed: int = 0, broken: int = 0) -> Dataset:
    """Rides with fares; in the last `broken` rows nothing holds that otherwise does."""
    random = np.random.default_rng(seed)
    fare = np.round(random.lognormal(2, 0.5, rows), 2)
    tax = random.integers(0, 3, rows) * 0.5
    tip = np.where(random.random(rows) < 0.6, np.round(random.lognormal(0, 0.5, rows), 2), 0.0)
    start = np.datetime64("2024-01-01") + random.integers(0, 300, rows)
    yes, riders = random.integers(0, 101, rows), random.integers(0, 6, rows)
    code, missing = random.integers(0, 12, rows), random.random(rows) < 0.2
    columns = {
        "fare": fare,
        "tax": tax,
        "tip": tip,
        "total": np.round(fare + tax + tip, 2),
        "start": start,
        "end": start + random.poisson(3, rows),
        "yes": yes,
        "no": 100 - yes,
        "celsius": random.integers(-10, 30, rows),
        "riders": riders,
        "seats": np.where(riders == 0, 0, riders + random.integers(0, 3, rows)),
        "code": np.char.add("c", code.astype(str)),
        "name": np.char.add("n", (code // 2).astype(str)),
        "speed": random.normal(50, 10, rows),
        "stops": random.integers(0, 9, rows),
        "luck": random.integers(0, 50, rows),
    }
    columns["kelvin"] = columns["celsius"] + 273
    columns["copy"] = columns["speed"].copy()
    for values in columns.values():
        if broken:
            values[-broken:] = random.permutation(values)[:broken]
    masked = ("stops", "speed", "copy")
    arrays = {
        name: pa.array(values, mask=missing if name in masked else None)
        for name, values in columns.items()
    }
    table = Table(
        name="rides",
        columns=tuple(
            Column(name=name, logical_type=_LOGICAL[str(array.type)],
                   physical_type="float64" if str(array.type) == "double" else
                   str(array.type).split("[")[0])
            for name, array in arrays.items()
        ),
        source=Source(format="csv", path="rides.csv"),
    )  # fmt: skip
    schema = arrow_schema(table)
    frame = to_frame(pa.Table.from_arrays([arrays[field.name] for field in schema], schema=schema))
    return Dataset(Contract(id="rides", version="1.0.0", tables=(table,)), {"rides": frame})
