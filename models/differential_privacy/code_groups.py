"""Codes thrown together before relations are learned: rare ones have none to show through noise."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from models.differential_privacy.graphical_model import Measured
from models.differential_privacy.paid_axis import Counted
from models.encoding.column import UNKNOWN, FloatArray, IntArray, Part

TELLING = 3.0
"""A code stays by itself where its noisy count is so many deviations above nothing."""


@dataclass(frozen=True)
class CodeGroups:
    """Of one part: the group of each code, and each code's share of its group.

    A part below another has one code more, the last: that it does not apply.
    """

    group_of: IntArray
    shares: FloatArray

    @property
    def size(self) -> int:
        return int(self.group_of.max()) + 1

    @classmethod
    def of(cls, part: Part, counted: Counted | None) -> Self:
        """Groups by noisy counts: telling codes alone, all others together."""
        own = part.cardinality
        size = own + (part.parent is not None and part.applies_from > 0)
        if counted is None:
            return cls(np.arange(size), np.ones(size))
        telling = np.ones(size, dtype=np.bool_)
        telling[:own] = counted.counts > TELLING * np.sqrt(counted.variance)
        if int((~telling).sum()) < 2:
            telling[:] = True
        group_of = np.cumsum(telling) - 1
        group_of[~telling] = telling.sum()
        weights = np.ones(size)
        weights[:own] = counted.counts.clip(0)
        sums = np.bincount(group_of, weights=weights)
        sizes = np.bincount(group_of)
        even = 1.0 / sizes[group_of]
        shares = np.where(sums[group_of] > 0, weights / np.maximum(sums, 1e-300)[group_of], even)
        return cls(group_of.astype(np.int64), np.where(telling, 1.0, shares))

    def measured(self, variable: int, counted: Counted) -> Measured:
        """The counts that came with the codes, by group."""
        own = self.group_of[: len(counted.counts)]
        counts = np.bincount(own, weights=counted.counts, minlength=self.size).astype(np.float64)
        each = np.bincount(own, minlength=self.size).clip(1)
        return Measured((variable,), counts, counted.variance * float(each.mean()))


@dataclass(frozen=True)
class Grouping:
    """The groups of all parts of a table, and rows of codes as rows of groups and back."""

    parts: tuple[Part, ...]
    groups: tuple[CodeGroups, ...]

    @classmethod
    def of(cls, parts: Sequence[Part], counted: Mapping[int, Counted]) -> Self:
        """The groups of each part by the counts that it has."""
        groups = [CodeGroups.of(part, counted.get(place)) for place, part in enumerate(parts)]
        return cls(tuple(parts), tuple(groups))

    @property
    def sizes(self) -> tuple[int, ...]:
        return tuple(group.size for group in self.groups)

    def rows(self, codes: IntArray) -> IntArray:
        """Groups `(rows, parts)` of codes; -1 where a code is not known."""
        grouped = np.full_like(codes, UNKNOWN)
        for place, (part, groups) in enumerate(zip(self.parts, self.groups, strict=True)):
            own = codes[:, place]
            if len(groups.group_of) > part.cardinality and part.parent is not None:
                above = codes[:, part.parent]
                rules_out = (above >= 0) & (above < part.applies_from)
                own = np.where(rules_out, part.cardinality, own)
            grouped[:, place] = np.where(own >= 0, groups.group_of[own], UNKNOWN)
        return grouped

    def codes(self, grouped: IntArray, known: IntArray, random: np.random.Generator) -> IntArray:
        """Codes `(rows, parts)` of groups, those `known` kept; a group's code by its share."""
        codes = known.copy()
        for place, (part, groups) in enumerate(zip(self.parts, self.groups, strict=True)):
            free = np.flatnonzero(known[:, place] == UNKNOWN)
            applies = np.ones(len(codes), dtype=np.bool_)
            if part.parent is not None and part.applies_from > 0:
                applies = codes[:, part.parent] >= part.applies_from
            drawn = _within(groups, grouped[free, place], random)
            # A part that applies after all, though its group says otherwise: any of its codes.
            odd = drawn >= part.cardinality
            drawn[odd] = random.integers(part.cardinality, size=int(odd.sum()))
            codes[free, place] = np.where(applies[free], drawn, UNKNOWN)
        return codes


def _within(groups: CodeGroups, grouped: IntArray, random: np.random.Generator) -> IntArray:
    """A code of each row's group."""
    order = np.argsort(groups.group_of, kind="stable")
    ends = np.cumsum(groups.shares[order])
    tops = np.searchsorted(groups.group_of[order], np.arange(groups.size), side="right") - 1
    starts = np.concatenate([[0.0], ends[tops][:-1]])
    lots = starts[grouped] + random.random(len(grouped)) * (ends[tops][grouped] - starts[grouped])
    places = np.searchsorted(ends, lots, side="right")
    firsts = np.concatenate([[0], tops[:-1] + 1])
    places = np.clip(places, firsts[grouped], tops[grouped])
    drawn: IntArray = order[places].astype(np.int64)
    return drawn
