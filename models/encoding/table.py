"""A whole table as one array of small integer codes, and back."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.contract import Column, Table
from data_contracts.errors import ModelError
from data_contracts.schema import column_type, to_series
from models.base import Given
from models.encoding.category import CategoryCodec, dtype_of
from models.encoding.column import (
    UNKNOWN,
    ColumnCodec,
    IntArray,
    Part,
    State,
    prefixed,
    unprefixed,
)
from models.encoding.fixed import FixedCodec
from models.encoding.identifier import IdentifierCodec
from models.encoding.number import NumberCodec
from models.encoding.temporal import TemporalCodec

_CODECS: dict[str, type[Any]] = {
    "number": NumberCodec,
    "category": CategoryCodec,
    "boolean": CategoryCodec,
    "datetime": TemporalCodec,
    "identifier": IdentifierCodec,
    "fixed": FixedCodec,
}


class TableCodec:
    """The codecs of a table's columns, side by side.

    `parts_` are the codes of all columns, in the table's order, `parent` counting over all of
    them; `columns_` says which of them belong to which column. Identifiers and columns of one
    value have none; `issued_` names the identifiers.
    """

    parts_: tuple[Part, ...]
    columns_: dict[str, range]
    issued_: tuple[str, ...]

    def fit(self, frame: pd.DataFrame, table: Table, units: IntArray | None = None) -> Self:
        """Learns every column of `frame`; `units` (rows,) says whose each row is."""
        self._arrange(
            table,
            {
                column.name: _codec_class(column, table, frame[column.name])(column).fit(
                    frame[column.name], units
                )
                for column in table.columns
            },
        )
        return self

    def encode(self, frame: pd.DataFrame) -> IntArray:
        """Codes (rows, parts) of the table's rows; UNKNOWN where protected or not applicable."""
        codes = np.full((len(frame), len(self.parts_)), UNKNOWN, dtype=np.int64)
        for name, codec in self.codecs_.items():
            place = self.columns_[name]
            codes[:, place.start : place.stop] = codec.encode(frame[name])
        return codes

    def decode(
        self, codes: IntArray, random: np.random.Generator, first_row: int = 0
    ) -> pd.DataFrame:
        """Rows in the table's columns, order and dtypes; `first_row` numbers issued identifiers."""
        columns = {}
        for name, codec in self.codecs_.items():
            place = self.columns_[name]
            if isinstance(codec, IdentifierCodec):
                columns[name] = codec.issue(first_row, len(codes), random)
            else:
                columns[name] = codec.decode(codes[:, place.start : place.stop], random)
        return pd.DataFrame(columns, index=pd.RangeIndex(len(codes)))

    def encode_given(self, given: Given, rows: int) -> IntArray:
        """Codes (rows, parts) of given values, UNKNOWN where nothing is given.

        ModelError for an unknown column, an identifier, or a value that no row could have.
        """
        codes = np.full((rows, len(self.parts_)), UNKNOWN, dtype=np.int64)
        for name, values in self._given_columns(given, rows):
            codec, place = self.codecs_[name], self.columns_[name]
            outside = codec.outside(values)
            if bool(outside.any()):
                raise ModelError(
                    f"given {name}: {int(outside.sum())} of {rows} values cannot be given. It can "
                    f"be {codec.domain}."
                )
            codes[:, place.start : place.stop] = codec.encode(values)
        return codes

    def apply_given(self, frame: pd.DataFrame, given: Given, rows: int) -> pd.DataFrame:
        """The rows with the given values themselves in place of those drawn for their codes."""
        exact = dict(self._given_columns(given, rows))
        return frame.assign(**{name: _as_dtype(exact[name], frame[name].dtype) for name in exact})

    def state(self) -> State:
        """What `restore` needs."""
        settings: dict[str, Any] = {}
        arrays: dict[str, npt.NDArray[Any]] = {}
        for number, codec in enumerate(self.codecs_.values()):
            state = codec.state()
            settings[str(number)] = {"kind": codec.kind, **state.settings}
            arrays |= prefixed(state.arrays, str(number))
        return State(settings, arrays)

    @classmethod
    def restore(cls, table: Table, state: State) -> Self:
        """The codec of `table` that `state` was taken from."""
        codecs = {}
        for number, column in enumerate(table.columns):
            settings = dict(state.settings[str(number)])
            kind = _CODECS[settings.pop("kind")]
            stored = State(settings, unprefixed(state.arrays, str(number)))
            codecs[column.name] = kind.restore(column, dtype_of(column), stored)
        codec = cls()
        codec._arrange(table, codecs)
        return codec

    def _arrange(self, table: Table, codecs: Mapping[str, ColumnCodec]) -> None:
        self.table_, self.codecs_ = table, dict(codecs)
        parts: list[Part] = []
        self.columns_ = {}
        for name, codec in self.codecs_.items():
            first = len(parts)
            for part in codec.parts_:
                above = None if part.parent is None else part.parent + first
                parts.append(replace(part, parent=above))
            self.columns_[name] = range(first, len(parts))
        self.parts_ = tuple(parts)
        self.issued_ = tuple(
            name for name, codec in self.codecs_.items() if isinstance(codec, IdentifierCodec)
        )

    def _given_columns(self, given: Given, rows: int) -> Iterator[tuple[str, pd.Series]]:
        """Each given column in its exact type; one value is one for all rows."""
        for name in given.keys():
            if name not in self.codecs_:
                known = ", ".join(self.codecs_)
                raise ModelError(f"given {name}: no such column. The columns are {known}.")
            column = self.table_.column(str(name))
            values = given[name]
            if not isinstance(values, pd.Series):
                values = pd.Series([values], dtype=object)
            typed = _typed(column, values)
            if not isinstance(given, pd.DataFrame):
                typed = typed.take([0] * rows).reset_index(drop=True)
            yield str(name), typed


