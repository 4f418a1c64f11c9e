"""Controls of the copy tests, in the same run: planted leaks must be caught, real rows must pass.

What is planted are training rows that no other unit shares: verbatim, with noise, and the same for
the most isolated of them, in the place of synthetic rows. From the hardest leak to the easiest, the
first that is caught in four of five plantings says what the tests can see in this table; where none
is, nothing is.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np

from models.evaluation.coded import IntArray
from models.evaluation.intervals import FloatArray
from models.evaluation.mixed_space import MixedRows
from models.privacy.copy_votes import CopyTest
from models.privacy.linkage_space import NUMBER_SCALE
from models.privacy.real_pool import NOBODY

ISOLATION_ROWS = 4_000
# One lucky planting proves no power.
PLANTINGS, CAUGHT = 5, 4


class Leak(NamedTuple):
    """A share of synthetic rows that copy training rows, and the noise on the copies.

    `noise` is the standard deviation of a number's shift in the column's own standard deviations,
    `flips` the share of categories that are drawn anew.
    """

    share: float
    noise: float = 0.0
    flips: float = 0.0

    @property
    def text(self) -> str:
        """The leak in words, without a full stop."""
        if self.noise == 0:
            return f"{100 * self.share:g} % verbatim"
        flipped = f" and {100 * self.flips:g} % of categories redrawn" if self.flips else ""
        return f"{100 * self.share:g} % moved by {self.noise:g} standard deviations{flipped}"


LARGER = (0.02, 0.03, 0.04, 0.05, 0.07, 0.1)
VERBATIM = tuple(Leak(share) for share in (0.002, 0.005, 0.01, *LARGER))
NOISY = (
    Leak(0.01, 0.1, 0.05),
    Leak(0.01, 0.03),
    *(Leak(share, 0.01) for share in (0.01, *LARGER)),
    Leak(0.1, 0.001),
)


@dataclass(frozen=True)
class Controls:
    """What the tests can see in this table: the hardest leak of each kind that is caught.

    None where no leak is caught, not even of one row in ten. `fresh_exact` and `fresh_tail` are
    the p-values of held-out rows in the place of synthetic ones.
    """

    verbatim: Leak | None
    isolated_verbatim: Leak | None
    noisy: Leak | None
    isolated_noisy: Leak | None
    fresh_exact: float
    fresh_tail: float


def run_controls(test: CopyTest, missed: frozenset[tuple[Leak, bool]] = frozenset()) -> Controls:
    """Plants leaks of every kind until one is caught, and tests held-out rows as synthetic ones.

    What is `missed` elsewhere is not tried: one report must not say of a leak that it was seen and
    that it was not.
    """
    anywhere = tuple(leak for leak, isolated in missed if not isolated)
    among_isolated = tuple(leak for leak, isolated in missed if isolated)
    random = test.coded.random(44)
    own = random.permutation(own_rows(test))
    lonely = most_isolated(test, own)
    fresh = test.with_held_out_rows()
    return Controls(
        verbatim=_first_caught_verbatim(test, own, random, anywhere),
        isolated_verbatim=_first_caught_verbatim(test, lonely, random, among_isolated),
        noisy=_first_caught_noisy(test, own, random, anywhere),
        isolated_noisy=_first_caught_noisy(test, lonely, random, among_isolated),
        fresh_exact=fresh.exact_p_value(),
        fresh_tail=fresh.tail_p_value(),
    )


def own_rows(test: CopyTest) -> IntArray:
    """Positions in the pool of one row for each training unit that has a row of its own."""
    pool = test.pool
    own = np.flatnonzero(pool.trained[pool.units] & (pool.owners[pool.exact] != NOBODY))
    _, first = np.unique(pool.units[own], return_index=True)
    return own[first].astype(np.int64)


def most_isolated(test: CopyTest, own: IntArray) -> IntArray:
    """The own rows, or a sample of 4,000, from the most to the least isolated.

    Each row lies in one part of the pool itself; the nearest row in any other part is what counts.
    """
    sample = own[:ISOLATION_ROWS]
    if sample.size == 0:
        return sample
    parts = np.sort(test.space.nearest(test.pool.rows.take(sample), test.pool.rows).parts, axis=1)
    return sample[np.argsort(-parts[:, 1], kind="stable")]


def _first_caught_verbatim(
    test: CopyTest, rows: IntArray, random: np.random.Generator, missed: tuple[Leak, ...]
) -> Leak | None:
    def is_caught(planted: IntArray, _: Leak) -> bool:
        spliced = test.with_exact(test.pool.exact[planted], random)
        return spliced.exact_p_value() <= test.level

    # Where a larger leak was missed, a smaller one that is caught would be luck.
    least = max((leak.share for leak in missed if leak in VERBATIM), default=0.0)
    tried = tuple(leak for leak in VERBATIM if leak.share > least)
    return _first_caught(tried, test.leaked, rows, is_caught)


def _first_caught_noisy(
    test: CopyTest, rows: IntArray, random: np.random.Generator, missed: tuple[Leak, ...]
) -> Leak | None:
    """A copy that is the same row in spite of the noise, as in a table of few values, is exact.

    The tests stand together: what one of them catches is caught.
    """

    def is_caught(planted: IntArray, leak: Leak) -> bool:
        source = test.pool.rows.take(planted)
        copies = with_noise(source, test.space.rows["training"], leak, random)
        same = (copies.numbers == source.numbers).all(axis=1)
        same &= (copies.codes == source.codes).all(axis=1)
        repeated = test.pool.exact[planted[same]]
        if test.with_exact(repeated, random).exact_p_value() <= test.level:
            return True
        found = test.space.nearest(copies, test.pool.rows)
        spliced = test.with_nearest(found, test.pool.units[planted], random)
        return spliced.tail_p_value() <= test.level

    asked = partial(test.leaked, rows=test.queries.size)
    tried = tuple(leak for leak in NOISY if leak not in missed)
    return _first_caught(tried, asked, rows, is_caught)


def _first_caught(
    leaks: tuple[Leak, ...],
    leaked: Callable[[float], int],
    rows: IntArray,
    is_caught: Callable[[IntArray, Leak], bool],
) -> Leak | None:
    """The first leak of which four of five plantings are caught.

    `leaked` tells how many copies a leak's share is, `rows` are the positions of rows to plant, in
    the order in which to take them.
    """
    for leak in leaks:
        count = leaked(leak.share)
        if count <= rows.size and mostly(partial(is_caught, rows[:count], leak)):
            return leak
    return None


def mostly(is_caught: Callable[[], bool]) -> bool:
    """Whether at least four of five plantings are caught; stops once that is decided."""
    caught = missed = 0
    while caught < CAUGHT and missed <= PLANTINGS - CAUGHT:
        if is_caught():
            caught += 1
        else:
            missed += 1
    return caught == CAUGHT


def with_noise(
    source: MixedRows, training: MixedRows, leak: Leak, random: np.random.Generator
) -> MixedRows:
    """Copies whose numbers moved to training values nearby, and some of whose categories changed.

    A number moves to a value that occurs, as a generator's would: one that most rows share mostly
    stays.
    """
    numbers = np.empty_like(source.numbers)
    for at in range(numbers.shape[1]):
        numbers[:, at] = _shifted(source.numbers[:, at], training.numbers[:, at], leak, random)
    codes = source.codes.copy()
    for at in range(codes.shape[1]):
        anew = random.choice(training.codes[:, at], len(codes))
        codes[:, at] = np.where(random.random(len(codes)) < leak.flips, anew, codes[:, at])
    return MixedRows(numbers, codes)


def _shifted(
    values: FloatArray, training: FloatArray, leak: Leak, random: np.random.Generator
) -> FloatArray:
    distinct = np.unique(training)
    moved = values + random.normal(0.0, leak.noise * NUMBER_SCALE, values.size)
    above = np.searchsorted(distinct, moved).clip(max=distinct.size - 1)
    below = (above - 1).clip(min=0)
    nearer = np.abs(distinct[above] - moved) < np.abs(distinct[below] - moved)
    return distinct[np.where(nearer, above, below)]
