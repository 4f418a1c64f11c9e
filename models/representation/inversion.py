"""Inversion: from codes back to columns, with none, few or many known pairs of row and code."""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

from data_contracts.report import Finding
from models.encoding.column import FloatArray, IntArray
from models.representation.declared import predict, predictor
from models.representation.exposure import Exposure, Secret
from models.representation.gains import Gain, gain_of_draws, row_gains
from models.representation.rows import whitened

PAIRS = (0, 20, 200, 2000)
_TARGETS = 3000
_DRAWS, _DRAWS_OF_MANY = 8, 2
_MANY = 200


@dataclass(frozen=True)
class Found:
    """The best attacker's gain for one column."""

    column: str
    gain: Gain
    attacker: str


class InversionAttack:
    """Can a recipient read a column that was not meant for it out of the codes?

    Scenario: somebody holds the release, rows of the same population (not the released ones), and
    for `pairs` released rows both row and code, say its own customers found again. Of each other
    row it knows the public columns and the outcomes of the tasks. What it says from those alone is
    the prior. The attackers who add the code are ridge and logistic regression, nearest neighbours,
    the prior corrected by regression, and, from 200 pairs on, boosted trees; of each column the
    best one counts. Without pairs it
    learns from its own rows what a task's answer says of a column, and reads the answer off the
    code (alignment): no pair is needed for that. Power: at 3,000 attacked rows a gain of .03 is
    told from none.
    """

    def __init__(self, pairs: int) -> None:
        self.pairs = pairs

    def evaluate(self, exposure: Exposure) -> tuple[Finding, ...]:
        """The worst column's gain, and what the declared number of pairs makes of it."""
        found = self.attack(exposure)
        if not found:
            return ()
        worst = max(found, key=lambda one: one.gain.low)
        judged = self.pairs <= exposure.share.known_pairs
        bar = exposure.share.bars.inversion
        others = ", ".join(f"{one.column} {one.gain.value:+.3f}" for one in found)
        return (
            Finding(
                name=f"inversion_gain_{self.pairs}", group="attacks", value=worst.gain.value,
                low=worst.gain.low, reference=worst.gain.prior, reference_name="prior",
                bar=bar if judged else None, table=exposure.table, column=worst.column,
                state=("refuse" if worst.gain.low > bar else "pass") if judged else "info",
                detail=f"{self.pairs} known pairs, {worst.attacker}; gains in accuracy or R2: "
                f"{others}.",
            ),
        )  # fmt: skip

    def attack(self, exposure: Exposure) -> tuple[Found, ...]:
        """The best attacker's gain of every column that was not meant to be known."""
        released, random = exposure.released, exposure.random(100 + self.pairs)
        order = random.permutation(released.rows)
        targets = order[:_TARGETS] if released.rows > 2 * _TARGETS else order[: released.rows // 2]
        others = order[len(targets) :]
        if len(others) < max(self.pairs, 1):
            return ()
        bridge = Bridge(exposure, targets) if self.pairs == 0 else None
        return tuple(
            self._column(exposure, place, (targets, others), bridge)
            for place in range(len(released.secrets))
        )

    def _column(
        self,
        exposure: Exposure,
        place: int,
        rows_of: tuple[IntArray, IntArray],
        bridge: "Bridge | None",
    ) -> Found:
        targets, others = rows_of
        released, fresh = exposure.released, exposure.fresh
        secret, random = released.secrets[place], exposure.random(1000 + place)
        prior = Prior(fresh.secrets[place], fresh.known)
        truth, said = secret.truth[targets], prior.says(released.known[targets])
        score = _score(truth, said, secret.classes)
        if bridge is not None:
            found = bridge.says(place)
            rows = row_gains(truth, said, found, secret.classes == 0)
            gain = gain_of_draws([rows], _score(truth, found, secret.classes), score)
            return Found(secret.name, gain, "alignment")
        codes = whitened(released.codes)
        view = np.concatenate([codes, prior.features(released.known)], 1)
        draws: dict[str, list[FloatArray]] = {}
        for _ in range(_DRAWS if self.pairs < _MANY else _DRAWS_OF_MANY):
            pairs = random.choice(others, self.pairs, replace=False)
            answers = {
                name: _fitted(model, view[pairs], secret.truth[pairs], view[targets])
                for name, model in attackers(secret.classes, self.pairs).items()
            }
            answers["corrected prior"] = corrected(secret, view, codes.shape[1], (pairs, targets))
            for name, found in answers.items():
                rows = row_gains(truth, said, found, secret.classes == 0)
                draws.setdefault(name, []).append(rows)
        best = max(draws, key=lambda name: float(np.mean([rows.mean() for rows in draws[name]])))
        value = float(np.mean([rows.mean() for rows in draws[best]]))
        return Found(secret.name, gain_of_draws(draws[best], score + value, score), best)


class Prior:
    """What is said of a column from what is known anyway, learned from rows of one's own."""

    def __init__(self, secret: Secret, known: FloatArray) -> None:
        self.classes = secret.classes
        self._model: Any = None
        if known.shape[1] and len(np.unique(secret.truth)) > 1:
            self._model = trees(self.classes).fit(known, secret.truth)
        values, counts = np.unique(secret.truth, return_counts=True)
        self._mode, self._mean = float(values[counts.argmax()]), float(secret.truth.mean())
        self._shares = dict(zip(values, counts / counts.sum(), strict=True))

    def says(self, known: FloatArray) -> FloatArray:
        """A number or a class for each row."""
        if self._model is None:
            return np.full(len(known), self._mode if self.classes else self._mean)
        return np.asarray(self._model.predict(known), dtype=np.float64)

    def features(self, known: FloatArray) -> FloatArray:
        """The same with its certainty, for attackers to build on `(rows, 1 or classes)`."""
        if not self.classes:
            return self.says(known)[:, None]
        found = np.full((len(known), self.classes), 1e-3)
        if self._model is not None:
            found[:, self._model.classes_.astype(int)] += self._model.predict_proba(known)
        else:
            for value, share in self._shares.items():
                found[:, int(value)] += share
        return np.asarray(np.log(found), dtype=np.float64)


def trees(classes: int) -> Any:
    """Small boosted trees: the prior's model, and an attacker's."""
    settings: dict[str, Any] = {
        "max_iter": 60, "max_leaf_nodes": 15, "early_stopping": False, "random_state": 0
    }  # fmt: skip
    if classes:
        return HistGradientBoostingClassifier(**settings)
    return HistGradientBoostingRegressor(**settings)


def attackers(classes: int, pairs: int) -> dict[str, Any]:
    """The attackers who learn from so many pairs, by name."""
    near = max(3, min(25, round(pairs**0.5)))
    found: dict[str, Any] = {}
    if classes:
        found["logistic regression"] = LogisticRegression(C=0.3, max_iter=100)
        found["nearest neighbours"] = KNeighborsClassifier(near)
    else:
        found["ridge regression"] = Ridge(alpha=3.0)
        found["nearest neighbours"] = KNeighborsRegressor(near)
    if pairs >= _MANY:
        found["boosted trees"] = trees(classes)
    return found


def corrected(
    secret: Secret, view: FloatArray, width: int, rows: tuple[IntArray, IntArray]
) -> FloatArray:
    """The prior with what pairs say of the code put on top: the attacker for few pairs.

    `view` is codes of `width`, then the prior (a number, or log chances). Numbers: ridge regression
    of what the prior missed. Classes: Bayes' rule, with the code's part by logistic regression.
    """
    pairs, targets = rows
    codes, prior = view[:, :width], view[:, width:]
    if not secret.classes:
        missed = secret.truth[pairs] - prior[pairs, 0]
        found = _fitted(Ridge(alpha=20.0), codes[pairs], missed, codes[targets])
        return np.asarray(prior[targets, 0] + found, dtype=np.float64)
    truth = secret.truth[pairs]
    classes, counts = np.unique(truth, return_counts=True)
    logs = prior[targets].copy()
    if len(classes) > 1:
        model = LogisticRegression(C=0.1, max_iter=100).fit(codes[pairs], truth)
        told = model.predict_log_proba(codes[targets]) - np.log(counts / counts.sum())
        logs[:, classes.astype(int)] += told
    return np.asarray(logs.argmax(1), dtype=np.float64)


class Bridge:
    """The attacker without any pair: task answers as a bridge from codes to columns.

    It learns answers from codes (outcomes are known to it) and answers from raw rows of its own,
    puts both on the same ranks, and learns columns from answers on its own rows.
    """

    def __init__(self, exposure: Exposure, targets: IntArray) -> None:
        released, fresh = exposure.released, exposure.fresh
        half = exposure.random(7).permutation(fresh.rows)
        learned, own = half[: fresh.rows // 2], half[fresh.rows // 2 :]
        rest = np.setdiff1d(np.arange(released.rows), targets)
        mine, read = [fresh.known[own]], [released.known[targets]]
        for number, outcome in enumerate(released.outcomes):
            raw = _answers(fresh.outcomes[number], learned, fresh.features, own)
            code = _answers(outcome, rest, released.codes, targets)
            for column in range(raw.shape[1]):
                mine.append(raw[:, [column]])
                read.append(_same_ranks(code[:, column], raw[:, column])[:, None])
        self._secrets = tuple(secret.take(own) for secret in fresh.secrets)
        self._mine, self._read = np.concatenate(mine, 1), np.concatenate(read, 1)

    def says(self, place: int) -> FloatArray:
        """What it says of a column of the attacked rows."""
        secret = self._secrets[place]
        return _fitted(trees(secret.classes), self._mine, secret.truth, self._read)


def _answers(outcome: Any, rows: IntArray, features: FloatArray, asked: IntArray) -> FloatArray:
    usable = rows[outcome.known[rows]]
    model = predictor(outcome, 0).fit(features[usable], outcome.answers[usable])
    said = predict(model, outcome, features[asked])
    return said[:, 1:] if outcome.classes == 2 else said


def _same_ranks(values: FloatArray, model: FloatArray) -> FloatArray:
    """`values` with each replaced by what holds the same rank in `model`."""
    ranks = values.argsort().argsort() / max(len(values) - 1, 1)
    return np.asarray(np.quantile(model, ranks), dtype=np.float64)


def _fitted(model: Any, features: FloatArray, truth: FloatArray, asked: FloatArray) -> FloatArray:
    if len(np.unique(truth)) < 2:
        return np.full(len(asked), truth[0])
    with warnings.catch_warnings():
        # An attacker that has not settled is an attacker all the same.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(features, truth)
    return np.asarray(model.predict(asked), dtype=np.float64)


def _score(truth: FloatArray, said: FloatArray, classes: int) -> float:
    if classes:
        return float((truth == said).mean())
    return 1 - float(((truth - said) ** 2).mean()) / (float(np.var(truth)) or 1.0)
