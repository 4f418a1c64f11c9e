"""How much better an attack does on training units than on held-out ones, unit by unit."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from scipy import stats

from models.evaluation.coded import IntArray
from models.evaluation.intervals import FloatArray
from models.privacy.trial import UNLUCKY


@dataclass(frozen=True)
class UnitRates:
    """An attack's success on each training unit and each held-out unit."""

    training: FloatArray
    holdout: FloatArray

    @classmethod
    def of_rows(cls, success: dict[str, FloatArray], units: dict[str, IntArray]) -> Self:
        """Successes (rows,) of both sides; a unit counts once, by its most exposed row."""
        return cls(*(_most(success[side], units[side]) for side in ("training", "holdout")))

    @property
    def attack(self) -> float:
        """Mean success on training units."""
        return float(self.training.mean())

    @property
    def control(self) -> float:
        """Mean success on held-out units: what the release tells about anybody."""
        return float(self.holdout.mean())

    @property
    def difference(self) -> float:
        """What is told about training units beyond that."""
        return self.attack - self.control

    @property
    def deviation(self) -> float:
        """Standard deviation of the difference, each side with its own spread.

        Never less than if one more unit of either side had the other outcome.
        """
        parts = [
            max(float(side.var()), (1 - 1 / side.size) / side.size) / side.size
            for side in (self.training, self.holdout)
        ]
        return float(np.sqrt(sum(parts)))

    def p_value(self, least: float = 0.0) -> float:
        """How likely so large a difference is if it truly is `least`, one-sided.

        Exact (hypergeometric) where units succeed or fail and `least` is 0; else normal.
        """
        pooled = np.concatenate([self.training, self.holdout])
        hit = pooled == pooled.max()
        if least == 0 and bool((hit | (pooled == 0)).all()):
            hits, all_hits = int(hit[: self.training.size].sum()), int(hit.sum())
            if pooled.max() == 0:
                return 1.0
            return float(stats.hypergeom.sf(hits - 1, hit.size, all_hits, self.training.size))
        return float(stats.norm.sf((self.difference - least) / self.deviation))

    @property
    def risk(self) -> float:
        """The success that is due to training: the difference by what was left to be guessed.

        Anonymeter's definition (Giomi et al. 2023).
        """
        return self.difference / max(1 - self.control, 1e-9)

    @property
    def risk_deviation(self) -> float:
        """Standard deviation of the risk, by the delta method."""
        left = max(1 - self.control, 1e-9)
        attack = max(float(self.training.var()), 1 / self.training.size / 2) / self.training.size
        control = max(float(self.holdout.var()), 1 / self.holdout.size / 2) / self.holdout.size
        slope = (1 - self.attack) / left**2
        return float(np.sqrt(attack / left**2 + control * slope**2))

    def upper(self, estimate: float, deviation: float, level: float) -> float:
        """The end that an estimate's interval leaves out with probability `level`."""
        return estimate + float(stats.norm.isf(level)) * deviation

    def figures(self) -> dict[str, Any]:
        """Exact figures, for the report that stays with the model."""
        return {
            "attack": self.attack,
            "control": self.control,
            "difference": self.difference,
            "deviation": self.deviation,
            "risk": self.risk,
            "units": [self.training.size, self.holdout.size],
        }


def reach(deviation: float, level: float, unlucky: float = UNLUCKY) -> float:
    """The upper end (left out with probability `level`) that few honest generators go beyond.

    In a share of `unlucky` of all runs.
    """
    return float(stats.norm.isf(unlucky) + stats.norm.isf(level)) * deviation


def _most(values: FloatArray, units: IntArray) -> FloatArray:
    _, place = np.unique(units, return_inverse=True)
    most = np.zeros(int(place.max(initial=-1)) + 1)
    np.maximum.at(most, place, values)
    return most
