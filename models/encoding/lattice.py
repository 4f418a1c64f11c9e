"""Which evenly spaced values a column of numbers keeps to: whole numbers, cents, hundreds."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from models.encoding.column import BoolArray, FloatArray, IntArray

MOST_DECIMALS = 8
EXACT = 2.0**53
"""Whole numbers up to here are exact as floats."""


@dataclass(frozen=True)
class Lattice:
    """Values origin + step * position / 10**decimals, with whole positions.

    Without a step (0) values lie anywhere: positions are the values themselves.
    """

    step: int = 0
    origin: int = 0
    decimals: int = 0

    @classmethod
    def of_integers(cls, values: IntArray) -> Self:
        """The widest lattice that holds all of `values`."""
        if not len(values):
            return cls(step=1)
        origin = 0
        if float(np.abs(values.astype(np.float64)).max()) >= EXACT:
            # Far from zero: count from the middle, where distances are still exact.
            origin = int(np.sort(values)[len(values) // 2])
        low, high = int(values.min()), int(values.max())
        if high - low >= 2**62:
            return cls(step=1)
        distances = values - low
        step = int(np.gcd.reduce(distances)) or 1
        return cls(step=step, origin=origin + (low - origin) % step)

    @classmethod
    def of_floats(cls, values: FloatArray) -> Self:
        """The lattice of the fewest decimals that holds all of `values`, or none."""
        finite = values[np.isfinite(values)]
        if not len(finite):
            return cls()
        for decimals in range(MOST_DECIMALS + 1):
            scaled = finite * 10.0**decimals
            if float(np.abs(scaled).max()) >= EXACT:
                return cls()
            whole = np.rint(scaled)
            if bool((whole / 10.0**decimals == finite).all()):
                found = cls.of_integers(whole.astype(np.int64))
                return cls(found.step, found.origin, decimals)
        return cls()

    @property
    def whole(self) -> bool:
        """Whether positions are whole numbers."""
        return self.step > 0

    def positions(self, values: FloatArray) -> FloatArray:
        """Positions of values that are exact as floats; those off the lattice go to the nearest."""
        if not self.whole:
            return values
        scaled = np.rint(values * 10.0**self.decimals) if self.decimals else values
        positions: FloatArray = np.rint((scaled - self.origin) / self.step)
        return positions

    def integer_positions(self, values: IntArray) -> FloatArray:
        """Positions of int64 values, exact also where a float would round them."""
        if self.origin == 0 or not self.whole:
            return self.positions(values.astype(np.float64))
        # Wraps around only where the distance is rounded anyway.
        distances = values - np.int64(self.origin)
        return np.rint(distances.astype(np.float64) / self.step)

    def holds(self, values: FloatArray | IntArray) -> BoolArray:
        """Which of the values, int64 or floats, lie on the lattice; of NaN it means nothing."""
        if not self.whole:
            return np.ones(len(values), dtype=np.bool_)
        if values.dtype.kind == "i":
            whole: BoolArray = values % self.step == self.origin % self.step
            return whole
        finite = np.where(np.isfinite(values), values, 0.0)
        scaled = np.rint(finite * 10.0**self.decimals)
        exact = scaled / 10.0**self.decimals == finite
        held: BoolArray = exact & ((scaled - self.origin) % self.step == 0)
        return held

    def values(self, positions: FloatArray) -> FloatArray:
        """The inverse of `positions`: each decimal fraction is the float that text gives."""
        if not self.whole:
            return positions
        return (positions * self.step + self.origin) / 10.0**self.decimals

    def integers(self, positions: FloatArray, lowest: int, highest: int) -> IntArray:
        """The inverse of `integer_positions`, kept from `lowest` to `highest`."""
        distances = positions * self.step
        if self.origin == 0 or float(np.abs(distances).max(initial=0)) >= 2.0**62:
            values = distances + self.origin
            inside = (values > float(lowest)) & (values < float(highest))
            clipped = np.where(values <= float(lowest), lowest, highest).astype(np.int64)
            return np.where(inside, np.where(inside, values, 0).astype(np.int64), clipped)
        exact = np.int64(self.origin) + np.rint(distances).astype(np.int64)
        return exact.clip(lowest, highest)
