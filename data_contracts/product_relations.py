"""Products and ratios of columns of numbers that hold in all rows of a sample."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from data_contracts.contract import Factor, Product
from data_contracts.linear_relations import (
    FEWEST_DIFFERENT,
    NEGLIGIBLE,
    BoolArray,
    FloatArray,
    IntArray,
    varied_columns,
)
from data_contracts.written_checks import PRODUCT_TOLERANCE, half, multiplied

MOST_COLUMNS = 400
"""Columns that are multiplied with each other; the first ones of a wider table."""
MOST_PRODUCTS = 50
MOST_DECIMALS = 8
FEWEST_VALUES = 10
"""Different values of a total: fewer are met by too many products."""
_SCREENED = 24
_SAMPLED = 2000
_FORMS: tuple[tuple[float, int], ...] = ((1, 1), (0.01, 1), (1, -1), (100, -1))
"""The number before two factors, and the power of the second: prices, rates, ratios, percents."""


@dataclass(frozen=True)
class _Likely:
    """A product that some rows keep: columns of two factors (or one, twice), and its number."""

    one: int
    other: int
    times: float
    power: int


def find_products(numbers: FloatArray, names: Sequence[str], units: int) -> list[Product]:
    """Columns that are others multiplied or divided, or times a number, rounded or exactly.

    `numbers` `(rows, columns)` are NaN where missing. A total may be rounded to as many decimals as
    it has. For each total, all pairs of columns are tried on one row, and what is left on others,
    so that the cost is that of the columns cubed once. A product counts if no row breaks it, and
    if it would practically never hold in so many units with any of its columns shuffled.
    """
    varied = np.flatnonzero(varied_columns(numbers, units))[:MOST_COLUMNS]
    if len(varied) < 2:
        return []
    numbers, names = numbers[:, varied], [names[column] for column in varied]
    totals = [_Total.of(numbers, column) for column in range(len(names))]
    tellings = [total for total in totals if len(total.rows) == _SCREENED]
    found: dict[frozenset[str], Product] = {}
    sizes = {names[total.column]: total.size for total in tellings}

    def looseness(rule: Product) -> tuple[float, int]:
        """Of rules of the same columns the tightest one tells most, and of equals a product."""
        return half(rule) / sizes[rule.total], sum(factor.power < 0 for factor in rule.factors)

    # What is another column times a number is left out where pairs are tried.
    single = set(range(len(names)))
    for search in (_multiples, _pairs):
        for total in tellings:
            for likely in search(numbers[total.rows], total, single):
                rule = _rule(likely, names, total)
                if kept := _proven(numbers, names, rule, units):
                    own = frozenset(rule.columns)
                    found[own] = min(found.get(own, kept), kept, key=looseness)
        single -= {names.index(rule.total) for rule in found.values()}
    return list(found.values())[:MOST_PRODUCTS]


def decimals_of(values: FloatArray) -> int | None:
    """How many decimals the numbers have, as far as some of them tell; None for many."""
    known = values[np.isfinite(values)]
    some = known[:: max(1, len(known) // _SAMPLED)]
    for decimals in range(MOST_DECIMALS + 1):
        scale = 10.0**decimals
        if bool((np.rint(some * scale) / scale == some).all()):
            return decimals
    return None


@dataclass(frozen=True)
class _Total:
    """A column that may be a product, the rows to try that on, and how far rounding may miss."""

    column: int
    rows: IntArray
    decimals: int | None
    size: float

    @classmethod
    def of(cls, numbers: FloatArray, column: int) -> Self:
        """Rows in which it has many different, large values, the fullest rows first."""
        sizes = np.abs(numbers[:, column])
        known = np.flatnonzero(sizes > 0)
        values, first = np.unique(sizes[known], return_index=True)
        large = known[first[len(first) // 2 :]] if len(values) >= 2 * _SCREENED else known
        rows = large[np.linspace(0, len(large) - 1, min(_SCREENED, len(large)), dtype=int)]
        rows = rows if len(values) >= FEWEST_VALUES else rows[:0]
        held = (~np.isnan(numbers[rows])).sum(1)
        rows = rows[np.argsort(-held, kind="stable")].astype(np.int64)
        size = float(np.median(sizes[known])) if len(known) else 0.0
        return cls(column, rows, decimals_of(numbers[:, column]), size)

    @property
    def slack(self) -> float:
        """Half a unit of the last decimal."""
        return 0.0 if self.decimals is None else 0.5 * 10.0**-self.decimals

    def factors(self, rows: FloatArray, single: set[int]) -> IntArray:
        """The columns that may make it: known in half of its rows `(rows, columns)` or more."""
        usable = np.isfinite(rows).mean(0) >= 0.5
        usable[self.column] = False
        return np.array([at for at in np.flatnonzero(usable) if at in single], dtype=np.int64)


def _multiples(rows: FloatArray, total: _Total, single: set[int]) -> Iterator[_Likely]:
    """Columns of which the total is the same multiple in each of some rows `(rows, columns)`."""
    made = rows[:, total.column]
    for column in total.factors(rows, single).tolist():
        times = _multiple(rows[:, column], made, total.slack)
        if times is not None:
            yield _Likely(column, column, times, 1)


def _pairs(rows: FloatArray, total: _Total, single: set[int]) -> Iterator[_Likely]:
    """Pairs of columns that make the total in each of some rows `(rows, columns)`."""
    columns = total.factors(rows, single)
    if total.column not in single:
        return
    for times, power in _FORMS:
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            powered = rows**power
            made = times * np.outer(rows[0, columns], powered[0, columns])
            left = _meets(made, rows[0, total.column], total.slack)
            if power > 0:
                left &= np.triu(np.ones(left.shape, dtype=np.bool_), 1)
            np.fill_diagonal(left, False)
            one, other = (columns[place] for place in np.nonzero(left))
            for row in range(1, len(rows)):
                made = times * rows[row, one] * powered[row, other]
                kept = _meets(made, rows[row, total.column], total.slack)
                one, other = one[kept], other[kept]
        for pair in zip(one.tolist(), other.tolist(), strict=True):
            yield _Likely(*pair, times, power)


def _meets(made: FloatArray, total: float, slack: float) -> BoolArray:
    """Where products are the total, or there is none."""
    near = slack + PRODUCT_TOLERANCE * abs(total)
    met: BoolArray = ~(np.abs(made - total) > near)
    return met


def _multiple(column: FloatArray, total: FloatArray, slack: float) -> float | None:
    """The shortest number that makes the column the total in each row; None if there is none."""
    known = np.isfinite(column) & (column != 0)
    if known.sum() < len(column) / 2:
        return None
    near = slack + PRODUCT_TOLERANCE * np.abs(total[known])
    ends = np.stack([(total[known] - near) / column[known], (total[known] + near) / column[known]])
    low, high = float(ends.min(0).max()), float(ends.max(0).min())
    if not low <= high or low <= 0 <= high:
        return None
    middle = low / 2 + high / 2
    for digits in range(1, 13):
        times = float(f"{middle:.{digits}g}")
        if low <= times <= high:
            # Equal columns, and columns of opposite sign, are found as such.
            return None if abs(times) == 1 or digits > 6 else times
    return None


def _rule(likely: _Likely, names: Sequence[str], total: _Total) -> Product:
    factors = [Factor(column=names[likely.one])]
    if likely.other != likely.one:
        factors.append(Factor.model_validate({"column": names[likely.other],
                                              "power": likely.power}))  # fmt: skip
    times = int(likely.times) if likely.times == int(likely.times) else likely.times
    return Product(
        factors=tuple(factors), times=times, total=names[total.column], decimals=total.decimals
    )


def _proven(numbers: FloatArray, names: Sequence[str], rule: Product, units: int) -> Product | None:
    """The rule, if all rows keep it and it says something; not rounded, if it holds like that."""
    places = [names.index(name) for name in rule.columns]
    columns = numbers[:, places]
    made = multiplied(rule, list(columns[:, :-1].T))
    total = columns[:, -1]
    missed = np.abs(made - total)
    least = PRODUCT_TOLERANCE * np.maximum(np.abs(made), np.abs(total))
    if bool((missed > least + half(rule)).any()):
        return None
    # Rows in which a factor is 0 or 1 say little.
    bearing = np.isfinite(missed) & (total != 0) & ~np.isin(columns[:, :-1], (0, 1, -1)).any(1)
    if len(rule.factors) == 1:
        bearing = np.isfinite(missed) & (total != 0)
    share = units / len(numbers)
    chance = _chance(rule, columns[bearing])
    borne = float(bearing.sum()) * share
    if borne < FEWEST_DIFFERENT or borne * -np.log(chance) < NEGLIGIBLE:
        return None
    exact = not bool((missed > least).any())
    return rule.model_copy(update={"decimals": None}) if exact else rule


def _chance(rule: Product, columns: FloatArray) -> float:
    """How often the rule would hold in a row with one of its columns from another row."""
    if not len(columns):
        return 1.0
    random = np.random.default_rng(0)
    chances = []
    for place in range(columns.shape[1]):
        mixed = columns.copy()
        mixed[:, place] = random.permutation(mixed[:, place])
        made, total = multiplied(rule, list(mixed[:, :-1].T)), mixed[:, -1]
        held = np.abs(made - total) <= half(rule) + PRODUCT_TOLERANCE * np.abs(total)
        chances.append((held.sum() + 1.0) / (len(columns) + 1.0))
    return float(max(chances))
