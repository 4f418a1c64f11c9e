"""What is asked of a column in its own whole numbers, where floats do not tell them apart.

Moments by the clock on the wall are the same twice where an hour is repeated, nanoseconds since
1970 and whole numbers beyond 2**53 are rounded: rows are drawn by these floats, and then held
against the very values.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from data_contracts.errors import ModelError
from models.conditions import OneOf, Range, Wish
from models.encoding.column import BoolArray, FloatArray, IntArray
from models.encoding.table import TableCodec
from models.encoding.typed_values import with_columns
from models.generators.kept_rules import replaced

_LEAST, _MOST = np.iinfo(np.int64).min, np.iinfo(np.int64).max
_NEAR = 1e-15
"""Share of a number by which floats that stand for the same value may differ."""


@dataclass(frozen=True)
class Exact:
    """The ticks that rows of each kind may have, and the values that are asked for by name.

    `low`, `high` `(kinds,)` are inclusive; of a kind with `points`, a row has one of these. Rows of
    the kind `others` lie outside all `stated` spans `(spans, 2)`, which are in order. `values` are
    those asked for by name, in their type, in the order of their `numbers` on the column's line.
    """

    low: IntArray
    high: IntArray
    points: Mapping[int, list[int]]
    stated: IntArray
    values: pd.Series
    numbers: FloatArray

    def holds(self, kinds: IntArray, ticks: IntArray) -> BoolArray:
        """Which rows' `ticks` `(rows,)` are as asked; missing ones mean nothing."""
        held: BoolArray = (ticks >= self.low[kinds]) & (ticks <= self.high[kinds])
        for kind, points in self.points.items():
            held &= (kinds != kind) | np.isin(ticks, points)
        # Of the spans that begin before a tick, it may lie in the one that ends last.
        ends = np.append(_LEAST, np.maximum.accumulate(self.stated[:, 1]))
        before = np.searchsorted(self.stated[:, 0], ticks, side="right")
        within = (before > 0) & (ticks <= ends[before])
        held &= (kinds != len(self.low) - 1) | ~within
        return held

    def targets(self, numbers: FloatArray, wanted: FloatArray) -> tuple[IntArray, pd.Series]:
        """Rows whose numbers are those wanted of them `(rows,)`, and the values meant by that."""
        place = np.searchsorted(self.numbers, wanted).clip(max=len(self.numbers) - 1)
        meant = (self.numbers[place] == wanted) & (
            np.abs(numbers - wanted) <= _NEAR * np.abs(wanted)
        )
        rows = np.flatnonzero(meant)
        return rows, self.values.take(place[rows]).reset_index(drop=True)


def exact_of(codec: TableCodec, name: str, wishes: Sequence[Wish]) -> Exact | None:
    """The same wishes in whole numbers; None where the column has none.

    ModelError for several values that are one to the floats that rows are drawn by.
    """
    asked = [value for wish in wishes if isinstance(wish, OneOf) for value in wish.of]
    values = codec.typed(name, asked).dropna().drop_duplicates().reset_index(drop=True)
    ticks = codec.ticks(name, values)
    if ticks is None:
        return None
    numbers = codec.numbers(name, values)
    order = np.argsort(numbers, kind="stable")
    values, numbers = values.take(order).reset_index(drop=True), numbers[order]
    same = np.flatnonzero(np.diff(numbers) == 0)
    if len(same):
        raise ModelError(
            f"given {name}: {values[same[0]]} and {values[same[0] + 1]} are too near to each other "
            "for rows to be drawn with one and not the other. Ask for one of them."
        )
    own = [_own_ticks(codec, name, wish) for wish in wishes]
    points = {
        kind: ticks
        for kind, (ticks, wish) in enumerate(zip(own, wishes, strict=True))
        if isinstance(wish, OneOf) and len(ticks) > 1
    }
    ends = [(ticks[0], ticks[-1]) if len(ticks) else (_LEAST, _MOST) for ticks in own]
    low, high = np.array([*ends, (_LEAST, _MOST)], dtype=np.int64).T
    spans = [(one, one) for ticks in points.values() for one in ticks]
    spans += [ends[kind] for kind, ticks in enumerate(own) if len(ticks) and kind not in points]
    stated = np.array(sorted(spans), dtype=np.int64).reshape(-1, 2)
    return Exact(low, high, points, stated, values, numbers)


def asked_exactly(
    codec: TableCodec, frame: pd.DataFrame, wished: Mapping[str, tuple[Exact | None, FloatArray]]
) -> pd.DataFrame:
    """The rows with the very values in place of what was drawn for their numbers `(rows,)`."""
    for name, (exact, wanted) in wished.items():
        if exact is None or not len(exact.numbers):
            continue
        rows, values = exact.targets(codec.numbers(name, frame[name]), wanted)
        drawn = frame[name].iloc[rows].reset_index(drop=True)
        other = np.flatnonzero(codec.ticks(name, drawn) != codec.ticks(name, values))
        if len(other):
            meant = replaced(frame[name], rows[other], values.take(other))
            frame = with_columns(frame, {name: meant})
    return frame


def _own_ticks(codec: TableCodec, name: str, wish: Wish) -> list[int]:
    """The ends of a range, or the values asked for, in order; none where only missing ones are."""
    if isinstance(wish, Range):
        ends = [(wish.low, _LEAST), (wish.high, _MOST)]
        return [_ticks_of(codec, name, [end])[0] if end is not None else most for end, most in ends]
    assert isinstance(wish, OneOf)
    return sorted(set(_ticks_of(codec, name, wish.of)))


def _ticks_of(codec: TableCodec, name: str, values: Sequence[Any]) -> list[int]:
    known = codec.typed(name, values).dropna()
    ticks = codec.ticks(name, known)
    assert ticks is not None
    found: list[int] = ticks.tolist()
    return found
