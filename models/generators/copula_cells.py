"""Codes as cells on a line: how categories and numbers become spans of a standard normal."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from scipy.special import ndtri

from models.encoding.column import UNKNOWN, FloatArray, IntArray, Part

WIDEST = 8.0
"""Normal scores end here: nothing beyond is ever drawn."""
ARRANGEMENTS = 5
"""Rounds in which categories are put in order; they rarely change after the third."""


class Place(NamedTuple):
    """A part of a table, and the part that refines it, if one does."""

    part: int
    detail: int | None


@dataclass(frozen=True)
class Cells:
    """One dimension: the values of a part side by side, each with the cells of its detail.

    `order` are the part's values from left to right. `ends` `(cells + 1,)` are the normal scores
    between cells, so that each cell has its share of a standard normal.
    """

    place: Place
    order: IntArray
    widths: IntArray
    ends: FloatArray

    @classmethod
    def fit(cls, place: Place, parts: Sequence[Part], codes: IntArray, order: IntArray) -> Self:
        """The cells of codes `(rows, parts)` with the part's values in this order."""
        part, widths = parts[place.part], np.ones(len(order), dtype=np.int64)
        if place.detail is not None:
            detail = parts[place.detail]
            widths[np.arange(part.cardinality) >= detail.applies_from] = detail.cardinality
        unplaced = cls(place, order, widths, np.empty(0))
        cells = unplaced.of_codes(codes)
        counts = np.bincount(cells[cells >= 0], minlength=int(widths.sum())).astype(np.float64)
        shares = np.cumsum(counts) / max(counts.sum(), 1.0)
        ends = ndtri(np.concatenate([[0.0], shares[:-1], [1.0]])).clip(-WIDEST, WIDEST)
        return cls(place, order, widths, ends)

    def of_codes(self, codes: IntArray) -> IntArray:
        """The cell of each row of codes `(rows, parts)`, UNKNOWN where its value is."""
        values = codes[:, self.place.part]
        cells = self._starts[values] + 0
        if self.place.detail is not None:
            detail = codes[:, self.place.detail].clip(min=0)
            cells += np.where(self.widths[values] > 1, detail, 0)
        return np.where(values == UNKNOWN, UNKNOWN, cells)

    def spans(self, codes: IntArray) -> tuple[FloatArray, FloatArray]:
        """The lowest and highest normal score of each row, `(rows,)`; all of it if unknown."""
        cells = self.of_codes(codes)
        known = cells >= 0
        low = np.where(known, self.ends[cells], -WIDEST)
        high = np.where(known, self.ends[cells + 1], WIDEST)
        return low, high

    def write(self, scores: FloatArray, codes: IntArray) -> None:
        """Writes the codes of normal scores `(rows,)` into codes `(rows, parts)`."""
        cells = np.searchsorted(self.ends[1:-1], scores, side="right")
        ends = np.cumsum(self.widths[self.order])
        values = self.order[np.searchsorted(ends, cells, side="right")]
        codes[:, self.place.part] = values
        if self.place.detail is not None:
            detail = cells - self._starts[values]
            codes[:, self.place.detail] = np.where(self.widths[values] > 1, detail, UNKNOWN)

    @property
    def _starts(self) -> IntArray:
        """The first cell of each value."""
        starts = np.empty(len(self.order), dtype=np.int64)
        widths = self.widths[self.order]
        starts[self.order] = np.cumsum(widths) - widths
        return starts


def places(parts: Sequence[Part]) -> list[Place]:
    """The dimensions of a table: each part that does not merely refine another."""
    details = {part.parent: index for index, part in enumerate(parts) if part.nested}
    return [Place(index, details.get(index)) for index, part in enumerate(parts) if not part.nested]


def arrange(parts: Sequence[Part], codes: IntArray) -> list[Cells]:
    """The cells of every dimension, categories ordered so that they go along with other columns.

    Numbers and dates have their own order, missing first. Categories start in any order; then
    each column's are sorted by their mean on the first principal component of all other columns,
    a few times over (alternating least squares of nonlinear principal components, Gifi 1990).
    """
    made = [
        Cells.fit(place, parts, codes, _first_order(parts[place.part])) for place in places(parts)
    ]
    scores = np.stack([_middles(cells, codes) for cells in made], 1) if made else np.empty((0, 0))
    for _ in range(ARRANGEMENTS):
        for number, cells in enumerate(made):
            part = parts[cells.place.part]
            if part.line or part.cardinality < 3 or len(made) < 2:
                continue
            component = _first_component(np.delete(scores, number, 1))
            order = _order_by_mean(codes[:, cells.place.part], component, part.cardinality)
            made[number] = Cells.fit(cells.place, parts, codes, order)
            scores[:, number] = _middles(made[number], codes)
    return made


def _first_order(part: Part) -> IntArray:
    values = np.arange(part.cardinality)
    line = np.array(part.line, dtype=np.int64)
    return np.concatenate([values[~np.isin(values, line)], line]).astype(np.int64)


def _middles(cells: Cells, codes: IntArray) -> FloatArray:
    """The middle of each row's span, `(rows,)`; 0 where unknown."""
    low, high = cells.spans(codes)
    middles: FloatArray = (low + high) / 2
    return middles


def _first_component(scores: FloatArray) -> FloatArray:
    """The first principal component of the standardised columns of `scores`, `(rows,)`."""
    centred = scores - scores.mean(0)
    centred /= centred.std(0).clip(min=1e-9)
    _, vectors = np.linalg.eigh(centred.T @ centred)
    component: FloatArray = centred @ vectors[:, -1]
    return component


def _order_by_mean(values: IntArray, component: FloatArray, size: int) -> IntArray:
    known = values >= 0
    counts = np.bincount(values[known], minlength=size)
    sums = np.bincount(values[known], weights=component[known], minlength=size)
    return np.argsort(sums / counts.clip(min=1), kind="stable").astype(np.int64)
