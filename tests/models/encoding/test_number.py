"""Numbers of every type go through codes and come back in their type, on their lattice."""

from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_contracts.contract import Column
from models.encoding.lattice import Lattice
from models.encoding.number import NumberCodec
from tests.models.encoding.columns import round_trip, series

INTEGERS = [f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)]


def column(physical_type: str, **promises: object) -> Column:
    logical = "integer" if "int" in physical_type else "number"
    return Column.model_validate(
        {"name": "x", "logical_type": logical, "physical_type": physical_type, **promises}
    )


@pytest.mark.parametrize("physical_type", INTEGERS)
def test_integers_at_the_ends_of_their_type_come_back(physical_type: str) -> None:
    ends = np.iinfo(physical_type)
    values = [int(ends.min), int(ends.max)] * 20 + [None] * 10
    own = column(physical_type)
    _, back = round_trip(NumberCodec, own, series(own, pa.array(values, arrow(physical_type))))
    assert back.tolist()[:40] == values[:40]
    assert back.isna().sum() == 10


def arrow(physical_type: str) -> pa.DataType:
    return pa.type_for_alias(physical_type)


@given(st.integers(-(2**62), 2**62), st.integers(1, 10**6), st.integers(0, 2**31))
def test_far_integers_keep_their_step(origin: int, step: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    values = origin + step * random.integers(0, 1000, 400)
    own = column("int64")
    _, back = round_trip(NumberCodec, own, series(own, values))
    found = back.to_numpy(dtype=np.int64)
    assert ((found - origin) % step == 0).all()
    assert found.min() >= values.min()
    assert found.max() <= values.max()


@given(st.integers(0, 6), st.integers(0, 2**31))
def test_decimal_fractions_keep_their_digits(decimals: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    values = np.round(random.normal(50, 20, 500), decimals)
    own = column("float64")
    _, back = round_trip(NumberCodec, own, series(own, values))
    assert all(len(f"{value!r}".partition(".")[2]) <= max(decimals, 1) for value in back)


def test_floats_anywhere_and_missing() -> None:
    random = np.random.default_rng(1)
    for physical_type in ("float32", "float64"):
        own = column(physical_type)
        values = random.normal(size=600)
        values[::7] = np.nan
        given_values = series(own, pa.array(values, from_pandas=True))
        _, back = round_trip(NumberCodec, own, given_values)
        assert (back.isna() == given_values.isna()).all()


@pytest.mark.parametrize("precision", [5, 18, 30])
def test_decimals_come_back_exact_where_shared(precision: int) -> None:
    own = column(f"decimal128({precision}, 2)")
    values = [Decimal("1.25"), Decimal("999.99"), Decimal("-3.50"), None] * 20
    typed = series(own, pa.array(values, pa.decimal128(precision, 2)))
    _, back = round_trip(NumberCodec, own, typed)
    assert back.dropna().tolist() == [value for value in values if value is not None]
    assert back.isna().sum() == 20


@given(
    st.sampled_from(["int64", "uint64"]),
    st.lists(st.integers(2**62 - 3, 2**62 + 3), min_size=1, max_size=5, unique=True),
    st.integers(0, 2**31),
)
def test_shared_integers_of_a_wide_column_come_back_exactly(
    physical_type: str, middle: list[int], seed: int
) -> None:
    ends = np.iinfo(physical_type)
    values = [int(ends.min), int(ends.max), *middle] * 20 + [None] * 10
    np.random.default_rng(seed).shuffle(values)
    own = column(physical_type)
    _, back = round_trip(NumberCodec, own, series(own, pa.array(values, arrow(physical_type))))
    assert [
        None if gone else value for value, gone in zip(back, back.isna(), strict=True)
    ] == values


@pytest.mark.parametrize("precision", [18, 20, 38])
def test_shared_decimals_beyond_a_float_come_back_exactly(precision: int) -> None:
    digits = "1234567890" * 4
    large, next_to_it = (Decimal(f"{digits[: precision - 2]}.{cents}") for cents in (91, 90))
    values = [large, next_to_it, large.copy_negate(), Decimal("0.07"), None] * 20
    own = column(f"decimal128({precision}, 2)")
    typed = series(own, pa.array(values, pa.decimal128(precision, 2)))
    _, back = round_trip(NumberCodec, own, typed)
    assert back.dropna().tolist() == [value for value in values if value is not None]
    assert (back.isna() == typed.isna()).all()


def test_exact_numbers_are_those_of_enough_people() -> None:
    values = np.array([2**62 + 1] * 50 + [2**62 + 7] * 50 + list(range(50)) + [-(2**62)] * 50)
    units = np.concatenate([np.arange(50), np.full(50, 3), np.arange(50), np.arange(50)])
    own = column("int64")
    codec, back = round_trip(NumberCodec, own, series(own, values), units)
    assert set(back[:50]) == {2**62 + 1}
    assert 2**62 + 7 not in set(back)
    assert codec.state().settings["exact"] == [str(-(2**62)), str(2**62 + 1)]


def test_decimals_keep_their_step() -> None:
    values = [Decimal(5 * whole).scaleb(-2) for whole in range(1, 700)] + [None] * 10
    own = column("decimal128(12, 2)")
    codec, back = round_trip(NumberCodec, own, series(own, pa.array(values, pa.decimal128(12, 2))))
    assert codec.lattice_ == Lattice(step=5, decimals=2)
    assert all(value % Decimal("0.05") == 0 for value in back.dropna())
    given = series(own, pa.array([Decimal("16.25"), Decimal("16.24")], pa.decimal128(12, 2)))
    assert np.isneginf(codec.log_detail(given)).tolist() == [False, True]


def test_thinly_held_decimals_stay_on_their_scale() -> None:
    random = np.random.default_rng(2)
    own = column("decimal128(12, 2)")
    cents = [Decimal(int(cent)).scaleb(-2) for cent in random.integers(1, 10**8, 900)]
    _, back = round_trip(NumberCodec, own, series(own, pa.array(cents, pa.decimal128(12, 2))))
    assert back.min() >= min(cents)
    assert back.max() <= max(cents)


def test_monsters_are_cut_to_what_many_hold() -> None:
    random = np.random.default_rng(3)
    values = random.normal(size=1000)
    values[:3] = [1e300, np.inf, -np.inf]
    own = column("float64")
    _, back = round_trip(NumberCodec, own, series(own, values))
    assert np.abs(back).max() < 5


def test_one_persons_many_rows_are_not_many_people() -> None:
    values = np.concatenate([np.arange(1000), np.full(300, 77_777)])
    units = np.concatenate([np.arange(1000), np.full(300, 1000)])
    own = column("int64")
    codec, back = round_trip(NumberCodec, own, series(own, values), units)
    assert back.max() < 1000
    stored = np.concatenate([array.ravel() for array in codec.state().arrays.values()])
    assert 77_777 not in stored


def test_what_can_be_given() -> None:
    own = column("int32", minimum=0, maximum=10)
    codec = NumberCodec(own).fit(series(own, np.arange(100) % 11))
    asked = series(own, pa.array([0, 10, 11, -1, None]))
    assert codec.outside(asked).tolist() == [False, False, True, True, True]
    assert codec.domain == "a number from 0 up to 10"
