"""Rejected rows as text: what was read, where it stood, and every reason."""

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.contract import Table
from data_contracts.errors import ContractError
from data_contracts.masks import Mask
from tasks.source_rows import Chunk

REASONS, ROW, FILE, TEXT = "_reasons", "_row", "_file", "_text"


def reject_schema(table: Table) -> pa.Schema:
    """What a rejects file holds.

    The table's columns as text; `_reasons`; where the row stood: `_row` (from 1) of `_file`; and
    its raw `_text`, if it could not be split into columns. Raises ContractError for a table with a
    column of such a name.
    """
    taken = {REASONS, ROW, FILE, TEXT} & set(table.column_names)
    if taken:
        raise ContractError(
            f"table {table.name!r}: the column name {min(taken)!r} is needed to tell where a "
            "rejected row stood. Rename the column, in the source by a query or in its file."
        )
    columns = [pa.field(name, pa.string()) for name in table.column_names]
    return pa.schema([
        *columns,
        pa.field(REASONS, pa.list_(pa.string())),
        pa.field(ROW, pa.int64()),
        pa.field(FILE, pa.string()),
        pa.field(TEXT, pa.string()),
    ])  # fmt: skip


@dataclass(frozen=True)
class BadRows:
    """Rejected rows in the schema of `reject_schema`, and the number of rows by reason."""

    table: pa.Table
    counts: dict[str, int] = field(default_factory=dict)

    @staticmethod
    def of(rows: pa.Table, places: "Places", reasons: dict[str, Mask], broken: Mask) -> "BadRows":
        """The rows where `broken` is true; they become text only now, being few."""
        counts = {reason: int(mask.sum()) for reason, mask in reasons.items()}
        where = np.flatnonzero(broken)
        lists = [[reason for reason, mask in reasons.items() if mask[row]] for row in where]
        chosen = rows.take(pa.array(where))
        columns = [
            *(_text_column(column) for column in chosen.columns),
            pa.array(lists, pa.list_(pa.string())),
            places.numbers.take(pa.array(where)),
            places.files.take(pa.array(where)).cast(pa.string()),
            pa.nulls(len(where), pa.string()),
        ]
        names = [*rows.schema.names, REASONS, ROW, FILE, TEXT]
        return BadRows(pa.Table.from_arrays(columns, names=names), counts)

    def joined(self, other: "BadRows") -> "BadRows":
        """Both, this one's rows first."""
        counts = dict(self.counts)
        for reason, rows in other.counts.items():
            counts[reason] = counts.get(reason, 0) + rows
        return BadRows(pa.concat_tables([self.table, other.table]), counts)


@dataclass(frozen=True)
class Places:
    """Where rows stood in the source."""

    files: pa.Array
    numbers: pa.Array

    @staticmethod
    def of(chunk: Chunk) -> "Places":
        files = pa.repeat(pa.scalar(chunk.file), chunk.rows.num_rows)
        return Places(files, pa.array(chunk.numbers, pa.int64()))


def unreadable_rows(chunk: Chunk, table: Table) -> BadRows:
    """The chunk's rows that could not be split into columns: only their raw text is known."""
    schema = reject_schema(table)
    rows = [
        {REASONS: [bad.reason], ROW: bad.number, FILE: chunk.file, TEXT: bad.text}
        for bad in chunk.unreadable
    ]
    counts: dict[str, int] = {}
    for bad in chunk.unreadable:
        counts[bad.reason] = counts.get(bad.reason, 0) + 1
    return BadRows(pa.Table.from_pylist(rows, schema), counts)


def _text_column(values: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_string(values.type):
        return values
    try:
        return pc.cast(values, pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        texts = [None if value is None else str(value) for value in values.to_pylist()]
        return pa.chunked_array([pa.array(texts, pa.string())])
