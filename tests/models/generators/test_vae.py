"""The autoencoder: relations survive, latents tell groups apart, and its prior is worth fitting."""

import numpy as np
import pandas as pd
import pytest

from data_contracts.dataset import Dataset
from data_contracts.errors import ModelError
from models.base import Embedder
from models.generators.latent_mixture import LatentMixture
from models.generators.vae import VaeGenerator, VaeOptions
from models.registry import REGISTRY
from tests.checks.members import members
from tests.models.generators.tables import CORRELATION, MEMBERS, people

OPTIONS = VaeOptions(
    width=48, blocks=1, latents=6, epochs=16, batch_rows=64, learning_rate=1e-2,
    divergence_weight=0.2,
)  # fmt: skip


@pytest.fixture(scope="module")
def fitted() -> VaeGenerator:
    return VaeGenerator(OPTIONS).fit(people(3000, seed=1), seed=1)


@pytest.fixture(scope="module")
def sampled(fitted: VaeGenerator) -> pd.DataFrame:
    return fitted.sample(6000, seed=2).frame


def test_single_columns_keep_their_shares(sampled: pd.DataFrame) -> None:
    real = people(3000, seed=1).frame
    assert (sampled["group"] == "north").mean() == pytest.approx(
        (real["group"] == "north").mean(), abs=0.02
    )
    assert sampled["weight"].isna().mean() == pytest.approx(real["weight"].isna().mean(), abs=0.02)
    assert sampled["height"].std() == pytest.approx(real["height"].std(), rel=0.05)


def test_relations_between_columns_are_kept(sampled: pd.DataFrame) -> None:
    for group, rows in sampled.groupby("group"):
        assert rows["member"].mean() == pytest.approx(MEMBERS[str(group)], abs=0.1)
        assert rows["height"].corr(rows["weight"]) > CORRELATION / 3
    means = sampled.groupby("group")["height"].mean()
    assert means["north"] - means["south"] == pytest.approx(20, abs=4)


def test_the_fitted_prior_fits_latents_better_than_the_plain_one(fitted: VaeGenerator) -> None:
    latents = fitted.embed(people(1000, seed=5))
    plain = LatentMixture(np.ones(1), np.zeros((1, 6)), np.eye(6)[None])
    assert log_density(fitted.model_.prior, latents) > log_density(plain, latents) + 0.2


def test_latents_tell_groups_apart_and_repeat(fitted: VaeGenerator) -> None:
    from sklearn.linear_model import LogisticRegression

    assert isinstance(fitted, Embedder)
    first, second = people(1500, seed=6), people(1500, seed=7)
    latents = fitted.embed(first)
    assert latents.shape == (1500, 6)
    assert np.array_equal(latents, fitted.embed(first))
    learned = LogisticRegression().fit(latents, first.frame["group"])
    assert learned.score(fitted.embed(second), second.frame["group"]) > 0.95


def test_only_rows_of_the_same_table_are_embedded(fitted: VaeGenerator) -> None:
    with pytest.raises(ModelError, match="height"):
        fitted.embed(members())
    with pytest.raises(ModelError, match="not fitted"):
        VaeGenerator().embed(members())


def test_values_cannot_be_given(fitted: VaeGenerator) -> None:
    assert REGISTRY["vae"].supports == {"embed"}
    with pytest.raises(ModelError, match="can't be given"):
        fitted.sample(5, given={"group": "north"}, seed=1)


def test_a_longer_table_of_parts_is_drawn_part_by_part(
    fitted: VaeGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    from models.generators import latent_code_model

    monkeypatch.setattr(latent_code_model, "BATCH_ROWS", 64)
    drawn: Dataset = fitted.sample(150, seed=3)
    assert len(drawn.frame) == 150
    assert drawn.frame["height"].nunique() > 50


def log_density(mixture: LatentMixture, latents: np.ndarray) -> float:
    """The mean log density of the latents, in nats."""
    from scipy.special import logsumexp
    from scipy.stats import multivariate_normal

    terms = [
        np.log(share) + multivariate_normal(mean, factor @ factor.T).logpdf(latents)
        for share, mean, factor in zip(mixture.shares, mixture.means, mixture.factors, strict=True)
    ]
    return float(logsumexp(np.stack(terms), axis=0).mean())
