"""What a step of private training draws, from the system's entropy: who is in it, and its noise.

Nothing here takes a seed. Opacus draws its noise from torch's own generator, whose seed anybody who
finds it could use to take the noise off again; its `secure_mode` needs a package that there is not
for the torch in use. So the noise is drawn here.
"""

import math
import secrets

import numpy as np

from models.encoding.column import FloatArray, IntArray

LATTICE = 2.0**-20
"""Noisy numbers are rounded to multiples of so much of a deviation of their noise."""
_SUMMED = 4
"""Gaussians in each draw: one alone can be traced back to the uniform numbers it was made of."""
_BLOCK = 2**18


def poisson_lot(units: int, rate: float) -> IntArray:
    """Which of the units are in a step: each one by a lot of its own, with chance `rate`.

    Any number of them, none included: that chance is what the accountants count on. The positions
    are in rising order.
    """
    words = np.frombuffer(secrets.token_bytes(8 * units), dtype=np.uint64) >> np.uint64(1)
    return np.flatnonzero(words < np.uint64(round(rate * 2**63))).astype(np.int64)


def noised(sums: FloatArray, deviation: float) -> FloatArray:
    """The sums with Gaussian noise of this deviation on each, on a lattice; same shape.

    The noise has about fifty random bits and the lattice keeps twenty below its deviation: the low
    bits of floating-point noise, which can tell what it was added to (Mironov 2012), are rounded
    away. That is not the exactness of the whole-number noise that counts get; it is what can be
    had for millions of numbers.
    """
    step = deviation * LATTICE
    noisy = sums + deviation * gaussian(sums.size).reshape(sums.shape)
    rounded: FloatArray = np.round(noisy / step) * step
    return rounded


def gaussian(count: int) -> FloatArray:
    """`count` numbers from the normal distribution of deviation 1, from the system's entropy.

    Each is the sum of four by Box and Muller, halved (Holohan, Braghin 2021).
    """
    drawn = np.empty(count, dtype=np.float64)
    for start in range(0, count, _BLOCK):
        size = min(_BLOCK, count - start)
        drawn[start : start + size] = _normals(_SUMMED * size).reshape(_SUMMED, size).sum(0)
    return drawn / math.sqrt(_SUMMED)


def _normals(count: int) -> FloatArray:
    """An even number of normals, two from each pair of uniform numbers (Box, Muller 1958)."""
    words = np.frombuffer(secrets.token_bytes(8 * count), dtype=np.uint64) >> np.uint64(11)
    uniform = (words.astype(np.float64) + 0.5) * 2.0**-53
    lengths = np.sqrt(-2 * np.log(uniform[: count // 2]))
    angles = 2 * math.pi * uniform[count // 2 :]
    return np.concatenate([lengths * np.cos(angles), lengths * np.sin(angles)])
