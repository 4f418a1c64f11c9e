"""Row masks over Arrow columns: which rows, and a column with only those rows left."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

Mask = np.ndarray


def true_mask(values: pa.Array) -> Mask:
    """An Arrow boolean column as a numpy mask; missing counts as false."""
    known = pc.fill_null(values, False)
    return np.asarray(known.to_numpy(zero_copy_only=False), dtype=bool)


def present(values: pa.Array) -> Mask:
    """Which rows hold a value."""
    return true_mask(pc.is_valid(values))


def among(values: pa.Array, listed: Iterable[Any]) -> Mask:
    """Which rows hold one of the listed values, written as a contract does; missing ones don't."""
    if pa.types.is_dictionary(values.type):
        return true_mask(_is_in(values.dictionary, listed).take(values.indices))
    return true_mask(_is_in(values, listed))


def fitting(listed: Iterable[Any], target: pa.DataType) -> list[Any]:
    """Listed values as a column of this type holds them; those that have no place there left out.

    A number is the one that was written: 0.1 is a decimal's 0.10.
    """
    if pa.types.is_dictionary(target):
        return fitting(listed, target.value_type)
    if pa.types.is_decimal(target):
        listed = [Decimal(str(value)) for value in listed]
    elif pa.types.is_floating(target):
        listed = [float(value) for value in listed]
    elif pa.types.is_integer(target):
        # Arrow would cut fractions off.
        listed = [int(value) for value in listed if isinstance(value, int) or value.is_integer()]
    scalars = [_scalar(value, target) for value in listed]
    return [scalar.as_py() for scalar in scalars if scalar is not None]


def _is_in(values: pa.Array, listed: Iterable[Any]) -> pa.Array:
    return pc.is_in(values, value_set=pa.array(fitting(listed, values.type), values.type))


def _scalar(value: Any, target: pa.DataType) -> pa.Scalar | None:
    """A listed value in the column's type; one that has no place there can't occur."""
    try:
        return pa.scalar(value, target)
    except (pa.ArrowInvalid, OverflowError):
        return None


def matches(text: pa.Array, pattern: str) -> Mask:
    """Which rows of a text column hold the regular expression; missing ones don't."""
    return true_mask(pc.match_substring_regex(text, pattern))


def only(values: pa.Array, keep: Mask) -> pa.Array:
    """The values where `keep` is true, missing elsewhere."""
    return pc.if_else(pa.array(keep), values, pa.scalar(None, values.type))


def try_cast(values: pa.Array, target: pa.DataType) -> pa.Array | None:
    """The values in the target type, or None where one of them does not fit it exactly."""
    try:
        return values.cast(target)
    except pa.ArrowInvalid:
        return None
