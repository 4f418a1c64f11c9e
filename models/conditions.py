"""What can be asked of made rows beyond exact values: ranges, choices and shares."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Range:
    """From `low` to `high`, both inclusive; None leaves an end open."""

    low: Any = None
    high: Any = None


@dataclass(frozen=True)
class OneOf:
    """Any of these values, as likely among themselves as they are in the rows learned from."""

    of: tuple[Any, ...]


@dataclass(frozen=True)
class Shares:
    """A stated share of the rows for each value or Range; the other values share the rest."""

    of: Mapping[Any, float]


Wish = Range | OneOf | Shares
"""Asked of one column. It is kept by every row, and never by drawing until it happens to hold."""
