"""Round trips that every column codec must survive."""

import json
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pandas.testing import assert_series_equal

from data_contracts.contract import Column
from data_contracts.schema import column_type, to_series
from models.encoding.category import dtype_of
from models.encoding.column import IntArray


def series(column: Column, values: Any) -> pd.Series:
    """Values as the exact type of a column."""
    array = values if isinstance(values, pa.Array) else pa.array(values)
    return to_series(array.cast(column_type(column)))


def round_trip(
    kind: type[Any], column: Column, values: pd.Series, units: IntArray | None = None
) -> tuple[Any, pd.Series]:
    """The fitted codec, and the values encoded and decoded, by it and by its restored copy."""
    codec = kind(column).fit(values, units)
    codes = codec.encode(values)
    assert codes.shape == (len(values), len(codec.parts_))
    back = codec.decode(codes, np.random.default_rng(0))
    state = codec.state()
    json.dumps(state.settings, allow_nan=False)
    again = kind.restore(column, dtype_of(column), state)
    assert again.parts_ == codec.parts_
    assert (again.encode(values) == codes).all()
    other = again.decode(codes, np.random.default_rng(0))
    assert_series_equal(back, other)
    assert not isinstance(back.dtype, np.dtype) or back.dtype == values.dtype
    assert str(back.dtype) == str(values.dtype)
    return codec, back
