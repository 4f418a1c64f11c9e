"""Whose rows do synthetic rows repeat? Votes for training or holdout units, and their p-values.

Training and holdout units were split at random, so for rows that were made without looking at the
training rows the two labels are exchangeable: of the units that synthetic rows repeat (or come
closest to), the training units are as many as a blind draw from all real units would hold. That is
the hypergeometric law, exact whatever the distribution, the distance and the sizes of both sides;
so every training row is looked at, although the holdout is smaller. Several rows of one unit, and
several synthetic rows that point at it, are one vote.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats

from models.evaluation.coded import CodedTable, IntArray, Side
from models.evaluation.mixed_space import MixedRows, Nearest

NOBODY = -1


class Votes(NamedTuple):
    """How many units of each side synthetic rows point at."""

    training: int
    holdout: int

    @property
    def total(self) -> int:
        """All units that are pointed at."""
        return self.training + self.holdout


@dataclass(frozen=True)
class RealPool:
    """Training and holdout rows in one random order.

    `units` numbers each row's unit from 0; `trained` tells for each unit whether it is a training
    unit; `owners` holds, for each exact code, the only unit that has it, or -1. `places` are the
    rows' places among training, synthetic and held-out rows in that order.
    """

    places: IntArray
    exact: IntArray
    rows: MixedRows
    units: IntArray
    trained: npt.NDArray[np.bool_]
    owners: IntArray

    @classmethod
    def of(
        cls,
        coded: CodedTable,
        exact: dict[Side, IntArray],
        rows: dict[Side, MixedRows],
        kept: npt.NDArray[np.bool_] | None = None,
    ) -> "RealPool":
        """Pools both sides; `kept` picks rows of training then holdout rows."""
        sizes = coded.rows["training"], coded.rows["holdout"]
        real = np.concatenate([exact["training"], exact["holdout"]])
        _, one = np.unique(coded.units["training"], return_inverse=True)
        _, two = np.unique(coded.units["holdout"], return_inverse=True)
        units = np.concatenate([one, two + one.max(initial=-1) + 1])
        numbers = np.concatenate([rows["training"].numbers, rows["holdout"].numbers])
        codes = np.concatenate([rows["training"].codes, rows["holdout"].codes])
        order = coded.random(41).permutation(sum(sizes))
        if kept is not None:
            order = order[kept[order]]
        present, units = np.unique(units[order], return_inverse=True)
        count = max(int(codes_.max(initial=-1)) for codes_ in exact.values()) + 1
        return cls(
            places=np.where(order < sizes[0], order, order + coded.rows["synthetic"]),
            exact=real[order],
            rows=MixedRows(numbers[order], codes[order]),
            units=units.astype(np.int64),
            trained=present <= one.max(initial=-1),
            owners=owners_of(real[order], units.astype(np.int64), count),
        )

    @property
    def chance(self) -> float:
        """The share of training units: what a vote without a leak is."""
        return float(self.trained.mean()) if self.trained.size else 1.0

    def exact_votes(self, synthetic: IntArray) -> Votes:
        """Units whose row, held by no other unit, occurs among synthetic exact codes (-1: none)."""
        return self._count(self.owners[synthetic[synthetic >= 0]])

    def dealt_anew(self, planted: IntArray, random: np.random.Generator) -> "RealPool":
        """The same rows with all units but the planted ones dealt anew to the two sides.

        So the release has copied nobody, and what it had copied helps no planted copy to be found.
        """
        others = np.ones(self.trained.size, dtype=np.bool_)
        others[planted] = False
        trained = self.trained.copy()
        trained[others] = random.permutation(self.trained[others])
        return replace(self, trained=trained)

    def nearest_units(self, nearest: Nearest) -> IntArray:
        """The unit of each nearest row; -1 where several units share that very row."""
        return np.where(self.owners[self.exact[nearest.key]] >= 0, self.units[nearest.key], NOBODY)

    def count_tail(self, units: IntArray, closest: IntArray) -> Votes:
        """Units of the closest rows, given all rows' units and the order of closeness."""
        return self._count(units[closest])

    def _count(self, units: IntArray) -> Votes:
        distinct = np.unique(units[units != NOBODY])
        training = int(self.trained[distinct].sum())
        return Votes(training, distinct.size - training)

    def p_value(self, votes: Votes) -> float:
        """The probability of at least as many training units in a blind draw of as many units."""
        if votes.total == 0:
            return 1.0
        training = int(self.trained.sum())
        return float(
            stats.hypergeom.sf(votes.training - 1, self.trained.size, training, votes.total)
        )


def owners_of(codes: IntArray, units: IntArray, count: int) -> IntArray:
    """For each exact code the only unit that holds it; -1 for none or several."""
    lowest = np.full(count, np.iinfo(np.int64).max)
    highest = np.full(count, NOBODY)
    np.minimum.at(lowest, codes, units)
    np.maximum.at(highest, codes, units)
    return np.where(lowest == highest, highest, NOBODY).astype(np.int64)
