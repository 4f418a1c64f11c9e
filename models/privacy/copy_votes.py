"""The two copy tests themselves: exact repeats (G1) and the tail of closest rows (G2)."""

from dataclasses import dataclass, replace

import numpy as np

from models.evaluation.coded import CodedTable, IntArray, Side, draw
from models.evaluation.intervals import FloatArray
from models.evaluation.mixed_space import MixedRows, Nearest
from models.evaluation.row_codes import exact_codes
from models.privacy.altered_copies import altered_p_value
from models.privacy.linkage_space import LinkageSpace
from models.privacy.real_pool import NOBODY, RealPool, Votes

MOST_QUERIES = 40_000
MOST_PRODUCTS = 4e11
MOST_COORDINATES = 2e7
# Rows within this part of the usual squared distance are equally near.
CROWD = 0.05
LEAST_CROWD = 1e-6
TAILS = (0.001, 0.005)
# Two tails, and copies of which a column or two were changed.
LOOKS = len(TAILS) + 1
LEVELS_OF_TAILS = (1.5, 3.5)


@dataclass(frozen=True)
class CopyTest:
    """A pool of real rows, and synthetic rows with their codes and nearest real rows.

    `exact` are the codes of all synthetic rows, `nearest` belongs to the rows at `queries`.
    `altered` is the p-value of copies of which a column or two were changed. `level` is the p-value
    below which one test alone refuses, `training_share` how many of all training rows are here.
    """

    coded: CodedTable
    space: LinkageSpace
    codes: dict[Side, IntArray]
    pool: RealPool
    exact: IntArray
    queries: IntArray
    nearest: Nearest
    altered: float
    level: float
    training_share: float = 1.0

    @classmethod
    def of(cls, coded: CodedTable, level: float, training_share: float = 1.0) -> "CopyTest":
        """Compares the table's synthetic rows, or a seeded sample of them, with all real rows."""
        space, codes = LinkageSpace.of(coded), exact_codes(coded)
        pool = RealPool.of(coded, codes, space.rows)
        queries = draw(len(codes["synthetic"]), _most_queries(space, pool), coded.random(42))
        nearest = space.nearest(space.rows["synthetic"].take(queries), pool.rows)
        made = np.arange(coded.rows["synthetic"], dtype=np.int64) + coded.rows["training"]
        altered = altered_p_value(coded, pool, made)
        exact = codes["synthetic"]
        return cls(coded, space, codes, pool, exact, queries, nearest, altered, level,
                   training_share)  # fmt: skip

    def exact_votes(self) -> Votes:
        """G1: units whose very own row occurs among the synthetic rows."""
        return self.pool.exact_votes(self.exact)

    def exact_p_value(self) -> float:
        """G1: how likely as many training units are if nothing was copied."""
        return self.pool.p_value(self.exact_votes())

    def tail_votes(self) -> list[Votes]:
        """G2: units nearest to the closest 0.1 % and 0.5 % of the synthetic rows.

        Closeness is the squared distance to the nearest real row by that to the next one in another
        eighth of the rows, so that a copy of an isolated row counts as closer than an ordinary row
        in a crowd. The short tail takes closeness as it is and sees near-exact copies; the long one
        counts rows within a part of the usual distance as equally near and sees noisy ones. A tail
        is never shorter than it must be to refuse anything, however few rows there are.
        """
        units = self.pool.nearest_units(self.nearest)
        votes = []
        crowds = (LEAST_CROWD, usual_crowd(self.nearest.squared))
        for length, crowd in zip(self._tail_lengths(), crowds, strict=True):
            closest = _by_closeness(self.nearest, crowd)
            closest = closest[units[closest] != NOBODY]
            votes.append(self.pool.count_tail(units, closest[:length]))
        return votes

    def tail_p_value(self) -> float:
        """G2: the smallest p-value of the two tails and of altered copies, tripled (Bonferroni)."""
        tails = (self.pool.p_value(votes) for votes in self.tail_votes())
        return min(1.0, LOOKS * min(self.altered, *tails))

    def _tail_lengths(self) -> list[int]:
        chance = min(max(self.pool.chance, 0.01), 0.9999)
        needed = np.log(self.level / LOOKS) / np.log(chance)
        return [
            max(round(share * self.queries.size), int(np.ceil(times * needed)))
            for share, times in zip(TAILS, LEVELS_OF_TAILS, strict=True)
        ]

    def leaked(self, share: float, rows: int | None = None) -> int:
        """How many of a leak's copies these tests could meet, one at least.

        The leak is `share` of `rows` (all synthetic rows). Where the training side is a sample, the
        other training rows' copies look like anybody's.
        """
        size = self.exact.size if rows is None else rows
        return max(round(share * size * self.training_share), 1)

    def with_exact(self, planted: IntArray, random: np.random.Generator) -> "CopyTest":
        """The same test with training units' own codes in the place of some synthetic rows.

        All other units are dealt anew to the two sides: see `RealPool.dealt_anew`.
        """
        exact = self.exact.copy()
        exact[random.choice(exact.size, planted.size, replace=False)] = planted
        return replace(
            self, exact=exact, pool=self.pool.dealt_anew(self.pool.owners[planted], random)
        )

    def with_nearest(
        self, planted: Nearest, units: IntArray, random: np.random.Generator
    ) -> "CopyTest":
        """The same test with the neighbours of some synthetic rows replaced by planted ones.

        They are copies of rows of `units`; all others are dealt anew, as in `with_exact`. Altered
        copies are left out: what is planted has noise in every column.
        """
        if not planted.key.size:
            return self
        places = random.choice(self.queries.size, planted.key.size, replace=False)
        squared, key = self.nearest.squared.copy(), self.nearest.key.copy()
        parts = self.nearest.parts.copy()
        squared[places], key[places], parts[places] = planted.squared, planted.key, planted.parts
        pool, nearest = self.pool.dealt_anew(units, random), Nearest(squared, key, parts)
        return replace(self, nearest=nearest, pool=pool, altered=1.0)

    def with_held_out_rows(self) -> "CopyTest":
        """Held-out rows in the place of synthetic ones: half of the holdout against all others."""
        units = self.coded.units["holdout"]
        distinct = np.unique(units)
        random = self.coded.random(43)
        standing_in = random.permutation(distinct)[: distinct.size // 2]
        stand_ins = np.isin(units, standing_in)
        kept = np.concatenate([np.ones(self.coded.rows["training"], dtype=bool), ~stand_ins])
        pool = RealPool.of(self.coded, self.codes, self.space.rows, kept)
        places = np.flatnonzero(stand_ins).astype(np.int64)
        queries = places[draw(places.size, self.queries.size, random)]
        rows: MixedRows = self.space.rows["holdout"].take(queries)
        exact = self.codes["holdout"][places]
        nearest = self.space.nearest(rows, pool.rows)
        made = places + self.coded.rows["training"] + self.coded.rows["synthetic"]
        altered = altered_p_value(self.coded, pool, made)
        return replace(self, pool=pool, exact=exact, queries=queries, nearest=nearest,
                       altered=altered)  # fmt: skip


def _most_queries(space: LinkageSpace, pool: RealPool) -> int:
    """As many rows as bounded time and memory allow."""
    products = MOST_PRODUCTS / (len(pool.rows) * space.width)
    return int(max(min(MOST_QUERIES, products, MOST_COORDINATES / space.width), 100))


def _by_closeness(nearest: Nearest, crowd: float) -> IntArray:
    """Query positions from closest to furthest; among equals, the more isolated place first."""
    second = np.partition(nearest.parts, 1, axis=1)[:, 1]
    known = np.isfinite(second)
    scale = np.where(known, second, 0.0) + crowd
    closeness = np.where(known, (nearest.squared + crowd) / scale, 1.0)
    return np.lexsort((-np.where(known, scale, 0.0), closeness)).astype(np.int64)


def usual_crowd(squared: FloatArray) -> float:
    """The squared distance within which rows count as equally near, by how far apart rows are."""
    return max(CROWD * float(np.median(squared)), LEAST_CROWD) if squared.size else LEAST_CROWD
