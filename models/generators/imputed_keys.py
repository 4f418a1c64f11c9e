"""Rows that are filled in and must not repeat others in columns that are unique together."""

import numpy as np
import pandas as pd

from data_contracts.contract import Table
from data_contracts.errors import ModelError
from models.encoding.column import BoolArray
from models.generators.kept_rules import EarlierKeys, replace_rows

Gaps = dict[str, BoolArray]
"""Which cells of each column `(rows,)` were missing."""


class ImputedKeys:
    """What the rows at hand hold in columns that are unique together, known or filled in.

    Rows in which one of the columns is missing are different from all others.
    """

    def __init__(self, table: Table, frame: pd.DataFrame) -> None:
        self.table, self._taken = table, EarlierKeys(table)
        self.add(frame)

    def add(self, frame: pd.DataFrame) -> None:
        """Takes in rows."""
        if self.table.unique_groups:
            self._taken.add(frame)

    def repeated(self, whole: pd.DataFrame, gaps: Gaps) -> BoolArray:
        """Which rows repeat another one's values only once they are filled in."""
        repeated = np.zeros(len(whole), dtype=np.bool_)
        for names in self.table.unique_groups:
            repeated |= self._repeated(whole, gaps, names)
        return repeated

    def opened(self, frame: pd.DataFrame, whole: pd.DataFrame, gaps: Gaps) -> pd.DataFrame:
        """The rows with a cell missing again where no draw led to a key that is free.

        ModelError where all such cells are required.
        """
        for names in self.table.unique_groups:
            for name in names:
                column = self.table.column(name)
                if name in gaps and not (column.required or column.primary_key):
                    rows = np.flatnonzero(self._repeated(whole, gaps, names) & gaps[name])
                    cells = frame[[name]].iloc[rows].reset_index(drop=True)
                    whole = replace_rows(whole, rows, cells)
            if left := int(self._repeated(whole, gaps, names).sum()):
                raise ModelError(
                    f"table {self.table.name!r}: {left} rows cannot be filled in without repeating "
                    f"others in {', '.join(names)}, which are unique together. Fill in fewer rows, "
                    "or relax the contract."
                )
        return whole

    def _repeated(self, whole: pd.DataFrame, gaps: Gaps, names: tuple[str, ...]) -> BoolArray:
        filled = np.zeros(len(whole), dtype=np.bool_)
        for name in names:
            filled |= gaps.get(name, False)
        rows = np.flatnonzero(filled & whole[list(names)].notna().all(axis=1).to_numpy(dtype=bool))
        some = whole.iloc[rows]
        again = some.duplicated(list(names)).to_numpy(dtype=bool)
        repeated = np.zeros(len(whole), dtype=np.bool_)
        repeated[rows] = again | self._taken.hold(some, names)
        return repeated
