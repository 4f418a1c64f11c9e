"""An audit passes who keeps a budget, and catches who does not."""

import math
from typing import Self

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from scipy.stats import binom

from data_contracts.contract import Column, Contract, Privacy, Source, Table
from data_contracts.dataset import Dataset
from data_contracts.errors import ModelError
from models.differential_privacy import paid_codec, selection
from models.differential_privacy.ledger import Ledger
from models.evaluation.budget import budget_findings
from models.evaluation.canary_audit import (
    Audit,
    audit_finding,
    audit_fit,
    audit_generator,
    chance_of,
    lower_bound,
    odd_rows,
)
from models.generators.dp_marginals import DpMarginalsGenerator, DpMarginalsOptions, whose

LISTED = tuple(f"value {number:02d}" for number in range(40))
COLUMNS = tuple(
    Column(
        name=name, logical_type="string", physical_type="string", required=True, categories=LISTED
    )
    for name in ("one", "two", "three")
)
TABLE = Table(name="people", columns=COLUMNS, source=Source(format="csv", path="people.csv"))
OPTIONS = DpMarginalsOptions(rounds=3, steps=20)
EPSILON, DELTA, CANARIES = 1.0, 1e-6, 160


def people(rows: int = 30_000) -> Dataset:
    """Every value has rows enough to be counted by itself; the attacker knows all of them."""
    random = np.random.default_rng(3)
    columns = {c.name: np.array(LISTED)[random.integers(40, size=rows)] for c in COLUMNS}
    privacy = Privacy(epsilon=EPSILON, delta=DELTA)
    contract = Contract(id="people", version="1", tables=(TABLE,), privacy=privacy)
    return Dataset(contract, {"people": pd.DataFrame(columns, dtype="str")})


def audited() -> Audit:
    data = people()

    def score(joined: Dataset, canaries: pd.DataFrame) -> np.ndarray:
        fitted = DpMarginalsGenerator(OPTIONS).fit(joined, seed=1)
        return fitted.evidence(canaries, data.frame)

    return audit_fit(data, odd_rows(TABLE, data.frame, CANARIES, seed=5), DELTA, score)


def test_an_honest_fit_passes() -> None:
    for _ in range(5):
        audit = audited()
        assert audit.lower_bound <= EPSILON
        assert audit_finding(audit, EPSILON, "people").state == "pass"
        # An attack that says nothing at all could not fail either.
        assert audit.guesses == CANARIES / 2


def test_counts_without_noise_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (selection, paid_codec):
        monkeypatch.setattr(module, "noisy_counts", lambda counts, variance: counts)
    audit = audited()
    assert audit.lower_bound > EPSILON
    finding = audit_finding(audit, EPSILON, "people")
    assert (finding.name, finding.state) == ("dp_audit", "refuse")
    assert finding.value == audit.lower_bound


