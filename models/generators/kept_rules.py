"""Drawn rows that keep the contract's rules: broken ones are drawn again, then mended."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from data_contracts.checks import broken_rows, row_rules
from data_contracts.contract import Comparison, Sum, Table, WrittenRule
from data_contracts.errors import ModelError
from data_contracts.schema import to_arrow
from models.encoding.column import BoolArray, IntArray
from models.encoding.table import TableCodec

ROUNDS = 20
"""How often rows that break a rule are drawn again; then as often again, and mended."""

Redraw = Callable[[IntArray], pd.DataFrame]
"""New values for the rows at these positions, in the same order; identifiers left out."""


@dataclass(frozen=True)
class Kept:
    """What rows must keep: the table's rules, those of its codec, and what else was asked.

    `given` columns are not mended. `outside` says which rows do not keep what was wished.
    """

    table: Table
    codec: TableCodec
    given: frozenset[str]
    outside: Callable[[pd.DataFrame], BoolArray]

    @property
    def idle(self) -> bool:
        """Whether every row keeps everything."""
        table = self.table
        return not (table.row_rules or table.unique_together or self.codec.combinations_)

    def broken(self, frame: pd.DataFrame) -> BoolArray:
        """Which rows break a rule between columns, or do not keep a wish."""
        rows, broken = to_arrow(frame, self.table), self.outside(frame)
        written = {name for rule in self.table.row_rules for name in rule.columns}
        for rule in row_rules(self.table):
            if rule.written is not None or rule.column.name in written:
                broken |= broken_rows(rule, rows)
        for names, tuples in self.codec.combinations_.items():
            broken |= ~_among(self.codec.first_of(frame, names), tuples)
        for together in self.table.unique_together:
            # Rows in which one of the columns is missing are different from all others.
            known = frame[list(together)].notna().all(axis=1)
            broken |= (frame.duplicated(list(together)) & known).to_numpy(dtype=bool)
        return broken


def keep_rules(frame: pd.DataFrame, kept: Kept, redraw: Redraw) -> pd.DataFrame:
    """The rows with those that break a rule replaced by `redraw`, and the last ones mended.

    Drawing again until a rule holds gives the learned distribution under the condition that it
    holds. A comparison or a sum that still fails after ROUNDS is mended by moving a side that is
    not given onto what the others say. ModelError where that is impossible.
    """
    if kept.idle and not bool(kept.outside(frame).any()):
        return frame
    for attempt in range(2 * ROUNDS):
        rows = np.flatnonzero(kept.broken(frame))
        if not len(rows):
            return frame
        frame = _replaced(frame, rows, redraw(rows))
        for rule in kept.table.row_rules if attempt >= ROUNDS else ():
            frame = _mended(frame, kept, rule)
    left = int(kept.broken(frame).sum())
    if not left:
        return frame
    table = kept.table
    rules = [rule.text for rule in table.row_rules]
    rules += [f"{', '.join(names)} as in the data" for names in table.fixed_combinations]
    rules += [f"{', '.join(names)} unique together" for names in table.unique_together]
    raise ModelError(
        f"table {table.name!r}: {left} of {len(frame)} rows break a rule or a wish "
        f"({'; '.join(rules) or 'given ranges'}) however often they are drawn. Give other values, "
        "ask for fewer rows, or relax the rule in the contract."
    )


def _among(codes: IntArray, tuples: IntArray) -> BoolArray:
    """Which rows of codes `(rows, columns)` are one of the tuples; one with an unknown code is."""
    both = np.concatenate([tuples, codes])
    _, index = np.unique(both, axis=0, return_inverse=True)
    known = np.isin(index.ravel()[len(tuples) :], index.ravel()[: len(tuples)])
    among: BoolArray = known | (codes < 0).any(1)
    return among


def _replaced(frame: pd.DataFrame, rows: IntArray, drawn: pd.DataFrame) -> pd.DataFrame:
    """The frame with other values in some rows of the drawn columns; dtypes stay."""
    picked = np.arange(len(frame))
    picked[rows] = len(frame) + np.arange(len(rows))
    columns = {}
    for name in drawn.columns:
        pool = pd.concat([frame[name], drawn[name].astype(frame[name].dtype)], ignore_index=True)
        columns[name] = pool.take(picked).reset_index(drop=True)
    return frame.assign(**columns)


def _mended(frame: pd.DataFrame, kept: Kept, rule: WrittenRule) -> pd.DataFrame:
    """The frame with one side of a rule moved onto the others, where it is broken and can be."""
    if isinstance(rule, Sum):
        moved = _summed(frame, rule, kept.given)
    elif isinstance(rule, Comparison):
        moved = _levelled(frame, rule, kept.given)
    else:
        return frame
    if moved is None:
        return frame
    (own,) = [known for known in row_rules(kept.table) if known.written is rule]
    broken = broken_rows(own, to_arrow(frame, kept.table))
    to, values = moved
    return frame.assign(**{to: frame[to].where(~broken, values)})


def _levelled(
    frame: pd.DataFrame, rule: Comparison, given: frozenset[str]
) -> tuple[str, pd.Series] | None:
    """The side of a comparison that may be moved, and the other side's values."""
    if rule.operator not in ("<=", ">=", "==") or not isinstance(rule.right, str):
        return None
    to, source = (rule.left, rule.right) if rule.left not in given else (rule.right, rule.left)
    if to in given or frame[to].dtype != frame[source].dtype:
        return None
    return to, frame[source]


def _summed(frame: pd.DataFrame, rule: Sum, given: frozenset[str]) -> tuple[str, pd.Series] | None:
    """The column of a sum that may be moved, and what the others make of it."""
    signs = {term.column: int(term.sign) for term in rule.terms}
    constant: Any = 0
    if isinstance(rule.total, str):
        signs = {rule.total: -1, **signs}
    else:
        constant = rule.total
    free = [name for name in signs if name not in given]
    if not free:
        return None
    to = free[0]
    others = [
        frame[name] if sign > 0 else -frame[name] for name, sign in signs.items() if name != to
    ]
    rest = sum(others[1:], start=others[0])
    try:
        rest = rest - constant if constant else rest
        return to, (rest if signs[to] < 0 else -rest).astype(frame[to].dtype)
    except (TypeError, ValueError, OverflowError, pa.ArrowInvalid):
        return None
