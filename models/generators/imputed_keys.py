"""Rows that are filled in and must not repeat others in columns that are unique together."""

import numpy as np
import pandas as pd

from data_contracts.contract import Table
from data_contracts.errors import ModelError
from models.encoding.column import BoolArray, IntArray
from models.generators.kept_rules import EarlierKeys, hashed, replace_rows

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

    def first_free(
        self, drawn: pd.DataFrame, gaps: Gaps, kept: BoolArray, beside: pd.DataFrame
    ) -> IntArray:
        """Of each row the first copy that is `kept` and has keys of its own, `(rows,)`.

        `kept` is `(rows, copies)`, `drawn` the copies of a row after those of the one before. No
        row at hand has such a key, none `beside` them, and none that was chosen before it. Where
        there is no such copy, the first that is kept, if one is.
        """
        others, keys, free = EarlierKeys(self.table), [], kept.copy()
        others.add(beside)
        for names in self.table.unique_groups:
            filled = self._filled(drawn, gaps, names)
            held = self._taken.hold(drawn, names) | others.hold(drawn, names)
            free &= ~(filled & held).reshape(kept.shape)
            keys.append((filled.reshape(kept.shape), hashed(drawn, names).reshape(kept.shape)))
        first: IntArray = kept.argmax(1)
        taken = set[tuple[int, int]]()
        for row in np.flatnonzero(free.any(1)) if keys else ():
            for copy in np.flatnonzero(free[row]):
                pairs = enumerate((filled[row, copy], hashes[row, copy]) for filled, hashes in keys)
                own = {(group, int(key)) for group, (filled, key) in pairs if filled}
                if taken.isdisjoint(own):
                    taken |= own
                    first[row] = copy
                    break
        return first

    def _repeated(self, whole: pd.DataFrame, gaps: Gaps, names: tuple[str, ...]) -> BoolArray:
        rows = np.flatnonzero(self._filled(whole, gaps, names))
        some = whole.iloc[rows]
        again = some.duplicated(list(names)).to_numpy(dtype=bool)
        repeated = np.zeros(len(whole), dtype=np.bool_)
        repeated[rows] = again | self._taken.hold(some, names)
        return repeated

    def _filled(self, whole: pd.DataFrame, gaps: Gaps, names: tuple[str, ...]) -> BoolArray:
        """Which rows have a key, and have it only once they are filled in."""
        filled = np.zeros(len(whole), dtype=np.bool_)
        for name in names:
            filled |= gaps.get(name, False)
        return filled & whole[list(names)].notna().all(axis=1).to_numpy(dtype=bool)
