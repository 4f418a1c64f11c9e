"""Columns on a line while rows are drawn: what is known of each row's number, and rules of sums."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from data_contracts.contract import Table
from data_contracts.written_rules import Comparison, Sum
from models.encoding.axis_shares import AxisShares
from models.encoding.column import UNKNOWN, BoolArray, FloatArray, IntArray
from models.encoding.measure import Measure
from models.generators.bounds import Bounds
from models.generators.product_lines import ProductRule

SWEEPS = 3
"""How often the spans of other columns are narrowed: a chain of rules needs one for each link."""
_MIRRORED = {"<": ">", "<=": ">=", "==": "==", "!=": "!=", ">=": "<=", ">": "<"}
STRICTLY = 1e-3
"""Share of a step by which a limit is missed that must not be met: more than `NEARLY`."""


@dataclass(frozen=True)
class LinearRule:
    """The signed numbers of these columns add up to something from `low` to `high`."""

    signs: dict[str, int]
    low: float
    high: float

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that the rule is about."""
        return tuple(self.signs)

    def leaves(self, name: str, spans: Mapping[str, Bounds]) -> Bounds:
        """What the rule leaves a column, given where the others lie.

        It says nothing of rows in which another column is missing (NaN).
        """
        rows = len(spans[name].low)
        low, high = np.full(rows, self.low), np.full(rows, self.high)
        for other, sign in self.signs.items():
            if other != name:
                ends = sign * spans[other].low, sign * spans[other].high
                low, high = low - np.maximum(*ends), high - np.minimum(*ends)
        low, high = np.where(np.isnan(low), -np.inf, low), np.where(np.isnan(high), np.inf, high)
        return Bounds(low, high) if self.signs[name] > 0 else Bounds(-high, -low)


LineRule = LinearRule | ProductRule


class Line:
    """One column: its codes as far as they are drawn, and the span in which its number lies.

    `first` is the column's first part in the table. The spans shrink from the whole axis to a bin,
    a cell and, once decoded, one number; missing numbers are NaN.
    """

    def __init__(self, measure: Measure, first: int, rows: int) -> None:
        self.measure, self.first = measure, first
        self.shares = AxisShares(measure.axis)
        self.codes = np.full((rows, measure.codes), UNKNOWN, dtype=np.int64)
        self.fixed = np.full(rows, np.nan)
        self.is_fixed = np.zeros(rows, dtype=np.bool_)
        self.settled = False
        self._narrow(*measure.spans(self.codes, self.shares))

    @property
    def span(self) -> Bounds:
        """Between which numbers each row lies, NaN where it is missing."""
        return Bounds(self.low, self.high)

    @property
    def sure(self) -> Bounds:
        """The numbers of rows that are settled or given; anything for others, NaN where missing."""
        sure = self.is_fixed | self.settled | np.isnan(self.low)
        return Bounds(np.where(sure, self.low, -np.inf), np.where(sure, self.high, np.inf))

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
        self.settled = True
        self._narrow(numbers, numbers)

    def _narrow(self, low: FloatArray, high: FloatArray) -> None:
        self.low = np.where(self.is_fixed, self.fixed, low)
        self.high = np.where(self.is_fixed, self.fixed, high)

    def weights(self, place: int, cardinality: int, bounds: Bounds) -> FloatArray | None:
        """The share of each value of a code that the bounds leave, None where they leave all."""
        # Written so that missing numbers (NaN) are no reason.
        if not bool((bounds.low > self.low).any() or (bounds.high < self.high).any()):
            return None
        below = self.measure.below
        if below is not None and place >= self.measure.parts:
            first = self.measure.places(self.codes, self.shares)
            codes = self.codes[:, self.measure.parts :]
            known = ~self.shares.open(self.codes[:, : self.measure.parts])
            return below.weights(place - self.measure.parts, codes, first, bounds, known)
        low, high = self.measure.positions(*bounds, self.codes)
        if place == 0:
            return self.shares.coarse(low, high)
        return self.shares.fine(self.codes[:, 0], low, high, cardinality)

    def taken(self, rows: IntArray) -> None:
        """Goes on with these rows in the place of its own."""
        self.codes, self.low, self.high = self.codes[rows], self.low[rows], self.high[rows]
        self.fixed, self.is_fixed = self.fixed[rows], self.is_fixed[rows]


