"""The first rows of a table as numbers, codes and gaps, in which relations are sought."""

from functools import cached_property

import numpy as np
import pyarrow as pa

from data_contracts.contract import Column, Table
from data_contracts.doubles import doubles
from data_contracts.linear_relations import BoolArray, FloatArray, IntArray
from data_contracts.masks import present
from data_contracts.schema import arrow_type

_TIMES = ("date", "timestamp")


class FirstRows:
    """Rows of a drafted table in its exact types, and how many people they are about.

    Columns of made-up values, and the one that names the unit, take no part in relations of values;
    they may be part of a key.
    """

    def __init__(self, table: Table, rows: pa.Table) -> None:
        self.table, self.rows = table, rows
        self.count: int = rows.num_rows
        self.columns = [
            column
            for column in table.columns
            if column.role != "identifier" and column.name != table.unit and not column.unique
        ]

    @cached_property
    def units(self) -> int:
        """How many units of privacy the rows are about."""
        if self.table.unit is None:
            return self.count
        return len(np.unique(self.codes(self.table.unit)))

    def lines(self) -> list[list[Column]]:
        """The columns that lie on one line, two or more: numbers, or times that compare."""
        lines: dict[str, list[Column]] = {}
        for column in self.columns:
            if (line := line_of(column)) is not None:
                lines.setdefault(line, []).append(column)
        return [columns for columns in lines.values() if len(columns) > 1]

    def numbers(self, column: Column) -> FloatArray:
        """The values as doubles `(rows,)`, NaN where missing; of times, their ticks."""
        values = self._values(column.name)
        if column.logical_type in _TIMES:
            target = pa.int32() if pa.types.is_date32(values.type) else pa.int64()
            values = values.cast(target)
        return doubles(values)

    def codes(self, name: str) -> IntArray:
        """A whole number for each different value `(rows,)`, -1 where it is missing."""
        values = self._values(name)
        if pa.types.is_dictionary(values.type):
            values = values.cast(values.type.value_type)
        indices = values.dictionary_encode().indices.fill_null(-1)
        return np.asarray(indices.to_numpy(zero_copy_only=False), dtype=np.int64)

    def missing(self, name: str) -> BoolArray:
        """Which rows have no value."""
        return np.asarray(~present(self._values(name)), dtype=np.bool_)

    def _values(self, name: str) -> pa.Array:
        return self.rows[name].combine_chunks()


def line_of(column: Column) -> str | None:
    """What a column can be compared with: numbers with each other, times with times like them."""
    if column.logical_type in ("integer", "number"):
        return None if column.categories is not None else "number"
    if column.logical_type not in _TIMES:
        return None
    kind = arrow_type(column.physical_type)
    return f"{kind} with a zone" if getattr(kind, "tz", None) else str(kind)