def test_a_unit_of_three_rows_is_a_canary_of_three_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Noise made for one row does not hide a unit of three: the audit of a release sees it."""
    data = people()
    wide = Privacy(epsilon=EPSILON, delta=DELTA, rows_per_unit=3)
    contract = data.contract.model_copy(update={"privacy": wide})
    honest = audit_generator(DpMarginalsGenerator(OPTIONS), contract, data.frame, CANARIES)
    assert honest.lower_bound <= EPSILON
    assert honest.canaries == CANARIES
    enough = Privacy(epsilon=30.0, delta=DELTA, rows_per_unit=60)
    contract = data.contract.model_copy(update={"privacy": enough})
    narrow = Ledger.__init__
    monkeypatch.setattr(
        Ledger,
        "__init__",
        lambda self, epsilon, delta, **more: narrow(self, 1.0, delta, **{**more, "sensitivity": 1}),
    )
    caught = audit_generator(DpMarginalsGenerator(OPTIONS), contract, data.frame, CANARIES)
    assert caught.lower_bound > EPSILON


def test_all_rows_of_a_canary_are_of_one_unit() -> None:
    """Who clips units would take each copy for a unit of its own, with noise for one: an honest
    fit would be refused, and a fit that forgets to put rows of a unit together would pass."""
    data = people(100)
    privacy = Privacy(epsilon=EPSILON, delta=DELTA, rows_per_unit=3)
    contract = data.contract.model_copy(update={"privacy": privacy})
    seen: list[Dataset] = []

    class Recording:
        def fit(self, data: Dataset, *, seed: int) -> Self:
            seen.append(data)
            return self

        def evidence(self, rows: pd.DataFrame, others: pd.DataFrame) -> np.ndarray:
            return np.zeros(len(rows))

    audit_generator(Recording(), contract, data.frame, 20)
    (table,), frame = seen[0].contract.tables, seen[0].frame
    units = whose(table, frame)
    assert units is not None
    rows = np.bincount(units)
    assert sorted(set(rows)) == [1, 3]
    assert (rows == 1).sum() == 100
    for unit in np.flatnonzero(rows == 3):
        assert len(frame[units == unit][list(TABLE.column_names)].drop_duplicates()) == 1


def test_canaries_leave_delta_its_room() -> None:
    """Five hundred canaries of ten rows beside 100 rows: more units than this delta is for."""
    data = people(100)
    privacy = Privacy(epsilon=9, delta=1e-3, rows_per_unit=10)
    contract = data.contract.model_copy(update={"privacy": privacy})
    audit = audit_generator(DpMarginalsGenerator(OPTIONS), contract, data.frame)
    assert audit.canaries == 25
    assert audit.lower_bound <= 9


def test_an_audit_without_a_claim_is_refused() -> None:
    bare = people().contract.model_copy(update={"privacy": None})
    with pytest.raises(ModelError, match="nothing is claimed"):
        audit_generator(DpMarginalsGenerator(OPTIONS), bare, people(50).frame)


def test_odd_rows_reach_over_the_widest_bounds() -> None:
    wide = Column(
        name="wide", logical_type="number", physical_type="float64", minimum=-1.7e308,
        maximum=1.7e308,
    )  # fmt: skip
    table = TABLE.model_copy(update={"columns": (wide,)})
    drawn = odd_rows(table, pd.DataFrame({"wide": [0.0]}), 50, seed=1)["wide"]
    assert np.isfinite(drawn).all()
    assert drawn.min() < -1e308 and drawn.max() > 1e308


def test_a_column_that_is_all_missing_has_odd_rows_too() -> None:
    words = Column(name="words", logical_type="string", physical_type="string")
    table = TABLE.model_copy(update={"columns": (*COLUMNS, words)})
    like = people(50).frame.assign(words=pd.Series([None] * 50, dtype="str"))
    assert odd_rows(table, like, 7, seed=1)["words"].isna().all()


def test_a_ledger_that_pays_too_little_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = Ledger.variance_for
    monkeypatch.setattr(Ledger, "variance_for", lambda self, mu: -(-honest(self, mu) // 400))
    monkeypatch.setattr(
        "models.differential_privacy.ledger.mu_of_gaussian",
        lambda variance, sensitivity: sensitivity / math.sqrt(variance) / 20,
    )
    data = people()
    fitted = DpMarginalsGenerator(OPTIONS).fit(data, seed=1)
    monkeypatch.undo()
    found = {f.name: f.state for f in budget_findings(fitted.statement_, "people")}
    assert found == {"dp_epsilon": "refuse", "dp_accountants": "refuse"}


def test_an_honest_ledger_passes_both_accountants() -> None:
    fitted = DpMarginalsGenerator(OPTIONS).fit(people(), seed=1)
    spent, agree = budget_findings(fitted.statement_, "people")
    assert (spent.state, agree.state) == ("pass", "pass")
    assert spent.value == pytest.approx(EPSILON, rel=0.2)


@pytest.mark.parametrize(("guesses", "correct"), [(100, 90), (100, 60), (40, 40)])
def test_without_delta_the_bound_is_that_of_coins(guesses: int, correct: int) -> None:
    bound = lower_bound(1000, guesses, correct, 0.0)
    if bound == 0:
        assert binom.sf(correct - 1, guesses, 0.5) >= 0.01
    else:
        assert binom.sf(correct - 1, guesses, expit(bound)) == pytest.approx(0.01, rel=1e-3)


def test_delta_can_only_lower_the_bound() -> None:
    bounds = [lower_bound(1000, 100, 95, delta) for delta in (0.0, 1e-6, 1e-4, 1e-2)]
    assert bounds == sorted(bounds, reverse=True)
    assert bounds[-1] < bounds[0]
    assert chance_of(1000, 100, 0, (1.0, 0.0)) == 1.0


def test_randomised_answers_are_told_as_what_they_are() -> None:
    # Each canary's coin, told right with e^2 / (1 + e^2): epsilon 2 exactly, and nearly found.
    random = np.random.default_rng(2)
    right = int((random.random(2000) < expit(2.0)).sum())
    assert 1.6 < lower_bound(2000, 2000, right, 0.0) < 2.0
