"""Dates and times as codes: the day, where it matters the weekday, and the time of day."""

from dataclasses import replace
from typing import Any, ClassVar, Self, cast

import numpy as np
import pandas as pd
import pyarrow as pa

from data_contracts.checks import own_bound
from data_contracts.contract import Column
from models.encoding.axis import Axis
from models.encoding.calendar import (
    MONDAY,
    Grain,
    choose_grain,
    month_starts,
    months_of,
    to_days,
    to_positions,
    weekdays_of,
)
from models.encoding.column import (
    THRESHOLD,
    UNKNOWN,
    BoolArray,
    FloatArray,
    IntArray,
    Part,
    State,
    mid_mean,
    prefixed,
    protected_range,
    unit_counts,
    unprefixed,
)
from models.encoding.day_parts import DayParts
from models.encoding.lattice import Lattice
from models.encoding.measure import Measure

_DAY = {"D": 1, "s": 86_400, "ms": 86_400_000, "us": 86_400_000_000, "ns": 86_400_000_000_000}


class TemporalCodec:
    """A date or timestamp as codes of its day, and of its time of day if it has one.

    Time of day and calendar are the column's own zone's, so that office hours stay office hours
    when the clock changes; an hour that the zone skips moves to the next one, and of one that it
    repeats the first is meant. Loss: see `Axis`, once for the day and once for the time of day.
    """

    kind: ClassVar[str] = "datetime"

    def __init__(self, column: Column, threshold: int = THRESHOLD) -> None:
        self.column, self.threshold = column, threshold

    def fit(self, values: pd.Series, units: IntArray | None = None) -> Self:
        """Learns the calendar and its axes; `units` (rows,) says whose each value is."""
        self.dtype_ = values.dtype
        ticks, known = _wall_ticks(values)
        days, rest = np.divmod(ticks, _DAY[_unit(self.dtype_)])
        owners = None if units is None else units[known]
        self.grain_: Grain = choose_grain(days, _shared(days, owners, self.threshold))
        self.span_ = self._span(ticks, days, owners)
        positions = np.full(len(values), np.nan)
        inside = self._within(days)
        positions[known] = to_positions(inside, self.grain_)
        self.day_axis_ = Axis.fit(positions, whole=True, threshold=self.threshold, units=units)
        self.weekdays_: BoolArray | None = None
        if self.grain_ == "week":
            self.weekdays_ = _held_weekdays(days, owners, self.threshold)
        self.clock_, self.clock_axis_ = Lattice(), None
        if bool((rest != 0).any()):
            self.clock_ = Lattice.of_integers(rest)
            self.clock_axis_ = Axis.fit(
                self.clock_.positions(rest.astype(np.float64)),
                whole=True,
                threshold=self.threshold,
                units=owners,
            )
        self.parts_ = self._layout()
        return self

    def _span(self, ticks: IntArray, days: IntArray, owners: IntArray | None) -> tuple[int, int]:
        """The first and last tick by the clock on the wall that may be shown."""
        # By rank: floats round nanoseconds.
        found, ranks = np.unique(ticks, return_inverse=True)
        span = protected_range(ranks.astype(np.float64), owners, self.threshold)
        if span is not None:
            return int(found[int(span[0])]), int(found[int(span[1])])
        middle = round(mid_mean(days.astype(np.float64), owners))
        if self.grain_ == "month":
            middle = int(month_starts(months_of(np.array([middle])))[0])
        day = _DAY[_unit(self.dtype_)]
        return middle * day, (middle + 1) * day - 1

    def _within(self, days: IntArray) -> IntArray:
        """Days moved into those that may be shown."""
        day = _DAY[_unit(self.dtype_)]
        return days.clip(self.span_[0] // day, self.span_[1] // day)

    def encode(self, values: pd.Series) -> IntArray:
        """Codes (rows, parts) of the values (rows,)."""
        ticks, known = _wall_ticks(values)
        days, rest = np.divmod(ticks, _DAY[_unit(self.dtype_)])
        days = self._within(days)
        positions = np.full(len(values), np.nan)
        positions[known] = to_positions(days, self.grain_)
        codes = np.full((len(values), len(self.parts_)), UNKNOWN, dtype=np.int64)
        place = len(self.day_axis_.parts)
        codes[:, :place] = self.day_axis_.encode(positions)
        if self.grain_ == "week":
            codes[known, place] = weekdays_of(days)
            place += 1
        if self.clock_axis_ is not None:
            clock = self.clock_.positions(rest.astype(np.float64))
            codes[known, place:] = self.clock_axis_.encode(clock)
        return codes

    def decode(self, codes: IntArray, random: np.random.Generator) -> pd.Series:
        """Values (rows,) of the codes (rows, parts), in the dtype that was learned."""
        positions = self.day_axis_.decode(codes[:, : len(self.day_axis_.parts)], random)
        return self._values(codes, positions, random)

    def decode_between(
        self, codes: IntArray, bounds: tuple[FloatArray, FloatArray], random: np.random.Generator
    ) -> pd.Series:
        """As `decode`, each day within its row's bounds `(rows,)` in days, where it can be."""
        axis, measure = self.day_axis_, self.measure()
        places = measure.positions(*bounds, codes)
        positions = axis.decode_between(codes[:, : len(axis.parts)], places, random)
        return self._values(codes, positions, random, bounds)

    def measure(self) -> Measure:
        """Where the positions lie among the days, or the months where each is the first of one."""
        axis, clock = self.day_axis_, 0.0 if self.clock_axis_ is None else 1.0
        if self.grain_ == "month":
            return Measure("month", axis, spread=clock)
        weekly = self.grain_ == "week"
        ticks = _DAY[_unit(self.dtype_)]
        below = None
        if weekly or clock:
            below = DayParts(self.weekdays_, self.clock_axis_, self.clock_, ticks)
        if weekly:
            return Measure("day", axis, 7.0, -MONDAY, spread=6.0 + clock, below=below)
        return Measure("day", axis, spread=clock, below=below)

    def log_detail(self, values: pd.Series) -> FloatArray:
        """The log probability of values `(rows,)` given their codes; -inf for what is never drawn.

        What is drawn before the first time that may be shown, or after the last one, is moved to
        it. Their times of day count as the nearest that are drawn.
        """
        ticks, known = _wall_ticks(values)
        days, rest = np.divmod(ticks, _DAY[_unit(self.dtype_)])
        never = (ticks < self.span_[0]) | (ticks > self.span_[1])
        if self.grain_ == "month":
            never |= month_starts(months_of(days)) != days
        logs = np.zeros(len(values))
        logs[known] = self.day_axis_.log_detail(to_positions(days, self.grain_))
        if self.clock_axis_ is not None:
            clock = self.clock_.positions(rest.astype(np.float64))
            nearest = clock.clip(self.clock_axis_.low, self.clock_axis_.high)
            clock = np.where(np.isin(ticks, self.span_), nearest, clock)
            logs[known] += self.clock_axis_.log_detail(clock)
        never |= ~self.clock_.holds(rest) if self.clock_axis_ is not None else rest != 0
        logs[known] += np.where(never, -np.inf, 0.0)
        return logs

    def numbers(self, values: pd.Series) -> FloatArray:
        """The values in the unit of `measure` by the clock on the wall, NaN where missing."""
        ticks, known = _wall_ticks(values)
        days = ticks / _DAY[_unit(self.dtype_)]
        numbers = np.full(len(values), np.nan)
        numbers[known] = _in_months(days) if self.grain_ == "month" else days
        return numbers

    def ticks(self, values: pd.Series) -> IntArray:
        """The values as ticks since 1970 in UTC, 0 where missing."""
        return _ticks(values)

    def _values(
        self,
        codes: IntArray,
        positions: FloatArray,
        random: np.random.Generator,
        bounds: tuple[FloatArray, FloatArray] | None = None,
    ) -> pd.Series:
        place = len(self.day_axis_.parts)
        missing = np.isnan(positions)
        weekdays = codes[:, place] if self.grain_ == "week" else None
        days = to_days(np.where(missing, 0, positions), self.grain_, weekdays)
        ticks = self._within(days) * _DAY[_unit(self.dtype_)]
        if self.clock_axis_ is not None:
            place += self.grain_ == "week"
            clock = self._clock(codes[:, place:], days, random, bounds)
            ticks = ticks + self.clock_.values(np.nan_to_num(clock)).astype(np.int64)
            ticks = ticks.clip(*self.span_)
        return self._bounded(_series(ticks, missing, self.dtype_))

    def _clock(
        self,
        codes: IntArray,
        days: IntArray,
        random: np.random.Generator,
        bounds: tuple[FloatArray, FloatArray] | None,
    ) -> FloatArray:
        """Times of day as positions, within what bounds in days leave of each row's day."""
        assert self.clock_axis_ is not None
        below = self.measure().below
        if bounds is None or below is None:
            return self.clock_axis_.decode(codes, random)
        low, high = (below.positions(end - days) for end in bounds)
        return self.clock_axis_.decode_between(codes, (np.ceil(low), np.floor(high)), random)

    def outside(self, values: pd.Series) -> BoolArray:
        """Values beyond the contract's range, or missing ones where none was missing."""
        missing = values.isna().to_numpy(dtype=bool)
        ticks = _ticks(values)
        outside = missing & (not self.day_axis_.missing)
        for limit, sign in ((self.column.minimum, 1), (self.column.maximum, -1)):
            if limit is not None:
                bound = own_bound(self.column, limit, upwards=sign > 0)
                outside |= ~missing & (ticks * sign < bound * sign)
        return outside

    @property
    def domain(self) -> str:
        """The contract's range, in words."""
        low, high = self.column.minimum, self.column.maximum
        ends = [f"from {low}"] * (low is not None) + [f"up to {high}"] * (high is not None)
        nothing = " or nothing" if self.day_axis_.missing else ""
        return f"a {self.column.logical_type} {' '.join(ends)}".strip() + nothing

    def state(self) -> State:
        """What `restore` needs."""
        day = self.day_axis_.state()
        settings: dict[str, Any] = {"grain": self.grain_, "day": day.settings}
        arrays = {**prefixed(day.arrays, "day"), "span": np.array(self.span_, dtype=np.int64)}
        if self.weekdays_ is not None:
            arrays["weekdays"] = self.weekdays_
        if self.clock_axis_ is not None:
            clock = self.clock_axis_.state()
            settings["clock"] = clock.settings
            settings["clock_lattice"] = [self.clock_.step, self.clock_.origin]
            arrays |= prefixed(clock.arrays, "clock")
        return State(settings, arrays)

    @classmethod
    def restore(cls, column: Column, dtype: Any, state: State) -> Self:
        """The codec that `state` was taken from."""
        codec = cls(column)
        codec.dtype_ = dtype
        codec.grain_ = cast(Grain, state.settings["grain"])
        first, last = state.arrays["span"].tolist()
        codec.span_ = (int(first), int(last))
        day = State(state.settings["day"], unprefixed(state.arrays, "day"))
        codec.day_axis_ = Axis.restore(day)
        codec.weekdays_ = state.arrays["weekdays"] if codec.grain_ == "week" else None
        codec.clock_, codec.clock_axis_ = Lattice(), None
        if "clock" in state.settings:
            codec.clock_ = Lattice(*state.settings["clock_lattice"])
            clock = State(state.settings["clock"], unprefixed(state.arrays, "clock"))
            codec.clock_axis_ = Axis.restore(clock)
        codec.parts_ = codec._layout()
        return codec

    def _layout(self) -> tuple[Part, ...]:
        """The day's codes, then those that are there only where the day is."""
        parts = list(self.day_axis_.parts)
        above = Part(1, parent=0, applies_from=1) if self.day_axis_.missing else Part(1)
        if self.grain_ == "week":
            parts.append(replace(above, cardinality=7))
        if self.clock_axis_ is not None:
            place = len(parts)
            for part in self.clock_axis_.parts:
                if part.parent is None:
                    parts.append(replace(above, cardinality=part.cardinality, line=part.line))
                else:
                    parts.append(replace(part, parent=part.parent + place))
        return tuple(parts)

    def _bounded(self, values: pd.Series) -> pd.Series:
        """The values, moved to the contract's range where a change of clocks led out of it."""
        outside = self.outside(values) & values.notna().to_numpy(dtype=bool)
        if not bool(outside.any()):
            return values
        ticks, missing = _ticks(values), values.isna().to_numpy(dtype=bool)
        if self.column.minimum is not None:
            ticks = ticks.clip(min=own_bound(self.column, self.column.minimum, upwards=True))
        if self.column.maximum is not None:
            ticks = ticks.clip(max=own_bound(self.column, self.column.maximum, upwards=False))
        return _from_ticks(ticks, missing, self.dtype_)


def day_parts(values: pd.Series) -> tuple[IntArray, IntArray, BoolArray]:
    """Days since 1970 and ticks of the day of the known values, by the clock on the column's wall.

    The third says which of `values` `(rows,)` are known.
    """
    ticks, known = _wall_ticks(values)
    days, rest = np.divmod(ticks, _DAY[_unit(values.dtype)])
    return days, rest, known


def _in_months(days: FloatArray) -> FloatArray:
    """Days since 1970 as months since 1970, the last one as a fraction."""
    months = months_of(np.floor(days).astype(np.int64))
    starts, ends = month_starts(months), month_starts(months + 1)
    fraction: FloatArray = (days - starts) / (ends - starts)
    return months + fraction


def _held_weekdays(days: IntArray, owners: IntArray | None, threshold: int) -> BoolArray:
    """The weekdays that at least `threshold` units have, `(7,)`; all where there are none such."""
    held = unit_counts(weekdays_of(days), 7, owners) >= threshold
    return held if bool(held.any()) else ~held


def _shared(days: IntArray, owners: IntArray | None, threshold: int) -> float:
    """The share of rows on days that at least `threshold` units have."""
    if not len(days):
        return 1.0
    _, index, rows = np.unique(days, return_inverse=True, return_counts=True)
    many = unit_counts(index.astype(np.int64), len(rows), owners) >= threshold
    return float(rows[many].sum() / len(days))


def _unit(dtype: Any) -> str:
    if isinstance(dtype, pd.ArrowDtype):
        return "ms" if pa.types.is_date64(dtype.pyarrow_dtype) else "D"
    return str(dtype.unit) if isinstance(dtype, pd.DatetimeTZDtype) else np.datetime_data(dtype)[0]


def _ticks(values: pd.Series) -> IntArray:
    """Ticks since 1970 in UTC, in the column's unit; missing ones are 0."""
    if isinstance(values.dtype, pd.ArrowDtype):
        array = pa.array(values)
        narrow = array.cast(pa.int32() if pa.types.is_date32(array.type) else pa.int64())
        plain = narrow.fill_null(0).to_numpy(zero_copy_only=False)
        return np.asarray(plain, dtype=np.int64)
    utc = values.dt.tz_convert("UTC").dt.tz_localize(None) if values.dt.tz is not None else values
    ticks = utc.to_numpy().astype(np.int64)
    return np.where(values.isna().to_numpy(dtype=bool), 0, ticks)


def _wall_ticks(values: pd.Series) -> tuple[IntArray, BoolArray]:
    """Ticks of the known values by the clock on the column's wall, and which rows are known."""
    known = values.notna().to_numpy(dtype=bool)
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        values = values.dt.tz_localize(None)
    return _ticks(values)[known], known


def _series(wall: IntArray, missing: BoolArray, dtype: Any) -> pd.Series:
    """Ticks by the clock on the wall as values of `dtype`."""
    if not isinstance(dtype, pd.DatetimeTZDtype):
        return _from_ticks(wall, missing, dtype)
    naive = _from_ticks(wall, missing, np.dtype(f"datetime64[{dtype.unit}]"))
    first = np.ones(len(wall), dtype=np.bool_)
    local: pd.Series[Any] = naive.dt.tz_localize(
        dtype.tz, ambiguous=first, nonexistent="shift_forward"
    )
    return local


def _from_ticks(ticks: IntArray, missing: BoolArray, dtype: Any) -> pd.Series:
    """Ticks since 1970 in UTC as values of `dtype`."""
    if isinstance(dtype, pd.ArrowDtype):
        narrow = pa.int32() if pa.types.is_date32(dtype.pyarrow_dtype) else pa.int64()
        array = pa.array(ticks, narrow, mask=missing).view(dtype.pyarrow_dtype)
        return pd.Series(pd.arrays.ArrowExtensionArray(array))
    plain = np.where(missing, np.iinfo(np.int64).min, ticks).view(f"datetime64[{_unit(dtype)}]")
    values: pd.Series[Any] = pd.Series(plain)
    if isinstance(dtype, pd.DatetimeTZDtype):
        values = values.dt.tz_localize("UTC").dt.tz_convert(dtype.tz)
    return values
