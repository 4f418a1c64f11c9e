"""Pictures are published: shares add up, and nobody's own value is drawn."""

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest

from models.evaluation.coded import CodedTable
from models.evaluation.detection import Detection
from models.evaluation.fidelity import evaluate_fidelity
from models.evaluation.pictures import MOST_LABELS, OTHER, table_pictures
from tests.models.evaluation.tables import coded, draw_people

SIDES = ("training", "synthetic", "holdout")
PEOPLE = tuple(draw_people(400, seed) for seed in (1, 2, 3))


def drawn(table: CodedTable) -> dict[str, dict]:
    """The drawn columns by name."""
    pictures = table_pictures(evaluate_fidelity(table), Detection((), {}))
    return {column["column"]: column for column in pictures["columns"]}


def test_shares_and_missing_add_up_to_all_rows() -> None:
    for column in drawn(coded(*PEOPLE)).values():
        for side in SIDES:
            assert sum(column[side]) + column["missing"][side] == pytest.approx(1.0, abs=0.01)


def test_bins_lie_between_edges_and_each_label_has_a_share() -> None:
    columns = drawn(coded(*PEOPLE))
    assert len(columns["height"]["edges"]) == len(columns["height"]["training"]) + 1
    assert columns["town"]["labels"] == ["north", "south", "east"]
    assert columns["town"]["training"] == sorted(columns["town"]["training"], reverse=True)


def test_extremes_of_few_units_are_no_edges() -> None:
    values = [float(value) for value in range(1, 301)] + [1e9] * 9 + [-1e9] * 9
    side = pa.table({"x": values})
    edges = drawn(coded(side, side, side))["x"]["edges"]
    assert -100 < min(edges) and max(edges) < 1_000


def test_labels_of_fewer_than_ten_units_are_not_named() -> None:
    side = pa.table({"town": ["big"] * 100 + ["middle"] * 10 + ["hamlet"] * 9})
    assert drawn(coded(side, side, side))["town"]["labels"] == ["big", "middle", OTHER]


def test_a_label_that_one_person_holds_in_many_rows_is_not_named() -> None:
    side = pa.table({
        "person": [f"p{number}" for number in range(100)] + ["p0"] * 50,
        "town": ["big"] * 100 + ["hamlet"] * 50,
    })  # fmt: skip
    table = coded(side, side, side, roles={"person": "identifier"}, unit="person")
    assert drawn(table)["town"]["labels"] == ["big", OTHER]


def test_labels_that_only_synthetic_rows_hold_are_not_named() -> None:
    real, made = pa.table({"town": ["big"] * 50}), pa.table({"town": ["big", "moon"] * 25})
    column = drawn(coded(real, made, real))["town"]
    assert column["labels"] == ["big", OTHER]
    assert column["synthetic"] == [0.5, 0.5]


def test_no_more_labels_are_drawn_than_can_be_read() -> None:
    side = pa.table({"code": [f"c{number}" for number in range(50)] * 12})
    assert len(drawn(coded(side, side, side))["code"]["labels"]) == MOST_LABELS + 1


def test_dates_have_dates_as_edges() -> None:
    days = np.random.default_rng(0).integers(0, 900, 400)
    side = pa.table({"day": [dt.date(2020, 1, 1) + dt.timedelta(int(day)) for day in days]})
    edges = drawn(coded(side, side, side))["day"]["edges"]
    assert edges == sorted(edges)
    assert all(2019 <= dt.date.fromisoformat(edge).year <= 2022 for edge in edges)


def test_a_column_of_few_units_is_not_drawn() -> None:
    side = pa.table({"x": [1.0] * 9 + [None] * 90})
    column = drawn(coded(side, side, side))["x"]
    assert column["edges"] == column["training"] == []
    assert column["missing"]["training"] == pytest.approx(90 / 99, abs=1e-3)
