"""Distances between two samples of one column, under many row weights at once."""

import numpy as np

from models.evaluation.coded import CodedColumn, IntArray, Side
from models.evaluation.intervals import FloatArray


def counts(codes: IntArray, cells: int, weights: FloatArray) -> FloatArray:
    """Weighted shares (replicates, cells) of each code, one row for each row of weights."""
    tables = np.stack([np.bincount(codes, row, minlength=cells) for row in weights])
    shares: FloatArray = tables / np.maximum(tables.sum(axis=1, keepdims=True), 1e-300)
    return shares


def total_variation(left: FloatArray, right: FloatArray) -> FloatArray:
    """Half the absolute difference of shares, summed over the last axis: 0 to 1."""
    return np.asarray(np.abs(left - right).sum(axis=-1) / 2, dtype=np.float64)


def kolmogorov_smirnov(
    left: FloatArray, right: FloatArray, weights: tuple[FloatArray, FloatArray]
) -> FloatArray:
    """The largest gap between the two distribution functions, for each row of weights.

    Missing values (NaN) stand below all numbers, so that a difference in their share counts too.
    """
    values = np.concatenate([left, right])
    values = np.where(np.isnan(values), -np.inf, values)
    order = np.argsort(values, kind="stable")
    last_of_tie = np.append(values[order][1:] != values[order][:-1], True)
    shares = [weight / weight.sum(axis=1, keepdims=True) for weight in weights]
    steps = np.concatenate([shares[0], -shares[1]], axis=1)[:, order]
    gaps: FloatArray = np.abs(np.cumsum(steps, axis=1)[:, last_of_tie])
    largest: FloatArray = np.minimum(gaps.max(axis=1), 1.0)
    return largest


def shape_distance(
    column: CodedColumn, side: Side, weights: tuple[FloatArray, FloatArray]
) -> FloatArray:
    """Kolmogorov-Smirnov or total variation of `side` against training, for each weights row."""
    if column.is_number:
        left = np.asarray(column.values["training"], dtype=np.float64)
        right = np.asarray(column.values[side], dtype=np.float64)
        return kolmogorov_smirnov(left, right, weights)
    cells = len(column.labels or ()) + 1
    training = counts(_codes(column, "training"), cells, weights[0])
    return total_variation(training, counts(_codes(column, side), cells, weights[1]))


def _codes(column: CodedColumn, side: Side) -> IntArray:
    return np.asarray(column.values[side], dtype=np.int64)
