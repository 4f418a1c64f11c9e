"""Train on synthetic, test on real: what helps passes, what does not is refused."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from threadpoolctl import threadpool_limits

from models.evaluation.coded import CodedTable, feature_matrix
from models.evaluation.utility import evaluate_utility
from tests.models.evaluation.tables import coded, draw_people, named, with_column

TRAINING, FRESH, HOLDOUT = (draw_people(1_000, seed) for seed in (1, 2, 3))


def classes(synthetic: pa.Table, holdout: pa.Table = HOLDOUT) -> CodedTable:
    return coded(TRAINING, synthetic, holdout, roles={"bought": "target"})


def numbers(synthetic: pa.Table) -> CodedTable:
    return coded(TRAINING, synthetic, HOLDOUT, roles={"weight": "target"})


def shuffled(rows: pa.Table, name: str) -> pa.Table:
    order = pa.array(np.random.default_rng(0).permutation(rows.num_rows))
    return with_column(rows, name, rows[name].take(order).to_pylist())


@pytest.mark.parametrize("task", [classes, numbers])
def test_fresh_rows_are_as_useful_as_real_ones(task) -> None:
    found = evaluate_utility(task(FRESH))
    gap = named(found, "utility_gap")
    assert gap.state == "pass"
    assert gap.value == pytest.approx(0.0, abs=0.05)


@pytest.mark.parametrize(("task", "target"), [(classes, "bought"), (numbers, "weight")])
def test_a_shuffled_target_is_refused(task, target: str) -> None:
    found = evaluate_utility(task(shuffled(FRESH, target)))
    gap = named(found, "utility_gap")
    assert gap.value is not None and gap.value > 0.25
    assert gap.state == "refuse"
    real, made = named(found, "trtr").value, named(found, "tstr").value
    assert real is not None and made is not None
    if target == "bought":
        assert gap.value == pytest.approx(real - made)
    else:
        assert gap.value == pytest.approx((made - real) / np.std(HOLDOUT["weight"].to_numpy()))


def test_trtr_is_the_area_of_the_rarest_class_on_the_holdout() -> None:
    table = classes(FRESH)
    target = next(column for column in table.columns if column.name == "bought")
    others = tuple(column for column in table.columns if column.name != "bought")
    model = HistGradientBoostingClassifier(max_iter=200, random_state=0, early_stopping=False)
    with threadpool_limits(1):
        model.fit(feature_matrix(others, "training"), target.values["training"])
    rarest = np.bincount(target.values["training"])[1:].argmin() + 1
    scores = model.predict_proba(feature_matrix(others, "holdout"))[:, rarest - 1]
    expected = roc_auc_score(target.values["holdout"] == rarest, scores)
    assert named(evaluate_utility(table), "trtr").value == pytest.approx(expected)


def test_each_class_has_precision_and_recall_with_an_interval() -> None:
    found = [f for f in evaluate_utility(classes(FRESH)) if f.name == "tstr_recall"]
    assert len(found) == 2
    for finding in found:
        assert finding.value is not None and finding.low is not None and finding.high is not None
        assert finding.low < finding.value < finding.high


def test_precision_of_a_class_that_is_never_predicted_is_undefined() -> None:
    only = with_column(FRESH, "bought", ["no"] * FRESH.num_rows)
    found = [f for f in evaluate_utility(classes(only)) if f.name == "tstr_precision"]
    undefined = [finding for finding in found if finding.value is None]
    assert len(undefined) == 1 and "undefined" in undefined[0].detail


def test_numbers_have_errors_in_the_unit_of_the_target() -> None:
    found = evaluate_utility(numbers(FRESH))
    error = named(found, "trtr")
    assert error.value == pytest.approx(0.66, abs=0.08)
    assert named(found, "trtr_mae").value == pytest.approx(0.53, abs=0.08)
    assert {named(found, f"{m}{f}").unit for m in ("trtr", "tstr") for f in ("", "_mae")} == {
        "target"
    }
    share = 1 - (error.value or 0) ** 2 / np.var(HOLDOUT["weight"].to_numpy())
    assert named(found, "trtr_r2").value == pytest.approx(share)
    assert not [finding for finding in found if "tolerance" in finding.name]


def test_predictions_within_a_declared_tolerance_are_counted() -> None:
    """Of misses with a standard deviation of about 0.66, two in three lie within it."""
    table = numbers(FRESH)
    columns = tuple(
        column.model_copy(update={"tolerance": 0.66} if column.name == "weight" else {})
        for column in table.table.columns
    )
    declared = replace(table, table=table.table.model_copy(update={"columns": columns}))
    share = named(evaluate_utility(declared), "tstr_within_tolerance")
    assert share.value == pytest.approx(0.68, abs=0.06)
    assert share.low is not None and share.high is not None and share.low < 0.68 < share.high
    assert "at most 0.66 off" in share.detail


def test_a_target_that_nothing_predicts_has_nothing_to_lose() -> None:
    noise = [
        pa.table({
            "x": np.random.default_rng(at).normal(size=400),
            "y": np.random.default_rng(10 + at).normal(size=400),
        })
        for at in range(3)
    ]  # fmt: skip
    gap = named(evaluate_utility(coded(*noise, roles={"y": "target"})), "utility_gap")
    assert gap.state == "info" and "nothing to lose" in gap.detail


def test_without_a_target_nothing_is_judged() -> None:
    (gap,) = evaluate_utility(coded(TRAINING, FRESH, HOLDOUT))
    assert (gap.name, gap.value, gap.state) == ("utility_gap", None, "info")


def test_a_holdout_without_the_rarest_class_is_inconclusive() -> None:
    rarest = min(("yes", "no"), key=TRAINING["bought"].to_pylist().count)
    other = "no" if rarest == "yes" else "yes"
    (gap,) = evaluate_utility(classes(FRESH, with_column(HOLDOUT, "bought", [other] * 1_000)))
    assert (gap.value, gap.state) == (None, "inconclusive")


def test_few_rows_with_a_target_are_inconclusive() -> None:
    mostly_missing = with_column(FRESH, "bought", ["yes", "no"] * 10 + [None] * 980)
    (gap,) = evaluate_utility(classes(mostly_missing))
    assert gap.state == "inconclusive" and "20 synthetic rows" in gap.detail
