"""Small tables for the tests of evaluation: contracts from frames, and a mixed table to draw."""

import numpy as np
import pandas as pd
import pyarrow as pa

from data_contracts.contract import Bars, Column, Contract, LogicalType, Source, Table
from data_contracts.dataset import Dataset
from data_contracts.report import Finding
from data_contracts.schema import to_frame, type_text
from models.evaluation.coded import CodedTable, code_table

Roles = dict[str, str]


def logical_type(data_type: pa.DataType) -> LogicalType:
    """The logical type that a column of this Arrow type has in a contract."""
    if pa.types.is_boolean(data_type):
        return "boolean"
    if pa.types.is_integer(data_type):
        return "integer"
    if pa.types.is_floating(data_type) or pa.types.is_decimal(data_type):
        return "number"
    if pa.types.is_date(data_type):
        return "date"
    return "timestamp" if pa.types.is_timestamp(data_type) else "string"


def contract_for(
    rows: pa.Table, roles: Roles | None = None, unit: str | None = None, bars: Bars | None = None
) -> Contract:
    """A contract whose only table, `rows`, has the columns of an Arrow table."""
    columns = tuple(
        Column.model_validate({
            "name": field.name,
            "logical_type": logical_type(field.type),
            "physical_type": type_text(field.type),
            "role": (roles or {}).get(field.name, "attribute"),
        })
        for field in rows.schema
    )  # fmt: skip
    table = Table(
        name="rows", columns=columns, unit=unit, source=Source(format="csv", path="rows.csv")
    )
    return Contract(id="tests", version="1", tables=(table,), bars=bars or Bars())


def dataset(contract: Contract, rows: pa.Table) -> Dataset:
    """The rows as a dataset, in the dtypes that tasks give."""
    return Dataset(contract, {"rows": to_frame(rows)})


def coded(
    training: pa.Table,
    synthetic: pa.Table,
    holdout: pa.Table,
    *,
    roles: Roles | None = None,
    unit: str | None = None,
    time: str | None = None,
    seed: int = 1,
) -> CodedTable:
    """Three sides of one table, coded as `evaluate_release` codes them."""
    contract = contract_for(training, roles, unit)
    table = contract.tables[0].model_copy(update={"time": time})
    frames = {
        "training": to_frame(training),
        "synthetic": to_frame(synthetic),
        "holdout": to_frame(holdout),
    }
    return code_table(table, contract.bars, frames, seed)  # type: ignore[arg-type]


def draw_people(rows: int, seed: int, shift: float = 0.0) -> pa.Table:
    """Rows of a made population: two tied numbers, a gappy one, two categories, a target.

    `shift` moves one number by so many standard deviations.
    """
    random = np.random.default_rng(seed)
    height = random.normal(shift, 1.0, rows)
    weight = 0.8 * height + random.normal(0.0, 0.6, rows)
    income = random.lognormal(0.0, 0.7, rows)
    income[random.random(rows) < 0.1] = np.nan
    town = random.choice(["north", "south", "east"], rows, p=[0.5, 0.3, 0.2])
    work = np.where(random.random(rows) < 0.7, town, random.choice(["mill", "farm"], rows))
    likely = 1 / (1 + np.exp(-(2 * height + (town == "east") - 1)))
    bought = np.where(random.random(rows) < likely, "yes", "no")
    return pa.table({
        "height": height, "weight": weight, "income": pa.array(income, from_pandas=True),
        "town": town.tolist(), "work": work.tolist(), "bought": bought.tolist(),
    })  # fmt: skip


def splice(into: pa.Table, rows: pa.Table, seed: int = 0) -> pa.Table:
    """`into` with its last rows replaced by `rows`, shuffled."""
    kept = into.slice(0, into.num_rows - rows.num_rows)
    order = np.random.default_rng(seed).permutation(into.num_rows)
    return pa.concat_tables([kept, rows]).take(pa.array(order))


def with_column(rows: pa.Table, name: str, values: object) -> pa.Table:
    """The same rows with one column replaced."""
    place = rows.column_names.index(name)
    return rows.set_column(place, name, pa.array(values, rows.schema.field(name).type))


def named(findings: tuple[Finding, ...], name: str) -> Finding:
    """The only finding of that name."""
    (found,) = [finding for finding in findings if finding.name == name]
    return found


def text_frame(rows: pa.Table) -> pd.DataFrame:
    """All values as text, for comparisons of whole rows."""
    return rows.to_pandas().astype(str)
