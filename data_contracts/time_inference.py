"""Is a table a series, or a panel of them? Looks for a column of steps, alone or per entity.

Judged on the first rows of a source (`column_profile.HEAD_ROWS`), in the order in which they lie.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
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
# The share of rows that may repeat a time or lie out of order, such as an hour shown twice, and of
# steps that may be no multiple of the usual one.
_STRAY = 0.02
# Up to this share of repeated times a table still looks like a panel, to be told to a person.
_DOUBTFUL = 0.1
_DAY = 86_400_000_000
_CALENDAR = ("MS", "ME", "QS", "QE", "YS", "YE", "B")
_COMPACT_DATE = re.compile(r"(19|20)[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])")
_HALF_DAY = re.compile(r"(?i)(.*[ T])?(0?[1-9]|1[0-2])[:.][0-5][0-9]([:.][0-5][0-9])? ?[ap]\.?m\.?")
# Fewer different numbers may look like dates by accident.
_FEWEST_DATES = 3
_ENTITY_WORDS = frozenset({
    "station", "sensor", "device", "machine", "series", "store", "shop", "ticker", "symbol",
    "patient", "customer", "user", "account", "site", "meter", "city", "country", "region", "unit",
    "engine", "vehicle", "person", "item", "product", "group", "subject",
})  # fmt: skip


class Steps(NamedTuple):
    """The step of a series (None: no regular one), and how many rows and steps do not keep it."""

    cadence: str | None
    repeated: int = 0
    odd: int = 0
    usual_share: float = 1.0


class Rhythm(NamedTuple):
    """A table's columns of time and entity (None: one series), and its steps.

    Where `is_sure` is False, the columns look like a panel's, but too many rows speak against it.
    """

    time: str
    entity: str | None
    steps: Steps
    is_sure: bool = True

    @property
    def cadence(self) -> str | None:
        """The pandas offset of the steps."""
        return self.steps.cadence


def find_rhythm(times: Mapping[str, IntArray], entities: Mapping[str, HashArray]) -> Rhythm | None:
    """The rhythm of a table, or None when no column has one.

    `times` are points in time in microseconds, `entities` hashes of the columns that may tell
    series apart; all of equal length, in row order, without missing values.
    """
    for name, values in times.items():
        steps = _series_steps(values)
        if steps is not None:
            return Rhythm(name, None, steps)
    panels = [
        Rhythm(name, entity, steps, steps.cadence is not None)
        for name, values in times.items()
        for entity, codes in entities.items()
        if (steps := _panel_steps(values, codes)) is not None
    ]
    likely = [panel for panel in panels if panel.is_sure or _is_likely(panel)]
    return min(likely, key=_unlikeliness, default=None)


def _unlikeliness(panel: Rhythm) -> tuple[bool, bool, int, str]:
    """Sure before doubtful, without a fault before with one, and then by the entity's name."""
    has_faults = panel.steps.repeated + panel.steps.odd > 0
    return not panel.is_sure, has_faults, _entity_rank(panel.entity or ""), panel.entity or ""


def _is_likely(panel: Rhythm) -> bool:
    """Whether a panel without a step is worth a note: by its entity's name or its usual step."""
    is_named = _entity_rank(panel.entity or "") < 2
    return is_named or panel.steps.usual_share >= _USUAL


def _entity_rank(name: str) -> int:
    """The likelier a name is an entity's, the lower."""
    if looks_like_key(name):
        return 0
    return 1 if _ENTITY_WORDS & set(words_of(name)) else 2


def _series_steps(times: IntArray) -> Steps | None:
    """The steps of rows that lie in order of time, up or down, but for a few."""
    steps = np.diff(times)
    few = _STRAY * len(steps)
    if len(steps) < _FEWEST_STEPS or min((steps < 0).sum(), (steps > 0).sum()) > few:
        return None
    ordered = np.sort(times)
    found = _judge(ordered, np.diff(ordered))
    return found if found.cadence is not None else None


def _panel_steps(times: IntArray, codes: HashArray) -> Steps | None:
    """The steps within each entity, or None where entity and time do not nearly name a row."""
    order = np.lexsort((times, codes))
    ordered, groups = times[order], codes[order]
    same = groups[1:] == groups[:-1]
    steps = np.diff(ordered)[same]
    series = int((~same).sum()) + 1
    if series < 2 or len(steps) < _FEWEST_STEPS * series:
        return None
    return _judge(ordered, steps) if (steps == 0).sum() <= _DOUBTFUL * len(steps) else None


def _judge(times: IntArray, steps: IntArray) -> Steps:
    """The steps (none below 0) with their cadence, unless too many of them do not keep it."""
    few = _STRAY * len(steps)
    moved = steps[steps > 0]
    repeated = len(steps) - len(moved)
    if not len(moved):
        return Steps(None, repeated)
    found, often = np.unique(moved, return_counts=True)
    usual, share = int(found[often.argmax()]), float(often.max() / often.sum())
    odd = int(often[found % usual != 0].sum())
    cadence = None
    if len(found) == 1:
        cadence = _as_offset(usual)
    elif (calendar := _calendar_cadence(times, moved)) is not None:
        cadence, odd = calendar
    elif share >= _USUAL and odd <= few:
        cadence = _as_offset(usual)
    return Steps(cadence if repeated <= few else None, repeated, odd, share)


def _calendar_cadence(times: IntArray, steps: IntArray) -> tuple[str, int] | None:
    """Months, quarters, years and business days, whose steps are of unequal length.

    With it comes the number of rows beside the calendar, which are few.
    """
    few = _STRAY * len(steps)
    if (steps % _DAY != 0).sum() > few:
        return None
    days, often = np.unique(times, return_counts=True)
    stamps = pd.DatetimeIndex(days.astype("datetime64[us]"))
    for name in _CALENDAR:
        offset = pd.tseries.frequencies.to_offset(name)
        fits = np.array([offset.is_on_offset(stamp) for stamp in stamps])
        odd = int(often[~fits].sum())
        if odd > few or not fits.any():
            continue
        kept = stamps[fits]
        if len(kept) >= 0.8 * len(pd.date_range(kept[0], kept[-1], freq=offset)):
            return name, odd
    return None


def _as_offset(step: int) -> str:
    if step % _DAY == 0:
        return f"{step // _DAY}D" if step > _DAY else "D"
    return str(pd.tseries.frequencies.to_offset(pd.Timedelta(microseconds=step)).freqstr)


def unread_time(values: Sequence[str]) -> str | None:
    """What a column of numbers or text seems to be that is read as no time, and how to mend it.

    `values` are a sample of its different values.
    """
    if len(values) < _FEWEST_DATES:
        return None
    if all(map(_is_compact_date, values)):
        return (
            "looks like a date written as yyyymmdd: if it is one, give it the logical type date "
            "and, in a source of text, the format %Y%m%d"
        )
    if all(_HALF_DAY.fullmatch(value.strip()) for value in values):
        return (
            "looks like a time on a 12-hour clock: if it has a date, give it the logical type "
            "timestamp and a format such as %m/%d/%Y %I:%M %p"
        )
    return None


def _is_compact_date(value: str) -> bool:
    if _COMPACT_DATE.fullmatch(value.strip()) is None:
        return False
    try:
        datetime.strptime(value.strip(), "%Y%m%d")
    except ValueError:
        return False
    return True
