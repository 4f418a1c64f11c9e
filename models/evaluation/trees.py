"""Boosted trees on one thread that also take columns without any value."""

from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits

from models.evaluation.intervals import FloatArray


def fit_trees(
    model: HistGradientBoostingClassifier | HistGradientBoostingRegressor,
    features: FloatArray,
    outcomes: Any,
) -> None:
    """Fits `model`; a column that is missing in all rows is as good as a constant one.

    scikit-learn finds no bins for such a column and fails. Threads of OpenMP wait for each other
    by spinning: on a busy machine two of them take many times as long as one, and on two idle
    cores they win next to nothing.
    """
    blank = np.isnan(features).all(axis=0)
    known = np.where(blank, 0.0, features) if blank.any() else features
    with threadpool_limits(1, user_api="openmp"):
        model.fit(known, outcomes)


def class_scores(model: HistGradientBoostingClassifier, features: FloatArray) -> FloatArray:
    """Probabilities (rows, classes)."""
    with threadpool_limits(1, user_api="openmp"):
        return np.asarray(model.predict_proba(features), dtype=np.float64)


def predicted_numbers(model: HistGradientBoostingRegressor, features: FloatArray) -> FloatArray:
    """Predictions (rows,)."""
    with threadpool_limits(1, user_api="openmp"):
        return np.asarray(model.predict(features), dtype=np.float64)
