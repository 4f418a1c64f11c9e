"""Do models trained on synthetic rows work on real ones? Train real or synthetic, test on holdout.

`trtr`: trained on real rows, tested on held-out real rows; `tstr`: trained on synthetic rows,
tested on the same; `trts`: trained on real rows, tested on synthetic ones (Esteban, Hyland, Ratsch
2017).
Identifier columns are left out of the features.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from data_contracts.report import Finding, State
from models.evaluation.coded import CodedTable, Side
from models.evaluation.intervals import FloatArray, Interval, around, row_weights, wilson
from models.evaluation.predictors import Task, class_model, number_model, prediction_task
from models.evaluation.ranking import RankedScores
from models.evaluation.verdicts import FEWEST_ROWS, against_bar, sentences, too_few

REPLICATES = 200
FEWEST_UNITS = 10

TRAINED_ON: tuple[tuple[str, Side], ...] = (("trtr", "training"), ("tstr", "synthetic"))


@dataclass(frozen=True)
class _Scores:
    """A score and its bootstrap replicates, paired between models tested on the same rows.

    `lowest` and `highest` are the ends of what is possible.
    """

    value: float
    replicates: FloatArray
    lowest: float = 0.0
    highest: float = np.inf

    def interval(self) -> Interval:
        """The 95 % interval."""
        return around(self.value, self.replicates, self.lowest, self.highest)


def evaluate_utility(coded: CodedTable) -> tuple[Finding, ...]:
    """`trtr`, `tstr`, `trts` and `utility_gap` for the contract's target, with what explains them.

    Classes: ROC AUC of the class that is rarest in the training rows, then precision and recall of
    every class with Wilson intervals (undefined without a prediction or a member). Numbers: root
    mean squared errors in the target's unit, then R2, mean absolute errors, and the share of
    predictions within the contract's tolerance if it declares one. `utility_gap` is what is lost:
    the AUC of trtr less that of tstr, or the RMSE of tstr less that of trtr in standard deviations
    of the held-out target, so that one bar serves both. Intervals by a paired bootstrap over
    holdout rows. Only the gap is judged, and only if models of real rows have skill that could be
    lost: more than the bar better than an AUC of 0.5 or than always guessing the mean.
    """
    target = next((column for column in coded.columns if column.column.role == "target"), None)
    if target is None:
        return (_undefined(coded, "info", "The contract names no target column."),)
    if len(coded.columns) < 2:
        return (_undefined(coded, "info", "There is no column to predict the target from."),)
    task = prediction_task(coded, target)
    rows = {side: outcomes.size for side, outcomes in task.outcomes.items()}
    if min(rows.values()) < FEWEST_ROWS:
        detail = f"{too_few(rows)} Rows without a target are left out."
        return (_undefined(coded, "inconclusive", detail),)
    if np.unique(task.outcomes["training"]).size < 2:
        return (_undefined(coded, "info", "The target has one value in the training rows."),)
    judge = _judge_classes if task.classes is not None else _judge_numbers
    return judge(coded, task)


# Classes


def _judge_classes(coded: CodedTable, task: Task) -> tuple[Finding, ...]:
    positive = task.outcomes["holdout"] == task.rarest
    if positive.all() or not positive.any():
        detail = "The rarest class of the training rows is all or none of the holdout."
        return (_undefined(coded, "inconclusive", detail),)
    seed = int(coded.random(31).integers(2**31))
    weights = row_weights(positive.size, REPLICATES, coded.random(32))
    scores, details = {}, []
    for name, side in TRAINED_ON:
        model = class_model(task, side, seed)
        probabilities = model(task.features["holdout"])
        scores[name] = _area(probabilities[:, task.rarest], positive, weights)
        details += _class_findings(coded, task, name, probabilities)
        made = task.outcomes["synthetic"] == task.rarest
        if side == "training" and made.any() and not made.all():
            own = row_weights(made.size, 50, coded.random(33))
            scores["trts"] = _area(model(task.features["synthetic"])[:, task.rarest], made, own)
    what = (
        f"ROC AUC of the rarest class of {task.target!r}: {int(positive.sum()):,} of "
        f"{positive.size:,} holdout rows."
    )
    skills = (scores["trtr"], scores["tstr"])
    return (*_scored(coded, scores, skills, what, 0.5), *details)


def _area(scores: FloatArray, positive: npt.NDArray[np.bool_], weights: FloatArray) -> _Scores:
    ranked = RankedScores.of(scores, positive)
    areas = np.array([ranked.area(row) for row in weights])
    return _Scores(float(areas[0]), areas[1:], highest=1.0)


def _class_findings(
    coded: CodedTable, task: Task, name: str, probabilities: FloatArray
) -> list[Finding]:
    """Precision and recall of each class on the holdout; undefined where there is nothing."""
    truth = task.outcomes["holdout"].astype(np.int64)
    predicted = probabilities.argmax(axis=1)
    findings = []
    for label, text in enumerate(task.classes or ()):
        shown = repr(text) if task.members(label) >= FEWEST_UNITS else "(rare)"
        right = int(np.sum((predicted == label) & (truth == label)))
        for figure, trials in (("precision", predicted == label), ("recall", truth == label)):
            what = f"Class {shown} of {task.target!r}"
            findings.append(_share(coded, f"{name}_{figure}", (right, int(trials.sum())), what))
    return findings


def _share(coded: CodedTable, name: str, hits: tuple[int, int], what: str) -> Finding:
    right, total = hits
    interval = wilson(right, total) if total else None
    return Finding(
        name=name,
        group="utility",
        value=right / total if total else None,
        low=interval.low if interval else None,
        high=interval.high if interval else None,
        table=coded.table.name,
        detail=f"{what}: {right:,} of {total:,}." if total else f"{what}: undefined, none.",
    )


# Numbers


def _judge_numbers(coded: CodedTable, task: Task) -> tuple[Finding, ...]:
    seed = int(coded.random(31).integers(2**31))
    truth = task.outcomes["holdout"]
    spread = float(truth.std())
    if spread == 0:
        return (_undefined(coded, "inconclusive", "The holdout's target is constant."),)
    weights = row_weights(truth.size, REPLICATES, coded.random(32))
    errors, skills, details = {}, {}, []
    for name, side in TRAINED_ON:
        model = number_model(task, side, seed)
        misses = truth - model(task.features["holdout"])
        errors[name] = _root_mean_square(misses, weights)
        skills[name] = _Scores(
            1 - errors[name].value / spread, 1 - errors[name].replicates / spread, -np.inf, 1.0
        )
        details += _miss_findings(coded, task, name, (misses, weights))
        made = task.outcomes["synthetic"]
        if side == "training":
            own = row_weights(made.size, 50, coded.random(33))
            errors["trts"] = _root_mean_square(made - model(task.features["synthetic"]), own)
    what = (
        f"Root mean squared error of {task.target!r} on {truth.size:,} holdout rows, in its own "
        f"unit; the gap is in standard deviations of the target ({spread:.3g})."
    )
    scored = _scored(coded, errors, (skills["trtr"], skills["tstr"]), what, 0.0)
    return (*(_in_unit_of_target(finding) for finding in scored), *details)


def _in_unit_of_target(finding: Finding) -> Finding:
    if finding.name == "utility_gap":
        return finding
    return finding.model_copy(update={"unit": "target"})


def _root_mean_square(misses: FloatArray, weights: FloatArray) -> _Scores:
    errors = np.sqrt(_means(weights, misses**2))
    return _Scores(float(errors[0]), errors[1:])


def _miss_findings(
    coded: CodedTable, task: Task, name: str, missed: tuple[FloatArray, FloatArray]
) -> list[Finding]:
    """R2, mean absolute error, and the share of predictions within the declared tolerance."""
    misses, weights = missed
    share = _told(coded, f"{name}_r2", _explained(task.outcomes["holdout"], misses, weights))
    absolute = _means(weights, np.abs(misses))
    error = _told(coded, f"{name}_mae", _Scores(float(absolute[0]), absolute[1:]))
    found = [share, _in_unit_of_target(error)]
    tolerance = coded.table.column(task.target).tolerance
    if tolerance is not None:
        hits = int(np.sum(np.abs(misses) <= tolerance))
        what = f"Predictions of {task.target!r} at most {tolerance:g} off"
        found.append(_share(coded, f"{name}_within_tolerance", (hits, misses.size), what))
    return found


def _means(weights: FloatArray, values: FloatArray) -> FloatArray:
    return np.asarray(weights @ values / weights.sum(axis=1), dtype=np.float64)


def _explained(truth: FloatArray, misses: FloatArray, weights: FloatArray) -> _Scores:
    """R2 for each row of weights; NaN where the weighted target is constant."""
    centred = truth - truth.mean()
    variance = _means(weights, centred**2) - _means(weights, centred) ** 2
    share = 1 - _means(weights, misses**2) / np.where(variance > 0, variance, np.nan)
    return _Scores(float(share[0]), share[1:], lowest=-np.inf, highest=1.0)


# Findings


def _scored(
    coded: CodedTable,
    scores: dict[str, _Scores],
    skills: tuple[_Scores, _Scores],
    what: str,
    no_skill: float,
) -> tuple[Finding, ...]:
    """The scores and the judged gap; `skills` are those of trtr and tstr, more is better."""
    real, made = skills
    gap = real.value - made.value
    interval = around(gap, real.replicates - made.replicates, lowest=-np.inf)
    bar = coded.bars.utility_gap
    told = {name: _told(coded, name, score) for name, score in scores.items()}
    against_real = {"reference": scores["trtr"].value, "reference_name": "trtr", "detail": what}
    told["trtr"] = told["trtr"].model_copy(update={"detail": what})
    told["tstr"] = told["tstr"].model_copy(update=against_real)
    judged = _finding(coded, "utility_gap", gap, interval).model_copy(
        update={"bar": bar, "state": against_bar(gap, interval, bar), "detail": what}
    )
    if real.interval().high <= no_skill + bar:
        nothing = sentences((what, "Real rows hardly predict it either: nothing to lose."))
        judged = judged.model_copy(update={"state": "info", "detail": nothing})
    others = [finding for name, finding in told.items() if name not in ("trtr", "tstr")]
    return told["trtr"], told["tstr"], judged, *others


def _told(coded: CodedTable, name: str, score: _Scores) -> Finding:
    return _finding(coded, name, score.value, score.interval())


def _finding(coded: CodedTable, name: str, value: float, interval: Interval) -> Finding:
    return Finding(
        name=name,
        group="utility",
        value=value,
        low=interval.low,
        high=interval.high,
        table=coded.table.name,
    )


def _undefined(coded: CodedTable, state: State, detail: str) -> Finding:
    return Finding(
        name="utility_gap",
        group="utility",
        value=None,
        bar=coded.bars.utility_gap if state == "inconclusive" else None,
        state=state,
        table=coded.table.name,
        detail=detail,
    )
