"""Noise that the holder of a key can make again, and that nobody else can tell from chance."""

import hashlib
import secrets

import numpy as np
from scipy import special

from models.encoding.column import FloatArray, IntArray

MARK_BITS = 63
_DOMAIN = b"understudy keyed noise 1"
_GRID = 2.0**16
"""Codes are whole multiples of 1/65536: lower bits could tell of how the noise was made."""


def fresh_marks(rows: int) -> IntArray:
    """Random different numbers `(rows,)` that name rows of a release and say nothing else."""
    drawn: set[int] = set()
    while len(drawn) < rows:
        drawn.add(secrets.randbits(MARK_BITS))
    order = np.random.default_rng(secrets.randbits(128))
    return order.permutation(np.fromiter(drawn, dtype=np.int64, count=rows))


def keyed_noise(key: bytes, marks: IntArray, width: int) -> FloatArray:
    """Standard normal noise `(rows, width)` of these rows, the same for the same key and marks.

    SHAKE-256 of key and mark (FIPS 202) makes the bits, the normal quantile function the noise.
    Raises ValueError for a key of fewer than 32 bytes.
    """
    if len(key) < 32:
        raise ValueError("a key for noise has at least 32 bytes")
    start = hashlib.shake_256(_DOMAIN + len(key).to_bytes(2, "big") + key)
    bits = np.empty((len(marks), width), dtype=np.uint64)
    for row, mark in enumerate(marks):
        drawn = start.copy()
        drawn.update(int(mark).to_bytes(8, "big"))
        bits[row] = np.frombuffer(drawn.digest(8 * width), dtype=np.uint64)
    uniform = ((bits >> np.uint64(11)).astype(np.float64) + 0.5) / 2.0**53
    noise: FloatArray = special.ndtri(uniform)
    return noise


def on_grid(codes: FloatArray) -> FloatArray:
    """Codes rounded to the grid, which float32 holds exactly up to 256."""
    rounded: FloatArray = np.round(codes * _GRID) / _GRID
    return rounded
