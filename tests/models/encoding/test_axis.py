"""Laws of an axis: what comes back, what is never shown."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ks_2samp

from models.encoding.axis import Axis
from models.encoding.column import THRESHOLD, FloatArray, IntArray, mid_mean


def _with_gaps(random: np.random.Generator, rows: int) -> FloatArray:
    return np.where(random.random(rows) < 0.3, np.nan, random.normal(size=rows))


Draw = Callable[[np.random.Generator, int], FloatArray]
SHAPES: dict[str, Draw] = {
    "few": lambda random, rows: random.integers(0, 20, rows).astype(np.float64),
    "many whole": lambda random, rows: np.rint(random.lognormal(9, 1, rows)),
    "mostly one": lambda random, rows: random.normal(size=rows) * (random.random(rows) < 0.1),
    "smooth": lambda random, rows: random.normal(size=rows),
    "gaps": _with_gaps,
    "huge": lambda random, rows: random.choice([-1e300, 1e300], rows) * random.random(rows),
    "constant": lambda _, rows: np.full(rows, 3.0),
}
axes = st.tuples(
    st.sampled_from(sorted(SHAPES)), st.integers(1, 1500), st.integers(0, 2**31), st.booleans()
)


def values_of(name: str, rows: int, seed: int) -> FloatArray:
    values: FloatArray = SHAPES[name](np.random.default_rng(seed), rows)
    return values


def drawn(case: tuple[str, int, int, bool]) -> tuple[Axis, FloatArray]:
    name, rows, seed, whole = case
    values = values_of(name, rows, seed)
    whole = whole and name in ("few", "many whole", "constant")
    return Axis.fit(values, whole=whole, threshold=THRESHOLD), values


@given(axes)
def test_codes_lie_within_their_parts(case: tuple[str, int, int, bool]) -> None:
    axis, values = drawn(case)
    codes = axis.encode(values)
    assert codes.shape == (len(values), len(axis.parts))
    coarse = codes[:, 0]
    assert coarse.min() >= 0
    assert coarse.max() < axis.parts[0].cardinality
    if len(axis.parts) == 2:
        fine = codes[:, 1]
        assert ((fine >= 0) == (coarse >= axis.parts[1].applies_from)).all()
        assert fine.max() < axis.parts[1].cardinality


@given(axes)
def test_positions_come_back_missing_where_they_were_and_within_what_may_be_shown(
    case: tuple[str, int, int, bool],
) -> None:
    axis, values = drawn(case)
    back = axis.decode(axis.encode(values), np.random.default_rng(1))
    assert (np.isnan(back) == np.isnan(values)).all()
    known = back[~np.isnan(back)]
    assert ((known >= axis.low) & (known <= axis.high)).all()
    if axis.whole:
        assert (known == np.rint(known)).all()


@given(axes)
def test_a_restored_axis_is_the_same(case: tuple[str, int, int, bool]) -> None:
    axis, values = drawn(case)
    again = Axis.restore(axis.state())
    codes = axis.encode(values)
    assert (again.encode(values) == codes).all()
    one, other = (each.decode(codes, np.random.default_rng(2)) for each in (axis, again))
    assert np.array_equal(one, other, equal_nan=True)


@given(axes)
def test_a_drawn_position_keeps_its_cell_or_hits_an_atom(case: tuple[str, int, int, bool]) -> None:
    axis, values = drawn(case)
    codes = axis.encode(values)
    again = axis.encode(axis.decode(codes, np.random.default_rng(3)))
    first_bin = axis.missing + len(axis.atoms)
    same = (again == codes).all(axis=1)
    assert (same | (again[:, 0] < first_bin)).all()
    assert same[codes[:, 0] < first_bin].all()


@pytest.mark.parametrize("name", ["smooth", "many whole", "mostly one"])
def test_the_distribution_comes_back(name: str) -> None:
    values = SHAPES[name](np.random.default_rng(5), 20_000)
    axis = Axis.fit(values, whole=name == "many whole", threshold=THRESHOLD)
    back = axis.decode(axis.encode(values), np.random.default_rng(6))
    assert ks_2samp(values, back, method="asymp").statistic < 0.002


Whose = Callable[[np.random.Generator, FloatArray], IntArray]
OWNERS: dict[str, Whose | None] = {
    "each row its own": None,
    "twelve people": lambda random, values: random.integers(0, 12, len(values)),
    "thirty to each": lambda random, values: random.integers(0, len(values) // 30 + 1, len(values)),
    "ranges of their own": lambda _, values: np.argsort(np.argsort(values)) // 25,
    "mostly one": lambda random, values: np.where(
        random.random(len(values)) < 0.7, 0, np.arange(len(values))
    ),
}


@given(axes, st.sampled_from(sorted(OWNERS)))
def test_enough_units_hold_every_code_and_every_segment(
    case: tuple[str, int, int, bool], owners: str
) -> None:
    name, rows, seed, whole = case
    values, random = values_of(name, rows, seed), np.random.default_rng(seed)
    whose = OWNERS[owners]
    units = np.arange(rows) if whose is None else whose(random, values)
    axis = Axis.fit(
        values,
        whole=whole and name in ("few", "many whole", "constant"),
        threshold=THRESHOLD,
        units=None if whose is None else units,
    )
    known = ~np.isnan(values)
    held, units = np.clip(values[known], axis.low, axis.high), units[known]
    if len(np.unique(units)) < THRESHOLD:
        assert not len(axis.segments)
        return
    for code in np.unique(axis.encode(held), axis=0):
        assert len(np.unique(units[(axis.encode(held) == code).all(axis=1)])) >= THRESHOLD
    _assert_held(axis, held, units)


def _assert_held(axis: Axis, held: FloatArray, units: IntArray) -> None:
    """Values of their own, and the rest of the values in each span, have enough units."""
    lows, highs = axis.segments.T
    alone = np.concatenate([axis.atoms, lows[lows == highs]])
    for value in alone:
        assert len(np.unique(units[held == value])) >= THRESHOLD
    rest = ~np.isin(held, alone)
    for low, high in axis.segments[lows < highs]:
        inside = rest & (held >= low) & (held <= high)
        assert len(np.unique(units[inside])) >= THRESHOLD


def test_one_person_counts_once_in_a_span() -> None:
    """Everybody's salary keeps to a range of his own: no range may show through."""
    random = np.random.default_rng(4)
    units = np.repeat(np.arange(300), 50)
    values = np.rint(random.permutation(300)[units] * 500 + random.integers(0, 60, len(units)))
    axis = Axis.fit(values, whole=True, threshold=THRESHOLD, units=units)
    assert len(axis.segments) > 20
    _assert_held(axis, np.clip(values, axis.low, axis.high), units)
    drawn = axis.decode(axis.encode(values), random)
    inner = (drawn > axis.low) & (drawn < axis.high)
    # The ranges cover 60 of every 500 positions.
    assert np.isin(drawn[inner], values).mean() < 0.2


