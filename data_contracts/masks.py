"""Row masks over Arrow columns: which rows, and a column with only those rows left."""

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
