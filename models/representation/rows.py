"""Rows as the networks and the attackers see them, without what the tasks are to find."""

from collections.abc import Sequence
from typing import Self

import numpy as np
import pandas as pd
from sklearn.preprocessing import StandardScaler

from data_contracts.contract import Table
from data_contracts.errors import ModelError
from models.encoding.column import UNKNOWN, FloatArray, IntArray, State, prefixed, unprefixed
from models.encoding.table import TableCodec
from models.generators.batches import unit_ids

MOST_CLASSES = 12
"""Categories of a column that are told apart; rarer ones count as one more."""
_COMMON = "common"


class RowReader:
    """Codes, numbers and flat features of the columns of a table, all but `left_out`.

    Columns that are issued anew (ids) have none: they never enter a code.
    """

    codec_: TableCodec
    table_: Table
    centre_: FloatArray
    scale_: FloatArray
    common_: dict[str, IntArray]

    def fit(self, frame: pd.DataFrame, table: Table, left_out: Sequence[str]) -> Self:
        """Learns the columns; what too few units of the whole table hold has no code."""
        self.table_ = without(table, left_out)
        kept = frame[list(self.table_.column_names)]
        self.codec_ = TableCodec().fit(kept, self.table_, units=unit_ids(table, frame))
        self.common_ = {name: self._common(kept, name) for name in self.names}
        raw = self._numbers(frame)
        with np.errstate(all="ignore"):
            self.centre_ = np.nan_to_num(np.nanmean(raw, axis=0)) if raw.size else np.zeros(0)
            scale = np.nanstd(raw, axis=0) if raw.size else np.zeros(0)
        self.scale_ = np.where(np.isfinite(scale) & (scale > 0), scale, 1.0)
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that have codes, in the table's order."""
        return tuple(name for name in self.table_.column_names if self.codec_.columns_[name])

    @property
    def number_names(self) -> tuple[str, ...]:
        """The columns that lie on a line."""
        return tuple(self.codec_.measures())

    @property
    def most_classes(self) -> int:
        """Classes that `classes` tells apart at most."""
        return MOST_CLASSES + 1

    @property
    def sizes(self) -> list[int]:
        """Codes of each part, the one for unknown among them."""
        return [part.cardinality + 1 for part in self.codec_.parts_]

    def codes(self, frame: pd.DataFrame) -> IntArray:
        """Codes `(rows, parts)`, 0 for unknown or not applicable."""
        return self.codec_.encode(frame[list(self.table_.column_names)]) - UNKNOWN

    def numbers(self, frame: pd.DataFrame) -> FloatArray:
        """Standardised numbers `(rows, numbers)`, cut at six deviations, 0 where missing."""
        scaled = (self._numbers(frame) - self.centre_) / self.scale_
        numbers: FloatArray = np.clip(np.nan_to_num(scaled, posinf=6.0, neginf=-6.0), -6.0, 6.0)
        return numbers

    def classes(self, frame: pd.DataFrame, name: str) -> IntArray:
        """The first code of a column `(rows,)`, with the rarer ones of many counted as one.

        Rare are codes that few of the learned rows have: codes themselves follow the alphabet.
        ModelError for a reader that was stored before that was learned.
        """
        if name not in self.common_:
            raise ModelError(
                f"column {name!r}: the stored encoder does not say which of its values are common, "
                "for it is of an older version. Fit it again."
            )
        places = np.full(self._first_size(name), MOST_CLASSES, dtype=np.int64)
        places[self.common_[name]] = np.arange(len(self.common_[name]))
        found: IntArray = places[self._first_codes(frame, name)]
        return found

    def features(self, frame: pd.DataFrame, names: Sequence[str]) -> FloatArray:
        """Flat features `(rows, features)`: numbers as such, categories as one column each."""
        found = [np.zeros((len(frame), 0))]
        numbers = self.numbers(frame)
        for name in names:
            if name in self.number_names:
                found.append(numbers[:, [self.number_names.index(name)]])
            elif name in self.names:
                found.append(np.eye(MOST_CLASSES + 1)[self.classes(frame, name)])
        return np.concatenate(found, 1)

    def state(self) -> State:
        stored = self.codec_.state()
        arrays = {**stored.arrays, "reader_centre": self.centre_, "reader_scale": self.scale_}
        return State(stored.settings, {**arrays, **prefixed(self.common_, _COMMON)})

    @classmethod
    def restore(cls, table: Table, left_out: Sequence[str], state: State) -> Self:
        """The reader that `state` was taken from."""
        reader = cls()
        reader.table_ = without(table, left_out)
        reader.codec_ = TableCodec.restore(reader.table_, state)
        reader.centre_ = state.arrays["reader_centre"]
        reader.scale_ = state.arrays["reader_scale"]
        # Older encoders have none: they are decoded with, which needs no classes.
        reader.common_ = unprefixed(state.arrays, _COMMON)
        return reader

    def _common(self, frame: pd.DataFrame, name: str) -> IntArray:
        """The commonest first codes of a column, in their order; of equals the smaller ones."""
        counts = np.bincount(self._first_codes(frame, name), minlength=self._first_size(name))
        order = np.argsort(-counts, kind="stable")
        return np.sort(order[:MOST_CLASSES]).astype(np.int64)

    def _first_codes(self, frame: pd.DataFrame, name: str) -> IntArray:
        codes: IntArray = self.codec_.first_of(frame, (name,))[:, 0] - UNKNOWN
        return codes

    def _first_size(self, name: str) -> int:
        """How many first codes a column has, the one for unknown among them."""
        return self.sizes[self.codec_.columns_[name].start]

    def _numbers(self, frame: pd.DataFrame) -> FloatArray:
        columns = [self.codec_.numbers(name, frame[name]) for name in self.number_names]
        return np.stack(columns, 1) if columns else np.zeros((len(frame), 0))


def without(table: Table, left_out: Sequence[str]) -> Table:
    """The table without some columns and without what is said of several columns together."""
    kept = tuple(column for column in table.columns if column.name not in left_out)
    return table.model_copy(update={"columns": kept, "fixed_combinations": (), "row_rules": ()})


def units_of(frame: pd.DataFrame, table: Table) -> IntArray:
    """The unit of each row `(rows,)`, counted from 0; a row without one is a unit of its own."""
    rows = np.arange(len(frame))
    if table.unit is None:
        return rows
    found = pd.factorize(frame[table.unit])[0].astype(np.int64)
    alone = found < 0
    found[alone] = found.max(initial=-1) + 1 + rows[alone]
    units: IntArray = np.unique(found, return_inverse=True)[1].astype(np.int64)
    return units


def whitened(codes: FloatArray) -> FloatArray:
    """Codes of mean 0 and deviation 1 in each dimension: what any attacker starts with."""
    scaled: FloatArray = StandardScaler().fit_transform(codes)
    return scaled
