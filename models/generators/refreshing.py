"""Whether an earlier model can go on with new rows: same promises, and values that it knows."""

import numpy as np
import pandas as pd

from data_contracts.contract import Table
from data_contracts.errors import ModelError
from models.encoding.column import UNKNOWN
from models.encoding.table import TableCodec

EARNEST = 0.05
"""Share of rows whose value the earlier model cannot tell, from which on it must be made anew."""
_TOLD = {"description": None}
"""What a column only tells its readers."""
_PROMISES = ("kind", "unit", "row_rules", "fixed_combinations", "unique_together")
"""What a table promises beside its columns and shapes its rows."""


def check_kind(earlier: object, name: str) -> None:
    """ModelError where the earlier model is not of the generator called `name`."""
    found = getattr(earlier, "name", type(earlier).__name__)
    if found != name:
        raise ModelError(
            f"refresh: the earlier model was made by {found!r}, and only one of {name!r} can go on "
            f"by {name!r}. Name a model of {name!r}, or train anew: leave `refresh` out."
        )


def check_promises(earlier: Table, table: Table) -> None:
    """ModelError where the table promises other things than when the earlier model learned it.

    Its codes, and what they decode to, follow from what each column promises, from the unit that
    rare values were counted by, and from the rules: rows made under others would break them.
    """
    before, now = (
        {one.name: one.model_copy(update=_TOLD) for one in each.columns}
        for each in (earlier, table)
    )
    names = [*before, *(name for name in now if name not in before)]
    faults = []
    if differing := [name for name in names if before.get(name) != now.get(name)]:
        faults.append(f"columns {', '.join(differing)} differ")
    elif list(before) != list(now):
        faults.append("columns have another order")
    faults += [
        f"`{key}` differs" for key in _PROMISES if getattr(earlier, key) != getattr(table, key)
    ]
    if faults:
        raise ModelError(
            f"refresh, table {table.name!r}: {', '.join(faults)} between the earlier model and the "
            "contract. Train anew: leave `refresh` out."
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
