"""A table's three sides, every column coded once: what all measures compare."""

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from data_contracts.contract import Bars, Column, Table
from data_contracts.doubles import doubles
from models.evaluation.intervals import FloatArray

IntArray = npt.NDArray[np.int64]
Side = Literal["training", "synthetic", "holdout"]
SIDES: tuple[Side, ...] = ("training", "synthetic", "holdout")

NUMBER_BINS = 10
# Squares of numbers up to here, and their sums, are finite.
LARGEST_NUMBER = 1e150


@dataclass(frozen=True)
class CodedColumn:
    """One column on all three sides.

    A number or date is float64 with NaN for missing (dates in seconds since 1970). A category is
    an integer: 0 is missing, then 1.. for `labels` from the most to the least frequent in the
    training rows; labels that only other sides hold come last.
    """

    column: Column
    values: dict[Side, FloatArray] | dict[Side, IntArray]
    labels: tuple[str, ...] | None = None

    @property
    def name(self) -> str:
        return self.column.name

    @property
    def is_number(self) -> bool:
        """Whether the values are numbers (dates included) rather than category codes."""
        return self.labels is None

    def missing(self, side: Side) -> npt.NDArray[np.bool_]:
        """Which rows of a side have no value."""
        values = self.values[side]
        return np.isnan(values) if self.is_number else values == 0

    def take(self, rows: dict[Side, IntArray]) -> "CodedColumn":
        """The same column with each side's rows picked by position."""
        values: Any = {side: self.values[side][rows[side]] for side in SIDES}
        return replace(self, values=values)

    def binned(self) -> "CodedColumn":
        """Numbers as codes: 0 missing, 1..10 for equal-width bins of the training rows' range.

        Values beyond that range fall into the end bins; categories stay as they are.
        """
        if not self.is_number:
            return self
        seen = self.values["training"][~self.missing("training")]
        low, high = (float(seen.min()), float(seen.max())) if seen.size else (0.0, 0.0)
        width = (high - low) / NUMBER_BINS or 1.0
        bins = {side: _bin(self.values[side], low, width) for side in SIDES}
        return CodedColumn(self.column, bins, labels=("bin",) * NUMBER_BINS)


def _bin(values: FloatArray | IntArray, low: float, width: float) -> IntArray:
    missing = np.isnan(values)
    position = np.floor((np.where(missing, low, values) - low) / width)
    return np.where(missing, 0, np.clip(position, 0, NUMBER_BINS - 1) + 1).astype(np.int64)


@dataclass(frozen=True)
class CodedTable:
    """A contract's table with its training, synthetic and holdout rows, coded.

    Columns that are issued anew (`Table.issues`) are left out of `columns`: they are never
    modelled, so no figure of fidelity, detection or utility may look at them. `units` numbers each
    row's unit of privacy (the row itself where the contract names no unit). `time` is the column
    that orders a unit's rows and `entity` the one that tells its series apart, also where they are
    issued; None where the contract names none.
    """

    table: Table
    bars: Bars
    columns: tuple[CodedColumn, ...]
    rows: dict[Side, int]
    units: dict[Side, IntArray]
    seed: int
    time: CodedColumn | None = None
    entity: CodedColumn | None = None

    def random(self, purpose: int) -> np.random.Generator:
        """A stream of its own for each purpose, so that measures don't disturb each other."""
        return np.random.default_rng([self.seed, purpose])

    def take(self, rows: dict[Side, IntArray]) -> "CodedTable":
        """The same table with each side's rows picked by position."""
        return replace(
            self,
            columns=tuple(column.take(rows) for column in self.columns),
            rows={side: rows[side].size for side in SIDES},
            units={side: self.units[side][rows[side]] for side in SIDES},
            time=None if self.time is None else self.time.take(rows),
            entity=None if self.entity is None else self.entity.take(rows),
        )

    def without_names(self) -> "CodedTable":
        """The same table without the columns that name units and entities.

        A copy is one under any name, and no two sides of a split by units share one.
        """
        names = (self.table.unit, self.table.entity)
        kept = tuple(column for column in self.columns if column.name not in names)
        return replace(self, columns=kept)

    def sampled(self, most: dict[Side, int], purpose: int) -> "CodedTable":
        """At most `most` rows of each side, drawn without replacement and kept in order."""
        if all(self.rows[side] <= most[side] for side in SIDES):
            return self
        random = self.random(purpose)
        return self.take({side: draw(self.rows[side], most[side], random) for side in SIDES})


