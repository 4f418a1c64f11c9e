"""Fidelity figures against what they must be by definition."""

from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy import stats

from models.evaluation.coded import as_numbers
from models.evaluation.fidelity import evaluate_fidelity
from tests.models.evaluation.tables import coded, draw_people, named, with_column

TRAINING, FRESH, HOLDOUT = (draw_people(1_500, seed) for seed in (1, 2, 3))


def shuffled_columns(rows: pa.Table) -> pa.Table:
    """Every column in an order of its own: marginals stay, ties between columns go."""
    random = np.random.default_rng(0)
    for name in rows.column_names:
        order = pa.array(random.permutation(rows.num_rows))
        rows = rows.set_column(rows.column_names.index(name), name, rows[name].take(order))
    return rows


def test_a_fresh_sample_is_near_its_ceiling_and_passes() -> None:
    found = evaluate_fidelity(coded(TRAINING, FRESH, HOLDOUT)).findings
    for name in ("shape_error", "trend_error", "three_way_error", "mutual_information_error"):
        finding = named(found, name)
        assert finding.value is not None and finding.reference is not None
        assert 0.5 < finding.value / finding.reference < 2
    assert named(found, "shape_error").state == named(found, "trend_error").state == "pass"


def test_training_rows_themselves_have_no_error() -> None:
    found = evaluate_fidelity(coded(TRAINING, TRAINING, HOLDOUT)).findings
    assert [finding.value for finding in found] == pytest.approx([0.0] * 5, abs=1e-12)


def test_the_ceiling_is_the_error_of_the_holdout() -> None:
    ceiling = named(evaluate_fidelity(coded(TRAINING, FRESH, HOLDOUT)).findings, "shape_error")
    error = named(evaluate_fidelity(coded(TRAINING, HOLDOUT, FRESH)).findings, "shape_error")
    assert error.value == pytest.approx(ceiling.reference)


def test_shuffled_columns_keep_the_shape_and_lose_the_trend() -> None:
    found = evaluate_fidelity(coded(TRAINING, shuffled_columns(FRESH), HOLDOUT)).findings
    assert named(found, "shape_error").state == "pass"
    assert named(found, "trend_error").state == "refuse"


def test_a_shifted_column_is_refused_and_named() -> None:
    fidelity = evaluate_fidelity(coded(TRAINING, draw_people(1_500, 2, shift=3.0), HOLDOUT))
    assert named(fidelity.findings, "shape_error").state == "refuse"
    assert fidelity.shape_errors["height"] > 80 > 10 > fidelity.shape_errors["town"]


def test_shape_of_numbers_is_the_kolmogorov_smirnov_statistic() -> None:
    errors = evaluate_fidelity(coded(TRAINING, FRESH, HOLDOUT)).shape_errors
    expected = stats.ks_2samp(TRAINING["height"], FRESH["height"]).statistic
    assert errors["height"] == pytest.approx(100 * expected)


def test_shape_of_categories_is_total_variation_with_missing_as_a_category() -> None:
    training = pa.table({"town": ["a"] * 60 + ["b"] * 40})
    synthetic = pa.table({"town": ["a"] * 30 + ["b"] * 40 + [None] * 30})
    errors = evaluate_fidelity(coded(training, synthetic, training)).shape_errors
    assert errors["town"] == pytest.approx(30.0)


def test_trend_of_two_numbers_is_half_the_difference_of_correlations() -> None:
    columns = ["height", "weight"]
    sides = [side.select(columns) for side in (TRAINING, draw_people(1_500, 2), HOLDOUT)]
    found = evaluate_fidelity(coded(*sides)).pair_errors
    one, other = (np.corrcoef(side["height"], side["weight"])[0, 1] for side in sides[:2])
    assert found[0, 1] == pytest.approx(50 * abs(one - other))
    assert np.isnan(np.diag(found)).all()


def test_a_missing_pattern_that_is_not_reproduced_is_found() -> None:
    whole = with_column(FRESH, "income", np.full(FRESH.num_rows, 1.0))
    found = named(evaluate_fidelity(coded(TRAINING, whole, HOLDOUT)).findings, "missingness_error")
    assert found.value == pytest.approx(100 * TRAINING["income"].null_count / 1_500)


def test_all_rows_are_compared_whatever_the_size_of_the_holdout() -> None:
    """The figure is the distance between T and S; fewer rows of H must not add noise to it."""
    few, many = (
        evaluate_fidelity(coded(TRAINING, FRESH, HOLDOUT.slice(0, rows))) for rows in (150, 1_500)
    )
    assert few.shape_errors == many.shape_errors
    assert np.array_equal(few.pair_errors, many.pair_errors, equal_nan=True)
    for name in ("shape_error", "trend_error"):
        assert named(few.findings, name).value == named(many.findings, name).value
    again = evaluate_fidelity(coded(TRAINING, TRAINING, HOLDOUT.slice(0, 150)))
    assert named(again.findings, "shape_error").value == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("rows", [(1_500, 150), (150, 1_500)])
def test_a_fresh_sample_of_any_size_passes_and_a_bar_is_no_laxer_for_a_small_holdout(
    rows: tuple[int, int],
) -> None:
    made, held = rows
    found = evaluate_fidelity(coded(TRAINING, FRESH.slice(0, made), HOLDOUT.slice(0, held)))
    scale = np.sqrt((1 / 1_500 + 1 / made) / (1 / 1_500 + 1 / held))
    for name in ("shape_error", "trend_error"):
        finding = named(found.findings, name)
        assert finding.state == "pass"
        assert finding.reference is not None
        assert finding.bar == pytest.approx(2 * scale * finding.reference)
    assert "1,500" in named(found.findings, "shape_error").detail


def test_too_few_rows_are_inconclusive_with_the_reason() -> None:
    found = named(
        evaluate_fidelity(coded(TRAINING, FRESH, HOLDOUT.slice(0, 20))).findings, "shape_error"
    )
    assert found.state == "inconclusive"
    assert "20 holdout rows" in found.detail


def test_identifiers_are_never_compared() -> None:
    sides = [
        side.append_column("key", pa.array([f"{at}-{row}" for row in range(side.num_rows)]))
        for at, side in enumerate((TRAINING, FRESH, HOLDOUT))
    ]
    with_key = evaluate_fidelity(coded(*sides, roles={"key": "identifier"})).findings
    assert with_key == evaluate_fidelity(coded(TRAINING, FRESH, HOLDOUT)).findings


def test_decimals_are_the_numbers_of_their_text() -> None:
    cents = pa.array([Decimal(one).scaleb(-2) for one in range(2000)], pa.decimal128(12, 2))
    values = pd.Series(pd.arrays.ArrowExtensionArray(cents))
    assert as_numbers(values).tolist() == [one / 100 for one in range(2000)]
