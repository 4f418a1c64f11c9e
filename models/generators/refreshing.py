"""Whether an earlier model can go on with new rows: same columns, and values that it knows."""

import numpy as np
import pandas as pd

from data_contracts.contract import Column, Table
from data_contracts.errors import ModelError
from models.encoding.column import UNKNOWN
from models.encoding.table import TableCodec

EARNEST = 0.05
"""Share of rows whose value the earlier model cannot tell, from which on it must be made anew."""


def check_columns(earlier: Table, table: Table) -> None:
    """ModelError where the columns differ from those that the earlier model learned."""
    before, now = (
        {one.name: _what_counts(one) for one in each.columns} for each in (earlier, table)
    )
    if list(before.items()) == list(now.items()):
        return
    names = [*before, *(name for name in now if name not in before)]
    differing = [name for name in names if before.get(name) != now.get(name)]
    what = f"columns {', '.join(differing)} differ" if differing else "columns have another order"
    raise ModelError(
        f"refresh, table {table.name!r}: {what} between the earlier model and the contract. Train "
        "anew: leave `refresh` out."
    )


def check_values(codec: TableCodec, frame: pd.DataFrame, hidden_before: dict[str, float]) -> None:
    """ModelError where many values of new rows are unknown to the codec or beyond its ends.

    `hidden_before` are the shares of values that were already protected in the earlier rows.
    """
    hidden = hidden_shares(codec, frame)
    faults = []
    for name in hidden:
        share = max(hidden[name] - hidden_before.get(name, 0.0), _beyond(codec, name, frame[name]))
        if share > EARNEST:
            faults.append(f"{name} ({share:.0%} of the rows)")
    if faults:
        raise ModelError(
            f"refresh: the earlier model does not know the values of {', '.join(faults)}. Train "
            "anew: leave `refresh` out."
        )


def hidden_shares(codec: TableCodec, frame: pd.DataFrame) -> dict[str, float]:
    """The share of rows in which each column's value is unknown to its codec, or protected."""
    codes = codec.encode(frame)
    return {
        name: float((codes[:, parts.start] == UNKNOWN).mean())
        for name, parts in codec.columns_.items()
        if len(parts)
    }


def _beyond(codec: TableCodec, name: str, values: pd.Series) -> float:
    """The share of values outside of the span into which their own codes are decoded."""
    column = codec.codecs_[name]
    if column.kind not in ("number", "datetime"):
        return 0.0
    known = values.dropna().reset_index(drop=True)
    back = column.decode(column.encode(known), np.random.default_rng(0)).dropna()
    if back.empty:
        return 0.0
    return float(((known < back.min()) | (known > back.max())).sum() / len(values))


def _what_counts(column: Column) -> tuple[object, ...]:
    """What of a column decides how it is encoded."""
    return (column.kind, column.physical_type, column.timezone, column.unique, column.primary_key)
