"""Made-up values where the contract's rules want them present, and none where missing."""

from collections.abc import Mapping

import pandas as pd

from data_contracts.contract import RequiredWhen, Table
from data_contracts.schema import to_arrow
from data_contracts.written_checks import breaks_written
from models.encoding.column import BoolArray
from models.encoding.table import TableCodec
from models.encoding.typed_values import with_columns


def issued_by_rule(
    table: Table, codec: TableCodec, first_row: int, rows: int
) -> dict[str, pd.Series]:
    """The made-up columns of which a rule says when they are missing, `(rows,)`, all present."""
    ruled = {rule.column for rule in table.row_rules if isinstance(rule, RequiredWhen)}
    return {name: codec.whole(name, first_row, rows) for name in codec.issued_ if name in ruled}


def with_presence(
    frame: pd.DataFrame, table: Table, issued: Mapping[str, pd.Series]
) -> pd.DataFrame:
    """The rows with `issued` values filled in and taken out until the rules about them hold.

    They hang on the row's number alone: drawing the row again would not move them, only bend all
    else towards them.
    """
    for rule in table.row_rules:
        if isinstance(rule, RequiredWhen) and rule.column in issued:
            values = frame[rule.column]
            broken = breaks_written(rule, to_arrow(frame, table))
            turned = issued[rule.column].where(values.isna())
            frame = with_columns(frame, {rule.column: _mixed(values, turned, broken)})
    return frame


def _mixed(values: pd.Series, turned: pd.Series, broken: BoolArray) -> pd.Series:
    """The values, those of other rows where broken: a categorical lists the categories of both."""
    if not isinstance(values.dtype, pd.CategoricalDtype):
        return values.where(~broken, turned)
    listed = values.cat.categories.append(turned.cat.categories).unique()
    mixed = values.astype(object).where(~broken, turned.astype(object))
    return mixed.astype(pd.CategoricalDtype(listed, values.cat.ordered))
