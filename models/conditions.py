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
    """A stated share of the rows for each value or Range; the other values share the rest.

    None stands for missing values. Where there are no other values, shares must add up to 1.
    """

    of: Mapping[Any, float]


Wish = Range | OneOf | Shares
"""Asked of one column, and kept by every row; rows that cannot keep it are refused (ModelError).

What is left of each code is weighed as rows are drawn, so that they follow the distribution learned
under what is asked. Only what no code tells is drawn until it holds: values of other columns that
leave a row no way, an hour that the clock skips or repeats, times of day beside whole months.
"""
