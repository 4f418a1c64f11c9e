"""The drawings say what the figures say: lengths, places, classes and words."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_contracts.report import Finding
from tasks.bullet_svg import better_direction, bullet
from tasks.heat_map_svg import heat_class, heat_map, matrix
from tasks.pictures_svg import column_picture, largest_gap
from tasks.report_measures import measure_of, reference_words
from tasks.report_numbers import count, cut, duration, nice_ceiling, points, show

FIGURES = st.floats(allow_nan=False, allow_infinity=False, width=32)


def drawn(**figures: object) -> str:
    finding = Finding.model_validate({"name": "gap", "group": "other", "value": None, **figures})
    return str(bullet(finding, measure_of(finding.name), "title"))


def bars(labels: list[str], training: list[float], synthetic: list[float]) -> dict[str, object]:
    return {
        "column": "town", "kind": "category", "edges": [], "labels": labels,
        "training": training, "synthetic": synthetic, "holdout": training,
    }  # fmt: skip


def widths(svg: str, name: str) -> list[float]:
    return [float(found) for found in re.findall(rf'class="{name}"[^>]*width="([\d.]+)"', svg)]


def test_lengths_of_bars_are_the_shares() -> None:
    svg = str(column_picture(bars(["a", "b"], [0.8, 0.2], [0.4, 0.6]), "town"))
    training, synthetic = widths(svg, "training-bar"), widths(svg, "synthetic-bar")
    assert training[0] / training[1] == pytest.approx(4, rel=0.01)
    assert synthetic[0] / training[0] == pytest.approx(0.5, rel=0.01)
    assert "−40.0" in svg and "+40.0" in svg


def test_more_categories_than_there_is_room_for_are_added_up() -> None:
    labels = [f"c{place}" for place in range(19)] + ["(other)"]
    column = bars(labels, [0.06] * 10 + [0.03] * 9 + [0.13], [0.06] * 10 + [0.03] * 9 + [0.13])
    svg = str(column_picture(column, "town"))
    assert len(widths(svg, "training-bar")) == 14
    assert "all others" in svg and "(other)" not in svg


def test_the_largest_gap_is_named() -> None:
    assert "b\u2069: 20.0" in largest_gap(bars(["a", "b", "c"], [0.7, 0.2, 0.1], [0.6, 0.4, 0.0]))
    assert largest_gap({"column": "x"}) == ""


def test_a_histogram_with_one_dominant_bin_says_that_its_axis_is_not_linear() -> None:
    column = {
        "column": "gain", "kind": "number", "edges": [0, 1, 2, 3], "labels": [],
        "training": [0.95, 0.03, 0.02], "synthetic": [0.9, 0.05, 0.05],
    }  # fmt: skip
    assert "square-root scale" in column_picture(column, "gain")
    column["training"] = column["synthetic"] = [0.4, 0.3, 0.3]
    assert "square-root scale" not in column_picture(column, "gain")


def test_dates_stand_under_the_axis() -> None:
    column = {
        "column": "day", "kind": "datetime", "labels": [], "training": [0.5, 0.5],
        "edges": ["2020-01-01", "2020-07-01", "2021-01-01T00:00:00"],
    }  # fmt: skip
    svg = str(column_picture(column, "day"))
    assert "2020-01-01" in svg and ">2021-01-01<" in svg


@given(value=FIGURES, bar=FIGURES, low=FIGURES, high=FIGURES)
def test_a_bullet_never_leaves_its_frame(value: float, bar: float, low: float, high: float) -> None:
    svg = drawn(value=value, bar=bar, low=min(low, high), high=max(low, high))
    place = re.search(r"translate\(([-\d.]+) ", svg)
    assert place is not None and 34 <= float(place[1]) <= 286


def test_states_differ_in_shape_not_only_in_colour() -> None:
    shapes = {
        re.sub(r'class="value \w+"', "", drawn(value=0.5, state=state)).split("<g")[1]
        for state in ("pass", "refuse", "inconclusive")
    }
    assert len(shapes) == 3


def test_nothing_to_draw_is_no_drawing() -> None:
    assert drawn() == ""
    assert column_picture({"column": "x", "labels": ["a"]}, "x") == ""


def test_the_allowed_side_of_a_bar_follows_the_measure_or_the_state() -> None:
    def side(name: str, value: float, state: str) -> str:
        finding = Finding.model_validate(
            {"name": name, "group": "other", "value": value, "bar": 0.5, "state": state}
        )
        return better_direction(finding, measure_of(name))

    assert side("detection_auc", 0.6, "refuse") == "lower"
    assert side("unheard_of", 0.6, "pass") == "higher"
    assert side("unheard_of", 0.6, "refuse") == "lower"
    assert side("unheard_of", 0.6, "info") == "either"


@pytest.mark.parametrize(
    ("error", "level"), [(0.0, 0), (0.99, 0), (1.0, 1), (4.9, 2), (5.0, 3), (19.9, 4), (20.0, 5)]
)
def test_classes_of_the_heat_map(error: float, level: int) -> None:
    assert heat_class(error) == level


def test_the_heat_map_leaves_out_the_diagonal_and_what_is_unknown() -> None:
    cells = matrix([[0.0, 3.0, None], [3.0, 0.0]], 3)
    svg = str(heat_map(["a", "b", "c"], cells, "pairs"))
    assert svg.count("h23v23") == 2
    assert svg.count(">3.0<") == 2


def test_figures_as_text() -> None:
    assert show(2.6578, "%") == "2.66\u202f%"
    assert show(-0.05) == "−0.0500"
    assert show(None) == show(float("nan")) == "undefined"
    assert show(1.0, "rows") == "1 row"
    assert show(12_345.0, "rows") == "12,345 rows"
    assert points(-0.0001) == "0.0"
    assert count(None) == "—"
    assert duration(3_725) == "1 h 2 min"
    assert cut("顧客の名前", 7) == "顧客の…"


@given(st.floats(min_value=1e-9, max_value=1e12))
def test_the_end_of_a_scale_is_not_below_its_figures(value: float) -> None:
    assert value * (1 - 1e-9) <= nice_ceiling(value) <= 2 * value


def test_names_of_figures_have_words() -> None:
    assert measure_of("tstr_recall").label == "Recall, trained on synthetic"
    assert measure_of("trtr").better == "higher" and measure_of("trtr", "target").better == "lower"
    assert measure_of("never_heard").label == "Never heard"
    assert reference_words("trend_ceiling") == "ceiling"
    assert reference_words("trtr") == "trained on real"
    assert reference_words(None) == "reference"
