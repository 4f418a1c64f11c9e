"""Values that somebody gives, in a column's exact type."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.contract import Column
from data_contracts.errors import ModelError
from data_contracts.schema import column_type, to_series


def with_columns(frame: pd.DataFrame, columns: Mapping[str, pd.Series]) -> pd.DataFrame:
    """A frame with these columns in place of its own; pandas' `assign` takes none named self."""
    changed = frame.copy(deep=False)
    for name, values in columns.items():
        changed[name] = values
    return changed


def typed_values(column: Column, values: pd.Series) -> pd.Series:
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
