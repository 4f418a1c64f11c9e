"""From a figure, its interval and its bar to a state: one rule for fidelity and utility."""

from collections.abc import Mapping, Sequence
from typing import Any

from data_contracts.report import State
from models.evaluation.intervals import Interval

FEWEST_ROWS = 50


def too_few(rows: Mapping[Any, int]) -> str:
    """A sentence naming the sides that have too few rows to judge, empty if all have enough."""
    short = [f"{count} {side} rows" for side, count in rows.items() if count < FEWEST_ROWS]
    if not short:
        return ""
    return f"Too few rows to judge: {', '.join(short)}; at least {FEWEST_ROWS} are needed."


def against_bar(value: float, interval: Interval, bar: float, shortage: str = "") -> State:
    """Pass at or below the bar; refuse only if the whole interval lies above; else inconclusive."""
    if shortage:
        return "inconclusive"
    if value <= bar:
        return "pass"
    return "refuse" if interval.low > bar else "inconclusive"


def against_bar_and_floor(
    value: float, interval: Interval, bar: float, floor: float, shortage: str = ""
) -> State:
    """As `against_bar`, and inconclusive where the whole interval lies below `floor`.

    For figures of which less is better only down to what an honest sampler reaches: one that is
    clearly below it is no better, it says that the comparison itself does not hold.
    """
    state = against_bar(value, interval, bar, shortage)
    return "inconclusive" if state == "pass" and interval.high < floor else state


def sentences(parts: Sequence[str]) -> str:
    """The non-empty parts as one text."""
    return " ".join(part for part in parts if part)
