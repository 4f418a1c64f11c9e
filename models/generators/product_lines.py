"""Rules of products while rows are drawn: what factors and total leave each other."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from data_contracts.contract import Product, Table
from data_contracts.written_checks import PRODUCT_TOLERANCE, half
from models.encoding.column import BoolArray, FloatArray
from models.encoding.measure import Measure
from models.generators.bounds import Bounds

_AT_ONCE = 2**20
"""Numbers that are looked at together, to spare memory."""


@dataclass(frozen=True)
class ProductRule:
    """`times` and these columns, each to its power, make `total` to within `half`.

    `known` is the total of all rows where it is the same in each; then no column follows it.
    """

    powers: dict[str, int]
    times: float
    total: str
    half: float
    known: float | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that the rule is about."""
        return (*self.powers, self.total) if self.known is None else tuple(self.powers)

    def leaves(self, name: str, spans: Mapping[str, Bounds]) -> Bounds:
        """What the rule leaves a column, given where the others lie.

        It says nothing of rows in which another column is missing (NaN), or may be a divisor of
        zero.
        """
        rows = len(spans[name].low)
        made = Bounds(np.full(rows, self.times), np.full(rows, self.times))
        for factor, power in self.powers.items():
            if factor != name:
                made = _times(made, spans[factor] if power > 0 else _inverse(spans[factor]))
        if name == self.total:
            return _known(self._rounded(made))
        total = np.full(rows, self.known)
        wanted = self._rounded(spans[self.total] if self.known is None else Bounds(total, total))
        left = _times(wanted, _inverse(made))
        # Nothing times anything is nothing.
        both = _holds_zero(wanted) & _holds_zero(made)
        left = Bounds(np.where(both, -np.inf, left.low), np.where(both, np.inf, left.high))
        return _known(left if self.powers[name] > 0 else _inverse(left))

    def _rounded(self, bounds: Bounds) -> Bounds:
        """What lies so near to one of these numbers that the rule takes them for equal."""
        near = [
            self.half + 0.5 * PRODUCT_TOLERANCE * np.abs(np.where(np.isfinite(end), end, 0.0))
            for end in bounds
        ]
        return Bounds(bounds.low - near[0], bounds.high + near[1])


def product_rules(
    table: Table, measures: Mapping[str, Measure], constants: Mapping[str, float]
) -> list[ProductRule]:
    """The products among a table's rules whose columns are all numbers on a line.

    The `constants` are columns of one number in every row: a rule takes them for that number.
    """
    found = []
    for rule in table.row_rules:
        if isinstance(rule, Product) and all(
            name in constants or (name in measures and measures[name].unit == "number")
            for name in rule.columns
        ):
            found += _with_numbers(rule, constants)
    return found


def _with_numbers(rule: Product, constants: Mapping[str, float]) -> list[ProductRule]:
    """The product with its constant factors in the number before it; none by zero."""
    times = float(rule.times)
    for factor in rule.factors:
        if factor.column in constants:
            if factor.power < 0 and not constants[factor.column]:
                return []
            times *= constants[factor.column] ** int(factor.power)
    powers = {
        factor.column: int(factor.power)
        for factor in rule.factors
        if factor.column not in constants
    }
    made = ProductRule(powers, times, rule.total, half(rule), constants.get(rule.total))
    return [made] if made.names else []


def other_factor(rule: ProductRule, name: str) -> str | None:
    """The one other factor of a product of two; None where there is no such thing."""
    others = [factor for factor in rule.powers if factor != name]
    return others[0] if name in rule.powers and len(others) == 1 else None


def has_place(
    rule: ProductRule, name: str, numbers: FloatArray, spans: Mapping[str, Bounds], measure: Measure
) -> BoolArray:
    """Whether the other factor, of `measure`, has a position beside each of some numbers.

    `numbers` of the factor `name` are `(rows, numbers)`, or `(1, numbers)` for all rows alike; the
    spans are those of the rows. The result is `(rows, numbers)`.
    """
    other = other_factor(rule, name)
    assert other is not None
    rows, count = len(spans[name].low), numbers.shape[1]
    size = max(1, _AT_ONCE // max(1, count))
    fits = np.ones((rows, count), dtype=np.bool_)
    for start in range(0, rows, size):
        some = slice(start, start + size)
        wide = {
            column: Bounds(*(np.repeat(end[some], count) for end in spans[column]))
            for column in rule.names
            if column != name
        }
        flat = np.broadcast_to(numbers if len(numbers) == 1 else numbers[some], fits[some].shape)
        wide[name] = Bounds(flat.ravel(), flat.ravel())
        left = rule.leaves(other, wide).within(wide[other])
        low, high = measure.positions(left.low, left.high)
        # Written so that where one is missing (NaN) there is nothing to fit.
        fits[some] = ~(low > high).reshape(flat.shape)
    return fits


def _known(bounds: Bounds) -> Bounds:
    """What is not known (NaN) leaves everything."""
    return Bounds(
        np.where(np.isnan(bounds.low) | np.isnan(bounds.high), -np.inf, bounds.low),
        np.where(np.isnan(bounds.low) | np.isnan(bounds.high), np.inf, bounds.high),
    )


def _times(one: Bounds, other: Bounds) -> Bounds:
    missing = np.isnan(one.low) | np.isnan(other.low)
    with np.errstate(invalid="ignore", over="ignore"):
        ends = np.stack([a * b for a in one for b in other])
    # An end that is zero stays zero, however far the other side reaches.
    ends = np.where(np.isnan(ends), 0.0, ends)
    low, high = ends.min(0), ends.max(0)
    return Bounds(np.where(missing, np.nan, low), np.where(missing, np.nan, high))


def _inverse(bounds: Bounds) -> Bounds:
    """One by what lies between the bounds; everything where zero is inside."""
    low, high = bounds
    with np.errstate(divide="ignore", over="ignore"):
        ends = 1.0 / high, 1.0 / low
    above, below = (low >= 0) & (high > 0), (low < 0) & (high <= 0)
    least = np.where(above | (below & (high < 0)), ends[0], -np.inf)
    most = np.where(below | (above & (low > 0)), ends[1], np.inf)
    missing = np.isnan(low)
    return Bounds(np.where(missing, np.nan, least), np.where(missing, np.nan, most))


def _holds_zero(bounds: Bounds) -> BoolArray:
    held: BoolArray = (bounds.low <= 0) & (bounds.high >= 0)
    return held
