"""The copula: it finds correlations behind ties, and conditions as a normal distribution does."""

import numpy as np
import pandas as pd
import pytest

from models.encoding.column import Part
from models.generators.copula_cells import arrange
from models.generators.gaussian_copula import GaussianCopulaGenerator
from models.generators.latent_normal import Spans, draw_given, fit_correlation
from tests.models.generators.tables import CORRELATION, MEMBERS, people

TRUE = 0.7
CORRELATED = np.array([[1.0, TRUE], [TRUE, 1.0]])


@pytest.fixture(scope="module")
def fitted() -> GaussianCopulaGenerator:
    return GaussianCopulaGenerator().fit(people(5000, seed=1), seed=1)


def halves(rows: np.ndarray) -> Spans:
    """All that is seen of rows is the sign."""
    return Spans(np.where(rows > 0, 0.0, -8.0), np.where(rows > 0, 8.0, 0.0))


def test_correlations_are_found_although_only_signs_are_seen() -> None:
    random = np.random.default_rng(1)
    rows = random.multivariate_normal([0, 0], CORRELATED, 8000)
    signs = np.corrcoef(np.sign(rows), rowvar=False)[0, 1]
    found = fit_correlation(halves(rows), random)[0, 1]
    assert signs < 0.55
    assert found == pytest.approx(TRUE, abs=0.03)


def test_draws_given_spans_have_the_conditional_distribution() -> None:
    random = np.random.default_rng(2)
    size, known = 20_000, np.array([True, True, False])
    correlation = np.array([[1.0, 0.7, 0.5], [0.7, 1.0, 0.2], [0.5, 0.2, 1.0]])
    low = np.tile([0.5, -8.0, -8.0], (size, 1))
    high = np.tile([1.5, 0.0, 8.0], (size, 1))
    drawn = draw_given(Spans(low, high), known, correlation, random)
    pool = random.multivariate_normal(np.zeros(3), correlation, 1_000_000)
    kept = pool[(pool[:, 0] > 0.5) & (pool[:, 0] < 1.5) & (pool[:, 1] < 0)]
    assert drawn.mean(0) == pytest.approx(kept.mean(0), abs=0.03)
    assert drawn.std(0) == pytest.approx(kept.std(0), abs=0.03)
    assert np.corrcoef(drawn, rowvar=False)[0, 2] == pytest.approx(
        np.corrcoef(kept, rowvar=False)[0, 2], abs=0.04
    )


def test_spans_far_out_are_drawn_inside() -> None:
    low, high = np.full((100, 2), 7.5), np.full((100, 2), 7.6)
    drawn = draw_given(
        Spans(low, high), np.array([True, True]), CORRELATED, np.random.default_rng(3)
    )
    assert ((drawn >= 7.5) & (drawn <= 7.6)).all()
    assert len(np.unique(drawn[:, 0])) > 90


def test_categories_are_ordered_as_they_go_along_with_others() -> None:
    random = np.random.default_rng(4)
    places = np.array([2, 0, 3, 1])
    number = random.integers(0, 40, 4000)
    category = places[number // 10]
    parts = (Part(40, line=tuple(range(40))), Part(4), Part(2, line=(0, 1)))
    codes = np.stack([number, category, (number > 20).astype(np.int64)], 1)
    order = arrange(parts, codes)[1].order.tolist()
    assert order in (places.tolist(), places[::-1].tolist())


def test_columns_and_relations_are_kept(fitted: GaussianCopulaGenerator) -> None:
    sampled, real = fitted.sample(10_000, seed=2).frame, people(5000, seed=1).frame
    assert sampled["weight"].isna().mean() == pytest.approx(real["weight"].isna().mean(), abs=0.02)
    # Heights have two humps, which a normal does not know: half the correlation is its best.
    assert sampled["height"].corr(sampled["weight"]) > real["height"].corr(real["weight"]) / 2
    shares = sampled.groupby("group")["member"].mean()
    assert shares.to_dict() == pytest.approx(MEMBERS, abs=0.1)


def test_others_follow_what_is_given(fitted: GaussianCopulaGenerator) -> None:
    real = people(20_000, seed=5).frame
    given = fitted.sample(4000, given={"group": "north", "member": False}, seed=3).frame
    assert set(given["group"]) == {"north"}
    assert not given["member"].any()
    like = real[(real["group"] == "north") & ~real["member"]]
    assert given["height"].mean() == pytest.approx(like["height"].mean(), abs=6)
    tall, short = (
        fitted.sample(3000, given={"height": height}, seed=4).frame for height in (190.0, 150.0)
    )
    assert tall["weight"].mean() > short["weight"].mean() + 5 * CORRELATION
    assert (tall["group"] == "north").mean() > 0.9 > 0.1 > (short["group"] == "north").mean()


def test_each_row_may_have_other_values_missing(fitted: GaussianCopulaGenerator) -> None:
    given = pd.DataFrame({"weight": [None, 60.0, 80.0] * 200})
    drawn = fitted.sample(600, given=given, seed=6).frame
    assert drawn["weight"].isna().tolist() == given["weight"].isna().tolist()
    assert drawn["height"].nunique() > 100
