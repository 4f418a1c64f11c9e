"""Rows that are drawn in parts, of which none repeats a key of another part."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from data_contracts.contract import RequiredWhen, Table
from data_contracts.errors import ModelError
from models.encoding.column import BoolArray
from models.generators.kept_rules import MOST_ROUNDS, EarlierKeys, Patience, replace_rows

ROUNDS = 20
"""How often rows that repeat an earlier part's are drawn again in vain, at least."""

Redraw = Callable[[int, int], pd.DataFrame]
"""So many new rows, in the round of this number: other rows in each round."""


def keep_apart(
    frame: pd.DataFrame, table: Table, earlier: EarlierKeys, redraw: Redraw
) -> pd.DataFrame:
    """The rows with those that repeat an earlier part's key drawn again; `earlier` takes them in.

    As rows are independent of each other, it is as if all parts had been drawn as one. Identifiers
    stay as issued, and a new row is taken where it misses the same of those that a rule says are
    there or missing; others miss by chance, and waiting for all of them alike could take for ever.
    ModelError where new keys hardly come up any more.
    """
    issued = [column.name for column in table.columns if table.issues(column)]
    ruled = [name for name in issued if name in _of_presence(table)]
    patience = Patience(len(frame), ROUNDS)
    for attempt in range(MOST_ROUNDS):
        rows = np.flatnonzero(_repeated(frame, table, earlier))
        if not len(rows):
            earlier.add(frame)
            return frame
        if patience.ends(len(rows)):
            break
        drawn = redraw(len(rows), attempt)
        gaps = drawn[ruled].isna().to_numpy() == frame[ruled].iloc[rows].isna().to_numpy()
        alike = np.flatnonzero(gaps.all(1))
        taken = drawn.drop(columns=issued).iloc[alike].reset_index(drop=True)
        frame = replace_rows(frame, rows[alike], taken)
    groups = "; ".join(", ".join(names) for names in table.unique_groups)
    raise ModelError(
        f"table {table.name!r}: {len(rows)} of {len(frame)} rows of a part repeat others in "
        f"columns that are unique together ({groups}), however often they are drawn. Ask for fewer "
        "rows, or relax the rule in the contract."
    )


def _of_presence(table: Table) -> set[str]:
    """The columns that a rule about presence names, on either side."""
    rules = [rule for rule in table.row_rules if isinstance(rule, RequiredWhen)]
    return {name for rule in rules for name in rule.columns}


def _repeated(frame: pd.DataFrame, table: Table, earlier: EarlierKeys) -> BoolArray:
    """Which rows repeat an earlier part's key, or one of this part."""
    repeated = np.zeros(len(frame), dtype=np.bool_)
    for names in table.unique_groups:
        known = frame[list(names)].notna().all(axis=1).to_numpy(dtype=bool)
        again = frame.duplicated(list(names)).to_numpy(dtype=bool) | earlier.hold(frame, names)
        repeated |= known & again
    return repeated
