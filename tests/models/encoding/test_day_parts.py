"""What ends of a range leave of weekdays and times of day, against days counted one by one."""

from itertools import product

import numpy as np
import pytest

from models.encoding.axis import Axis
from models.encoding.day_parts import DayParts
from models.encoding.lattice import Lattice

HOURS = np.array([0, 6, 9, 15, 18])
RANGES = [(4.0, 4.25), (4.3, 5.3), (4.25, 6.0), (4.5, 7.4), (3.0, 12.7), (5.9, 6.2)]


def day_parts(weekdays: np.ndarray | None) -> DayParts:
    hours = np.repeat(HOURS, 20)
    lattice = Lattice.of_integers(hours)
    clock = Axis.fit(lattice.positions(hours.astype(float)), whole=True, threshold=8)
    return DayParts(weekdays, clock, lattice, 24)


@pytest.mark.parametrize(("low", "high"), RANGES)
def test_a_time_of_day_counts_by_the_days_it_may_be_on(low: float, high: float) -> None:
    first, parts = (np.array([3.0]), np.array([8.0])), day_parts(None)
    bounds, codes = (np.array([low]), np.array([high])), np.array([[-1]])
    held = np.array([[low <= day + hour / 24 <= high for hour in HOURS] for day in range(3, 9)])
    days = held.any(axis=1).sum()
    share = parts.weights(0, codes, first, bounds, np.array([True]))[0]
    assert share == pytest.approx(held.sum(axis=0) / max(days, 1))
    possible = parts.weights(0, codes, first, bounds, np.array([False]))[0]
    assert (possible > 0).tolist() == held.any(axis=0).tolist()


@pytest.mark.parametrize(("low", "high"), RANGES)
def test_weekdays_and_times_of_day_leave_each_other_what_the_range_holds(
    low: float, high: float
) -> None:
    parts = day_parts(np.ones(7, dtype=np.bool_))
    # Day 4 is a Monday; the weeks from it and the one before are open.
    first, bounds = (np.array([-3.0]), np.array([4.0])), (np.array([low]), np.array([high]))
    held = np.zeros((7, len(HOURS)), dtype=np.bool_)
    for monday, weekday, (place, hour) in product((-3, 4), range(7), enumerate(HOURS)):
        held[weekday, place] |= low <= monday + weekday + hour / 24 <= high
    free = np.array([False])
    weekdays = parts.weights(0, np.array([[-1, -1]]), first, bounds, free)[0]
    assert (weekdays > 0).tolist() == held.any(axis=1).tolist()
    for weekday in np.flatnonzero(held.any(axis=1)):
        times = parts.weights(1, np.array([[weekday, -1]]), first, bounds, free)[0]
        assert (times > 0).tolist() == held[weekday].tolist()
    for place in np.flatnonzero(held.any(axis=0)):
        days = parts.weights(0, np.array([[-1, place]]), first, bounds, free)[0]
        assert (days > 0).tolist() == held[:, place].tolist()


def test_times_without_a_bound_stay_without_one() -> None:
    places = day_parts(None).positions(np.array([-np.inf, 0.25, 0.3, np.inf]))
    assert places.tolist() == [-np.inf, pytest.approx(2.0), pytest.approx(2.4), np.inf]


@pytest.mark.parametrize("step", [1, 10, 1000])
def test_floats_of_days_tell_each_microsecond(step: int) -> None:
    day, random = 86_400_000_000, np.random.default_rng(0)
    ticks = random.integers(0, day // step, 2000) * step
    days = random.integers(0, 2**16, 2000)
    lattice = Lattice(step, 0)
    clock = Axis.fit(lattice.positions(ticks.astype(float)), whole=True, threshold=8)
    places = DayParts(None, clock, lattice, day).positions((days * day + ticks) / day - days)
    assert (places == ticks // step).all()
