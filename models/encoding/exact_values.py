"""Numbers too large for floats to tell apart: those that enough units share, kept exactly."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from models.encoding.column import FloatArray, IntArray, unit_counts

Numbers = npt.NDArray[Any]
"""Whole numbers: int64, or Python's own (dtype object) where they may be larger."""


@dataclass(frozen=True)
class ExactValues:
    """Shared whole numbers in their order, and a position on the axis for each.

    Positions beyond 2**53 are rounded to the nearest float; here each shared number has a position
    of its own, close to the rounded one, so that it comes back as it was.
    """

    numbers: Numbers = field(default_factory=lambda: np.empty(0, dtype=object))
    positions: FloatArray = field(default_factory=lambda: np.empty(0))

    @classmethod
    def of(
        cls, numbers: Numbers, positions: FloatArray, units: IntArray | None, threshold: int
    ) -> Self:
        """The numbers `(rows,)` that `threshold` units share, close to their rounded positions."""
        found, first, index = np.unique(numbers, return_index=True, return_inverse=True)
        shared = unit_counts(index.astype(np.int64), len(found), units) >= threshold
        return cls(found[shared].astype(object), _apart(positions[first][shared]))

    @classmethod
    def restore(cls, texts: Sequence[str], positions: FloatArray) -> Self:
        """The inverse of `texts`."""
        numbers = np.empty(len(texts), dtype=object)
        numbers[:] = [int(text) for text in texts]
        return cls(numbers, positions)

    @property
    def texts(self) -> list[str]:
        """The numbers as JSON can hold them."""
        return [str(number) for number in self.numbers]

    def place(self, numbers: Numbers, positions: FloatArray) -> FloatArray:
        """The positions `(rows,)`, those of shared numbers replaced by their own."""
        if not len(self.numbers):
            return positions
        known = self.numbers.astype(numbers.dtype)
        nearest = np.searchsorted(known, numbers).clip(max=len(known) - 1)
        return np.where(known[nearest] == numbers, self.positions[nearest], positions)

    def put(self, numbers: Numbers, positions: FloatArray) -> Numbers:
        """The numbers `(rows,)`, those at the position of a shared one replaced by it."""
        if not len(self.numbers):
            return numbers
        nearest = np.searchsorted(self.positions, positions).clip(max=len(self.positions) - 1)
        there = self.positions[nearest] == positions
        return np.where(there, self.numbers.astype(numbers.dtype)[nearest], numbers)


def _apart(positions: FloatArray) -> FloatArray:
    """Sorted positions moved up so that a float lies between each and the next."""
    least = 1.0 if bool((positions == np.rint(positions)).all()) else 0.0
    moved = positions.tolist()
    for place in range(1, len(moved)):
        below = moved[place - 1]
        moved[place] = max(moved[place], below + least, below + 2 * math.ulp(below))
    return np.array(moved)
