"""Alignment: reading columns out of codes without a single known pair of row and code."""

import warnings
from typing import Any

import numpy as np
from scipy.special import ndtri
from scipy.stats import rankdata
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning

from models.encoding.column import FloatArray, IntArray
from models.representation.declared import Outcome, predict, predictor
from models.representation.exposure import Exposure


class Bridge:
    """The attacker without any pair: task answers as a bridge from codes to columns.

    It learns answers from codes (outcomes are known to it) and answers from raw rows of its own,
    puts both on the same scale, and learns columns from answers on its own rows. Answers read off
    codes are blurred by noise. It takes its own rows' answers as they are, and blurs them alike:
    of each column, the better of both counts.
    """

    def __init__(self, exposure: Exposure, rows: tuple[IntArray, IntArray]) -> None:
        targets, rest = rows
        released, fresh, random = exposure.released, exposure.fresh, exposure.random(7)
        learned, own = fresh.split(random, fresh.rows // 2)
        sharp, blurred, read = [fresh.known[own]], [fresh.known[own]], [released.known[targets]]
        for number, outcome in enumerate(released.outcomes):
            mine = fresh.outcomes[number]
            raw = normal_scores(_answers(mine, learned, fresh.features, own))
            code = normal_scores(_answers(outcome, rest, released.codes, targets))
            clear = _clearness((mine.take(own), raw), (outcome.take(targets), code))
            sharp.append(raw)
            noise = random.normal(size=raw.shape)
            blurred.append(clear * raw + (1 - clear**2) ** 0.5 * noise)
            read.append(code)
        self._secrets = tuple(secret.take(own) for secret in fresh.secrets)
        self._views = {
            "alignment": np.concatenate(sharp, 1), "blurred alignment": np.concatenate(blurred, 1)
        }  # fmt: skip
        self._read = np.concatenate(read, 1)

    def says(self, place: int) -> dict[str, FloatArray]:
        """What it says of a column of the attacked rows, in each of its two ways."""
        secret = self._secrets[place]
        return {
            name: fitted(trees(secret.classes), view, secret.truth, self._read)
            for name, view in self._views.items()
        }


def normal_scores(values: FloatArray) -> FloatArray:
    """Each column `(rows, columns)` by its ranks, on the scale of a standard normal number."""
    ranks = rankdata(values, axis=0) / (len(values) + 1)
    return np.asarray(ndtri(ranks), dtype=np.float64)


def _clearness(own: tuple[Outcome, FloatArray], code: tuple[Outcome, FloatArray]) -> float:
    """How much of the answers is left in codes: how well either goes with outcomes, compared."""
    found = []
    for outcome, said in (own, code):
        known, truth = outcome.known, outcome.flat()
        truth = truth[:, 1:] if outcome.classes == 2 else truth
        spread = truth[known].std(0) * said[known].std(0)
        product = ((truth - truth[known].mean(0)) * said)[known].mean(0)
        found.append(float(np.mean(product / np.where(spread > 0, spread, np.inf))))
    return float(np.clip(found[1] / found[0], 0.1, 1.0)) if found[0] > 0 else 1.0


def _answers(outcome: Outcome, rows: IntArray, features: FloatArray, asked: IntArray) -> FloatArray:
    usable = rows[outcome.known[rows]]
    model = predictor(outcome, 0).fit(features[usable], outcome.answers[usable])
    said = predict(model, outcome, features[asked])
    return said[:, 1:] if outcome.classes == 2 else said


def trees(classes: int) -> Any:
    """Small boosted trees: the prior's model, and an attacker's.

    Larger ones see less: a code tells little, and rare classes make them see ghosts.
    """
    settings: dict[str, Any] = {
        "max_iter": 40, "max_leaf_nodes": 7, "l2_regularization": 10.0, "early_stopping": False,
        "random_state": 0,
    }  # fmt: skip
    if classes:
        return HistGradientBoostingClassifier(**settings)
    return HistGradientBoostingRegressor(**settings)


def fitted(model: Any, features: FloatArray, truth: FloatArray, asked: FloatArray) -> FloatArray:
    """What a model that learned from some rows says of others `(rows,)`."""
    if len(np.unique(truth)) < 2:
        return np.full(len(asked), truth[0])
    with warnings.catch_warnings():
        # An attacker that has not settled is an attacker all the same.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(features, truth)
    return np.asarray(model.predict(asked), dtype=np.float64)
