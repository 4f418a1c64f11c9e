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
    ) -> FloatArray:
        """The share of each value of the code at a place that the bounds leave, `(rows, values)`.

        `codes` `(rows, count)` are known as far as they are not negative, `first` are the lowest
        and highest first day that each row can have.
        """
        if self.weekly and place == 0:
            return self._weekdays(codes, first, bounds)
        assert self.clock is not None and self.shares is not None
        place -= int(self.weekly)
        values = self.clock.parts[place].cardinality
        low_day, high_day = np.floor(bounds[0]), np.floor(bounds[1])
        weekday = codes[:, 0] if self.weekly else np.full(len(codes), -1)
        # A day that lies within the bounds as a whole leaves every time of day.
        free = _has_day(np.ceil(bounds[0]), high_day - 1, first, (weekday, self.weekly))
        shares = np.zeros((len(codes), values))
        for day, again in ((low_day, False), (high_day, True)):
            there = _has_day(day, day, first, (weekday, self.weekly))
            there &= ~free & np.isfinite(day) & ~(again & (low_day == high_day))
            rows = np.flatnonzero(there)
            low, high = (self.positions(end[rows] - day[rows]) for end in bounds)
            if place == 0:
                shares[rows] += self.shares.coarse(np.ceil(low), np.floor(high))
            else:
                coarse = codes[rows, int(self.weekly)]
                shares[rows] += self.shares.fine(coarse, np.ceil(low), np.floor(high), values)
        shares[free] = 1.0
        return shares.clip(max=1.0)

    def positions(self, days: FloatArray) -> FloatArray:
        """Times of day in days as places on the axis, between its whole positions too."""
        ticks = np.round(days * self.ticks, 3)
        places: FloatArray = (ticks - self.lattice.origin) / self.lattice.step
        return places

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


def _has_day(
    start: FloatArray,
    end: FloatArray,
    first: tuple[FloatArray, FloatArray],
    weekdays: tuple[IntArray, bool],
) -> BoolArray:
    """Whether a day from `start` to `end` is one that a row can have, `(rows,)`."""
    weekday, weekly = weekdays
    low = np.maximum(start, first[0])
    high = np.minimum(end, first[1] + (DAYS - 1 if weekly else 0))
    known = weekday >= 0
    ahead = np.where(known & np.isfinite(low), (weekday - (low + MONDAY)) % DAYS, 0.0)
    there: BoolArray = low + ahead <= high
    return there