def draw(rows: int, most: int, random: np.random.Generator) -> IntArray:
    """Sorted positions of at most `most` of `rows` rows, without replacement."""
    if rows <= most:
        return np.arange(rows, dtype=np.int64)
    return np.sort(random.choice(rows, size=most, replace=False)).astype(np.int64)


def code_table(table: Table, bars: Bars, frames: dict[Side, pd.DataFrame], seed: int) -> CodedTable:
    """Codes every modelled column of the three frames; they must have the contract's columns."""

    def code(column: Column) -> CodedColumn:
        return code_column(column, {side: frames[side][column.name] for side in SIDES})

    def named(name: str | None) -> CodedColumn | None:
        return next((code(column) for column in table.columns if column.name == name), None)

    return CodedTable(
        table=table,
        bars=bars,
        columns=tuple(code(column) for column in table.columns if not table.issues(column)),
        rows={side: len(frames[side]) for side in SIDES},
        units={side: _units(table, frames[side]) for side in SIDES},
        seed=seed,
        time=named(table.time),
        entity=None if table.entity == table.unit else named(table.entity),
    )


def _units(table: Table, frame: pd.DataFrame) -> IntArray:
    if table.unit is None or table.unit not in frame.columns:
        return np.arange(len(frame), dtype=np.int64)
    codes, _ = pd.factorize(frame[table.unit].astype(object), use_na_sentinel=True)
    alone = np.arange(len(frame), dtype=np.int64) + len(frame)
    return np.where(codes < 0, alone, codes).astype(np.int64)


def code_column(column: Column, series: dict[Side, pd.Series]) -> CodedColumn:
    """One column of the three sides, as numbers or as shared category codes."""
    if column.kind in ("number", "datetime"):
        return CodedColumn(column, _bounded({side: as_numbers(series[side]) for side in SIDES}))
    pooled = pd.concat([series[side].astype(object) for side in SIDES], ignore_index=True)
    found, distinct = pd.factorize(pooled, use_na_sentinel=True)
    texts = [str(value) for value in distinct]
    counts = np.bincount(found[: len(series["training"])] + 1, minlength=len(texts) + 1)[1:]
    order = sorted(range(len(texts)), key=lambda index: (-counts[index], texts[index]))
    code = np.zeros(len(texts) + 1, dtype=np.int64)
    code[np.asarray(order, dtype=np.int64)] = np.arange(1, len(texts) + 1)
    codes = code[found]  # a missing value is found as -1: the last place, whose code is 0
    ends = np.cumsum([len(series[side]) for side in SIDES])[:-1]
    values = dict(zip(SIDES, np.split(codes, ends), strict=True))
    return CodedColumn(column, values, labels=tuple(texts[index] for index in order))


def _bounded(values: dict[Side, FloatArray]) -> dict[Side, FloatArray]:
    """Infinite numbers count as the most extreme finite ones of the training rows."""
    training = values["training"]
    finite = training[np.isfinite(training)]
    ends = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    bounded = {}
    for side, found in values.items():
        extreme = np.where(found > 0, ends[1], ends[0])
        known = np.where(np.isinf(found), extreme, found)
        bounded[side] = np.clip(known, -LARGEST_NUMBER, LARGEST_NUMBER)
    return bounded


def as_numbers(series: pd.Series) -> FloatArray:
    """Numbers and dates of any pandas or Arrow type as float64, missing as NaN, dates in seconds.

    Arrow does the work, because pandas needs another call for each of its dtypes.
    """
    array = pa.chunked_array([pa.array(series, from_pandas=True)]) if len(series) else None
    if array is None:
        return np.empty(0, dtype=np.float64)
    if pa.types.is_dictionary(array.type):
        array = array.cast(array.type.value_type)
    if pa.types.is_date(array.type) or pa.types.is_timestamp(array.type):
        zone = getattr(array.type, "tz", None)
        moments = array.cast(pa.timestamp("us", tz=zone), safe=False).cast(pa.int64())
        return np.asarray(moments.cast(pa.float64(), safe=False).to_numpy()) / 1e6
    return doubles(array)


def feature_matrix(columns: tuple[CodedColumn, ...], side: Side) -> FloatArray:
    """One side as a float matrix (rows, columns) for trees: numbers raw, categories ordinal.

    Missing is NaN in both. The ordinal code is the category's rank by frequency in the training
    rows, so that it does not depend on the order of rows or labels.
    """
    if not columns:
        return np.empty((0, 0), dtype=np.float64)
    matrix = np.column_stack([column.values[side] for column in columns]).astype(np.float64)
    for position, column in enumerate(columns):
        matrix[column.missing(side), position] = np.nan
    return matrix
