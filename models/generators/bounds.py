"""Between which numbers each row of a column lies."""

from typing import NamedTuple, Self

import numpy as np

from models.encoding.column import BoolArray, FloatArray

ROUNDING = 1e-9
"""Ends that differ by less than this share are one number."""


class Bounds(NamedTuple):
    """The lowest and highest number that each row may have, `(rows,)`, inclusive."""

    low: FloatArray
    high: FloatArray

    @classmethod
    def open(cls, rows: int) -> Self:
        """No bounds."""
        return cls(np.full(rows, -np.inf), np.full(rows, np.inf))

    @property
    def empty(self) -> BoolArray:
        """Which rows have no number left, by more than rounding."""
        slack = ROUNDING * np.abs(np.where(np.isfinite(self.high), self.high, 0.0))
        empty: BoolArray = self.low > self.high + slack
        return empty

    def where(self, rows: BoolArray, other: "Bounds") -> "Bounds":
        """These bounds in some rows `(rows,)`, the others' in the rest."""
        return Bounds(*(np.where(rows, own, end) for own, end in zip(self, other, strict=True)))

    def within(self, other: "Bounds") -> "Bounds":
        """What both allow."""
        return Bounds(np.maximum(self.low, other.low), np.minimum(self.high, other.high))
