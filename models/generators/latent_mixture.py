"""A mixture of Gaussians over latents: the prior that is fitted again to what an encoder says."""

import warnings
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from threadpoolctl import threadpool_limits
from torch import Tensor

from models.encoding.column import FloatArray
from models.generators.drawn_values import draw_values

MOST_ROWS = 50_000
ROUNDS = 40
LEAST_VARIANCE = 1e-3
"""Added to every variance: a component never shrinks to a point."""


@dataclass(frozen=True)
class LatentMixture:
    """Shares `(components,)`, means `(components, latents)` and Cholesky factors of covariances."""

    shares: FloatArray
    means: FloatArray
    factors: FloatArray

    @classmethod
    def fit(cls, latents: FloatArray, components: int, *, seed: int) -> Self:
        """Fits it to `(rows, latents)` by expectation maximisation, from k-means++ centres."""
        random = np.random.default_rng(seed)
        if len(latents) > MOST_ROWS:
            latents = latents[np.sort(random.choice(len(latents), MOST_ROWS, replace=False))]
        mixture = GaussianMixture(
            components,
            reg_covar=LEAST_VARIANCE,
            max_iter=ROUNDS,
            init_params="k-means++",
            random_state=int(random.integers(2**31)),
        )
        # Products this small gain nothing from threads, which wait for each other without sleeping.
        with threadpool_limits(1, user_api="blas"), warnings.catch_warnings():
            # The last rounds move the likelihood by a thousandth: not worth waiting for.
            warnings.simplefilter("ignore", ConvergenceWarning)
            mixture.fit(latents)
        return cls(mixture.weights_, mixture.means_, np.linalg.cholesky(mixture.covariances_))

    def draw(self, rows: int, random: torch.Generator) -> Tensor:
        """New latents `(rows, latents)`."""
        same = torch.zeros(rows, dtype=torch.long)
        shares = torch.from_numpy(self.shares)[None]
        components = draw_values(shares, same, random)
        noise = torch.randn(rows, self.means.shape[1], generator=random)
        means = torch.from_numpy(self.means).float()
        factors = torch.from_numpy(self.factors).float()
        latents = torch.empty_like(noise)
        for component in range(len(means)):
            own = components == component
            latents[own] = means[component] + noise[own] @ factors[component].t()
        return latents

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """The parameters by name; the arguments of the constructor."""
        return {field.name: getattr(self, field.name) for field in fields(self)}
