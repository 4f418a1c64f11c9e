"""Is a table a series, or a panel of them? Looks for a column of steps, alone or per entity.

Judged on the first rows of a source (`column_profile.HEAD_ROWS`), in the order in which they lie.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from data_contracts.identifiers import looks_like_key, words_of

IntArray = npt.NDArray[np.int64]
HashArray = npt.NDArray[np.uint64]

_FEWEST_STEPS = 3
# The share of steps that must be the usual one, where the others are gaps.
_USUAL = 0.5
# The share of rows that may repeat a time or lie out of order, such as an hour shown twice.
_STRAY = 0.02
_DAY = 86_400_000_000
_CALENDAR = ("MS", "ME", "QS", "QE", "YS", "YE", "B")
_ENTITY_WORDS = frozenset({
    "station", "sensor", "device", "machine", "series", "store", "shop", "ticker", "symbol",
    "patient", "customer", "user", "account", "site", "meter", "city", "country", "region", "unit",
    "engine", "vehicle", "person", "item", "product", "group", "subject",
})  # fmt: skip


class Rhythm(NamedTuple):
    """A table's columns of time and entity (None: one series) and its step, if it is regular."""

    time: str
    entity: str | None
    cadence: str | None


def find_rhythm(times: Mapping[str, IntArray], entities: Mapping[str, HashArray]) -> Rhythm | None:
    """The rhythm of a table, or None when no column has one.

    `times` are points in time in microseconds, `entities` hashes of the columns that may tell
    series apart; all of equal length, in row order, without missing values.
    """
    for name, values in times.items():
        cadence = _series_cadence(values)
        if cadence is not None:
            return Rhythm(name, None, cadence)
    for name, values in times.items():
        found = [
            (_entity_rank(entity), entity, cadence)
            for entity, codes in entities.items()
            if (cadence := _panel_cadence(values, codes)) is not None
        ]
        if found:
            _, entity, cadence = min(found)
            return Rhythm(name, entity, cadence)
    return None


def _entity_rank(name: str) -> int:
    """The likelier a name is an entity's, the lower."""
    if looks_like_key(name):
        return 0
    return 1 if _ENTITY_WORDS & set(words_of(name)) else 2


def _series_cadence(times: IntArray) -> str | None:
    """The step of rows that lie in order of time, up or down, but for a few."""
    steps = np.diff(times)
    few = _STRAY * len(steps)
    if len(steps) < _FEWEST_STEPS or min((steps < 0).sum(), (steps > 0).sum()) > few:
        return None
    ordered = np.sort(times)
    moved = np.diff(ordered)[np.diff(ordered) > 0]
    return _cadence(ordered, moved) if len(moved) >= len(steps) - few else None


def _panel_cadence(times: IntArray, codes: HashArray) -> str | None:
    """The step within each entity, or None where entity and time do not name a row."""
    order = np.lexsort((times, codes))
    ordered, groups = times[order], codes[order]
    same = groups[1:] == groups[:-1]
    steps = np.diff(ordered)[same]
    series = int((~same).sum()) + 1
    if series < 2 or len(steps) < _FEWEST_STEPS * series or not (steps > 0).all():
        return None
    return _cadence(ordered, steps)


def _cadence(times: IntArray, steps: IntArray) -> str | None:
    """The pandas offset that the steps (all above 0) follow apart from gaps, or None."""
    found, often = np.unique(steps, return_counts=True)
    usual = int(found[often.argmax()])
    if len(found) == 1:
        return _as_offset(usual)
    calendar = _calendar_cadence(times, found)
    if calendar is not None:
        return calendar
    if often.max() >= _USUAL * often.sum() and not (found % usual).any():
        return _as_offset(usual)
    return None


def _calendar_cadence(times: IntArray, steps: IntArray) -> str | None:
    """Months, quarters, years and business days, whose steps are of unequal length."""
    if (steps % _DAY).any():
        return None
    stamps = pd.DatetimeIndex(np.unique(times).astype("datetime64[us]"))
    for name in _CALENDAR:
        offset = pd.tseries.frequencies.to_offset(name)
        if not all(offset.is_on_offset(stamp) for stamp in stamps):
            continue
        expected = len(pd.date_range(stamps[0], stamps[-1], freq=offset))
        if len(stamps) >= 0.8 * expected:
            return name
    return None


def _as_offset(step: int) -> str:
    if step % _DAY == 0:
        return f"{step // _DAY}D" if step > _DAY else "D"
    return str(pd.tseries.frequencies.to_offset(pd.Timedelta(microseconds=step)).freqstr)
