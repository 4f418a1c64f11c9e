"""Identifiers: issued anew by kind or pattern, never copied, never modelled."""

import math
from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
import pyarrow as pa

from data_contracts.checks import own_bound
from data_contracts.contract import Column, Comparison, Table
from data_contracts.errors import ModelError
from data_contracts.schema import arrow_type, column_type, to_series
from models.encoding.column import THRESHOLD, BoolArray, IntArray, Part, State, unit_counts
from models.encoding.issuers import (
    Issuer,
    country_of,
    has_issuer,
    issuer_of,
    texts_of_shape,
)
from models.encoding.pattern import (
    learn_pattern,
    of_alphabets,
    parse_pattern,
    to_alphabets,
    widened,
)

SPARE = 10
"""A learned shape has room for so many times the rows that were seen."""
MOST_SEEN = 50_000
"""Different texts looked at to learn a shape."""


class IdentifierCodec:
    """An identifier without codes: row i of a release gets the i-th made-up value.

    Text follows the contract's pattern, else its kind (names, e-mails, phones, bank accounts,
    addresses, free text), else the shape that most units' values share; whole numbers count up.
    Values differ from row to row. Only the share of missing values is learned besides.
    """

    kind: ClassVar[str] = "identifier"
    parts_: tuple[Part, ...] = ()
    domain = "nothing: identifiers are issued anew"

    def __init__(self, column: Column, threshold: int = THRESHOLD) -> None:
        self.column, self.threshold = column, threshold
        # One of several columns of a key may repeat its values.
        self.in_group = False
        # Numbers that a rule of the contract rules out.
        self.barred: list[int] = []

    def fit(self, values: pd.Series, units: IntArray | None = None) -> Self:
        """Learns the share of missing values and, where nothing else is known, the shape."""
        self.dtype_ = values.dtype
        missing = values.isna().to_numpy(dtype=bool)
        owners = int(unit_counts(np.where(missing, 0, -1), 1, units)[0])
        shown = owners >= self.threshold or (bool(missing.all()) and len(missing) > 0)
        self.missing_share_ = float(missing.mean()) if shown else 0.0
        self.shape_: list[str] | None = None
        self.country_: tuple[str, int] | None = None
        if self.column.logical_type == "string" and not self._has_pattern():
            texts = _one_of_each(values[~missing], None if units is None else units[~missing])
            if self.column.identifier_kind == "iban":
                self.country_ = country_of(texts, self.threshold)
            elif not has_issuer(self.column.identifier_kind):
                shape = learn_pattern(texts, self.threshold)
                self.shape_ = to_alphabets(widened(shape, SPARE * max(len(values), 1)))
        return self

    def encode(self, values: pd.Series) -> IntArray:
        """No codes: (rows, 0)."""
        return np.empty((len(values), 0), dtype=np.int64)

    def decode(self, codes: IntArray, random: np.random.Generator) -> pd.Series:
        """New values (rows,), counted from the first."""
        return self.issue(0, len(codes), random)

    def issue(self, first: int, rows: int, random: np.random.Generator) -> pd.Series:
        """The values number `first` to `first + rows - 1`, in the dtype that was learned."""
        return self._issued(first, random.random(rows) < self.missing_share_)

    def whole(self, first: int, rows: int) -> pd.Series:
        """The same values with not one missing."""
        return self._issued(first, np.zeros(rows, dtype=np.bool_))

    def _issued(self, first: int, missing: BoolArray) -> pd.Series:
        rows = len(missing)
        values: Sequence[bool | int | str]
        if self.column.logical_type == "string":
            values = self._texts(first, rows)
        elif self.column.logical_type == "boolean":
            self._check_listed(2, first + rows)
            values = [bool((first + row) % 2) for row in range(rows)]
        else:
            values = self._numbers(first, rows)
        kept = [None if gone else value for value, gone in zip(values, missing, strict=True)]
        return self._series(kept)

    def outside(self, values: pd.Series) -> BoolArray:
        """All of them: identifiers cannot be given."""
        return np.ones(len(values), dtype=np.bool_)

    def state(self) -> State:
        """What `restore` needs."""
        return State(
            {"missing": self.missing_share_, "shape": self.shape_, "country": self.country_}
        )

    @classmethod
    def restore(cls, column: Column, dtype: Any, state: State) -> Self:
        """The codec that `state` was taken from."""
        codec = cls(column)
        codec.dtype_ = dtype
        codec.missing_share_ = state.settings["missing"]
        codec.shape_ = state.settings["shape"]
        country = state.settings["country"]
        codec.country_ = None if country is None else (country[0], country[1])
        return codec

    def _has_pattern(self) -> bool:
        return self.column.pattern is not None and parse_pattern(self.column.pattern) is not None

    def _texts(self, first: int, rows: int) -> list[str]:
        if self.column.categories is not None:
            listed = [str(value) for value in self.column.categories]
            self._check_listed(len(listed), first + rows)
            return [listed[index % len(listed)] for index in range(first, first + rows)]
        if self.shape_ is not None:
            return texts_of_shape(of_alphabets(self.shape_), first, rows)
        pattern = None
        if self._has_pattern():
            pattern = parse_pattern(str(self.column.pattern))
        if pattern is not None:
            self._check_room(pattern.count, first + rows)
        issue: Issuer = issuer_of(self.column.identifier_kind, pattern, self.country_)
        return [issue(index) for index in range(first, first + rows)]

    def _numbers(self, first: int, rows: int) -> Sequence[int]:
        """Whole numbers, days or ticks from the contract's least on; 1 (or 2000) without one."""
        low, high = self._limits()
        steps = self._steps()
        barred = [number for number in self.barred if low <= number <= high]
        self._check_room((high - low) // steps[-1] + 1 - len(barred), first + rows)
        if not barred and first + rows <= (high - low) // steps[0] + 1:
            return range(low + first * steps[0], low + (first + rows) * steps[0], steps[0])
        span = max(0, high - low - len(barred))
        numbers = [low + _multiple(index, steps, span) for index in range(first, first + rows)]
        for gap in barred:
            numbers = [number + (number >= gap) for number in numbers]
        return numbers

    def _limits(self) -> tuple[int, int]:
        target = arrow_type(self.column.physical_type)
        day = self._steps()[0]
        low, high = (20_000 * day, 40_000 * day)
        if pa.types.is_integer(target):
            low, high = 1, int(np.iinfo(target.to_pandas_dtype()).max)
        elif pa.types.is_decimal(target):
            low, high = 1, int(10 ** (target.precision - target.scale)) - 1
        elif pa.types.is_floating(target):
            low, high = 1, 2**24 if pa.types.is_float32(target) else 2**53
        if self.column.minimum is not None:
            low = -int(-own_bound(self.column, self.column.minimum, upwards=True) // 1)
            high = max(high, low)
        if self.column.maximum is not None:
            high = int(own_bound(self.column, self.column.maximum, upwards=False) // 1)
            low = low if self.column.minimum is not None else min(low, high)
        return low, high

    def _steps(self) -> tuple[int, ...]:
        """A day in ticks for times, then an hour and so on to a single tick; 1 for all else."""
        target = arrow_type(self.column.physical_type)
        if pa.types.is_date64(target):
            return (86_400_000,)
        if not pa.types.is_timestamp(target):
            return (1,)
        second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[target.unit]
        coarse = tuple(second * seconds for seconds in (86_400, 3600, 60, 1))
        return coarse if second == 1 else (*coarse, 1)

    def _check_listed(self, room: int, needed: int) -> None:
        if self.column.unique or not self.in_group:
            self._check_room(room, needed)

    def _check_room(self, room: int, needed: int) -> None:
        if room < needed and (self.column.unique or self.column.primary_key):
            raise ModelError(
                f"column {self.column.name!r}: {needed} rows need as many different identifiers, "
                f"but its pattern, range or list of values has {room}. Widen it in the contract, "
                "or ask for fewer rows."
            )

    def _series(self, values: list[Any]) -> pd.Series:
        target = column_type(self.column)
        if pa.types.is_temporal(target):
            narrow = pa.int32() if pa.types.is_date32(target) else pa.int64()
            array = pa.array(values, narrow).view(target)
        elif pa.types.is_dictionary(target):
            array = pa.array(values, pa.string()).dictionary_encode().cast(target)
        elif pa.types.is_decimal(target):
            exact = [None if value is None else Decimal(value) for value in values]
            array = pa.array(exact, target)
        else:
            array = pa.array(values).cast(target)
        return to_series(array)


def within_rules(column: Column, table: Table) -> tuple[Column, list[int]]:
    """The column with the limits that the table's rules set beside its own, and barred numbers.

    What is issued follows from a row's number, so that no other draw could keep such a rule. One
    that holds anyway moves no number: models of earlier releases would issue others. Only numbers
    have rules beside a number: loading refuses the rest.
    """
    lows, highs, barred = list[int](), list[int](), set[int]()
    for rule in table.row_rules:
        if not isinstance(rule, Comparison) or rule.left != column.name:
            continue
        if isinstance(rule.right, str) or not math.isfinite(rule.right):
            continue
        bound = Decimal(str(rule.right))
        if rule.operator == "!=":
            barred.update([int(bound)] if bound == int(bound) else [])
        if rule.operator in (">", ">=", "=="):
            lows.append(math.floor(bound) + 1 if rule.operator == ">" else math.ceil(bound))
        if rule.operator in ("<", "<=", "=="):
            highs.append(math.ceil(bound) - 1 if rule.operator == "<" else math.floor(bound))
    limits = _cutting(column, lows, highs) if lows or highs else {}
    return (column.model_copy(update=limits) if limits else column), sorted(barred)


def _cutting(column: Column, lows: Sequence[int], highs: Sequence[int]) -> dict[str, int]:
    """The limits that leave out numbers which the column would issue without them."""
    start, end = IdentifierCodec(column)._limits()
    low, high = max(lows, default=start), min(highs, default=end)
    limits = {"maximum": high} if high < end else {}
    # Where all numbers from the start on are cut off, they count from the rule's least.
    if low > start or (low < start and high <= start and column.minimum is None):
        limits["minimum"] = low
    return limits


def _multiple(index: int, steps: Sequence[int], span: int) -> int:
    """The `index`-th number from 0 to `span`: multiples of the first step, then of finer ones.

    It follows from `index` alone, so that parts of a release have no number in common. From the
    beginning again where there are no more.
    """
    room = span // steps[0] + 1
    if index < room:
        return index * steps[0]
    for coarse, step in pairwise(steps):
        earlier, room = room, span // step + 1
        if index < room:
            whole, part = divmod(index - earlier, coarse // step - 1)
            return whole * coarse + (part + 1) * step
    return _multiple(index % room, steps, span)


def _one_of_each(values: pd.Series, units: IntArray | None) -> list[str]:
    """Different texts of different units: who has many rows has no more say than others."""
    if units is not None:
        first = np.unique(units, return_index=True)[1]
        values = values.iloc[np.sort(first)]
    return [str(value) for value in values.drop_duplicates().iloc[:MOST_SEEN]]
