"""Inversion: from codes back to columns, with none, few or many known pairs of row and code."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

from data_contracts.report import Finding, State
from models.encoding.column import FloatArray, IntArray
from models.representation.alignment import Bridge, fitted, trees
from models.representation.exposure import FEWEST_ROWS, Exposure, Secret, too_few
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
    the prior corrected by regression, and, from 200 pairs on, boosted trees, each with the open
    part and with the whole code; of each column the best one counts. Without pairs it learns from
    its own rows what a task's answer says of a column, and reads the answer off the code
    (`Bridge`). Power: at 3,000 attacked rows a gain of .03 is told from none, at 200 one of .1.
    """

    def __init__(self, pairs: int) -> None:
        self.pairs = pairs

    def evaluate(self, exposure: Exposure) -> tuple[Finding, ...]:
        """The worst column's gain, and what the declared number of pairs makes of it.

        Nothing where every column is known anyway. Undecided with too few rows to attack.
        """
        judged = self.pairs <= exposure.share.known_pairs
        bar = exposure.share.bars.inversion if judged else None
        name, found = f"inversion_gain_{self.pairs}", self.attack(exposure)
        if not found:
            if not judged or not exposure.released.secrets:
                return ()
            return (too_few(name, exposure, bar, f"for {self.pairs} known pairs"),)
        states = [_state(one.gain, bar) for one in found]
        rank = [("info", "pass", "inconclusive", "refuse").index(state) for state in states]
        place = max(range(len(found)), key=lambda one: (rank[one], found[one].gain.value))
        worst = found[place]
        others = ", ".join(f"{one.column} {one.gain.value:+.3f}" for one in found)
        return (
            Finding(
                name=name, group="attacks", value=worst.gain.value, low=worst.gain.low,
                high=worst.gain.high, reference=0.0, reference_name="no gain",
                bar=bar, table=exposure.table, column=worst.column, state=states[place],
                detail=f"{self.pairs} known pairs, {worst.attacker}: {worst.gain.attack:.3f} with "
                f"codes, {worst.gain.prior:.3f} without. Gains in accuracy or R2: {others}.",
            ),
        )  # fmt: skip

    def attack(self, exposure: Exposure) -> tuple[Found, ...]:
        """The best attacker's gain of every column that was not meant to be known."""
        released, random = exposure.released, exposure.random(100 + self.pairs)
        targets, others = released.split(random, min(_TARGETS, released.rows // 2))
        if len(targets) < FEWEST_ROWS or len(others) < max(self.pairs, 1):
            return ()
        bridge = Bridge(exposure, (targets, others)) if self.pairs == 0 else None
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
        score, units = _score(truth, said, secret.classes), released.units[targets]
        tried: dict[str, list[FloatArray]] = {}
        if bridge is not None:
            tried = {name: [found] for name, found in bridge.says(place).items()}
        views = {
            name: Views(whitened(released.codes[:, part]), prior.features(released.known))
            for name, part in exposure.parts.items()
        }
        times = _DRAWS if self.pairs < _MANY else _DRAWS_OF_MANY
        for _ in range(times if self.pairs else 0):
            pairs = random.choice(others, self.pairs, replace=False)
            for part, view in views.items():
                for name, found in answers(secret, view, (pairs, targets)).items():
                    tried.setdefault(f"{name}, {part}", []).append(found)
        draws = {
            name: [row_gains(truth, said, one, secret.classes == 0) for one in found]
            for name, found in tried.items()
        }
        best = max(draws, key=lambda name: float(np.mean([rows.mean() for rows in draws[name]])))
        value = float(np.mean([rows.mean() for rows in draws[best]]))
        gain = gain_of_draws(draws[best], units, (score + value, score), exposure.runs)
        return Found(secret.name, gain, best)


@dataclass(frozen=True)
class Views:
    """A part of the code, whitened, and what the prior says (a number, or log chances)."""

    codes: FloatArray
    prior: FloatArray


class Prior:
    """What is said of a column from what is known anyway, learned from rows of one's own.

    Trees, or the same of every row where trees see nothing: beside trees that see ghosts, every
    attack would seem to gain.
    """

    def __init__(self, secret: Secret, known: FloatArray) -> None:
        self.classes, truth = secret.classes, secret.truth
        self._model: Any = None
        self._learn_constant(truth)
        if known.shape[1] and len(np.unique(truth)) > 1:
            part = 2 * len(truth) // 3
            constant = self._loss(known[part:], truth[part:])
            self._model = trees(self.classes).fit(known[:part], truth[:part])
            helps = self._loss(known[part:], truth[part:]) < constant
            self._model = trees(self.classes).fit(known, truth) if helps else None

    def _learn_constant(self, truth: FloatArray) -> None:
        values, counts = np.unique(truth, return_counts=True)
        self._mode, self._mean = float(values[counts.argmax()]), float(truth.mean())
        self._shares = dict(zip(values, counts / counts.sum(), strict=True))

    def _loss(self, known: FloatArray, truth: FloatArray) -> float:
        """Squared error of a number, or how unlikely the true classes are held to be."""
        said = self.features(known)
        if not self.classes:
            return float(((said[:, 0] - truth) ** 2).mean())
        return -float(said[np.arange(len(truth)), truth.astype(int)].mean())

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


def answers(secret: Secret, view: Views, rows: tuple[IntArray, IntArray]) -> dict[str, FloatArray]:
    """What each attacker who learned from the pairs says of the attacked rows, by its name."""
    pairs, targets = rows
    both, truth = np.concatenate([view.codes, view.prior], 1), secret.truth[pairs]
    found = {
        name: fitted(model, both[pairs], truth, both[targets])
        for name, model in attackers(secret.classes, len(pairs)).items()
    }
    return {**found, "corrected prior": corrected(secret, view, rows)}


def corrected(secret: Secret, view: Views, rows: tuple[IntArray, IntArray]) -> FloatArray:
    """The prior with what pairs say of the code put on top: the attacker for few pairs.

    Numbers: ridge regression of what the prior missed. Classes: Bayes' rule, with the code's part
    by logistic regression.
    """
    pairs, targets = rows
    if not secret.classes:
        missed = secret.truth[pairs] - view.prior[pairs, 0]
        found = fitted(Ridge(alpha=20.0), view.codes[pairs], missed, view.codes[targets])
        return np.asarray(view.prior[targets, 0] + found, dtype=np.float64)
    truth = secret.truth[pairs]
    classes, counts = np.unique(truth, return_counts=True)
    logs = view.prior[targets].copy()
    if len(classes) > 1:
        model = LogisticRegression(C=0.1, max_iter=100).fit(view.codes[pairs], truth)
        told = model.predict_log_proba(view.codes[targets]) - np.log(counts / counts.sum())
        logs[:, classes.astype(int)] += told
    return np.asarray(logs.argmax(1), dtype=np.float64)


def _state(gain: Gain, bar: float | None) -> State:
    """As the bar says: refused when surely above it, and undecided when above it by chance."""
    if bar is None:
        return "info"
    if gain.low > bar:
        return "refuse"
    return "inconclusive" if gain.above(bar) else "pass"


def _score(truth: FloatArray, said: FloatArray, classes: int) -> float:
    if classes:
        return float((truth == said).mean())
    return 1 - float(((truth - said) ** 2).mean()) / (float(np.var(truth)) or 1.0)