def _codec_class(column: Column, table: Table, values: pd.Series) -> type[Any]:
    """Keys are issued anew, also those not marked (`Table.issues`)."""
    if table.issues(column):
        return IdentifierCodec
    return FixedCodec if FixedCodec.suits(values) else _CODECS[column.kind]


def _typed(column: Column, values: pd.Series) -> pd.Series:
    """Given values in the column's exact type; ModelError where one would change on its way."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        values = values.astype(object)
    try:
        array = pa.Array.from_pandas(values.reset_index(drop=True), type=column_type(column))
        exact = _is_exact(values, array)
    except (pa.ArrowException, OverflowError, ValueError, TypeError) as error:
        raise _unfit(column) from error
    if not exact:
        raise _unfit(column)
    return to_series(array)


def _unfit(column: Column) -> ModelError:
    return ModelError(
        f"given {column.name}: not of its type {column.physical_type}. Give a value that fits."
    )


def _is_exact(values: pd.Series, array: pa.Array) -> bool:
    """Whether `array` holds the very values; only fractions may go to the nearest float."""
    kind = array.type
    if pa.types.is_floating(kind):
        return pc.all(pc.is_finite(array)).as_py() is not False
    timed = pa.types.is_date(kind) or pa.types.is_timestamp(kind)
    if not (timed or pa.types.is_integer(kind)) or values.dtype == to_series(array).dtype:
        return True
    pairs = zip(values[values.notna()], array.drop_null().to_pylist(), strict=True)
    if timed:
        return all(_instant(one) == _instant(own) for one, own in pairs)
    return all(one == own for one, own in pairs)


def _instant(value: Any) -> pd.Timestamp:
    """A date or time as a point in time; without a zone it is in UTC, as Arrow takes it."""
    stamp = pd.Timestamp(value)
    return stamp.tz_localize("UTC") if stamp.tz is None else stamp


def _as_dtype(values: pd.Series, dtype: Any) -> pd.Series:
    """A given categorical with the categories that the drawn rows have, and its own."""
    if not isinstance(dtype, pd.CategoricalDtype):
        return values
    known = [*dtype.categories, *values.cat.categories.difference(dtype.categories)]
    return values.cat.set_categories(known, ordered=dtype.ordered)
