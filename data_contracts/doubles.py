"""Arrow numbers as doubles, each the nearest one."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

_EXACT = 2**53
"""Whole numbers below this have a double of their own."""
_EXACT_POWER = 22
"""So does ten to the power of up to this."""


def doubles(values: pa.Array | pa.ChunkedArray) -> npt.NDArray[np.float64]:
    """Numbers as doubles `(rows,)`, NaN where missing; a decimal as the double of its text.

    Arrow's own cast of decimals is off by the last bit now and then: of 16.24 it makes
    16.240000000000002, which no longer equals the number that was written.
    """
    whole = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    if not pa.types.is_decimal(whole.type):
        return _plain(whole)
    words = pa.types.is_decimal128(whole.type) and 0 <= whole.type.scale <= _EXACT_POWER
    if not words or not len(whole):
        return _plain(whole.cast(pa.string()))
    low, high = decimal_words(whole)
    known = np.asarray(whole.is_valid())
    short = (high == low >> 63) & (np.abs(low.astype(np.float64)) < _EXACT)
    # Of two numbers that doubles hold, division gives the nearest double.
    made = np.where(known, low / 10.0**whole.type.scale, np.nan)
    if bool((short | ~known).all()):
        return made
    return np.where(short | ~known, made, _plain(whole.cast(pa.string())))


def decimal_words(values: pa.Array) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The low and the high word `(rows,)` of 128-bit decimals: whole numbers of their last digit.

    Together they are a two's complement of 128 bits; of missing values they mean nothing.
    """
    words = np.frombuffer(values.buffers()[1], dtype=np.int64).reshape(-1, 2)
    low, high = words[values.offset : values.offset + len(values)].T
    return low, high


def _plain(values: pa.Array) -> npt.NDArray[np.float64]:
    cast = pc.cast(values, pa.float64(), safe=False)
    return np.asarray(cast.to_numpy(zero_copy_only=False), dtype=np.float64)
