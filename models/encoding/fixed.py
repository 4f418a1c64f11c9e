"""Columns with nothing to learn: one value in every row, or none that may be shown."""

import math
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
import pyarrow as pa

from data_contracts.contract import Column
from data_contracts.schema import column_type, to_series
from models.encoding.column import THRESHOLD, BoolArray, IntArray, Part, State, unit_counts


class FixedCodec:
    """A column of one value, the same in every row, or of none: all made rows are missing.

    No codes. Loss: the values of a column of which nearly all are missing, where fewer than
    `threshold` units have any: not one of them, nor their middle, may be shown.
    """

    kind: ClassVar[str] = "fixed"
    parts_: tuple[Part, ...] = ()

    def __init__(self, column: Column, threshold: int = THRESHOLD) -> None:
        self.column, self.threshold = column, threshold

    @classmethod
    def suits(
        cls, values: pd.Series, units: IntArray | None = None, threshold: int = THRESHOLD
    ) -> bool:
        """Whether all rows hold the same value, or some are missing and too few units hold any."""
        missing = values.isna().to_numpy(dtype=bool)
        if bool(missing.any()):
            holders = unit_counts(np.where(missing, -1, 0), 1, units)
            return int(holders[0]) < threshold
        return bool((values == values.iloc[0]).all())

    def fit(self, values: pd.Series, units: IntArray | None = None) -> Self:
        """Keeps the one value, or none where any is missing."""
        self.dtype_ = values.dtype
        target = column_type(self.column)
        if bool(values.isna().any()):
            self.value_ = pa.nulls(1, target)
        else:
            self.value_ = pa.Array.from_pandas(values.iloc[:1], type=target)
        return self

    def encode(self, values: pd.Series) -> IntArray:
        """No codes: (rows, 0)."""
        return np.empty((len(values), 0), dtype=np.int64)

    def decode(self, codes: IntArray, random: np.random.Generator) -> pd.Series:
        """The one value, as often as there are rows."""
        return to_series(self.value_.take(pa.array(np.zeros(len(codes), dtype=np.int64))))

    def outside(self, values: pd.Series) -> BoolArray:
        """All values but the one."""
        target = column_type(self.column)
        given = pa.Array.from_pandas(values, type=target).to_pylist()
        one = self.value_[0].as_py()
        return np.array([value != one for value in given], dtype=np.bool_)

    def lies_within(self, low: pd.Series | None, high: pd.Series | None) -> bool:
        """Whether the one value lies from the first of `low` to that of `high`; None is no end."""
        target, value = column_type(self.column), self.value_[0].as_py()
        ends = [
            value if end is None else pa.Array.from_pandas(end, type=target)[0].as_py()
            for end in (low, high)
        ]
        return value is not None and bool(ends[0] <= value <= ends[1])

    @property
    def domain(self) -> str:
        """The one value."""
        value = self.value_[0].as_py()
        return "nothing: it is always missing" if value is None else f"{value} only"

    @property
    def number(self) -> float | None:
        """The one value of a column of numbers; None where it has none, or no finite one."""
        if self.column.kind != "number" or self.value_[0].as_py() is None:
            return None
        number = float(_text(self.value_))
        return number if math.isfinite(number) else None

    def state(self) -> State:
        """What `restore` needs."""
        value = self.value_[0].as_py()
        return State({"value": None if value is None else _text(self.value_)})

    @classmethod
    def restore(cls, column: Column, dtype: Any, state: State) -> Self:
        """The codec that `state` was taken from."""
        codec = cls(column)
        codec.dtype_ = dtype
        codec.value_ = _typed(state.settings["value"], column_type(column))
        return codec


def _text(value: pa.Array) -> str:
    plain = value.cast(value.type.value_type) if pa.types.is_dictionary(value.type) else value
    if pa.types.is_timestamp(plain.type) or pa.types.is_date64(plain.type):
        plain = plain.cast(pa.int64())
    return str(plain.cast(pa.string())[0].as_py())


def _typed(text: str | None, target: pa.DataType) -> pa.Array:
    if text is None:
        return pa.nulls(1, target)
    if pa.types.is_timestamp(target) or pa.types.is_date64(target):
        return pa.array([int(text)]).cast(target)
    if pa.types.is_dictionary(target):
        return pa.array([text], target)
    return pa.array([text]).cast(target)
