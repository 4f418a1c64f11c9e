"""What is asked of one column, row by row: which of its first codes, or where on its line."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np

from data_contracts.errors import ModelError
from models.conditions import OneOf, Range, Shares, Wish
from models.encoding.column import BoolArray, FloatArray, IntArray
from models.encoding.measure import Measure
from models.encoding.table import TableCodec
from models.generators.bounds import Bounds
from models.generators.exact_wishes import Exact, exact_of
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
    `(spans, 2)`, which are in order and apart. Of a kind with `points`, a row has one of these
    numbers, NaN for missing: the one that was `picked` for it `(rows,)`, once one was. `exact` is
    the same in whole numbers, for columns that have such.
    """

    kinds: IntArray
    low: FloatArray
    high: FloatArray
    empty: BoolArray
    open: BoolArray
    stated: FloatArray
    others: int
    points: Mapping[int, FloatArray] = field(default_factory=dict)
    picked: FloatArray | None = None
    exact: Exact | None = None

    def taken(self, rows: IntArray) -> Self:
        """The same of these rows."""
        picked = None if self.picked is None else self.picked[rows]
        return replace(self, kinds=self.kinds[rows], picked=picked)

    @property
    def bounds(self) -> Bounds:
        """The ends of each row."""
        bounds = Bounds(self.low[self.kinds], self.high[self.kinds])
        if self.picked is None:
            return bounds
        return Bounds(self.picked, self.picked).where(np.isfinite(self.picked), bounds)

    def pick(self, random: np.random.Generator) -> Self:
        """One of its kind's points for each row, all as often; infinite where there are none."""
        picked = np.full(len(self.kinds), np.inf)
        for kind, points in self.points.items():
            rows = np.flatnonzero(self.kinds == kind)
            picked[rows] = points[random.permutation(np.arange(len(rows)) % len(points))]
        return replace(self, picked=picked)

    @property
    def wanted(self) -> FloatArray:
        """The one number that each row may have `(rows,)`, NaN where there are several or none."""
        bounds = self.bounds
        return np.where(bounds.low == bounds.high, bounds.low, np.nan)

    def holds(self, numbers: FloatArray, ticks: IntArray | None) -> BoolArray:
        """Which rows' numbers `(rows,)`, NaN where missing, are as asked; `ticks` are exact."""
        bounds, missing = self.bounds, np.isnan(numbers)
        held: BoolArray = (numbers >= bounds.low) & (numbers <= bounds.high)
        for low, high in self.stated:
            held &= (self.kinds != self.others) | (numbers < low) | (numbers > high)
        for kind, points in self.points.items():
            held &= (self.kinds != kind) | np.isin(numbers, points)
        if self.exact is not None and ticks is not None:
            held &= self.exact.holds(self.kinds, ticks)
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
        if self.picked is not None and may_miss:
            missing = np.isnan(self.picked)
            rows[missing] = np.arange(values) == 0
            rows[~missing & np.isfinite(self.picked), 0] = 0.0
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

    ModelError for a span, or one of several values, in which no row lies.
    """
    measure, may_miss = codec.measures()[name], codec.may_miss(name)
    wishes = [_one_value(codec, name, wish) for wish in wishes]
    points = {
        kind: np.unique([codec.number(name, value) for value in wish.of])
        for kind, wish in enumerate(wishes)
        if isinstance(wish, OneOf) and len(wish.of) > 1
    }
    empty = np.array([isinstance(wish, OneOf) and wish.of == (None,) for wish in wishes])
    ends = np.array([_ends(name, wish, codec) for wish in wishes]).reshape(-1, 2)
    stated = np.concatenate(
        [
            np.stack([points[kind]] * 2, axis=1) if kind in points else own[None]
            for kind, own in enumerate(ends)
        ]
    )
    for low, high in stated.tolist():
        if not (may_miss if np.isnan(low) else _lies_within(measure, low, high)):
            value = f" ({low:g})" if low == high and measure.unit == "number" else ""
            raise ModelError(
                f"given {name}: no row lies there{value}. It is {codec.codecs_[name].domain}."
            )
    missing = np.array([bool(np.isnan(points.get(at, own)).any()) for at, own in enumerate(ends)])
    return Spans(
        kinds,
        np.append(np.where(empty, -np.inf, ends[:, 0]), -np.inf),
        np.append(np.where(empty, np.inf, ends[:, 1]), np.inf),
        np.append(empty, np.False_),
        np.append(missing, np.bool_(may_miss and not bool(missing.any()))),
        _apart(stated[~np.isnan(stated[:, 0])]),
        len(wishes),
        points,
        exact=exact_of(codec, name, wishes),
    )


def shared_out(
    name: str, wish: Shares, rows: int, random: np.random.Generator
) -> tuple[list[Wish], IntArray, float]:
    """A wish for each share, which of them each row `(rows,)` has, and what the shares add up to.

    Each has as many rows as its share says, to within one, at random; the rest of the rows are of
    the kind after the last.
    """
    shares = np.array(list(wish.of.values()), dtype=np.float64)
    if not len(shares) or not bool((shares >= 0).all()) or shares.sum() > 1 + 1e-9:
        raise ModelError(
            f"shares of {name}: they add up to {shares.sum():g}. Give shares from 0 to 1 that add "
            "up to at most 1."
        )
    ends = np.floor(np.cumsum(shares) * rows + random.random())
    kinds = np.searchsorted(ends, np.arange(rows), side="right")
    if shares.sum() > 1 - 1e-9:
        kinds = kinds.clip(max=len(shares) - 1)
    wishes: list[Wish] = [
        key if isinstance(key, Range | OneOf) else OneOf((key,)) for key in wish.of
    ]
    return wishes, random.permutation(kinds), float(shares.sum())


def require_of_constant(codec: TableCodec, name: str, wishes: Sequence[Wish]) -> None:
    """ModelError where a column that has no codes does not hold by itself what is asked of it."""
    for wish in wishes:
        if isinstance(wish, Range):
            held = codec.lies_within(name, wish.low, wish.high)
        else:
            held = any(codec.knows(name, value) for value in named([wish]))
        if not held:
            raise ModelError(f"given {name}: it can be {codec.codecs_[name].domain}.")


def named(wishes: Sequence[Wish]) -> list[Any]:
    """The values that are asked for by name."""
    return [value for wish in wishes if isinstance(wish, OneOf) for value in wish.of]


def _one_value(codec: TableCodec, name: str, wish: Wish) -> Wish:
    """A range of one value as that value, which is then met exactly where floats are too coarse."""
    if not isinstance(wish, Range) or wish.low is None or wish.high is None:
        return wish
    ends = codec.typed(name, [wish.low, wish.high])
    return OneOf((wish.low,)) if ends.notna().all() and ends.nunique() == 1 else wish


def _lies_within(measure: Measure, low: float, high: float) -> bool:
    """Whether a row can lie between two numbers, as far as each code by itself says."""
    line = Line(measure, 0, 1)
    bounds = Bounds(np.array([low]), np.array([high]))
    if not (low <= high and low <= float(line.high[0]) and high >= float(line.low[0])):
        return False
    if low == high:
        # A value asked for by name is as good as any that is near, if it is one of the column's.
        lowest, highest = measure.positions(*bounds)
        return bool(lowest[0] <= highest[0])
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
    """A range as numbers; values reach from the lowest to the highest, NaN for a missing one."""
    if isinstance(wish, OneOf):
        numbers = np.array([codec.number(name, value) for value in wish.of])
        known = numbers[~np.isnan(numbers)]
        return (float(known.min()), float(known.max())) if len(known) else (np.nan, np.nan)
    assert isinstance(wish, Range)
    low = -np.inf if wish.low is None else float(codec.number(name, wish.low))
    high = np.inf if wish.high is None else float(codec.number(name, wish.high))
    return low, high
