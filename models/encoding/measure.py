"""Columns on a line that they share with others: numbers, and times as days or months."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from models.encoding.axis import Axis
from models.encoding.axis_shares import AxisShares
from models.encoding.column import BoolArray, FloatArray, IntArray
from models.encoding.day_parts import DayParts

NEARLY = 1e-6
"""A bound this share of a step away from a whole position is taken for that position."""


@dataclass(frozen=True)
class Measure:
    """How the positions of a column's axis lie on the line of its unit.

    Position p stands for the numbers from `offset + scale * p` to `spread` above; a column whose
    spread is 0 is known exactly once its position is. Its axis has the column's first `parts`
    codes; those of a time below its day are `below`.
    """

    unit: Literal["number", "day", "month"]
    axis: Axis
    scale: float = 1.0
    offset: float = 0.0
    spread: float = 0.0
    below: DayParts | None = None

    @property
    def parts(self) -> int:
        """How many codes of the column are the axis's."""
        return len(self.axis.parts)

    @property
    def step(self) -> float:
        """The least distance of two numbers, 0 where there is none."""
        return self.scale if self.axis.whole and not self.spread else 0.0

    @property
    def ends(self) -> tuple[float, float]:
        """The lowest and the highest number of the whole axis."""
        ends = self.offset + self.scale * self.axis.low, self.offset + self.scale * self.axis.high
        slack = NEARLY * abs(self.scale)
        return min(ends) - slack, max(ends) + self.spread + slack

    def at_atoms(self, numbers: FloatArray) -> BoolArray:
        """Which numbers `(rows,)` are those of positions with a code of their own."""
        atoms = self.offset + self.scale * self.axis.atoms
        apart = np.abs(numbers[:, None] - atoms).min(axis=1, initial=np.inf)
        near: BoolArray = apart <= (NEARLY * abs(self.scale) if self.axis.whole else 0.0)
        return near

    @property
    def codes(self) -> int:
        """How many codes tell where a number lies: the axis's, and those below the day."""
        return self.parts + (0 if self.below is None else self.below.count)

    def positions(
        self, low: FloatArray, high: FloatArray, codes: IntArray | None = None
    ) -> tuple[FloatArray, FloatArray]:
        """Bounds on numbers `(rows,)` as bounds on positions, inclusive; infinite ones stay.

        `codes` `(rows, codes)` of the column, as far as they are known, say what lies above the
        position; without them it is anything up to `spread`.
        """
        least, most = self._above(codes)
        lowest = (low - self.offset - most) / self.scale
        highest = (high - self.offset - least) / self.scale
        if not self.axis.whole:
            return lowest, highest
        return np.ceil(lowest - NEARLY), np.floor(highest + NEARLY)

    def spans(self, codes: IntArray, shares: AxisShares) -> tuple[FloatArray, FloatArray]:
        """The lowest and highest number of rows of the column's codes; NaN where missing."""
        low, high = self.places(codes, shares)
        least, most = self._above(codes)
        return low + least, high + most

    def places(self, codes: IntArray, shares: AxisShares) -> tuple[FloatArray, FloatArray]:
        """As `spans`, without what lies above the positions."""
        low, high = shares.spans(codes[:, : self.parts])
        return self.offset + self.scale * low, self.offset + self.scale * high

    def _above(self, codes: IntArray | None) -> tuple[FloatArray | float, FloatArray | float]:
        if self.below is None or codes is None or codes.shape[1] < self.codes:
            return 0.0, self.spread
        return self.below.spans(codes[:, self.parts :])
