"""Lattices: found where values keep to one, exact both ways."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.encoding.lattice import Lattice

whole = st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=50)


@given(whole)
def test_integers_are_held_or_rounded_to_the_nearest_float(values: list[int]) -> None:
    array = np.array(values, dtype=np.int64)
    lattice = Lattice.of_integers(array)
    back = lattice.integers(lattice.integer_positions(array), -(2**63), 2**63 - 1)
    gaps = [abs(int(one) - int(other)) for one, other in zip(array, back, strict=True)]
    span = max(values) - min(values)
    assert max(gaps) <= max(span / 2**51, 0 if span < 2**52 else 2**11)


@given(st.lists(st.integers(-(10**6), 10**6), min_size=2, max_size=50), st.integers(0, 6))
def test_decimal_fractions_are_the_floats_of_their_text(values: list[int], decimals: int) -> None:
    floats = np.array([value / 10**decimals for value in values])
    lattice = Lattice.of_floats(floats)
    assert lattice.whole
    positions = lattice.positions(floats)
    assert (positions == np.rint(positions)).all()
    assert (lattice.values(positions) == floats).all()


def test_hundreds_are_seen() -> None:
    lattice = Lattice.of_integers(np.array([300, 700, 1200]))
    assert lattice.step == 100
    assert lattice.positions(np.array([300.0, 1200.0])).tolist() == [3.0, 12.0]


def test_floats_anywhere_have_no_lattice() -> None:
    assert not Lattice.of_floats(np.random.default_rng(0).normal(size=50)).whole
    assert not Lattice.of_floats(np.array([1e300, 1.5])).whole
    assert not Lattice.of_floats(np.array([])).whole
