"""Columns on a line while rows are drawn: what is known of each row's number, and rules of sums."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np

from data_contracts.contract import Table
from data_contracts.written_rules import Comparison, Sum
from models.encoding.axis_shares import AxisShares
from models.encoding.column import UNKNOWN, BoolArray, FloatArray, IntArray
from models.encoding.measure import Measure


class Bounds(NamedTuple):
    """The lowest and highest number that each row may have, `(rows,)`, inclusive."""

    low: FloatArray
    high: FloatArray

    @classmethod
    def open(cls, rows: int) -> Self:
        """No bounds."""
        return cls(np.full(rows, -np.inf), np.full(rows, np.inf))

    def within(self, other: "Bounds") -> "Bounds":
        """What both allow."""
        return Bounds(np.maximum(self.low, other.low), np.minimum(self.high, other.high))


@dataclass(frozen=True)
class LinearRule:
    """The signed numbers of these columns add up to something from `low` to `high`."""

    signs: dict[str, int]
    low: float
    high: float


class Line:
    """One column: its codes as far as they are drawn, and the span in which its number lies.

    `first` is the column's first part in the table. The spans shrink from the whole axis to a bin,
    a cell and, once decoded, one number; missing numbers are NaN.
    """

    def __init__(self, measure: Measure, first: int, rows: int) -> None:
        self.measure, self.first = measure, first
        self.shares = AxisShares(measure.axis)
        self.codes = np.full((rows, measure.parts), UNKNOWN, dtype=np.int64)
        self.fixed = np.full(rows, np.nan)
        self.is_fixed = np.zeros(rows, dtype=np.bool_)
        self._narrow(*measure.spans(self.codes, self.shares))

    def fix(self, numbers: FloatArray, rows: BoolArray) -> None:
        """Takes in the numbers of these rows once and for all; NaN where missing."""
        self.fixed, self.is_fixed = np.where(rows, numbers, self.fixed), self.is_fixed | rows
        self._narrow(self.low, self.high)

    def observe(self, place: int, values: IntArray) -> None:
        """Takes in the code at a place of the column, `(rows,)`."""
        self.codes[:, place] = values
        self._narrow(*self.measure.spans(self.codes, self.shares))

    def settle(self, numbers: FloatArray) -> None:
        """Takes in the numbers that were drawn, `(rows,)`."""
        self._narrow(numbers, numbers)

    def _narrow(self, low: FloatArray, high: FloatArray) -> None:
        self.low = np.where(self.is_fixed, self.fixed, low)
        self.high = np.where(self.is_fixed, self.fixed, high)

    def weights(self, place: int, cardinality: int, bounds: Bounds) -> FloatArray | None:
        """The share of each value of a code that the bounds leave, None where they leave all."""
        # Written so that missing numbers (NaN) are no reason.
        if not bool((bounds.low > self.low).any() or (bounds.high < self.high).any()):
            return None
        low, high = self.measure.positions(*bounds)
        if place == 0:
            return self.shares.coarse(low, high)
        return self.shares.fine(self.codes[:, 0], low, high, cardinality)

    def taken(self, rows: IntArray) -> None:
        """Goes on with these rows in the place of its own."""
        self.codes, self.low, self.high = self.codes[rows], self.low[rows], self.high[rows]
        self.fixed, self.is_fixed = self.fixed[rows], self.is_fixed[rows]


def allowed(name: str, lines: dict[str, Line], rules: Sequence[LinearRule]) -> Bounds:
    """What the rules leave a column, given the spans of all others: interval propagation.

    A rule says nothing of a row in which one of its other columns is missing. Davis 1987,
    "Constraint propagation with interval labels".
    """
    bounds = Bounds.open(len(lines[name].low))
    for rule in rules:
        if name not in rule.signs:
            continue
        low, high = np.full(len(bounds.low), rule.low), np.full(len(bounds.low), rule.high)
        for other, sign in rule.signs.items():
            if other != name:
                ends = sign * lines[other].low, sign * lines[other].high
                low, high = low - np.maximum(*ends), high - np.minimum(*ends)
        low, high = np.where(np.isnan(low), -np.inf, low), np.where(np.isnan(high), np.inf, high)
        bounds = bounds.within(Bounds(low, high) if rule.signs[name] > 0 else Bounds(-high, -low))
    return bounds


def linear_rules(table: Table, measures: dict[str, Measure]) -> list[LinearRule]:
    """The comparisons of two columns and the sums of a table whose columns lie on one line."""
    found = []
    for written in table.row_rules:
        names = list(written.columns)
        units = {measures[name].unit if name in measures else None for name in names}
        if len(units) > 1 or None in units or len(set(names)) != len(names):
            continue
        if isinstance(written, Sum):
            signs = {term.column: int(term.sign) for term in written.terms}
            found.append(LinearRule({**signs, written.total: -1}, 0.0, 0.0))
        elif isinstance(written, Comparison) and isinstance(written.right, str):
            steps = [measures[name].step for name in names]
            found += _compared(written, min(steps) if len(set(steps)) == 1 else 0.0)
    return found


def _compared(rule: Comparison, step: float) -> list[LinearRule]:
    ends = {
        "<": (-np.inf, -step), "<=": (-np.inf, 0.0), "==": (0.0, 0.0),
        ">=": (0.0, np.inf), ">": (step, np.inf),
    }  # fmt: skip
    if rule.operator not in ends:
        return []
    return [LinearRule({rule.left: 1, str(rule.right): -1}, *ends[rule.operator])]
