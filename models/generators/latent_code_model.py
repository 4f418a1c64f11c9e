"""The latent model of rows of codes: an autoencoder, and a prior fitted to its latents."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from models.base import ProgressCallback
from models.encoding.column import FloatArray, IntArray, Part, prefixed, unprefixed
from models.generators.code_layout import CodeLayout
from models.generators.head_drawing import (
    BATCH_ROWS,
    draw_rows,
    match_marginals,
    start_at_marginals,
)
from models.generators.latent_mixture import LatentMixture
from models.nets.code_autoencoder import CodeAutoencoder
from models.nets.weights import take_over, weights_of
from models.training.chance import global_chance
from models.training.loop import train
from models.training.plan import Company, Objective, TrainingPlan, TrainingRecord

MATCHED_ROWS = 20_000
"""Rows on which the marginals are matched."""
FEWEST_LATENTS = 1_000
"""The prior is fitted to at least so many latents; a row gives several if need be."""

Arrays = dict[str, npt.NDArray[Any]]


class LatentSizes(NamedTuple):
    """How large a latent model is and how long it trains."""

    width: int
    blocks: int
    latents: int
    components: int
    epochs: int
    batch_rows: int
    learning_rate: float
    dropout: float
    divergence_weight: float


@dataclass
class LatentCodeModel:
    """Codes of a row as noise around a point in a small space, and the distribution of points.

    Codes are int64 `(rows, parts)`, UNKNOWN where not known or not applicable.
    """

    layout: CodeLayout
    network: CodeAutoencoder
    sizes: LatentSizes
    prior: LatentMixture

    @classmethod
    def untrained(cls, parts: Sequence[Part], sizes: LatentSizes, *, seed: int = 0) -> Self:
        """A model with random weights and the prior N(0, I); global random state is kept."""
        layout = CodeLayout.of(parts)
        with global_chance(seed):
            network = CodeAutoencoder(
                layout.shapes,
                width=sizes.width,
                blocks=sizes.blocks,
                latents=sizes.latents,
                dropout=sizes.dropout,
            )
        normal = LatentMixture(
            np.ones(1), np.zeros((1, sizes.latents)), np.eye(sizes.latents)[None]
        )
        return cls(layout, network.eval(), sizes, normal)

    def fit(
        self,
        codes: IntArray,
        *,
        seed: int,
        max_seconds: float | None = None,
        progress: ProgressCallback | None = None,
    ) -> TrainingRecord:
        """Trains the autoencoder, fits the prior to its latents, and matches the marginals."""
        table = self.layout.to_network(codes)
        start_at_marginals(self.network.heads, self.layout, table)
        plan = TrainingPlan(
            epochs=self.sizes.epochs,
            batch_rows=self.sizes.batch_rows,
            learning_rate=self.sizes.learning_rate,
            max_seconds=max_seconds,
        )
        objective = Objective(
            step=lambda rows, random: self.loss(table[rows].long(), random), rows=len(table)
        )
        record = train(self.network, objective, plan, seed=seed, company=Company(progress))
        random = torch.Generator().manual_seed(seed)
        latents = self._aggregate(table, random)
        self.prior = LatentMixture.fit(latents, self.sizes.components, seed=seed)
        features = self._features(min(len(table), MATCHED_ROWS), random)
        match_marginals(self.network.heads, self.layout, features, table, random)
        return record

    def loss(self, codes: Tensor, random: torch.Generator) -> Tensor:
        """Minus the evidence bound of network codes `(rows, codes)`, in nats for each row.

        The divergence from N(0, I) has a weight of its own (beta-VAE, Higgins et al. 2017).
        """
        means, log_variances = self.network.posterior(codes)
        latents = _noisy(means, log_variances, random)
        weights = (codes >= 0) / len(codes)
        misfit = self.network.heads.loss(self.network.features(latents), codes, weights)
        divergence = (means.square() + log_variances.exp() - log_variances - 1).sum() / 2
        return misfit + self.sizes.divergence_weight * divergence / len(codes)

    def draw(self, rows: int, random: np.random.Generator) -> IntArray:
        """Codes `(rows, parts)` of new rows."""
        torch_random = torch.Generator().manual_seed(int(random.integers(2**63)))
        return draw_rows(self.network.heads, self.layout, self._features, rows, torch_random)

    @torch.no_grad()
    def embed(self, codes: IntArray) -> FloatArray:
        """The posterior means of rows of codes, `(rows, latents)`."""
        batches = torch.split(self.layout.to_network(codes).long(), BATCH_ROWS)
        means = [self.network.posterior(batch)[0] for batch in batches]
        embedded: FloatArray = torch.cat(means).double().numpy()
        return embedded

    def arrays(self) -> Arrays:
        """Weights and prior by name."""
        prior = prefixed(self.prior.arrays(), "prior")
        return prefixed(weights_of(self.network), "network") | prior

    def restore(self, arrays: Arrays) -> Self:
        """Takes over stored weights and prior."""
        take_over(self.network, unprefixed(arrays, "network"))
        self.prior = LatentMixture(**unprefixed(arrays, "prior"))
        return self

    @torch.no_grad()
    def _aggregate(self, table: Tensor, random: torch.Generator) -> FloatArray:
        """Latents drawn for training rows, `(draws, latents)`: the aggregate posterior."""
        drawn = []
        for _ in range(math.ceil(FEWEST_LATENTS / len(table))):
            for batch in torch.split(table.long(), BATCH_ROWS):
                drawn.append(_noisy(*self.network.posterior(batch), random))
        latents: FloatArray = torch.cat(drawn).double().numpy()
        return latents

    @torch.no_grad()
    def _features(self, count: int, random: torch.Generator) -> Tensor:
        return self.network.features(self.prior.draw(count, random))


def _noisy(means: Tensor, log_variances: Tensor, random: torch.Generator) -> Tensor:
    """One draw from each posterior, with a gradient (Kingma and Welling 2014)."""
    noise = torch.randn(means.shape, generator=random)
    return means + (log_variances / 2).exp() * noise
