"""Rows that are a real row but for one column or two, whatever stands there (part of G2).

No distance sees them well: a rare category in the place of another one outweighs eleven columns
that agree to the last digit, so that the row which was copied is not even the nearest one.
"""

from collections.abc import Iterator
from itertools import combinations

import numpy as np
import numpy.typing as npt

from models.evaluation.coded import CodedTable, IntArray
from models.evaluation.row_codes import column_codes
from models.privacy.real_pool import NOBODY, RealPool, Votes, owners_of

KeyArray = npt.NDArray[np.uint64]

# So many choices of columns to leave out at most: all pairs, too, up to 19 columns.
MOST_CHOICES = 200


def altered_p_value(coded: CodedTable, pool: RealPool, made: IntArray) -> float:
    """How likely so many training units among those found are if nothing was copied.

    `made` (rows,) are the rows to judge, by their place among training, synthetic and held-out
    rows in that order. For each choice of one column or two, or one only in a wide table, a unit is
    found where it alone of all real units has a row that agrees with a made row in all other
    columns. Each choice is a test by itself (someone changed one column everywhere), and so is each
    union of the choices that find the fewest (a column here, another one there): a choice that
    finds many finds most of them by chance. Every single p-value is exact (`RealPool.p_value`), and
    the smallest is multiplied by the number of tests (Bonferroni).
    """
    columns = column_codes(coded)
    hashed = np.stack([_hashed(codes, at) for at, codes in enumerate(columns)])
    whole = hashed.sum(axis=0)
    found = sorted(
        (_found(pool, whole - hashed[list(left_out)].sum(axis=0), made)
         for left_out in _choices(coded, len(columns))), key=len,
    )  # fmt: skip
    least, union = 1.0, found[0]
    for place, units in enumerate(found):
        least = min(least, pool.p_value(_votes(pool, units)))
        if place:
            union = np.union1d(union, units)
            least = min(least, pool.p_value(_votes(pool, union)))
    return min(1.0, least * (2 * len(found) - 1))


def _choices(coded: CodedTable, columns: int) -> Iterator[tuple[int, ...]]:
    """Which columns to leave out: each one, then each pair, where there are not too many."""
    singles = coded.random(49).permutation(columns)[:MOST_CHOICES].tolist()
    yield from ((at,) for at in singles)
    if columns * (columns + 1) // 2 <= MOST_CHOICES:
        yield from combinations(range(columns), 2)


def _found(pool: RealPool, keys: KeyArray, made: IntArray) -> IntArray:
    """The units that alone have a row whose key some made row has."""
    real = keys[pool.places]
    hit = np.flatnonzero(np.isin(real, keys[made]))
    distinct, codes = np.unique(real[hit], return_inverse=True)
    owners = owners_of(codes.astype(np.int64), pool.units[hit], distinct.size)
    return np.unique(owners[owners != NOBODY])


def _votes(pool: RealPool, units: IntArray) -> Votes:
    training = int(pool.trained[units].sum())
    return Votes(training, units.size - training)


def _hashed(codes: IntArray, column: int) -> KeyArray:
    """A column's codes at random in 64 bits (SplitMix64's finalizer, Steele et al. 2014).

    Rows are compared by the sum over columns: two that differ meet once in 2**64.
    """
    with np.errstate(over="ignore"):
        mixed = codes.astype(np.uint64) + np.uint64(column + 1) * np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return np.asarray(mixed ^ (mixed >> np.uint64(31)))
