"""The codes of a time below its days: what bounds leave of weekdays and times of day."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from models.encoding.axis import Axis
from models.encoding.axis_shares import AxisShares
from models.encoding.calendar import MONDAY
from models.encoding.column import BoolArray, FloatArray, IntArray
from models.encoding.lattice import Lattice

DAYS = 7
ROUNDING = 1e-9
"""Days that floats are off by at most, about a tenth of a millisecond."""

NEARLY = 1e-6
"""Share of a step of the times of day that is overlooked, at least."""
FLOATED = 8e-12
"""Days since 1970 in floats are as far apart, twice over."""
NEAREST = 0.45
"""Share of a step that is overlooked at most: floats of days miss a microsecond by up to 0.31."""


@dataclass(frozen=True)
class DayParts:
    """The weekday's code, where there is one, and those of `clock`, a time of day on its lattice.

    `weekdays` `(7,)` are those that occur, None where no code says the weekday. `ticks` are those
    of a day. Times of day are also counted in days, from 0 to below 1. A number is the sum of a
    first day (of a week where weekdays have a code), a weekday and a time of day; what bounds on it
    leave each of them follows from what is known of the others.
    """

    weekdays: BoolArray | None
    clock: Axis | None
    lattice: Lattice
    ticks: int

    @property
    def weekly(self) -> bool:
        """Whether a code says the weekday."""
        return self.weekdays is not None

    @property
    def count(self) -> int:
        """How many codes there are."""
        return int(self.weekly) + (0 if self.clock is None else len(self.clock.parts))

    @property
    def coarse_places(self) -> list[int]:
        """Where the weekday's code and the first one of the time of day are."""
        return list(range(int(self.weekly) + (self.clock is not None)))

    @cached_property
    def shares(self) -> AxisShares | None:
        """The spans of the codes of the time of day."""
        return None if self.clock is None else AxisShares(self.clock)

    @property
    def _clock(self) -> Axis:
        assert self.clock is not None
        return self.clock

    @property
    def _clock_shares(self) -> AxisShares:
        assert self.shares is not None
        return self.shares

    def spans(self, codes: IntArray) -> tuple[FloatArray, FloatArray]:
        """From and to how many days after its first day a row of codes `(rows, count)` lies."""
        low, high = np.zeros(len(codes)), np.zeros(len(codes))
        if self.weekly:
            unknown = codes[:, 0] < 0
            low, high = np.where(unknown, 0.0, codes[:, 0]), np.where(unknown, 6.0, codes[:, 0])
        if self.shares is not None:
            ends = self.shares.spans(codes[:, int(self.weekly) :])
            clock = [self.lattice.values(end) / self.ticks for end in ends]
            low, high = low + clock[0], high + clock[1]
        return low, high

    def weights(
        self,
        place: int,
        codes: IntArray,
        first: tuple[FloatArray, FloatArray],
        bounds: tuple[FloatArray, FloatArray],
        settled: BoolArray,
    ) -> FloatArray:
        """The share of each value of the code at a place that the bounds leave, `(rows, values)`.

        `codes` `(rows, count)` are known as far as they are not negative, `first` are the lowest
        and highest first day that each row can have. `settled` rows `(rows,)` have drawn all codes
        of their day: a time of day then counts by the share of these days that it may be on. In
        other rows it is enough that there is such a day, for the day is weighed later.
        """
        if self.weekly and place == 0:
            return self._weekdays(codes, first, bounds)
        days = _Days(first, codes[:, 0] if self.weekly else None)
        low_day, high_day = np.floor(bounds[0]), np.floor(bounds[1])
        whole = days.count(np.ceil(bounds[0]), high_day - 1)
        shares = np.repeat(whole[:, None], self._clock.parts[self._own(place)].cardinality, axis=1)
        for day, counted_before in (
            (low_day, (low_day == bounds[0]) & (low_day < high_day)),
            (high_day, high_day == low_day),
        ):
            rows = np.flatnonzero((days.count(day, day) > 0) & np.isfinite(day) & ~counted_before)
            ends = (bounds[0][rows] - day[rows], bounds[1][rows] - day[rows])
            shares[rows] += self._times(place, codes[rows], ends)
        low, high = self.spans(np.where(np.arange(codes.shape[1]) < self.weekly, 0, codes))
        start, last = np.ceil(bounds[0] - high - ROUNDING), np.floor(bounds[1] - low + ROUNDING)
        among = np.where(settled, days.count(start, last), 1.0).clip(min=1.0)
        left: FloatArray = (shares / among[:, None]).clip(max=1.0)
        return left

    def _times(
        self, place: int, codes: IntArray, ends: tuple[FloatArray, FloatArray]
    ) -> FloatArray:
        """The share of each value of a clock's code between two times of one day."""
        low, high = (self.positions(end) for end in ends)
        own, shares = self._own(place), self._clock_shares
        if own == 0:
            return shares.coarse(np.ceil(low), np.floor(high))
        coarse, values = codes[:, place - own], self._clock.parts[own].cardinality
        return shares.fine(coarse, np.ceil(low), np.floor(high), values)

    def _own(self, place: int) -> int:
        """The place among the clock's codes."""
        return place - int(self.weekly)

    def positions(self, days: FloatArray) -> FloatArray:
        """Times of day in days as places on the axis, between its whole positions too.

        What is nearer to a whole one than floats of days can tell is that one.
        """
        ticks = np.round(days * self.ticks, 3)
        places: FloatArray = (ticks - self.lattice.origin) / self.lattice.step
        near = min(NEAREST, NEARLY + FLOATED * self.ticks / self.lattice.step)
        whole = np.rint(places)
        # Where there is no bound, neither is there a distance.
        apart = np.subtract(places, whole, out=np.zeros(len(places)), where=np.isfinite(places))
        return np.where(np.abs(apart) <= near, whole, places)

    def _weekdays(
        self,
        codes: IntArray,
        first: tuple[FloatArray, FloatArray],
        bounds: tuple[FloatArray, FloatArray],
    ) -> FloatArray:
        low, high = self.spans(np.where(np.arange(codes.shape[1]) == 0, 0, codes))
        weekdays = np.arange(DAYS)
        held = np.ones(DAYS, dtype=np.bool_) if self.weekdays is None else self.weekdays
        start = np.ceil(bounds[0] - high - ROUNDING)[:, None]
        last = np.floor(bounds[1] - low + ROUNDING)[:, None]
        lowest = np.maximum(np.ceil((start - weekdays + MONDAY) / DAYS), _weeks(first[0]))
        highest = np.minimum(np.floor((last - weekdays + MONDAY) / DAYS), _weeks(first[1]))
        allowed: FloatArray = ((lowest <= highest) & held).astype(np.float64)
        return allowed


def _weeks(days: FloatArray) -> FloatArray:
    weeks: FloatArray = ((days + MONDAY) / DAYS)[:, None]
    return weeks


@dataclass(frozen=True)
class _Days:
    """The days that each row can have: first days from one to another, and the weekday if known."""

    first: tuple[FloatArray, FloatArray]
    weekday: IntArray | None

    def count(self, start: FloatArray, end: FloatArray) -> FloatArray:
        """How many of them lie from `start` to `end`, `(rows,)`; 0 where the day is missing."""
        low = np.maximum(start, self.first[0])
        high = np.minimum(end, self.first[1] + (0 if self.weekday is None else DAYS - 1))
        low, high = np.where(np.isfinite(low), low, 0.0), np.where(np.isfinite(high), high, -1.0)
        period = np.ones(len(low))
        if self.weekday is not None:
            known = self.weekday >= 0
            low = low + np.where(known, (self.weekday - (low + MONDAY)) % DAYS, 0.0)
            period = np.where(known, float(DAYS), 1.0)
        counted: FloatArray = (np.floor((high - low) / period) + 1.0).clip(min=0.0)
        return counted
