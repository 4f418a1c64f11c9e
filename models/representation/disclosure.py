"""Attribute and membership attacks: what codes tell of sensitive columns and of who was learned."""

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from data_contracts.report import Finding
from models.encoding.column import FloatArray, IntArray
from models.representation.exposure import FEWEST_ROWS, Exposure, Secret, too_few
from models.representation.gains import Gain, Said, auc_gain, weighted_auc

_FEWEST_OF_A_CLASS = 20
_ROWS_TO_STOP_BY = 1000
"""With fewer rows a tenth of them says nothing of when to stop, and may lack a class."""
_MEMBERS_FOR_EACH = 4
"""Released rows for each fresh one: more of them would hardly narrow the interval."""


class AttributeAttack:
    """Do codes tell more of a sensitive column than is known anyway?

    Scenario: somebody knows the sensitive value of half of the released rows, and of all rows the
    public columns and the tasks' outcomes. Logistic regression, boosted trees and a neural network
    are trained afresh, after the encoder was frozen: on what is known, on that with the open part
    of the code, and with the whole code. The best with and without the code are compared in AUC, on
    the other half of the rows; then the halves change places. Power: at 12,000 attacked rows a gain
    of .01 is told from none, the less the rarer the value.
    """

    def evaluate(self, exposure: Exposure) -> tuple[Finding, ...]:
        """The gain for each sensitive column, judged by the contract's bar."""
        bar, found = exposure.share.bars.attribute, []
        for secret in exposure.released.secrets:
            if secret.name not in exposure.sensitive:
                continue
            if exposure.released.rows < FEWEST_ROWS:
                found.append(too_few("attribute_gain", exposure, bar))
                continue
            gain, names = self.attack(exposure, secret)
            found.append(
                Finding(
                    name="attribute_gain", group="attacks", value=gain.value, low=gain.low,
                    high=gain.high, bar=bar, reference=0.0, reference_name="no gain",
                    table=exposure.table, column=secret.name, state=gain.state(bar),
                    detail=f"AUC {gain.attack:.3f} with the code ({names[1]}), {gain.prior:.3f} "
                    f"without ({names[0]}).{_blindness(gain, bar)}",
                )
            )  # fmt: skip
        return tuple(found) or (_nothing_sensitive(exposure),)

    def attack(self, exposure: Exposure, secret: Secret) -> tuple[Gain, tuple[str, str]]:
        """The gain, and who was the best attacker without the code and with it."""
        side = exposure.released
        truth = _classes(secret)
        halves = side.split(exposure.random(200), side.rows // 2)
        prior, without = _best({"": _never_empty(side.known)}, truth, halves)
        views = {
            f", {name}": np.concatenate([side.known, side.codes[:, part]], 1)
            for name, part in exposure.parts.items()
        }
        attack, with_code = _best(views, truth, halves, beside=prior)
        said = Said(prior, attack)
        gain = auc_gain(truth, said, side.units, exposure.random(201), exposure.runs)
        return gain, (without, with_code)


class MembershipAttack:
    """Do codes tell whose rows the encoder learned from?

    Scenario: somebody has codes of rows of which it knows that they were learned from, and of rows
    that were not, together with what is known anyway, and wants to tell for further rows. Codes of
    both are made under the same key. The AUC's prior is one half. A code that repeats what the
    encoder remembers of a row's outcome would be seen here. Power: with 12,000 fresh rows and as
    many released ones an AUC .01 above one half is told from none, with 1,200 one of .02.
    """

    def evaluate(self, exposure: Exposure) -> tuple[Finding, ...]:
        """The gain of the AUC over one half, judged by the contract's bar."""
        bar = exposure.share.bars.membership
        if min(exposure.released.rows, exposure.fresh.rows) < FEWEST_ROWS:
            return (too_few("membership_gain", exposure, bar),)
        gain, name = self.attack(exposure)
        return (
            Finding(
                name="membership_gain", group="attacks", value=gain.value, low=gain.low,
                high=gain.high, bar=bar, reference=0.0, reference_name="no gain",
                table=exposure.table, state=gain.state(bar),
                detail=f"AUC {gain.attack:.3f} ({name}).{_blindness(gain, bar)}",
            ),
        )  # fmt: skip

    def attack(self, exposure: Exposure) -> tuple[Gain, str]:
        """The gain and the best attacker's name."""
        random, fresh = exposure.random(300), exposure.fresh
        picked, _ = exposure.released.split(random, _MEMBERS_FOR_EACH * fresh.rows)
        members = exposure.released.take(picked)
        truth = np.repeat([1.0, 0.0], [members.rows, fresh.rows])
        units = np.concatenate([members.units, fresh.units + members.units.max(initial=0) + 1])
        views = {
            f", {name}": np.concatenate(
                [np.concatenate([side.known, side.codes[:, part]], 1) for side in (members, fresh)]
            )
            for name, part in exposure.parts.items()
        }
        sides = [side.split(random, side.rows // 2) for side in (members, fresh)]
        halves = tuple(
            np.concatenate([one, other + members.rows]) for one, other in zip(*sides, strict=True)
        )
        said, name = _best(views, truth, (halves[0], halves[1]))
        guessed = Said(np.full_like(said, 0.5), said)
        return auc_gain(truth, guessed, units, random, exposure.runs), name


def fresh_attackers(rows: int) -> dict[str, Any]:
    """Three attackers of different kinds, untrained, for so many rows."""
    watched = rows >= _ROWS_TO_STOP_BY
    return {
        "logistic regression": make_pipeline(StandardScaler(), LogisticRegression(max_iter=300)),
        "boosted trees": HistGradientBoostingClassifier(
            max_iter=80, learning_rate=0.08, max_leaf_nodes=15, early_stopping=False, random_state=0
        ),
        "neural network": make_pipeline(
            StandardScaler(),
            MLPClassifier((48,), alpha=1e-2, max_iter=25, early_stopping=watched, random_state=0),
        ),
    }


def _best(
    views: dict[str, FloatArray],
    truth: FloatArray,
    halves: tuple[IntArray, IntArray],
    beside: FloatArray | None = None,
) -> tuple[FloatArray, str]:
    """What the best of all attackers says of each row, having learned from the other half of them.

    With `beside`, what was said without the code, each is tried by itself and in the mean with it:
    who has the code need not be blinded by it.

    Ranks within each half `(rows, classes)`, since scores of two models do not compare; and the
    attacker's name with its view's.
    """
    found = {
        f"{name}{view}": _crossed(name, views[view], truth, halves)
        for view in views
        for name in fresh_attackers(len(truth))
    }
    if beside is not None:
        found |= {f"{name}, with the prior": (said + beside) / 2 for name, said in found.items()}
    best = max(found, key=lambda name: weighted_auc(truth, found[name]))
    return found[best], best


def _crossed(
    name: str, view: FloatArray, truth: FloatArray, halves: tuple[IntArray, IntArray]
) -> FloatArray:
    said = np.zeros((len(truth), int(truth.max()) + 1))
    for learned, asked in (halves, halves[::-1]):
        # A class of which these rows have one alone is not learned: its unit is on the other side.
        learned = learned[np.bincount(truth[learned].astype(int))[truth[learned].astype(int)] > 1]
        if len(np.unique(truth[learned])) < 2:
            continue
        attacker = fresh_attackers(len(learned))[name]
        with warnings.catch_warnings():
            # A network that has not settled in its 25 passes is an attacker all the same.
            warnings.simplefilter("ignore", ConvergenceWarning)
            attacker.fit(view[learned], truth[learned])
        ranks = rankdata(attacker.predict_proba(view[asked]), axis=0) / len(asked)
        said[np.ix_(asked, attacker.classes_.astype(int))] = ranks
    return said


def _nothing_sensitive(exposure: Exposure) -> Finding:
    """An attack that nobody asked for must not look like one that was withstood."""
    return Finding(
        name="attribute_gain", group="attacks", value=None, table=exposure.table,
        detail="Not run: no column of role sensitive is coded that is not known anyway.",
    )  # fmt: skip


def _blindness(gain: Gain, bar: float) -> str:
    """What to say of an attack that had too little to see with."""
    if gain.low > bar or not gain.blind(bar):
        return ""
    return f" Known to {gain.high - gain.value:.3f} only: too few rows to tell a gain of the bar."


def _classes(secret: Secret) -> FloatArray:
    """Classes 0.. that at least twenty rows have; numbers in five groups of equal size."""
    if secret.classes == 0:
        edges = np.quantile(secret.truth, [0.2, 0.4, 0.6, 0.8])
        return _from_zero(np.searchsorted(edges, secret.truth))
    values, places, counts = np.unique(secret.truth, return_inverse=True, return_counts=True)
    rare = counts < _FEWEST_OF_A_CLASS
    if rare.any() and not rare.all():
        # Rare values together, with the next rarer one until they are enough: none of them could
        # be told apart with confidence.
        order = counts.argsort()
        enough = int((counts[order].cumsum() < _FEWEST_OF_A_CLASS).sum()) + 1
        together = {*np.flatnonzero(rare).tolist(), *order[:enough].tolist()}
        places = np.where(np.isin(places, list(together)), len(values), places)
    return _from_zero(places)


def _from_zero(values: npt.NDArray[Any]) -> FloatArray:
    return np.unique(values, return_inverse=True)[1].astype(np.float64)


def _never_empty(view: FloatArray) -> FloatArray:
    return view if view.shape[1] else np.zeros((len(view), 1))