def test_rare_values_beside_frequent_ones_do_not_coarsen_the_axis() -> None:
    random = np.random.default_rng(9)
    values = random.integers(0, 1000, 40_000).astype(np.float64) * 10.0
    values[::4000] += 5
    axis = Axis.fit(values, whole=True, threshold=THRESHOLD)
    assert len(axis.cell_tops) > 300
    drawn = axis.decode(axis.encode(values), random)
    assert ks_2samp(values, drawn, method="asymp").statistic < 0.01
    assert (drawn % 10 == 0).all()


def test_values_of_few_people_have_no_code_and_no_segment() -> None:
    random = np.random.default_rng(7)
    # One person holds 500 rows of the value 5; nobody else does.
    values = np.concatenate([random.normal(0, 1, 4000), np.full(500, 5.0)])
    units = np.concatenate([np.arange(4000), np.full(500, 4000)])
    axis = Axis.fit(values, whole=False, threshold=THRESHOLD, units=units)
    assert axis.high <= np.sort(values[:4000])[-THRESHOLD + 1]
    assert 5.0 not in axis.atoms
    points = axis.segments[axis.segments[:, 0] == axis.segments[:, 1], 0]
    assert set(points) <= {axis.low, axis.high}


def test_no_end_of_a_segment_is_a_persons_value() -> None:
    values = np.random.default_rng(8).normal(size=3000)
    axis = Axis.fit(values, whole=False, threshold=THRESHOLD)
    inner = np.unique(axis.segments)
    inner = inner[(inner > axis.low) & (inner < axis.high)]
    assert len(inner) > 100
    assert not np.isin(inner, values).any()


