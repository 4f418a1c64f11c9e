"""Each number as the nearest double: for decimals, the one that their text gives."""

from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_contracts.contract import Comparison
from data_contracts.doubles import doubles
from tests.data_contracts.test_checks import column, found, rows, table

TYPES = [(5, 0), (5, -2), (12, 2), (15, 4), (18, 18), (19, 3), (30, 25), (38, 6)]


@pytest.mark.parametrize(("precision", "scale"), TYPES)
@given(data=st.data())
def test_a_decimal_is_the_double_of_its_text(
    precision: int, scale: int, data: st.DataObject
) -> None:
    most = 10**precision - 1
    digits = st.integers(-most, most) | st.integers(-min(most, 10**6), min(most, 10**6))
    drawn = data.draw(st.lists(st.none() | digits, max_size=20))
    values = [None if one is None else Decimal(f"{one}E{-scale}") for one in drawn]
    expected = np.array([np.nan if one is None else float(one) for one in values])
    array = pa.array(values, pa.decimal128(precision, scale))
    np.testing.assert_array_equal(doubles(array), expected)
    np.testing.assert_array_equal(doubles(array[1:]), expected[1:])
    parts = pa.chunked_array([array, array[:2]])
    np.testing.assert_array_equal(doubles(parts), [*expected, *expected[:2]])


@pytest.mark.parametrize("sign", ["<=", "==", ">="])
def test_a_decimal_beside_a_double_is_the_number_that_was_written(sign: str) -> None:
    rule = Comparison(left="exact", operator=sign, right="rough")
    declared = table(
        column("exact", "decimal128(12, 2)"), column("rough", "float64"), rules=(rule,)
    )
    cents = [one for one in range(2000) if one % 7]
    exact = [Decimal(one).scaleb(-2) for one in cents]
    rough = [one / 100 for one in cents]
    data = rows(declared, exact=[*exact, None], rough=[*rough, 0.5])
    assert not found(declared, data)
