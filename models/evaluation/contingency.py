"""Contingency tables of several columns, bounded by the rows however many categories there are."""

from dataclasses import dataclass

import numpy as np

from models.evaluation.coded import SIDES, CodedColumn, IntArray, Side
from models.evaluation.distributions import counts
from models.evaluation.intervals import FloatArray


@dataclass(frozen=True)
class Cells:
    """The combined code of several columns on each side, and how many codes there are.

    A table is then one count of codes. Whenever cells outnumber rows they are renumbered to those
    that occur, so that 50,000 categories cost no more than the rows that hold them.
    """

    codes: dict[Side, IntArray]
    count: int

    @classmethod
    def of(cls, columns: tuple[CodedColumn, ...]) -> "Cells":
        """Combines category codes (numbers must be binned before)."""
        codes = {side: np.asarray(columns[0].values[side], dtype=np.int64) for side in SIDES}
        cells = cls(codes, _levels(columns[0])).compressed()
        for column in columns[1:]:
            levels = _levels(column)
            codes = {
                side: cells.codes[side] * levels + column.values[side].astype(np.int64)
                for side in SIDES
            }
            cells = cls(codes, cells.count * levels).compressed()
        return cells

    @classmethod
    def of_patterns(cls, columns: tuple[CodedColumn, ...]) -> "Cells":
        """One code for each pattern of missing and present values of a row."""
        codes: dict[Side, IntArray] = {}
        matrices = {
            side: np.packbits(np.column_stack([column.missing(side) for column in columns]), axis=1)
            for side in SIDES
        }
        pooled = np.concatenate([matrices[side] for side in SIDES])
        patterns, numbered = np.unique(pooled, axis=0, return_inverse=True)
        ends = np.cumsum([matrices[side].shape[0] for side in SIDES])[:-1]
        parts = np.split(numbered.reshape(-1).astype(np.int64), ends)
        codes = dict(zip(SIDES, parts, strict=True))
        return cls(codes, max(patterns.shape[0], 1))

    def compressed(self) -> "Cells":
        """The same cells, renumbered to those that occur if there are more cells than rows."""
        sizes = [self.codes[side].size for side in SIDES]
        if self.count <= max(sum(sizes), 1_000):
            return self
        pooled = np.concatenate([self.codes[side] for side in SIDES])
        present, numbered = np.unique(pooled, return_inverse=True)
        parts = np.split(numbered.astype(np.int64), np.cumsum(sizes)[:-1])
        return Cells(dict(zip(SIDES, parts, strict=True)), max(present.size, 1))

    def shares(self, side: Side, weights: FloatArray) -> FloatArray:
        """Shares (rows of weights, cells) of a side."""
        return counts(self.codes[side], self.count, weights)


def _levels(column: CodedColumn) -> int:
    return len(column.labels or ()) + 1


def entropy(shares: FloatArray) -> FloatArray:
    """Shannon entropy in nats over the last axis."""
    logarithms = np.log(np.where(shares > 0, shares, 1.0))
    return np.asarray(-(shares * logarithms).sum(axis=-1), dtype=np.float64)
