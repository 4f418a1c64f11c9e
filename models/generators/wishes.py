"""What is asked of one column, row by row: which of its first codes, or where on its line."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from data_contracts.errors import ModelError
from models.conditions import OneOf, Range, Wish
from models.encoding.column import BoolArray, FloatArray, IntArray
from models.encoding.measure import Measure
from models.encoding.table import TableCodec
from models.generators.bounds import Bounds
from models.generators.lines import Line


@dataclass(frozen=True)
class Choice:
    """Which values of a column's first code a row may have: row r those of kind `kinds[r]`.

    `allowed` is `(kinds, values)`.
    """

    allowed: BoolArray
    kinds: IntArray

    def taken(self, rows: IntArray) -> Self:
        """The same of these rows."""
        return replace(self, kinds=self.kinds[rows])

    def holds(self, codes: IntArray) -> BoolArray:
        """Which rows' first codes `(rows,)` are among those that they may have."""
        held: BoolArray = (codes >= 0) & self.allowed[self.kinds, codes]
        return held


@dataclass(frozen=True)
class Spans:
    """Where on a column's line a row may lie: row r between the ends of kind `kinds[r]`.

    `low`, `high` `(kinds,)` are inclusive; `empty` and `open` say which kinds must and which may be
    missing. Rows of the kind `others`, if there is one, lie outside all `stated` spans
    `(spans, 2)`, which are in order and apart.
    """

    kinds: IntArray
    low: FloatArray
    high: FloatArray
    empty: BoolArray
    open: BoolArray
    stated: FloatArray
    others: int

    def taken(self, rows: IntArray) -> Self:
        """The same of these rows."""
        return replace(self, kinds=self.kinds[rows])

    @property
    def bounds(self) -> Bounds:
        """The ends of each row."""
        return Bounds(self.low[self.kinds], self.high[self.kinds])

    def holds(self, numbers: FloatArray) -> BoolArray:
        """Which rows' numbers `(rows,)`, NaN where missing, are as asked."""
        bounds, missing = self.bounds, np.isnan(numbers)
        held: BoolArray = (numbers >= bounds.low) & (numbers <= bounds.high)
        for low, high in self.stated:
            held &= (self.kinds != self.others) | (numbers < low) | (numbers > high)
        return np.where(missing, self.open[self.kinds], held & ~self.empty[self.kinds])

    def first(self, line: Line, values: int, *, may_miss: bool) -> FloatArray:
        """The share of each first code that is left beside the ends, `(rows, values)`."""
        shares = np.ones((len(self.low), values))
        shares[self.empty] = 0.0
        if self.others >= 0:
            shares[self.others] = _outside(self.stated, line)
        if may_miss:
            shares[:, 0] = self.open
        rows: FloatArray = shares[self.kinds]
        return rows

    def second(self, line: Line, values: int) -> FloatArray | None:
        """The share of each fine code that the others have left, `(rows, values)`."""
        rows = np.flatnonzero(self.kinds == self.others)
        if not len(rows):
            return None
        coarse, shares = line.codes[rows, 0], np.ones((len(self.kinds), values))
        for ends in self.stated:
            low, high = line.measure.positions(*np.repeat(ends[:, None], len(rows), axis=1))
            shares[rows] -= line.shares.fine(coarse, low, high, values)
        return shares.clip(min=0.0)

    def gap(self, span: Bounds, step: float, random: np.random.Generator) -> Bounds:
        """For others, one of the gaps between what is stated, by how much of the span it has."""
        rows = np.flatnonzero(self.kinds == self.others)
        bounds = Bounds.open(len(self.kinds))
        if not len(rows):
            return bounds
        inward = 0.5 * step
        starts = np.append(-np.inf, np.nextafter(self.stated[:, 1] + inward, np.inf))
        ends = np.append(np.nextafter(self.stated[:, 0] - inward, -np.inf), np.inf)
        low = np.maximum(span.low[rows, None] - inward, starts)
        high = np.minimum(span.high[rows, None] + inward, ends)
        lengths = np.nan_to_num((high - low).clip(min=0.0))
        marks = random.random(len(rows)) * lengths.sum(1)
        chosen = (lengths.cumsum(1) <= marks[:, None]).sum(1).clip(max=len(starts) - 1)
        some = lengths.sum(1) > 0
        bounds.low[rows[some]], bounds.high[rows[some]] = starts[chosen[some]], ends[chosen[some]]
        return bounds


