"""Whether an earlier model can go on with new rows: same promises, and values that it knows."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from data_contracts.contract import Table
from data_contracts.errors import ModelError
from models.encoding.table import TableCodec
from models.generators.sizes import Sizes

EARNEST = 0.05
"""Share of rows whose value the earlier model never draws, from which on it must be made anew."""
DEVIATIONS = 3.0
"""How many standard errors of that share are taken for chance."""
MOST_ROWS = 20_000
"""Rows that are looked at for it: more tell no more."""
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


def check_sizes(earlier: Sizes, asked: Mapping[str, int | None]) -> None:
    """ModelError where the options ask for another network than that of the earlier model."""
    own = earlier._asdict()
    faults = [
        f"{name} {value} (it has {own[name]})"
        for name, value in asked.items()
        if value is not None and value != own[name]
    ]
    if faults:
        raise ModelError(
            f"refresh: the earlier model cannot go on with {', '.join(faults)}. Leave them out, or "
            "train anew: leave `refresh` out."
        )


def check_values(codec: TableCodec, frame: pd.DataFrame, before: dict[str, float]) -> None:
    """ModelError where many values of new rows are such as the codec never draws.

    `before` are the shares of such values in the earlier rows. What chance adds to them is no
    reason: of few rows a good part lies beyond all that may be shown.
    """
    rows = min(len(frame), MOST_ROWS)
    faults = []
    for name, share in hidden_shares(codec, frame).items():
        chance = DEVIATIONS * (share * (1 - share) / rows) ** 0.5
        more = share - before.get(name, 0.0)
        if more > EARNEST + chance:
            faults.append(f"{name} ({more:.0%} of the rows more than before)")
    if faults:
        raise ModelError(
            f"refresh: the earlier model does not know the values of {', '.join(faults)}. Train "
            "anew: leave `refresh` out."
        )


def hidden_shares(codec: TableCodec, frame: pd.DataFrame) -> dict[str, float]:
    """The share of rows in which each column's value is hidden: one that is never drawn.

    It is protected, beyond the ends or off the lattice of its column, or missing where none was. Of
    many rows some are looked at, evenly spread.
    """
    some = frame.iloc[:: -(-len(frame) // MOST_ROWS)].reset_index(drop=True)
    return {
        name: float(np.isneginf(codec.log_detail(some, (name,))).mean()) for name in codec.columns_
    }
