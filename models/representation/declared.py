"""The declared tasks: what is to be found in codes, and how well a model finds it."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.cluster import KMeans
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.metrics import adjusted_mutual_info_score, r2_score, roc_auc_score
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold, cross_val_predict

from data_contracts.contract import Table
from data_contracts.errors import ModelError
from data_contracts.share import DeclaredTask
from models.encoding.column import FloatArray, IntArray, unit_counts
from models.generators.batches import unit_ids
from models.representation.rows import RowReader

ROUNDS = 150
MOST_OUTCOMES = 20
FEWEST_OF_A_CLASS = 8
_FOLDS = 4


@dataclass(frozen=True)
class Outcome:
    """A task's outcome on some rows: classes `(rows,)` or standardised numbers `(rows,)`.

    `classes` is how many classes there are, 0 for numbers. Rows without an outcome are -1 or NaN.
    """

    task: DeclaredTask
    answers: FloatArray
    classes: int

    @property
    def known(self) -> np.ndarray:
        """Which rows have an outcome."""
        return self.answers >= 0 if self.classes else ~np.isnan(self.answers)

    def take(self, rows: IntArray | np.ndarray) -> "Outcome":
        return Outcome(self.task, self.answers[rows], self.classes)

    def flat(self) -> FloatArray:
        """As features: a column for each class, or the number (0 where there is none)."""
        if not self.classes:
            return np.nan_to_num(self.answers)[:, None]
        return np.eye(self.classes + 1)[self.answers.astype(np.int64)][:, : self.classes]


class TaskReader:
    """The outcomes of declared tasks, as learned from training rows."""

    outcomes_: list[dict[str, Any]]

    def fit(
        self, tasks: tuple[DeclaredTask, ...], frame: pd.DataFrame, table: Table, reader: RowReader
    ) -> Self:
        """Learns classes, scales and clusters; ModelError for a task that the rows do not bear."""
        self.tasks_, self.table_, self.reader_ = tasks, table, reader
        self.outcomes_, units = [], unit_ids(table, frame)
        for task in tasks:
            if task.kind == "clustering":
                features = reader.features(frame, reader.names)
                found = KMeans(task.clusters, n_init=4, random_state=0).fit(features)
                self.outcomes_.append({"centres": found.cluster_centers_})
            elif task.kind == "classification":
                self.outcomes_.append({"classes": _classes(task, frame[str(task.column)], units)})
            else:
                numbers = _numbers(frame[str(task.column)])
                scale = float(np.nanstd(numbers))
                if not scale > 0:
                    raise ModelError(f"share.tasks: column {task.column!r} has one value only.")
                self.outcomes_.append({"centre": float(np.nanmean(numbers)), "scale": scale})
        return self

    def outcomes(self, frame: pd.DataFrame) -> tuple[Outcome, ...]:
        """The outcomes of these rows, in the order of the tasks."""
        pairs = zip(self.tasks_, self.outcomes_, strict=True)
        return tuple(self._outcome(task, learned, frame) for task, learned in pairs)

    def _outcome(self, task: DeclaredTask, learned: dict[str, Any], frame: pd.DataFrame) -> Outcome:
        if task.kind == "clustering":
            features, centres = self.reader_.features(frame, self.reader_.names), learned["centres"]
            products = features @ centres.T
            distances = (centres**2).sum(1)[None] - 2 * products
            return Outcome(task, distances.argmin(1).astype(np.float64), len(centres))
        values = frame[str(task.column)]
        if task.kind == "regression":
            scaled = (_numbers(values) - learned["centre"]) / learned["scale"]
            return Outcome(task, scaled, 0)
        places = {text: place for place, text in enumerate(learned["classes"])}
        found = values.astype(object).map(lambda value: places.get(str(value), -1))
        missing = values.isna().to_numpy(dtype=bool)
        codes = np.where(missing, -1, found.to_numpy(dtype=np.float64, na_value=-1))
        return Outcome(task, codes, len(places))


def predictor(outcome: Outcome, seed: int) -> Any:
    """Boosted trees for a task: the same kind of model judges rows and codes."""
    if outcome.classes:
        return HistGradientBoostingClassifier(
            max_iter=ROUNDS, learning_rate=0.08, early_stopping=False, random_state=seed
        )
    return HistGradientBoostingRegressor(
        max_iter=ROUNDS, learning_rate=0.08, early_stopping=False, random_state=seed
    )


def predict(model: Any, outcome: Outcome, features: FloatArray) -> FloatArray:
    """Probabilities `(rows, classes)`, 0 for classes never seen, or numbers `(rows, 1)`."""
    if not outcome.classes:
        return np.asarray(model.predict(features), dtype=np.float64)[:, None]
    found = np.zeros((len(features), outcome.classes))
    found[:, model.classes_.astype(np.int64)] = model.predict_proba(features)
    return found


def taught(outcome: Outcome, features: FloatArray, units: IntArray, seed: int) -> FloatArray:
    """What trees say of each row that had not seen its unit: what the encoder learns from.

    An encoder that learned from the outcomes themselves would remember them, and its codes would
    tell whom it learned from. Clusters are a function of the row, so that they are taught as such.
    """
    if outcome.task.kind == "clustering":
        return outcome.flat()
    rows = np.flatnonzero(outcome.known)
    method = "predict_proba" if outcome.classes else "predict"
    folds: dict[str, Any] = {"cv": _FOLDS}
    if len(np.unique(units)) < len(units):
        kind = StratifiedGroupKFold if outcome.classes else GroupKFold
        folds = {"cv": kind(_FOLDS), "groups": units[rows]}
    found = cross_val_predict(
        predictor(outcome, seed), features[rows], outcome.answers[rows], method=method, **folds
    )
    said = np.zeros((len(features), max(outcome.classes, 1)))
    said[rows] = found if found.ndim == 2 else found[:, None]
    if len(rows) < len(features):
        model = predictor(outcome, seed).fit(features[rows], outcome.answers[rows])
        others = np.flatnonzero(~outcome.known)
        said[others] = predict(model, outcome, features[others])
    return said


@dataclass(frozen=True)
class Score:
    """A task's score and the score of saying the same of every row."""

    value: float
    baseline: float

    def kept_of(self, raw: "Score") -> float:
        """The share of `raw`'s score above the baseline that this one keeps."""
        above = raw.value - raw.baseline
        return (self.value - self.baseline) / above if above > 0 else float("nan")


