"""How many members an attacker finds at few false alarms, and how sure that figure is."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy import stats

from models.evaluation.intervals import FloatArray, Interval

FALSE_POSITIVE_RATE = 0.01
# Of fewer false alarms no rate can be told.
FEWEST_FALSE_ALARMS = 3


@dataclass(frozen=True)
class Exceedance:
    """The members whose score lies above that of the `alarms`-th highest non-member.

    Members and non-members are numbered units of privacy, the alarms are chosen before anything
    is looked at. `found` members are above; the true-positive rate is the ratio of both shares
    times the false-positive rate, so that the threshold's own chance is part of the interval:
    Clopper and Pearson's exact one, of sampling until the `alarms`-th non-member.
    """

    found: int
    alarms: int
    members: int
    non_members: int

    @classmethod
    def of(
        cls, scores: FloatArray, is_member: npt.NDArray[np.bool_], random: np.random.Generator
    ) -> Self | None:
        """Counts at 1 % false positives, or as few as can be told; None with too few units.

        `scores` (units,), higher is likelier a member. Ties are broken at random.
        """
        members = int(is_member.sum())
        others = is_member.size - members
        alarms = max(round(FALSE_POSITIVE_RATE * others), FEWEST_FALSE_ALARMS)
        if others < 2 * alarms or not members:
            return None
        order = np.lexsort((random.random(scores.size), -scores))
        place = np.flatnonzero(~is_member[order])[alarms - 1]
        return cls(int(place) + 1 - alarms, alarms, members, others)

    @property
    def false_positive_rate(self) -> float:
        """The share of non-members above the threshold."""
        return self.alarms / self.non_members

    @property
    def true_positive_rate(self) -> float:
        """The share of members above the threshold."""
        return self.found / self.members

    def interval(self, level: float) -> Interval:
        """The true-positive rate's ends, each left out with probability `level`."""
        low = stats.beta.ppf(level, self.found, self.alarms) if self.found else 0.0
        high = stats.beta.isf(level, self.found + 1, self.alarms)
        return Interval(self._rate(float(low)), self._rate(float(high)))

    def p_value(self, ratio: float) -> float:
        """How likely as many finds are where members exceed non-members `ratio` times as often."""
        weight = ratio * self.members
        share = weight / (weight + self.non_members)
        return float(stats.binom.sf(self.found - 1, self.found + self.alarms - 1, share))

    def _rate(self, share: float) -> float:
        """The rate at which `share` of all units above the threshold are members."""
        odds = share / max(1 - share, 1e-12)
        return min(odds * self.alarms / self.members, 1.0)


def needed_non_members(exceedance: Exceedance, slack: float, deviations: float) -> int:
    """How many non-members it takes to end below 1 + `slack` times the false-positive rate.

    For an honest generator's interval that reaches `deviations` beyond its rate; with as many
    members for each non-member as now, log-normal for the ratio of two counts.
    """
    per_member = exceedance.non_members / exceedance.members
    spread = np.log1p(slack) / deviations
    return int(np.ceil((1 + per_member) / spread**2 / FALSE_POSITIVE_RATE))
