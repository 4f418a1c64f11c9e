"""Areas under the curve against scikit-learn and against repetition."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from models.evaluation.ranking import RankedScores, delong, mean_area

tied_scores = st.lists(st.integers(0, 5), min_size=4, max_size=60)


def half_positive(scores: list[int]) -> np.ndarray:
    return np.arange(len(scores)) % 2 == 0


@given(tied_scores)
def test_areas_with_ties_are_those_of_scikit_learn(scores: list[int]) -> None:
    positive = half_positive(scores)
    expected = roc_auc_score(positive, scores)
    assert delong(scores, positive).value == pytest.approx(expected)
    ranked = RankedScores.of(scores, positive)
    assert ranked.area(np.ones(len(scores))) == pytest.approx(expected)


@given(tied_scores, st.integers(0, 2**16))
def test_weights_count_rows_as_often_as_they_say(scores: list[int], seed: int) -> None:
    positive = half_positive(scores)
    weights = np.random.default_rng(seed).integers(1, 4, len(scores))
    repeated = roc_auc_score(np.repeat(positive, weights), np.repeat(scores, weights))
    ranked = RankedScores.of(scores, positive)
    assert ranked.area(weights.astype(float)) == pytest.approx(repeated)


def test_without_a_class_the_area_is_undefined() -> None:
    ranked = RankedScores.of([1, 2, 3], [True, True, False])
    assert np.isnan(ranked.area(np.array([1.0, 1.0, 0.0])))


def test_delong_covers_the_true_area_as_often_as_promised() -> None:
    random, covered = np.random.default_rng(0), 0
    true_area = 0.7602499389065233  # P(N(1, 1) > N(0, 1)) = Phi(1 / sqrt(2))
    for _ in range(300):
        scores = np.concatenate([random.normal(1, 1, 80), random.normal(0, 1, 80)])
        _, (low, high) = mean_area([delong(scores, np.arange(160) < 80)])
        covered += low <= true_area <= high
    assert 0.91 <= covered / 300 <= 0.99
