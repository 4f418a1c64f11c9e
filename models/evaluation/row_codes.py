"""Whole rows as one integer each: rows are equal exactly where their integers are."""

from collections.abc import Sequence

import numpy as np

from models.evaluation.coded import SIDES, CodedColumn, CodedTable, IntArray, Side
from models.evaluation.intervals import FloatArray

# Steps of rounding in the middle half of a column's distinct values.
STEPS = 10_000


def combined(columns: Sequence[IntArray]) -> IntArray:
    """One code for each row of several equally long columns of codes, numbered from 0.

    The codes are renumbered after every column, so that their product never overflows.
    """
    codes = np.zeros(len(columns[0]), dtype=np.int64)
    for column in columns:
        _, level = np.unique(column, return_inverse=True)
        both = codes * (int(level.max(initial=0)) + 1) + level
        _, codes = np.unique(both, return_inverse=True)
    return codes.astype(np.int64)


def exact_codes(coded: CodedTable) -> dict[Side, IntArray]:
    """A code for each row of the three sides; equal codes are rows equal after rounding.

    Numbers are rounded to the ten-thousandth part of the distance between the quartiles of the
    distinct training values, so that a copy with noise in its last digits still counts as one;
    values on a coarser lattice (whole numbers, cents) are compared exactly.
    """
    pooled = combined(column_codes(coded))
    ends = np.cumsum([coded.rows[side] for side in SIDES])[:-1]
    return dict(zip(SIDES, np.split(pooled, ends), strict=True))


def column_codes(coded: CodedTable) -> list[IntArray]:
    """Each column's values as codes (rows,) of training, synthetic and held-out rows in turn.

    Equal codes are values that are equal after the rounding of `exact_codes`.
    """
    return [_rounded(column) for column in coded.columns]


def _rounded(column: CodedColumn) -> IntArray:
    values = np.concatenate([column.values[side] for side in SIDES])
    if not column.is_number:
        return values.astype(np.int64)
    missing = np.isnan(values)
    step = rounding_step(np.asarray(column.values["training"], dtype=np.float64))
    steps = np.round(np.where(missing, 0.0, values) / step) if step > 0 else values
    _, codes = np.unique(np.where(missing, -np.inf, steps), return_inverse=True)
    return codes.astype(np.int64)


def rounding_step(training: FloatArray) -> float:
    """Numbers count as equal within this step; 0 where they are compared exactly."""
    distinct = np.unique(training[~np.isnan(training)])
    if distinct.size < 2:
        return 0.0
    low, high = np.quantile(distinct, [0.25, 0.75])
    return float(high - low) / STEPS