def choice_of(codec: TableCodec, name: str, wishes: Sequence[Wish], kinds: IntArray) -> Choice:
    """Values of a first code for each wish, and all others for rows of the kind after the last."""
    cardinality = codec.parts_[codec.columns_[name].start].cardinality
    values = np.zeros((len(wishes) + 1, cardinality), dtype=np.bool_)
    for kind, wish in enumerate(wishes):
        values[kind, codec.first_codes(name, named([wish]))] = True
    values[-1] = ~values[:-1].any(0)
    return Choice(values, kinds)


def spans_of(codec: TableCodec, name: str, wishes: Sequence[Wish], kinds: IntArray) -> Spans:
    """A span for each wish, and what lies outside of all for the kind after the last.

    ModelError for a span in which no row lies.
    """
    measure, may_miss = codec.measures()[name], codec.may_miss(name)
    empty = np.array([isinstance(wish, OneOf) and wish.of == (None,) for wish in wishes])
    ends = np.array([_ends(name, wish, codec) for wish in wishes]).reshape(-1, 2)
    for (low, high), missing in zip(ends.tolist(), empty, strict=True):
        if not (may_miss if missing else _lies_within(measure, low, high)):
            raise ModelError(
                f"given {name}: no row lies there. It is {codec.codecs_[name].domain}."
            )
    rest = may_miss and not bool(empty.any())
    return Spans(
        kinds,
        np.append(ends[:, 0], -np.inf),
        np.append(ends[:, 1], np.inf),
        np.append(empty, np.False_),
        np.append(empty, np.bool_(rest)),
        _apart(ends[~empty]),
        len(wishes),
    )


def named(wishes: Sequence[Wish]) -> list[Any]:
    """The values that are asked for by name."""
    return [value for wish in wishes if isinstance(wish, OneOf) for value in wish.of]


def _lies_within(measure: Measure, low: float, high: float) -> bool:
    """Whether a row can lie between two numbers, as far as each code by itself says."""
    line = Line(measure, 0, 1)
    bounds = Bounds(np.array([low]), np.array([high]))
    if not (low <= high and low <= float(line.high[0]) and high >= float(line.low[0])):
        return False
    if low == high:
        # A value asked for by name is as good as any that is near.
        return True
    places = measure.positions(*bounds, line.codes)
    left = [line.shares.coarse(*places)[:, measure.axis.missing :]]
    if measure.below is not None:
        first = measure.places(line.codes, line.shares)
        codes = line.codes[:, measure.parts :]
        left += [
            measure.below.weights(place, codes, first, bounds, np.zeros(1, dtype=np.bool_))
            for place in measure.below.coarse_places
        ]
    return all(bool((shares > 0).any()) for shares in left)


def _outside(stated: FloatArray, line: Line) -> FloatArray:
    """The share of each first code outside the spans, `(values,)`."""
    low, high = line.measure.positions(*stated.T)
    within = line.shares.coarse(low, high).sum(0)
    left: FloatArray = (1.0 - within).clip(min=0.0)
    return left


def _apart(spans: FloatArray) -> FloatArray:
    """Spans `(spans, 2)` in order, those that touch made one."""
    joined: list[list[float]] = []
    for low, high in sorted(spans.tolist()):
        if joined and low <= joined[-1][1]:
            joined[-1][1] = max(joined[-1][1], high)
        else:
            joined.append([low, high])
    return np.array(joined, dtype=np.float64).reshape(-1, 2)


def _ends(name: str, wish: Wish, codec: TableCodec) -> tuple[float, float]:
    """A range as numbers; one value is a range of its own."""
    if isinstance(wish, OneOf):
        if len(wish.of) != 1:
            raise ModelError(f"given {name}: give a range, or shares of single values.")
        return _ends(name, Range(wish.of[0], wish.of[0]), codec)
    assert isinstance(wish, Range)
    low = -np.inf if wish.low is None else float(codec.number(name, wish.low))
    high = np.inf if wish.high is None else float(codec.number(name, wish.high))
    return low, high
