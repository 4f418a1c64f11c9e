"""Pearson correlations of all number columns at once, pairwise complete, for many row weights."""

import numpy as np

from models.evaluation.coded import CodedColumn, CodedTable, Side
from models.evaluation.intervals import FloatArray


def correlations(coded: CodedTable, side: Side, weights: FloatArray) -> FloatArray:
    """Correlation matrices (rows of weights, number columns, number columns).

    Each pair uses the rows in which both are present. A column that is constant there correlates
    with nothing: 0. Values are standardised by the training rows first, because sums of squares of
    raw numbers (dates in seconds) would lose all digits.
    """
    numbers = [column for column in coded.columns if column.is_number]
    if not numbers:
        return np.zeros((len(weights), 0, 0))
    scaled = np.column_stack([_standardised(column, side) for column in numbers])
    present = (~np.isnan(scaled)).astype(np.float64)
    filled = np.where(present > 0, scaled, 0.0)
    return np.stack([_correlation(filled, present, row) for row in weights])


def _standardised(column: CodedColumn, side: Side) -> FloatArray:
    training = column.values["training"][~column.missing("training")]
    middle = float(training.mean()) if training.size else 0.0
    spread = float(training.std()) if training.size else 0.0
    return np.asarray((column.values[side] - middle) / (spread or 1.0), dtype=np.float64)


def _correlation(filled: FloatArray, present: FloatArray, weights: FloatArray) -> FloatArray:
    weighted, counted = filled * weights[:, None], present * weights[:, None]
    total = np.maximum(counted.T @ present, 1e-300)
    mean = (weighted.T @ present) / total
    square = ((weighted * filled).T @ present) / total
    variance = square - mean**2
    variance = np.where(variance > 1e-12 * np.maximum(square, 1e-12), variance, 0.0)
    covariance = (weighted.T @ filled) / total - mean * mean.T
    scale = np.sqrt(variance * variance.T)
    return np.clip(np.divide(covariance, scale, out=np.zeros_like(scale), where=scale > 0), -1, 1)
