"""alpha-precision and beta-recall: fresh rows near their ceiling, the two faults told apart."""

import numpy as np
import pyarrow as pa
import pytest

from models.evaluation.mixed_space import MixedSpace
from models.evaluation.support import evaluate_support
from tests.models.evaluation.tables import coded, draw_people, named, with_column

TRAINING, FRESH, HOLDOUT = (draw_people(1_200, seed) for seed in (1, 2, 3))


def scores(synthetic: pa.Table) -> tuple[float, float]:
    found = evaluate_support(coded(TRAINING, synthetic, HOLDOUT))
    return named(found, "alpha_precision").value or 0, named(found, "beta_recall").value or 0


def test_fresh_rows_get_what_held_out_rows_get() -> None:
    for finding in evaluate_support(coded(TRAINING, FRESH, HOLDOUT)):
        assert finding.reference is not None and finding.state == "info"
        assert finding.value == pytest.approx(finding.reference, abs=0.06)
        assert finding.low is not None and finding.high is not None
        assert finding.low < (finding.value or 0) < finding.high
    assert scores(FRESH)[0] > 0.9


def test_one_typical_row_over_and_over_has_neither_precision_nor_recall() -> None:
    row = FRESH.take(pa.array(np.zeros(1_200, dtype=int)))
    precision, recall = scores(row)
    assert precision < 0.7 and recall < 0.1


def test_rows_of_one_town_reach_few_of_the_real_rows() -> None:
    one = with_column(FRESH, "town", ["south"] * 1_200)
    assert scores(one)[1] < scores(FRESH)[1] - 0.15


def test_rows_beyond_all_real_ones_are_not_precise() -> None:
    """Half of the rows take the extremes of every number at once."""
    wide = FRESH
    for name in ("height", "weight", "income"):
        values = np.array(FRESH[name].to_numpy(), dtype=float)
        values[::2] = 1e6
        wide = with_column(wide, name, [None if np.isnan(value) else value for value in values])
    assert scores(wide)[0] < scores(FRESH)[0] - 0.15


def test_coordinates_have_the_distances_of_the_space() -> None:
    space = MixedSpace.of(coded(TRAINING, FRESH, HOLDOUT))
    few = np.arange(20, dtype=np.int64)
    asked, keys = space.rows["synthetic"].take(few), space.rows["training"].take(few)
    apart = space.coordinates(asked)[:, None] - space.coordinates(keys)[None]
    expected = (apart**2).sum(axis=2).min(axis=1)
    assert space.nearest(asked, keys).squared == pytest.approx(expected)


def test_few_rows_have_no_figure() -> None:
    assert evaluate_support(coded(TRAINING, FRESH.slice(0, 49), HOLDOUT)) == ()
