"""A whole table as one array of small integer codes, and back."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from data_contracts.contract import Column, Table
from data_contracts.errors import ModelError
from models.base import Given
from models.encoding.category import CategoryCodec, dtype_of
from models.encoding.column import (
    THRESHOLD,
    UNKNOWN,
    ColumnCodec,
    FloatArray,
    IntArray,
    Part,
    State,
    prefixed,
    unit_counts,
    unprefixed,
)
from models.encoding.fixed import FixedCodec
from models.encoding.identifier import IdentifierCodec, within_rules
from models.encoding.measure import Measure
from models.encoding.number import NumberCodec
from models.encoding.temporal import TemporalCodec
from models.encoding.typed_values import typed_values, with_columns

_CODECS: dict[str, type[Any]] = {
    "number": NumberCodec,
    "category": CategoryCodec,
    "boolean": CategoryCodec,
    "datetime": TemporalCodec,
    "identifier": IdentifierCodec,
    "fixed": FixedCodec,
}


Decoder = Callable[[IntArray, np.random.Generator], pd.Series]
"""From a column's codes (rows, parts) to its values."""


class TableCodec:
    """The codecs of a table's columns, side by side.

    `parts_` are the codes of all columns, in the table's order, `parent` counting over all of
    them; `columns_` says which of them belong to which column. Identifiers and columns of one
    value have none; `issued_` names the identifiers.
    """

    parts_: tuple[Part, ...]
    columns_: dict[str, range]
    issued_: tuple[str, ...]
    combinations_: dict[tuple[str, ...], IntArray]

    def fit(self, frame: pd.DataFrame, table: Table, units: IntArray | None = None) -> Self:
        """Learns every column of `frame`; `units` (rows,) says whose each row is."""
        codecs: dict[str, ColumnCodec] = {}
        for column in table.columns:
            values = frame[column.name]
            fixed = not table.issues(column) and FixedCodec.suits(values, units)
            kind = FixedCodec if fixed else _codec_class(column, table)
            codecs[column.name] = kind(column).fit(values, units)
        self._arrange(table, codecs)
        self.combinations_ = {}
        for names in table.fixed_combinations:
            modelled = tuple(name for name in names if self.columns_[name])
            tuples = self._seen_together(frame, modelled, units)
            if len(modelled) > 1 and len(tuples):
                self.combinations_[modelled] = tuples
        return self

    def _seen_together(
        self, frame: pd.DataFrame, names: tuple[str, ...], units: IntArray | None
    ) -> IntArray:
        """The first codes `(combinations, columns)` that enough units hold together."""
        for name in names:
            if not self.lists(name, list(frame[name].dropna().unique())):
                raise ModelError(
                    f"fixed combination {', '.join(names)}: {name} has too many different values "
                    "to go by. List its values as categories, or leave the column out."
                )
        codes = self.first_of(frame, names)
        rows = np.flatnonzero((codes != UNKNOWN).all(1))
        tuples, index = np.unique(codes[rows], axis=0, return_inverse=True)
        owners = None if units is None else units[rows]
        held = unit_counts(index.ravel().astype(np.int64), len(tuples), owners)
        return tuples[held >= THRESHOLD].astype(np.int64)

    def first_of(self, frame: pd.DataFrame, names: Sequence[str]) -> IntArray:
        """The first code of each of these columns, `(rows, columns)`."""
        firsts = [self.codecs_[name].encode(frame[name])[:, 0] for name in names]
        return np.stack(firsts, 1) if firsts else np.empty((len(frame), 0), dtype=np.int64)

    def encode(self, frame: pd.DataFrame) -> IntArray:
        """Codes (rows, parts) of the table's rows; UNKNOWN where protected or not applicable."""
        codes = np.full((len(frame), len(self.parts_)), UNKNOWN, dtype=np.int64)
        for name, codec in self.codecs_.items():
            place = self.columns_[name]
            codes[:, place.start : place.stop] = codec.encode(frame[name])
        return codes

    def decode(
        self,
        codes: IntArray,
        random: np.random.Generator,
        first_row: int = 0,
        decoders: Mapping[str, Decoder] | None = None,
    ) -> pd.DataFrame:
        """Rows in the table's columns, order and dtypes; `first_row` numbers issued identifiers.

        `decoders` take the place of the codecs of some columns; they come last, in their order.
        """
        columns = {}
        last = [] if decoders is None else list(decoders)
        for name in (*(name for name in self.codecs_ if name not in last), *last):
            codec, place = self.codecs_[name], self.columns_[name]
            if decoders is not None and name in decoders:
                columns[name] = decoders[name](codes[:, place.start : place.stop], random)
            elif isinstance(codec, IdentifierCodec):
                columns[name] = codec.issue(first_row, len(codes), random)
            else:
                columns[name] = codec.decode(codes[:, place.start : place.stop], random)
        ordered = {name: columns[name] for name in self.codecs_}
        return pd.DataFrame(ordered, index=pd.RangeIndex(len(codes)))

    def issue(self, first_row: int, rows: int, random: np.random.Generator) -> dict[str, pd.Series]:
        """The columns whose values are made up, `(rows,)` each, numbered from `first_row`."""
        codecs = {name: self.codecs_[name] for name in self.issued_}
        return {
            name: codec.issue(first_row, rows, random)
            for name, codec in codecs.items()
            if isinstance(codec, IdentifierCodec)
        }

    def whole(self, name: str, first_row: int, rows: int) -> pd.Series:
        """The values made up for a column, `(rows,)`, with not one missing."""
        codec = self.codecs_[name]
        assert isinstance(codec, IdentifierCodec)
        return codec.whole(first_row, rows)

    def encode_given(self, given: Given, rows: int) -> IntArray:
        """Codes (rows, parts) of given values, UNKNOWN where nothing is given.

        ModelError for an unknown column, an identifier, or a value that no row could have.
        """
        codes = np.full((rows, len(self.parts_)), UNKNOWN, dtype=np.int64)
        for name, values in self._given_columns(given, rows):
            codec, place = self.codecs_[name], self.columns_[name]
            outside = codec.outside(values)
            if bool(outside.any()):
                odd = values[outside].iloc[0]
                raise ModelError(
                    f"given {name}: {int(outside.sum())} of {rows} values cannot be given, such as "
                    f"{'a missing one' if pd.isna(odd) else odd}. It can be {codec.domain}."
                )
            codes[:, place.start : place.stop] = codec.encode(values)
        return codes

    def given_values(self, given: Given, rows: int) -> dict[str, pd.Series]:
        """Given columns in their exact types, `(rows,)` each."""
        return dict(self._given_columns(given, rows))

    def apply_given(self, frame: pd.DataFrame, given: Given, rows: int) -> pd.DataFrame:
        """The rows with the given values themselves in place of those drawn for their codes."""
        exact = self.given_values(given, rows)
        typed = {name: _as_dtype(exact[name], frame[name].dtype) for name in exact}
        return with_columns(frame, typed)

    def log_detail(self, frame: pd.DataFrame, names: Sequence[str]) -> FloatArray:
        """The log density of these columns given their codes, `(rows,)`; -inf for what cannot be.

        Of numbers that may lie anywhere it is a density, of everything else a probability.
        """
        logs = np.zeros(len(frame))
        for name in names:
            codec = self.codecs_[name]
            if isinstance(codec, NumberCodec | TemporalCodec | CategoryCodec):
                logs += codec.log_detail(frame[name])
            if not self.may_miss(name) and not isinstance(codec, IdentifierCodec | FixedCodec):
                logs[frame[name].isna().to_numpy(dtype=bool)] = -np.inf
            if isinstance(codec, FixedCodec):
                logs[codec.outside(frame[name])] = -np.inf
        return logs

    def measures(self) -> dict[str, Measure]:
        """The columns that lie on a line, and how."""
        return {
            name: codec.measure()
            for name, codec in self.codecs_.items()
            if isinstance(codec, NumberCodec | TemporalCodec)
        }

    def constants(self) -> dict[str, float]:
        """The columns that are one number in every row, and that number."""
        fixed = [(name, one) for name, one in self.codecs_.items() if isinstance(one, FixedCodec)]
        return {name: one.number for name, one in fixed if one.number is not None}

    def numbers(self, name: str, values: pd.Series) -> FloatArray:
        """The values of a column that lies on a line as numbers `(rows,)`, NaN where missing.

        Also those of a column of one number.
        """
        if isinstance(self.codecs_[name], FixedCodec):
            return NumberCodec(self.table_.column(name)).numbers(values)
        numbers: FloatArray = self._on_line(name).numbers(values)
        return numbers

    def ticks(self, name: str, values: pd.Series) -> IntArray | None:
        """The values of such a column as whole numbers `(rows,)`, in their order and exact.

        Missing ones are 0; None where the column has other numbers.
        """
        return self._on_line(name).ticks(values)

    def typed(self, name: str, values: Sequence[Any]) -> pd.Series:
        """Values in a column's exact type; ModelError where one is not of it."""
        return typed_values(self.table_.column(name), pd.Series(list(values), dtype=object))

    def number(self, name: str, value: Any) -> float:
        """One value of such a column as a number; ModelError when it is not of its type."""
        return float(self.numbers(name, self._one(name, value))[0])

    def decode_between(
        self,
        name: str,
        codes: IntArray,
        bounds: tuple[FloatArray, FloatArray],
        random: np.random.Generator,
    ) -> pd.Series:
        """The values of such a column's codes, each within its row's bounds where it can be."""
        values: pd.Series[Any] = self._on_line(name).decode_between(codes, bounds, random)
        return values

    def first_codes(self, name: str, values: Sequence[Any]) -> IntArray:
        """The first code of each value of a column; ModelError where one cannot be given."""
        codec = self.codecs_[name]
        typed = self.typed(name, values)
        if not codec.parts_ or bool(codec.outside(typed).any()):
            raise ModelError(f"given {name}: it can be {codec.domain}.")
        return codec.encode(typed)[:, 0]

    def knows(self, name: str, value: Any) -> bool:
        """Whether a value can be given: it has a code, or lies in the column's range."""
        return not bool(self.codecs_[name].outside(self._one(name, value)).any())

    def lies_within(self, name: str, low: Any, high: Any) -> bool:
        """Whether a column's one value lies from `low` to `high`, None for an open end.

        ModelError where it has no order.
        """
        own, column = self.codecs_[name], self.table_.column(name)
        if not isinstance(own, FixedCodec):
            return False
        if column.kind not in ("number", "datetime"):
            raise ModelError(f"given {name}: it has no order, so no range. Name its values.")
        ends = [None if end is None else self._one(name, end) for end in (low, high)]
        return own.lies_within(*ends)

    def lists(self, name: str, values: Sequence[Any]) -> bool:
        """Whether the first code tells each of these values from all others."""
        codec = self.codecs_[name]
        if not isinstance(codec, NumberCodec | TemporalCodec):
            return True
        alone = self.columns_[name]
        if isinstance(codec, TemporalCodec) and len(alone) > len(codec.day_axis_.parts):
            return False
        axis = codec.axis_ if isinstance(codec, NumberCodec) else codec.day_axis_
        return bool((self.first_codes(name, values) < axis.missing + len(axis.atoms)).all())

    def draws(self, name: str, values: Sequence[Any]) -> bool:
        """Whether it lists these values, and draws the very ones.

        A number or date that is never drawn has the code of the nearest one that is.
        """
        codec = self.codecs_[name]
        if not self.lists(name, values) or not isinstance(codec, NumberCodec | TemporalCodec):
            return self.lists(name, values)
        asked = self.numbers(name, self.typed(name, values))
        return bool((np.isnan(asked) | codec.measure().at_atoms(asked)).all())

    def may_miss(self, name: str) -> bool:
        """Whether the first code of a column may say that the value is missing; it is then 0."""
        codec = self.codecs_[name]
        if isinstance(codec, CategoryCodec):
            return codec.missing_
        if isinstance(codec, NumberCodec):
            return codec.axis_.missing
        return isinstance(codec, TemporalCodec) and codec.day_axis_.missing

    @property
    def part_names(self) -> list[str]:
        """The column of each part, numbered where it has several: what a ledger calls them."""
        names = []
        for name, places in self.columns_.items():
            names += [name if len(places) == 1 else f"{name}.{n + 1}" for n in range(len(places))]
        return names

    def _one(self, name: str, value: Any) -> pd.Series:
        return self.typed(name, [value])

    def _on_line(self, name: str) -> NumberCodec | TemporalCodec:
        codec = self.codecs_[name]
        if not isinstance(codec, NumberCodec | TemporalCodec):
            raise ModelError(f"{name}: has no order.")
        return codec

    def state(self) -> State:
        """What `restore` needs."""
        settings: dict[str, Any] = {}
        arrays: dict[str, npt.NDArray[Any]] = {}
        for number, codec in enumerate(self.codecs_.values()):
            state = codec.state()
            settings[str(number)] = {"kind": codec.kind, **state.settings}
            arrays |= prefixed(state.arrays, str(number))
        settings["combinations"] = [list(names) for names in self.combinations_]
        for number, tuples in enumerate(self.combinations_.values()):
            arrays[f"combination/{number}"] = tuples
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
        codec.combinations_ = {
            tuple(names): state.arrays[f"combination/{number}"]
            for number, names in enumerate(state.settings["combinations"])
        }
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
        issued = {
            name: codec
            for name, codec in self.codecs_.items()
            if isinstance(codec, IdentifierCodec)
        }
        for name, codec in issued.items():
            codec.column, codec.barred = within_rules(codec.column, table)
            codec.in_group = name in table.primary_key and len(table.primary_key) > 1
        self.issued_ = tuple(issued)

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
            typed = typed_values(column, values)
            if not isinstance(given, pd.DataFrame):
                typed = typed.take([0] * rows).reset_index(drop=True)
            yield str(name), typed


def _codec_class(column: Column, table: Table) -> type[Any]:
    """Keys are issued anew, also those not marked (`Table.issues`)."""
    return IdentifierCodec if table.issues(column) else _CODECS[column.kind]


def _as_dtype(values: pd.Series, dtype: Any) -> pd.Series:
    """A given categorical with the categories that the drawn rows have, and its own."""
    if not isinstance(dtype, pd.CategoricalDtype):
        return values
    known = [*dtype.categories, *values.cat.categories.difference(dtype.categories)]
    return values.cat.set_categories(known, ordered=dtype.ordered)
