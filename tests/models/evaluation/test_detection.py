"""A classifier must fail to tell equal populations apart, and succeed on different ones."""

import numpy as np
import pyarrow as pa
import pytest

from models.evaluation.detection import evaluate_detection
from tests.models.evaluation.tables import coded, draw_people, named, with_column

TRAINING, FRESH, HOLDOUT = (draw_people(800, seed) for seed in (1, 2, 3))


def test_rows_of_the_same_population_cannot_be_told_apart() -> None:
    found = evaluate_detection(coded(TRAINING, FRESH, HOLDOUT)).findings
    area = named(found, "detection_auc")
    assert area.value == pytest.approx(0.5, abs=0.04)
    assert area.low is not None and area.high is not None
    assert area.low < 0.5 < area.high
    assert area.state == "pass"
    assert named(found, "detection_score").value == pytest.approx(1.0, abs=0.08)


def test_shifted_rows_are_told_apart_by_the_shifted_column() -> None:
    detection = evaluate_detection(coded(TRAINING, draw_people(800, 2, shift=6.0), HOLDOUT))
    area = named(detection.findings, "detection_auc")
    assert area.value is not None and area.value > 0.99
    assert area.state == "refuse"
    assert max(detection.importance, key=lambda name: detection.importance[name]) in (
        "height", "weight",
    )  # fmt: skip


def test_what_linear_models_miss_is_seen() -> None:
    """Columns drawn independently have the right shapes; only their ties are gone."""
    columns = ["height", "weight"]
    random = np.random.default_rng(0)
    apart = FRESH.select(columns).set_column(
        1, "weight", FRESH["weight"].take(pa.array(random.permutation(800)))
    )
    table = coded(TRAINING.select(columns), apart, HOLDOUT.select(columns))
    area = named(evaluate_detection(table).findings, "detection_auc")
    assert area.low is not None and area.low > 0.6


def test_many_rare_labels_do_not_give_real_rows_away() -> None:
    """Labels that the training rows lack must not stand at one end of the ordinal codes."""
    sides = [
        pa.table({"city": [f"city {n}" for n in np.random.default_rng(at).integers(0, 10**6, 400)]})
        for at in range(3)
    ]
    area = named(evaluate_detection(coded(*sides)).findings, "detection_auc")
    assert area.value == pytest.approx(0.5, abs=0.1)


def test_identifiers_do_not_give_rows_away() -> None:
    sides = [
        side.append_column("key", pa.array(np.arange(side.num_rows) + 10_000 * at))
        for at, side in enumerate((TRAINING, FRESH, HOLDOUT))
    ]
    found = evaluate_detection(coded(*sides, roles={"key": "identifier"})).findings
    assert named(found, "detection_auc").state == "pass"


def test_a_column_without_values_on_one_side_gives_it_away() -> None:
    empty = FRESH.set_column(0, "height", pa.nulls(FRESH.num_rows, pa.float64()))
    area = named(evaluate_detection(coded(TRAINING, empty, HOLDOUT)).findings, "detection_auc")
    assert area.value == pytest.approx(1.0)


def rebuilt(rows: pa.Table, spread: float, seed: int = 9) -> pa.Table:
    """Every training row again, its numbers read off a grid of 1,000 steps with a little noise."""
    random = np.random.default_rng(seed)
    for name in ("height", "weight", "income"):
        values = np.array(rows[name].to_numpy(), dtype=float)
        moved = np.round(values, 3) + random.normal(0.0, spread, len(values))
        rows = with_column(rows, name, [None if np.isnan(value) else value for value in moved])
    return rows


@pytest.mark.parametrize("how", ["bootstrap", "decoded"])
def test_rows_made_of_the_training_rows_themselves_are_no_success(how: str) -> None:
    """What the trees can't tell apart because it is the same must not pass for a fresh sample."""
    drawn = np.random.default_rng(4).integers(0, 800, 800)
    copies = TRAINING.take(pa.array(drawn)) if how == "bootstrap" else rebuilt(TRAINING, 0.01)
    area = named(evaluate_detection(coded(TRAINING, copies, HOLDOUT)).findings, "detection_auc")
    assert area.value is not None and area.value < 0.42
    assert area.state == "inconclusive"
    assert "mirror the training rows" in area.detail


@pytest.mark.parametrize("seed", range(10, 16))
def test_fresh_rows_are_never_taken_for_a_mirror(seed: int) -> None:
    sides = [draw_people(300, 3 * seed + at) for at in range(3)]
    assert named(evaluate_detection(coded(*sides)).findings, "detection_auc").state == "pass"


def test_tiny_tables_are_inconclusive() -> None:
    tiny = [side.slice(0, 5) for side in (TRAINING, FRESH, HOLDOUT)]
    (area,) = evaluate_detection(coded(*tiny)).findings
    assert (area.value, area.state) == (None, "inconclusive")
    assert "5 training rows" in area.detail
