"""A variational autoencoder of rows of codes: a row to a few numbers, and back to every code."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from models.nets.code_heads import CodeHeads, CodeShape
from models.nets.code_network import SummedRows
from models.nets.residual import ResidualTrunk

LOG_VARIANCES = (-8.0, 4.0)
"""Log variances of a posterior are held within these, so that none runs away."""


class CodeAutoencoder(nn.Module):
    """From the codes of a row to a Gaussian over its latents, and from latents to code heads.

    The encoder sums one learned vector for each code, the blank one where a code is unknown, and
    ends in means and log variances. The decoder ends in `CodeHeads`: each code has a softmax of
    its own, a nested one under its parent's value, so that categories, missing values, repeated
    numbers and cells of numbers share one likelihood in nats.

    Codes are int64 `(rows, codes)`, negative where unknown; latents `(rows, latents)`.
    """

    def __init__(
        self, shapes: Sequence[CodeShape], *, width: int, blocks: int, latents: int, dropout: float
    ) -> None:
        super().__init__()
        sizes = [shape.cardinality + 1 for shape in shapes]
        ends = torch.tensor(sizes).cumsum(0)
        self.input_start: Tensor
        self.input_blank: Tensor
        self.register_buffer("input_start", ends - torch.tensor(sizes), persistent=False)
        self.register_buffer("input_blank", ends - 1, persistent=False)
        self.inputs = nn.Parameter(torch.empty(int(ends[-1]), width))
        self.encoder = ResidualTrunk(width=width, blocks=blocks, hidden=width, dropout=dropout)
        self.posterior_head = nn.Linear(width, 2 * latents)
        self.latent_inputs = nn.Linear(latents, width)
        self.decoder = ResidualTrunk(width=width, blocks=blocks, hidden=width, dropout=dropout)
        self.heads = CodeHeads(shapes, width=width)
        # Inputs of unit variance whatever the number of codes.
        nn.init.normal_(self.inputs, std=len(sizes) ** -0.5)

    def posterior(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Means and log variances of the latents of rows of codes, each `(rows, latents)`."""
        rows = torch.where(codes >= 0, codes + self.input_start, self.input_blank)
        summed: Tensor = SummedRows.apply(rows, self.inputs)  # type: ignore[no-untyped-call]
        means, log_variances = self.posterior_head(self.encoder(summed)).chunk(2, 1)
        return means, log_variances.clamp(*LOG_VARIANCES)

    def features(self, latents: Tensor) -> Tensor:
        """What the heads need, `(rows, width)`."""
        features: Tensor = self.decoder(self.latent_inputs(latents))
        return features
