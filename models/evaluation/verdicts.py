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


def sentences(parts: Sequence[str]) -> str:
    """The non-empty parts as one text."""
    return " ".join(part for part in parts if part)
