"""Does the release tell a training unit's sensitive value better than anybody's (G5)?"""

from typing import cast

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from data_contracts.report import Finding
from models.evaluation.coded import CodedColumn, CodedTable, IntArray, Side, draw, feature_matrix
from models.evaluation.intervals import FloatArray
from models.evaluation.trees import class_scores, fit_trees, predicted_numbers
from models.evaluation.verdicts import sentences
from models.privacy.membership import REAL, AttackedTable, some_units
from models.privacy.trial import PASSING_LEVEL, Bound, Trial, outward, undecided
from models.privacy.unit_rates import UnitRates, reach

BAR = 0.02
MOST_TRAINED = 20_000
FEWEST_UNITS = 20
# A number counts as guessed within this share of all ranks.
TOLERANCE = 0.05
MOST_CLASSES = 20
STEP = 0.005


class AttributeInference:
    """`attribute_inference` (G5): what is this person's sensitive value?

    Scenario: the attacker knows all of a person's record but one sensitive value, trains boosted
    trees on the release, and guesses the value. What the trees learn of the population they learn
    for everybody: only a better score on training units than on held-out ones is a leak. A number
    is guessed within 5 % of its ranks, a category exactly; of many categories the 20 most frequent
    ones are told apart. Refused if the difference is above .02 beyond doubt.

    Power: small, since trees hardly learn single rows. Beside 10,000 training and 2,500 held-out
    rows a release that was copied by 40 % was refused in 20 of 20 runs for a category of seven
    values, and a copy of everything in none for a number (`benchmarks/power.py`). Beside 40,000 the
    category was not refused either. Copies are for the other attacks to find.
    """

    def evaluate(self, table: AttackedTable) -> tuple[Trial, ...]:
        """One trial for each column that the contract marks as sensitive."""
        sensitive = [each for each in table.coded.columns if each.column.role == "sensitive"]
        return tuple(_trial(table.coded, column, table.runs) for column in sensitive)


def sensitive_columns(coded: CodedTable) -> int:
    """How many trials `AttributeInference` makes."""
    return sum(column.column.role == "sensitive" for column in coded.columns)


def _trial(coded: CodedTable, secret: CodedColumn, runs: int) -> Trial:
    table, name = coded.table.name, "attribute_inference"
    known = tuple(column for column in coded.columns if column is not secret)
    random = coded.random(80)
    trained = draw(coded.rows["synthetic"], MOST_TRAINED, random)
    trained = trained[~secret.missing("synthetic")[trained]]
    asked = {side: some_units(coded, side, random, 50_000) for side in REAL}
    kept = {side: ~secret.missing(side)[rows] for side, (rows, _) in asked.items()}
    fewest = min(np.unique(asked[side][1][kept[side]]).size for side in REAL)
    if fewest < FEWEST_UNITS or trained.size < FEWEST_UNITS or not known:
        return undecided(name, table, FEWEST_UNITS, secret.name)
    success, units = {}, {}
    guess = _Guesser(coded, secret, known, trained)
    for side in REAL:
        rows = asked[side][0][kept[side]]
        success[str(side)], units[str(side)] = guess.hits(side, rows), asked[side][1][kept[side]]
    return _judged(coded, secret.name, UnitRates.of_rows(success, units), runs)


class _Guesser:
    """Trees that guess a column from the others, fitted to synthetic rows."""

    def __init__(
        self,
        coded: CodedTable,
        secret: CodedColumn,
        known: tuple[CodedColumn, ...],
        trained: IntArray,
    ) -> None:
        self.secret, self.known = secret, known
        self.seed = int(coded.random(81).integers(2**31))
        features = feature_matrix(known, "synthetic")[trained]
        if secret.is_number:
            real = np.concatenate([secret.values[side] for side in REAL]).astype(np.float64)
            self.sorted_ = np.sort(real[~np.isnan(real)])
            self.trees_: HistGradientBoostingClassifier | HistGradientBoostingRegressor = (
                HistGradientBoostingRegressor(
                    max_iter=100, loss="absolute_error", random_state=self.seed
                )
            )
            fit_trees(self.trees_, features, self._ranks(secret.values["synthetic"][trained]))
            return
        outcomes = self._classes("synthetic", trained)
        self.only_ = int(outcomes[0]) if np.unique(outcomes).size == 1 else None
        self.trees_ = HistGradientBoostingClassifier(max_iter=100, random_state=self.seed)
        if self.only_ is None:
            fit_trees(self.trees_, features, outcomes)

    def hits(self, side: Side, rows: IntArray) -> FloatArray:
        """1 where the guess is right, else 0."""
        features = feature_matrix(self.known, side)[rows]
        if self.secret.is_number:
            trees = cast(HistGradientBoostingRegressor, self.trees_)
            missed = predicted_numbers(trees, features) - self._ranks(
                self.secret.values[side][rows]
            )
            return np.asarray(np.abs(missed) <= TOLERANCE, dtype=np.float64)
        truth = self._classes(side, rows)
        if self.only_ is not None:
            return np.asarray(truth == self.only_, dtype=np.float64)
        classes = cast(HistGradientBoostingClassifier, self.trees_)
        guessed = classes.classes_[class_scores(classes, features).argmax(axis=1)]
        return np.asarray(guessed == truth, dtype=np.float64)

    def _ranks(self, values: FloatArray | IntArray) -> FloatArray:
        below = np.searchsorted(self.sorted_, values, side="left")
        up_to = np.searchsorted(self.sorted_, values, side="right")
        return np.asarray((below + up_to) / (2 * max(self.sorted_.size, 1)), dtype=np.float64)

    def _classes(self, side: Side, rows: IntArray) -> IntArray:
        """Labels come from the most to the least frequent: the rare ones are one class."""
        codes = np.asarray(self.secret.values[side])[rows]
        return np.minimum(codes, MOST_CLASSES).astype(np.int64)


def _judged(coded: CodedTable, column: str, rates: UnitRates, runs: int) -> Trial:
    level, table = PASSING_LEVEL / runs, coded.table.name
    farthest = reach(rates.deviation, level)
    upper = rates.upper(rates.difference, rates.deviation, level)
    bound = Bound(
        upper=upper,
        bar=BAR,
        resolvable=farthest <= BAR,
        coarse=max(BAR, coded.bars.leak_share),
        needed=int(np.ceil(rates.holdout.size * (farthest / BAR) ** 2)),
    )

    def findings(refused: bool) -> tuple[Finding, ...]:
        state, reason = bound.judged(refused=refused)
        low = rates.difference - (upper - rates.difference)
        ends = outward(max(low, -1.0), rates.difference, min(upper, 1.0), STEP)
        detail = (
            f"Guesses on {rates.training.size:,} training and {rates.holdout.size:,} held-out "
            "units."
        )
        return (
            Finding(
                name="attribute_inference", group="copies", value=ends[1], low=ends[0],
                high=ends[2], reference=0.0, reference_name="without a leak", bar=BAR, state=state,
                table=table, column=column, detail=sentences((reason, detail)),
            ),
        )  # fmt: skip

    figures = {**rates.figures(), "upper": upper, "p_value": rates.p_value(BAR)}
    return Trial("attribute_inference", rates.p_value(BAR), findings, table, column, figures)
