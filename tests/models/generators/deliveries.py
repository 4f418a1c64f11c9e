"""Deliveries whose distribution is known: a table with rules between its columns, and a model."""

from functools import cache

import numpy as np
import pyarrow as pa

from data_contracts.contract import Column, Comparison, Contract, Source, Sum, Table, Term
from data_contracts.dataset import Dataset
from data_contracts.schema import arrow_schema, to_frame
from models.generators.any_order import AnyOrderGenerator, AnyOrderOptions

_WHOLE = {"logical_type": "integer", "physical_type": "int64"}
_TEXT = {"logical_type": "string", "physical_type": "string"}
TABLE = Table(
    name="deliveries",
    columns=(
        Column(name="city", **_TEXT),
        Column(name="country", **_TEXT, required=True),
        Column(name="weight", logical_type="number", physical_type="float64"),
        Column(name="ordered", logical_type="date", physical_type="date32", required=True),
        Column(name="arrived", logical_type="date", physical_type="date32"),
        Column(name="goods", **_WHOLE, required=True),
        Column(name="freight", **_WHOLE, required=True),
        Column(name="total", **_WHOLE, required=True),
    ),
    source=Source(format="csv", path="deliveries.csv"),
    row_rules=(
        Comparison(left="ordered", operator="<=", right="arrived"),
        Sum(terms=(Term(column="goods"), Term(column="freight")), total="total"),
    ),
    fixed_combinations=(("city", "country"),),
)
CONTRACT = Contract(id="deliveries", version="1.0.0", tables=(TABLE,))
CITIES = {"Graz": "AT", "Linz": "AT", "Bern": "CH", "Köln": "DE"}
SHARES = (0.4, 0.3, 0.2, 0.1)


def deliveries(rows: int = 4000, seed: int = 0) -> Dataset:
    """Heavier parcels cost more freight and take longer; parcels to Bern are the heaviest."""
    random = np.random.default_rng(seed)
    city = random.choice(list(CITIES), rows, p=SHARES)
    weight = random.lognormal(0.5 * (city == "Bern"), 0.5)
    ordered = np.datetime64("2024-01-01") + random.integers(0, 300, rows)
    goods = random.integers(5, 400, rows)
    freight = np.rint(5 + 10 * weight + random.integers(0, 5, rows)).astype(np.int64)
    columns = {
        "city": pa.array(city, mask=random.random(rows) < 0.05),
        "country": pa.array([CITIES[name] for name in city]),
        "weight": pa.array(weight, mask=random.random(rows) < 0.1),
        "ordered": pa.array(ordered),
        "arrived": pa.array(ordered + random.poisson(3 * weight), mask=random.random(rows) < 0.05),
        "goods": pa.array(goods),
        "freight": pa.array(freight),
        "total": pa.array(goods + freight),
    }
    schema = arrow_schema(TABLE)
    arrays = [columns[field.name].cast(field.type) for field in schema]
    return Dataset(CONTRACT, {TABLE.name: to_frame(pa.Table.from_arrays(arrays, schema=schema))})


@cache
def delivery_model() -> AnyOrderGenerator:
    """A model of 8,000 deliveries, fitted once for all tests.

    So few units serve the numbers first: to say of a city without its country how heavy parcels
    are, they need more rows, and little dropout.
    """
    options = AnyOrderOptions(width=96, blocks=1, epochs=40, batch_rows=256, dropout=0.2)
    return AnyOrderGenerator(options).fit(deliveries(8000), seed=1)
