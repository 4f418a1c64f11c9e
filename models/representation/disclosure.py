"""Attribute and membership attacks: what codes tell of sensitive columns and of who was learned."""

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from data_contracts.report import Finding
from models.encoding.column import FloatArray, IntArray
from models.representation.exposure import Exposure, Secret
from models.representation.gains import Gain, auc_gain, weighted_auc


class AttributeAttack:
    """Do codes tell more of a sensitive column than is known anyway?

    Scenario: somebody knows the sensitive value of half of the released rows, and of all rows the
    public columns and the tasks' outcomes. Logistic regression, boosted trees and a neural network
    are trained afresh, after the encoder was frozen, once on what is known and once with the code;
    the best of each is compared on the other half, in AUC. Power: at 6,000 attacked rows a gain
    of .01 to .02 is told from none, the less the rarer the value.
    """

    def evaluate(self, exposure: Exposure) -> tuple[Finding, ...]:
        """The gain for each sensitive column, judged by the contract's bar."""
        bar, found = exposure.share.bars.attribute, []
        for secret in exposure.released.secrets:
            if secret.name not in exposure.sensitive:
                continue
            gain, names = self.attack(exposure, secret)
            found.append(
                Finding(
                    name="attribute_gain", group="attacks", value=gain.value, low=gain.low,
                    high=gain.high, bar=bar, reference=gain.prior, reference_name="prior AUC",
                    table=exposure.table, column=secret.name, state=gain.state(bar),
                    detail=f"AUC {gain.attack:.3f} with the code ({names[1]}), {gain.prior:.3f} "
                    f"without ({names[0]}).",
                )
            )  # fmt: skip
        return tuple(found)

    def attack(self, exposure: Exposure, secret: Secret) -> tuple[Gain, tuple[str, str]]:
        """The gain, and who was the best attacker without the code and with it."""
        side, random = exposure.released, exposure.random(200)
        order = random.permutation(side.rows)
        learned, asked = order[: side.rows // 2], order[side.rows // 2 :]
        truth = _classes(secret)
        views = (_never_empty(side.known), np.concatenate([side.known, side.codes], 1))
        said, names = [], []
        for view in views:
            name, best = _best(view, truth, learned, asked)
            said.append(best)
            names.append(name)
        # Who has the code may leave it out: at the worst the attack is the prior's.
        if weighted_auc(truth[asked], said[1]) < weighted_auc(truth[asked], said[0]):
            said[1], names[1] = said[0], names[0]
        gain = auc_gain(truth[asked], said[0], said[1], exposure.random(201))
        return gain, (names[0], names[1])


class MembershipAttack:
    """Do codes tell whose rows the encoder learned from?

    Scenario: somebody has codes of rows of which it knows that they were learned from, and of rows
    that were not, together with what is known anyway, and wants to tell for further rows. Codes of
    both are made under the same key. The AUC's prior is one half. A code that repeats what the
    encoder remembers of a row's outcome would be seen here.
    """

    def evaluate(self, exposure: Exposure) -> tuple[Finding, ...]:
        """The gain of the AUC over one half, judged by the contract's bar."""
        gain, name = self.attack(exposure)
        bar = exposure.share.bars.membership
        return (
            Finding(
                name="membership_gain", group="attacks", value=gain.value, low=gain.low,
                high=gain.high, bar=bar, reference=0.5, reference_name="prior AUC",
                table=exposure.table, state=gain.state(bar),
                detail=f"AUC {gain.attack:.3f} ({name}).",
            ),
        )  # fmt: skip

    def attack(self, exposure: Exposure) -> tuple[Gain, str]:
        """The gain and the best attacker's name."""
        random = exposure.random(300)
        rows = min(exposure.released.rows, exposure.fresh.rows)
        sides = [
            side.take(random.permutation(side.rows)[:rows])
            for side in (exposure.released, exposure.fresh)
        ]
        views = [np.concatenate([side.known, side.codes], 1) for side in sides]
        view = np.concatenate(views)
        truth = np.repeat([1.0, 0.0], rows)
        order = random.permutation(len(view))
        learned, asked = order[: len(view) // 2], order[len(view) // 2 :]
        name, said = _best(view, truth, learned, asked)
        return auc_gain(truth[asked], np.full((len(asked), 2), 0.5), said, random), name


def fresh_attackers() -> dict[str, Any]:
    """Three attackers of different kinds, untrained."""
    return {
        "logistic regression": make_pipeline(StandardScaler(), LogisticRegression(max_iter=300)),
        "boosted trees": HistGradientBoostingClassifier(
            max_iter=80, learning_rate=0.08, max_leaf_nodes=15, early_stopping=False, random_state=0
        ),
        "neural network": make_pipeline(
            StandardScaler(),
            MLPClassifier((48,), alpha=1e-2, max_iter=25, early_stopping=True, random_state=0),
        ),
    }


def _best(
    view: FloatArray, truth: FloatArray, learned: IntArray, asked: IntArray
) -> tuple[str, FloatArray]:
    """Each attacker trained on some rows; the one whose answers on the others are best."""
    classes, found = int(truth.max()) + 1, {}
    for name, attacker in fresh_attackers().items():
        with warnings.catch_warnings():
            # A network that has not settled in its 25 passes is an attacker all the same.
            warnings.simplefilter("ignore", ConvergenceWarning)
            attacker.fit(view[learned], truth[learned])
        said = np.zeros((len(asked), classes))
        said[:, attacker.classes_.astype(int)] = attacker.predict_proba(view[asked])
        found[name] = said
    best = max(found, key=lambda name: weighted_auc(truth[asked], found[name]))
    return best, found[best]


def _classes(secret: Secret) -> FloatArray:
    """Classes 0.. that at least twenty rows have; numbers in five groups of equal size."""
    if secret.classes == 0:
        edges = np.quantile(secret.truth, [0.2, 0.4, 0.6, 0.8])
        return _from_zero(np.searchsorted(edges, secret.truth))
    values, places, counts = np.unique(secret.truth, return_inverse=True, return_counts=True)
    if (counts < 20).any():
        # Rare values together: none of them could be told apart with confidence.
        places = np.where(counts[places] < 20, len(values), places)
    return _from_zero(places)


def _from_zero(values: npt.NDArray[Any]) -> FloatArray:
    return np.unique(values, return_inverse=True)[1].astype(np.float64)


def _never_empty(view: FloatArray) -> FloatArray:
    return view if view.shape[1] else np.zeros((len(view), 1))