def allowed(name: str, spans: Mapping[str, Bounds], rules: Sequence[LineRule]) -> Bounds:
    """What the rules leave a column, given the spans of all: interval propagation.

    The spans of the others are narrowed by the rules first, so that what is drawn of one column
    reaches this one through columns of which nothing is drawn. Davis 1987, "Constraint propagation
    with interval labels". Where the others leave each other nothing, nothing is left here either.
    """
    near = _reaching(name, rules)
    spans = dict(spans)
    involved = dict.fromkeys(column for rule in near for column in rule.names)
    others = [column for column in involved if column != name]
    for _ in range(SWEEPS if len(near) > 1 else 0):
        changed = False
        for other in others:
            rest = left(other, spans, near)
            narrower = (rest.low > spans[other].low) | (rest.high < spans[other].high)
            if bool(narrower.any()):
                spans[other], changed = spans[other].within(rest), True
        if not changed:
            break
    bounds = left(name, spans, near)
    torn = np.zeros(len(bounds.low), dtype=np.bool_)
    for other in others:
        torn |= spans[other].empty
    return Bounds(np.where(torn, np.inf, bounds.low), np.where(torn, -np.inf, bounds.high))


def left(name: str, spans: Mapping[str, Bounds], rules: Sequence[LineRule]) -> Bounds:
    """What each rule by itself leaves a column."""
    bounds = Bounds.open(len(spans[name].low))
    for rule in rules:
        if name in rule.names:
            bounds = bounds.within(rule.leaves(name, spans))
    return bounds


def _reaching(name: str, rules: Sequence[LineRule]) -> list[LineRule]:
    """The rules that a column hangs on, by itself or through others."""
    names, found = {name}, -1
    while len(names) != found:
        found = len(names)
        names |= {other for rule in rules if names & set(rule.names) for other in rule.names}
    return [rule for rule in rules if names & set(rule.names)]


def linear_rules(
    table: Table, measures: dict[str, Measure], constants: Mapping[str, float]
) -> list[LinearRule]:
    """The comparisons of two columns and the sums of a table whose columns lie on one line.

    The `constants` are columns of one number in every row: a rule takes them for that number.
    """
    found = []
    for written in table.row_rules:
        names = [name for name in written.columns if name not in constants]
        units = {measures[name].unit if name in measures else None for name in names}
        units |= {"number"} if len(names) < len(written.columns) else set()
        if len(units) > 1 or None in units or len(set(names)) != len(names) or not names:
            continue
        if isinstance(written, Sum):
            found.append(_added(written, constants))
        elif isinstance(written, Comparison):
            steps = [measures[name].step for name in names]
            step = min(steps) if len(set(steps)) == 1 else 0.0
            found += (
                _compared(written, step)
                if len(names) > 1
                else _limited(_beside_number(written, constants), step)
            )
    return found


def _added(rule: Sum, constants: Mapping[str, float]) -> LinearRule:
    signs = {term.column: int(term.sign) for term in rule.terms}
    total = 0.0
    if isinstance(rule.total, str):
        signs[rule.total] = -1
    else:
        total = float(rule.total)
    total -= sum(sign * constants[name] for name, sign in signs.items() if name in constants)
    signs = {name: sign for name, sign in signs.items() if name not in constants}
    return LinearRule(signs, *_ends(rule.operator, total))


def _beside_number(rule: Comparison, constants: Mapping[str, float]) -> Comparison:
    """A comparison whose one side is a number, or a constant, with the column on the left."""
    if not isinstance(rule.right, str):
        return rule
    if rule.right in constants:
        return rule.model_copy(update={"right": constants[rule.right]})
    changed = {"left": rule.right, "right": constants[rule.left]}
    return rule.model_copy(update={**changed, "operator": _MIRRORED[rule.operator]})


def _ends(operator: str, total: float) -> tuple[float, float]:
    low, high = -np.inf if operator == "<=" else total, np.inf if operator == ">=" else total
    return low, high


def _limited(rule: Comparison, step: float) -> list[LinearRule]:
    """A column beside a number; what lies next to the number stays on its side of it."""
    limit = float(rule.right)
    if rule.operator in ("<=", "==", ">="):
        return [LinearRule({rule.left: 1}, *_ends(rule.operator, limit))]
    if rule.operator == "<":
        below = limit - STRICTLY * step if step else float(np.nextafter(limit, -np.inf))
        return [LinearRule({rule.left: 1}, -np.inf, below)]
    if rule.operator == ">":
        above = limit + STRICTLY * step if step else float(np.nextafter(limit, np.inf))
        return [LinearRule({rule.left: 1}, above, np.inf)]
    return []


def _compared(rule: Comparison, step: float) -> list[LinearRule]:
    ends = {
        "<": (-np.inf, -step), "<=": (-np.inf, 0.0), "==": (0.0, 0.0),
        ">=": (0.0, np.inf), ">": (step, np.inf),
    }  # fmt: skip
    if rule.operator not in ends:
        return []
    return [LinearRule({rule.left: 1, str(rule.right): -1}, *ends[rule.operator])]
