"""Days as positions: counted in days, in weeks with a weekday beside them, or in months."""

from typing import Literal

import numpy as np
from scipy.stats import chisquare

from models.encoding.column import FloatArray, IntArray

Grain = Literal["day", "week", "month"]

LEAST_WEEKS = 10
WEEKDAY_DOUBT = 1e-4
"""Weekdays as uneven as seen would come by chance less often than this."""
MONDAY = 3
"""Day 0, 1 January 1970, is a Thursday: three days after a Monday."""


def choose_grain(days: IntArray, shared: float) -> Grain:
    """How to count the days (rows,) since 1970; `shared` is the share on days that many share.

    Months where every day is the first of one; weeks where weekdays are uneven and days are too
    thinly held to carry that by themselves; days otherwise.
    """
    distinct = np.unique(days)
    if len(distinct) < 2:
        return "day"
    if bool((month_starts(months_of(distinct)) == distinct).all()):
        return "month"
    if shared >= 0.5 or distinct[-1] - distinct[0] < 7 * LEAST_WEEKS:
        return "day"
    counts = np.bincount((days + MONDAY) % 7, minlength=7)
    return "week" if chisquare(counts).pvalue < WEEKDAY_DOUBT else "day"


def to_positions(days: IntArray, grain: Grain) -> FloatArray:
    """The day's number, its week's or its month's."""
    if grain == "month":
        return months_of(days).astype(np.float64)
    return (days if grain == "day" else (days + MONDAY) // 7).astype(np.float64)


def to_days(positions: FloatArray, grain: Grain, weekdays: IntArray | None) -> IntArray:
    """The inverse of `to_positions`; in weeks, `weekdays` (0 is Monday) say which day."""
    whole = positions.astype(np.int64)
    if grain == "month":
        return month_starts(whole)
    if grain == "week":
        return whole * 7 - MONDAY + (0 if weekdays is None else weekdays.clip(0, 6))
    return whole


def weekdays_of(days: IntArray) -> IntArray:
    """0 for Monday to 6 for Sunday."""
    return (days + MONDAY) % 7


def months_of(days: IntArray) -> IntArray:
    """Months since January 1970."""
    return days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)


def month_starts(months: IntArray) -> IntArray:
    """The first day of each month, in days since 1970."""
    return months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
