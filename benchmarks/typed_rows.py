"""A landing folder's rows, or those that a peer made, in exactly the contract's types."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.landing import CONTRACT, HOLDOUT, TRAIN
from data_contracts.contract import Source, Table
from data_contracts.dataset import Dataset
from data_contracts.loading import load_contract
from data_contracts.schema import arrow_type, to_frame
from data_contracts.typing_rules import type_column
from tasks.readers import read_batches


def read_part(folder: Path, part: str, most: int | None = None) -> Dataset:
    """The first `most` rows of the landing folder's `train` or `holdout`."""
    contract = load_contract(folder / CONTRACT)
    table = contract.tables[0]
    frame, _ = read_typed(folder / {"train": TRAIN, "holdout": HOLDOUT}[part], table)
    return Dataset(contract, {table.name: frame.head(most) if most else frame})


def read_typed(path: Path, table: Table) -> tuple[pd.DataFrame, dict[str, int]]:
    """A CSV (packed or not) or Parquet file's rows, and how many values of a column got lost.

    A value that its type can't read becomes missing and is counted; a value that was missing
    already is not. Columns come in the contract's order.
    """
    if path.suffix == ".parquet":
        return to_frame(pq.read_table(path).replace_schema_metadata(None)), {}
    source = Source(format="csv", path=path.name)
    columns: dict[str, list[pa.Array]] = {name: [] for name in table.column_names}
    lost: dict[str, int] = {}
    for batch in read_batches(source, path.parent, table.column_names):
        for column in table.columns:
            typed = type_column(batch[column.name], column, source)
            columns[column.name].append(typed.array)
            unread = sum(int(mask.sum()) for why, mask in typed.broken.items() if why != "missing")
            if unread:
                lost[column.name] = lost.get(column.name, 0) + unread
    arrays = {
        column.name: pa.chunked_array(columns[column.name], arrow_type(column.physical_type))
        for column in table.columns
    }
    return to_frame(pa.table(arrays)), lost
