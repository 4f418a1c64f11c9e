"""Boosted trees that predict a table's target, trained on one side and tested on another."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from models.evaluation.coded import CodedColumn, CodedTable, Side, draw, feature_matrix
from models.evaluation.intervals import FloatArray
from models.evaluation.trees import class_scores, fit_trees, predicted_numbers

ROUNDS = 200
MOST_ROWS = 100_000
MOST_CLASSES = 10

# From a feature matrix to probabilities (rows, classes) or to numbers (rows,).
Predictor = Callable[[FloatArray], FloatArray]


@dataclass(frozen=True)
class Task:
    """The rows of each side that have a target: features, target, and class names if any.

    `outcomes` are class numbers (0 is the most frequent class of the training rows) where
    `classes` is given, else floats. `units` are those of the training rows.
    """

    target: str
    features: dict[Side, FloatArray]
    outcomes: dict[Side, npt.NDArray[np.float64]]
    classes: tuple[str, ...] | None
    units: npt.NDArray[np.int64]

    def members(self, label: int) -> int:
        """How many training units (people, machines) hold a class."""
        return int(np.unique(self.units[self.outcomes["training"] == label]).size)

    @property
    def rarest(self) -> int:
        """The class with the fewest training rows (at least one), the last one on a tie."""
        counts = np.bincount(self.outcomes["training"].astype(np.int64))
        return int(max(np.flatnonzero(counts), key=lambda label: (-counts[label], label)))


def prediction_task(coded: CodedTable, target: CodedColumn) -> Task:
    """Predict `target` from all other modelled columns; rows without a target are left out.

    A category, a boolean and a number of at most ten distinct training values make classes;
    beyond ten classes the rarer ones are pooled, which bounds the time.
    """
    others = tuple(column for column in coded.columns if column is not target)
    outcomes, classes = _classes(target)
    features: dict[Side, FloatArray] = {}
    kept: dict[Side, FloatArray] = {}
    units = coded.units["training"]
    for side in target.values:
        rows = np.flatnonzero(~target.missing(side)).astype(np.int64)
        rows = rows[draw(rows.size, MOST_ROWS, coded.random(30))]
        features[side] = feature_matrix(others, side)[rows]
        kept[side] = outcomes[side][rows]
        if side == "training":
            units = units[rows]
    return Task(target.name, features, kept, classes, units)


def _classes(target: CodedColumn) -> tuple[dict[Side, FloatArray], tuple[str, ...] | None]:
    if not target.is_number:
        labels = target.labels or ()
        codes = {side: _floats(values) - 1.0 for side, values in target.values.items()}
        return _pooled(codes, labels)
    seen = target.values["training"][~target.missing("training")]
    distinct, counts = np.unique(seen, return_counts=True)
    if distinct.size > MOST_CLASSES or target.column.kind == "datetime":
        return {side: _floats(values) for side, values in target.values.items()}, None
    levels = _floats(distinct[np.argsort(-counts, kind="stable")])
    codes = {
        side: _nearest_level(_floats(values), levels) for side, values in target.values.items()
    }
    return _pooled(codes, tuple(f"{level:g}" for level in levels))


def _floats(values: Any) -> FloatArray:
    return np.asarray(values, dtype=np.float64)


def _nearest_level(values: FloatArray, levels: FloatArray) -> FloatArray:
    """A number's class: the training value that is nearest to it."""
    if levels.size == 0:
        return np.zeros(values.size)
    distances = np.abs(np.nan_to_num(values)[:, None] - levels[None, :])
    nearest: FloatArray = distances.argmin(axis=1).astype(np.float64)
    return nearest


def _pooled(
    codes: dict[Side, FloatArray], labels: tuple[str, ...]
) -> tuple[dict[Side, FloatArray], tuple[str, ...]]:
    if len(labels) <= MOST_CLASSES:
        return codes, labels
    last = MOST_CLASSES - 1
    return (
        {side: np.minimum(values, last) for side, values in codes.items()},
        (*labels[:last], "(other)"),
    )


def class_model(task: Task, side: Side, seed: int) -> Predictor:
    """Trees trained on `side` that give probabilities (rows, classes) for a feature matrix.

    Classes that the side does not hold get probability 0; a side with one class predicts it.
    """
    classes = len(task.classes or ())
    present, labels = np.unique(task.outcomes[side].astype(np.int64), return_inverse=True)
    if present.size == 1:
        return lambda features: np.tile(np.eye(classes)[present[0]], (len(features), 1))
    model = HistGradientBoostingClassifier(
        max_iter=ROUNDS, early_stopping=_stops_early(labels), random_state=seed
    )
    fit_trees(model, task.features[side], labels)

    def probabilities(features: FloatArray) -> FloatArray:
        found = np.zeros((len(features), classes))
        found[:, present] = class_scores(model, features)
        return found

    return probabilities


def _stops_early(labels: npt.NDArray[np.intp]) -> bool:
    """Scikit-learn's own rule (more than 10,000 rows), where its split has a row of each class."""
    return labels.size > 10_000 and int(np.bincount(labels).min()) > 1


def number_model(task: Task, side: Side, seed: int) -> Predictor:
    """Trees trained on `side` that predict the target's numbers for a feature matrix."""
    model = HistGradientBoostingRegressor(max_iter=ROUNDS, random_state=seed)
    fit_trees(model, task.features[side], task.outcomes[side])
    return lambda features: predicted_numbers(model, features)
