"""Utility: how much of each declared task's score the codes keep."""

import numpy as np
from scipy import stats

from data_contracts.report import Finding, State
from models.encoding.column import FloatArray, IntArray
from models.representation.declared import (
    Outcome,
    Score,
    clustering_score,
    predict,
    predictor,
    score,
)
from models.representation.exposure import Exposure

_REPLICATES = 60


class KeptTasks:
    """Do models trained on codes do the declared tasks as well as models trained on rows?

    Scenario: the recipient trains on the open part of released codes, with outcomes that it has or
    gets, and is asked about rows that no fit has seen. The same kind of model on raw rows is the
    reference: AUC or R2 above guessing, or the agreement of clusters found anew with those of the
    raw rows.
    """

    def evaluate(self, exposure: Exposure) -> tuple[Finding, ...]:
        """The share of each task's score above its baseline that is kept, judged by the bar."""
        found = []
        for place, (outcome, asked) in enumerate(
            zip(exposure.released.outcomes, exposure.fresh.outcomes, strict=True)
        ):
            raw, code, error = self._scores(exposure, outcome, asked, place)
            kept, bar = code.kept_of(raw), exposure.share.bars.task_kept
            measured = bool(np.isfinite([kept, error]).all())
            half = float(stats.norm.ppf(0.95)) * error
            found.append(
                Finding(
                    name="task_kept", group="utility", value=kept if measured else None,
                    low=kept - half if measured else None, high=kept + half if measured else None,
                    bar=bar, table=exposure.table, column=outcome.task.column,
                    state=_state(kept, half, bar),
                    detail=f"{outcome.task.kind} of {outcome.task.name}: {code.value:.3f} on "
                    f"codes, {raw.value:.3f} on rows, {raw.baseline:.3g} by guessing.",
                )
            )  # fmt: skip
        return tuple(found)

    def _scores(
        self, exposure: Exposure, outcome: Outcome, asked: Outcome, place: int
    ) -> tuple[Score, Score, float]:
        """The scores on rows and on codes, and the standard error of the share kept."""
        released, fresh = exposure.released, exposure.fresh
        if outcome.task.kind == "clustering":
            raw = clustering_score(asked, fresh.features, seed=exposure.seed + 1)
            opened = fresh.codes[:, : exposure.open_width]
            return raw, clustering_score(asked, opened, seed=exposure.seed), 0.0
        rows = np.flatnonzero(outcome.known)
        said = []
        for view, other in (
            (released.features, fresh.features),
            (released.codes[:, : exposure.open_width], fresh.codes[:, : exposure.open_width]),
        ):
            model = predictor(outcome, exposure.seed).fit(view[rows], outcome.answers[rows])
            said.append(predict(model, outcome, other))
        raw, code = (score(asked, one) for one in said)
        return raw, code, _error(asked, said, fresh.units, exposure.random(500 + place))


def _error(
    asked: Outcome, said: list[FloatArray], units: IntArray, random: np.random.Generator
) -> float:
    """Standard error of the share that is kept, by drawing the units that are asked about anew."""
    kept, order = [], units.argsort(kind="stable")
    ends = np.searchsorted(units[order], np.arange(int(units.max(initial=0)) + 2))
    for _ in range(_REPLICATES):
        drawn = random.integers(0, len(ends) - 1, len(ends) - 1)
        rows = np.concatenate([order[ends[unit] : ends[unit + 1]] for unit in drawn])
        raw, code = (score(asked.take(rows), one[rows]) for one in said)
        kept.append(code.kept_of(raw))
    finite = np.array(kept)[np.isfinite(kept)]
    return float(finite.std(ddof=1)) if len(finite) > 1 else float("inf")


def _state(kept: float, half: float, bar: float) -> State:
    """Undecided when below the bar by no more than chance may explain."""
    if not np.isfinite([kept, half]).all():
        return "inconclusive"
    if kept >= bar:
        return "pass"
    return "refuse" if kept + half < bar else "inconclusive"
