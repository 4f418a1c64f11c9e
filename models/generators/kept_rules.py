"""Drawn rows that keep the contract's row rules: broken ones are drawn again, then mended."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from data_contracts.checks import broken_rows, row_rules
from data_contracts.contract import Comparison, Table, WrittenRule
from data_contracts.errors import ModelError
from data_contracts.schema import to_arrow
from models.encoding.column import BoolArray, IntArray

ROUNDS = 20
"""How often rows that break a rule are drawn again; then as often again, and mended."""

Redraw = Callable[[IntArray], pd.DataFrame]
"""New values for the rows at these positions, in the same order; identifiers left out."""


def keep_rules(
    frame: pd.DataFrame, table: Table, given: frozenset[str], redraw: Redraw
) -> pd.DataFrame:
    """The rows with those that break a row rule replaced by `redraw`, and the last ones mended.

    Drawing again until a rule holds gives the learned distribution under the condition that it
    holds. A comparison that still fails after ROUNDS, such as the equality of two sums, is mended
    by moving the one side that is not `given` onto the other. ModelError where that is impossible.
    """
    if not table.row_rules:
        return frame
    for attempt in range(2 * ROUNDS):
        rows = np.flatnonzero(_broken(frame, table))
        if not len(rows):
            return frame
        frame = _replaced(frame, rows, redraw(rows))
        for rule in table.row_rules if attempt >= ROUNDS else ():
            frame = _mended(frame, table, rule, given)
    left = int(_broken(frame, table).sum())
    if not left:
        return frame
    raise ModelError(
        f"table {table.name!r}: {left} of {len(frame)} rows break a row rule "
        f"({', '.join(rule.text for rule in table.row_rules)}) however often they are drawn. "
        "Give other values, or relax the rule in the contract."
    )


def _broken(frame: pd.DataFrame, table: Table) -> BoolArray:
    rows = to_arrow(frame, table)
    broken = np.zeros(len(frame), dtype=np.bool_)
    for rule in row_rules(table):
        if rule.written is not None:
            broken |= broken_rows(rule, rows)
    return broken


def _replaced(frame: pd.DataFrame, rows: IntArray, drawn: pd.DataFrame) -> pd.DataFrame:
    """The frame with other values in some rows of the drawn columns; dtypes stay."""
    picked = np.arange(len(frame))
    picked[rows] = len(frame) + np.arange(len(rows))
    columns = {}
    for name in drawn.columns:
        pool = pd.concat([frame[name], drawn[name].astype(frame[name].dtype)], ignore_index=True)
        columns[name] = pool.take(picked).reset_index(drop=True)
    return frame.assign(**columns)


def _mended(
    frame: pd.DataFrame, table: Table, rule: WrittenRule, given: frozenset[str]
) -> pd.DataFrame:
    """The frame with one side of a rule moved onto the other, where it is broken and can be."""
    if not isinstance(rule, Comparison):
        return frame
    if rule.operator not in ("<=", ">=", "==") or not isinstance(rule.right, str):
        return frame
    to, source = (rule.left, rule.right) if rule.left not in given else (rule.right, rule.left)
    if to in given or frame[to].dtype != frame[source].dtype:
        return frame
    (own,) = [kept for kept in row_rules(table) if kept.written is rule]
    broken = broken_rows(own, to_arrow(frame, table))
    return frame.assign(**{to: frame[to].where(~broken, frame[source])})