def score(outcome: Outcome, said: FloatArray) -> Score:
    """AUC (mean of each class against the rest), or R2, of the rows that have an outcome."""
    rows = np.flatnonzero(outcome.known)
    values, said = outcome.answers[rows], said[rows]
    if not outcome.classes:
        return Score(float(r2_score(values, said[:, 0])), 0.0)
    present = [code for code in range(outcome.classes) if 0 < (values == code).sum() < len(values)]
    aucs = [roc_auc_score(values == code, said[:, code]) for code in present]
    return Score(float(np.mean(aucs)) if aucs else 0.5, 0.5)


def clustering_score(outcome: Outcome, features: FloatArray, seed: int) -> Score:
    """How well clusters found anew agree with the reference ones (adjusted mutual information)."""
    found = KMeans(outcome.classes, n_init=4, random_state=seed).fit_predict(features)
    return Score(float(adjusted_mutual_info_score(outcome.answers.astype(int), found)), 0.0)


def _classes(task: DeclaredTask, values: pd.Series, units: IntArray | None) -> list[str]:
    """The classes by name: they are published, so that too few units may hold none of them."""
    known = values.notna().to_numpy(dtype=bool)
    index, names = pd.factorize(values[known].astype(str))
    found = sorted(map(str, names))
    owners = None if units is None else units[known]
    counts = unit_counts(index.astype(np.int64), len(found), owners)
    if not 2 <= len(found) <= MOST_OUTCOMES or int(counts.min()) < FEWEST_OF_A_CLASS:
        holders = "rows" if units is None else "units"
        raise ModelError(
            f"share.tasks: column {task.column!r} has {len(found)} classes; a task has 2 to "
            f"{MOST_OUTCOMES}, each with at least {FEWEST_OF_A_CLASS} {holders}. Group its values, "
            "or declare a regression."
        )
    return found


def _numbers(values: pd.Series) -> FloatArray:
    numbers: FloatArray = pd.to_numeric(values.astype(object), errors="coerce").to_numpy(
        dtype=np.float64, na_value=np.nan
    )
    return numbers