def test_whole_positions_are_drawn_as_often_as_they_are_held() -> None:
    """Those with a code of their own are not drawn from the bins around them, too."""
    random = np.random.default_rng(5)
    values = random.integers(0, 700, 3000).astype(np.float64)
    axis = Axis.fit(values, whole=True, threshold=THRESHOLD)
    values = np.clip(values, axis.low, axis.high)
    assert len(axis.atoms) > 30
    back = np.concatenate([axis.decode(axis.encode(values), random) for _ in range(10)])
    on_atoms = np.isin(values, axis.atoms)
    assert np.isin(back, axis.atoms).sum() == 10 * on_atoms.sum()
    held = values[~on_atoms & (values > axis.low) & (values < axis.high)]
    between = np.setdiff1d(np.arange(axis.low + 1, axis.high), axis.atoms)
    assert set(held) <= set(between)
    assert np.isin(between, back).mean() > 0.95


@pytest.mark.parametrize("never", [-1e9, 1e9])
@pytest.mark.parametrize("whole", [False, True])
def test_nothing_is_drawn_far_from_all_there_is(never: float, whole: bool) -> None:
    """A number that stands for "never" lies far from all others; half of the gap is no value."""
    random = np.random.default_rng(6)
    values = np.rint(random.normal(0, 300, 1000)) if whole else random.normal(0, 300, 1000)
    values = np.where(random.random(1000) < 0.3, never, values)
    axis = Axis.fit(values, whole=whole, threshold=THRESHOLD)
    back = np.concatenate([axis.decode(axis.encode(values), random) for _ in range(20)])
    assert (back == never).mean() == pytest.approx(0.3, abs=0.05)
    assert np.abs(back[back != never]).max() < 5000


def test_neighbouring_floats_are_atoms_of_their_own() -> None:
    first = 1.0 + 2 * np.finfo(float).eps
    values = np.repeat([1.0, np.nextafter(first, 0), first, 2.0], 20)
    axis = Axis.fit(values, whole=False, threshold=THRESHOLD)
    assert (axis.decode(axis.encode(values), np.random.default_rng(0)) == values).all()


@pytest.mark.parametrize("whole", [False, True])
def test_the_middle_of_few_people_counts_each_of_them_once(whole: bool) -> None:
    salaries = np.array([9000.0, 1000, 1100, 1300, 1600, 2000, 2500, 3100, 3800])
    few = Axis.fit(salaries, whole=whole, threshold=THRESHOLD)
    assert few.low == few.high == 2100
    units = np.arange(9)[::-1].copy()
    assert Axis.fit(salaries, whole=whole, threshold=THRESHOLD, units=units).low == 2100
    rows = np.array([500, 1, 1, 1, 1, 1, 1, 1, 1])
    many = Axis.fit(
        np.repeat(salaries, rows), whole=whole, threshold=THRESHOLD, units=np.repeat(units, rows)
    )
    assert many.low == many.high == 2100


@given(st.integers(0, 14), st.integers(0, 2**31))
def test_the_middle_of_rows_of_their_own_is_that_of_units(count: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    values = SHAPES["huge"](random, count)
    ordered = np.sort(values)
    half = ordered[count // 4 : count - count // 4]
    middle = float((half / len(half)).sum()) if count else 0.0
    assert mid_mean(values, None) == mid_mean(values, random.permutation(count)) == middle


def test_what_lies_outside_goes_to_the_end() -> None:
    axis = Axis.fit(np.arange(1000.0), whole=True, threshold=THRESHOLD)
    codes = axis.encode(np.array([-np.inf, -5.0, 5000.0, np.inf]))
    assert (codes[:2] == axis.encode(np.array([axis.low] * 2))).all()
    assert (codes[2:] == axis.encode(np.array([axis.high] * 2))).all()


def test_a_missing_value_that_was_never_seen_is_unknown() -> None:
    axis = Axis.fit(np.arange(100.0), whole=True, threshold=THRESHOLD)
    assert (axis.encode(np.array([np.nan])) == -1).all()
