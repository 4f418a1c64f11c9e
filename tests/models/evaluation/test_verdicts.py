"""One rule from a figure to a state."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.evaluation.intervals import Interval
from models.evaluation.verdicts import FEWEST_ROWS, against_bar, against_bar_and_floor, too_few

figures = st.floats(-2, 2)


@pytest.mark.parametrize(
    ("value", "low", "state"),
    [
        (0.05, 0.0, "pass"),
        (0.04, 0.03, "pass"),
        (0.06, 0.04, "inconclusive"),
        (0.06, 0.05, "inconclusive"),
        (0.09, 0.06, "refuse"),
    ],
)
def test_pass_at_the_bar_refuse_only_with_the_whole_interval_above(
    value: float, low: float, state: str
) -> None:
    assert against_bar(value, Interval(low, value + 0.1), 0.05) == state


@given(value=figures, half=st.floats(0, 1), bar=figures)
def test_every_figure_has_one_state(value: float, half: float, bar: float) -> None:
    low = value - half
    expected = "pass" if value <= bar else "refuse" if low > bar else "inconclusive"
    assert against_bar(value, Interval(low, value + half), bar) == expected


@given(value=figures, bar=figures)
def test_a_shortage_of_rows_decides_nothing(value: float, bar: float) -> None:
    assert against_bar(value, Interval(value, value), bar, "Too few rows.") == "inconclusive"


@pytest.mark.parametrize(
    ("low", "high", "state"),
    [(0.40, 0.46, "inconclusive"), (0.40, 0.48, "pass"), (0.5, 0.6, "pass"), (0.8, 0.9, "refuse")],
)
def test_a_figure_clearly_below_what_is_possible_is_no_success(
    low: float, high: float, state: str
) -> None:
    middle = (low + high) / 2
    assert against_bar_and_floor(middle, Interval(low, high), 0.75, 0.47) == state


def test_only_short_sides_are_named() -> None:
    assert too_few({"training": FEWEST_ROWS, "holdout": FEWEST_ROWS}) == ""
    told = too_few({"training": FEWEST_ROWS, "holdout": FEWEST_ROWS - 1})
    assert "49 holdout rows" in told and "training" not in told
