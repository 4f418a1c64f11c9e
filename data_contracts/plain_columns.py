"""Columns as plain pandas, for judges that know neither Arrow nor nullable types."""

from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.doubles import doubles

EXACT_INTEGER = 2**53
# Decimals of so many digits have a double of their own, in the same order.
EXACT_DIGITS = 15


def plain_series(values: pa.ChunkedArray, paired: bool) -> Any:
    """A column in a plain pandas type in which Great Expectations judges it as exactly as Arrow.

    Nullable and Arrow-backed types crash several of its checks. Instants become UTC without a zone.
    """
    kind = values.type
    if pa.types.is_dictionary(kind) and paired:
        values = values.cast(pa.string())
    if pa.types.is_date(kind):
        return values.cast(pa.timestamp("s")).to_pandas()
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        return (
            values.cast(pa.timestamp(kind.unit, tz="UTC")).cast(pa.timestamp(kind.unit)).to_pandas()
        )
    if pa.types.is_boolean(kind):
        return values.cast(pa.int8()).to_pandas()
    if pa.types.is_decimal(kind):
        return pd.Series(doubles(values)) if is_short(kind) else values.to_pandas()
    if pa.types.is_integer(kind) and (values.null_count or paired) and is_wide(values):
        return pd.Series(values.to_pylist(), dtype=object)
    return values.to_pandas()


def is_short(kind: pa.DataType) -> bool:
    """Whether each decimal of this type has a double of its own."""
    return bool(kind.precision <= EXACT_DIGITS)


def is_wide(values: pa.ChunkedArray) -> bool:
    """Whether integers go beyond those that doubles tell apart."""
    extremes = pc.min_max(values).as_py()
    if extremes["min"] is None:
        return False
    return bool(extremes["min"] < -EXACT_INTEGER or extremes["max"] > EXACT_INTEGER)
