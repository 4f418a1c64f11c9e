"""A critic of rows of codes: how real a row looks, as one number."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from models.nets.residual import ResidualTrunk

WAVES = 6
"""Cosines along the line of a number's values that the critic sees beside the values themselves."""

PLACES_SEEN = 0.4
"""How much the nearness of two values counts beside their being equal."""


class CodeCritic(nn.Module):
    """From one-hot rows `(rows, columns)` and the cue behind each, `(rows,)`, to `(rows,)`.

    `lines` are the columns that stand for places on a line, in their order there. The critic also
    sees cosines of the place, so that it can tell that neighbours are alike and push a generator
    towards the right end of a column, not only away from wrong values. Smooth all over, as a
    gradient penalty asks for.
    """

    def __init__(
        self, columns: int, lines: Sequence[Sequence[int]], *, codes: int, width: int, blocks: int
    ) -> None:
        super().__init__()
        self.codes = codes
        self.values = nn.Linear(columns, width, bias=False)
        self.cues = nn.Embedding(columns, width)
        self.waves: Tensor
        self.register_buffer("waves", _waves(columns, lines), persistent=False)
        self.places = nn.Linear(self.waves.shape[1], width, bias=False)
        self.trunk = ResidualTrunk(width=width, blocks=blocks, hidden=width, dropout=0.0)
        self.realness = nn.Linear(width, 1)
        # Each source of unit variance, whatever the number of codes and lines.
        nn.init.normal_(self.values.weight, std=codes**-0.5)
        nn.init.normal_(self.cues.weight, std=0.5)
        nn.init.normal_(self.places.weight, std=self.waves.shape[1] ** -0.5)

    def forward(self, rows: Tensor, cues: Tensor) -> Tensor:
        """How real rows look; only differences mean something."""
        return self.realness_of(self.features(rows, cues))

    def features(self, rows: Tensor, cues: Tensor) -> Tensor:
        """What the critic looks at, `(rows, width)`."""
        inputs = self.values(rows) + self.places(rows @ self.waves) + self.cues(cues)
        features: Tensor = self.trunk(inputs)
        return features

    def realness_of(self, features: Tensor) -> Tensor:
        """How real rows of these features look, `(rows,)`."""
        realness: Tensor = self.realness(features).squeeze(1)
        return realness

    def seen(self, rows: Tensor) -> Tensor:
        """One-hot rows and, weaker, their places on lines; a row times itself is about 1."""
        seen = torch.cat([rows, PLACES_SEEN * (rows @ self.waves)], 1)
        scaled: Tensor = seen * self.codes**-0.5
        return scaled


def _waves(columns: int, lines: Sequence[Sequence[int]]) -> Tensor:
    """Cosines `(columns, waves)` of 1 to WAVES half turns along each line; 0 off it."""
    # One idle wave where there is no line: layers of no inputs warn.
    waves = torch.zeros(columns, max(1, WAVES * len(lines)))
    for number, line in enumerate(lines):
        angles = torch.pi * (torch.arange(len(line)) + 0.5) / len(line)
        cosines = 2**0.5 * torch.cos(angles[:, None] * torch.arange(1, WAVES + 1))
        waves[torch.tensor(line), WAVES * number : WAVES * (number + 1)] = cosines
    return waves


def gradient_penalty(
    critic: nn.Module, real: Tensor, made: Tensor, cues: Tensor, random: torch.Generator
) -> Tensor:
    """How far the critic's slope is from 1 between real and made rows (Gulrajani et al. 2017)."""
    shares = torch.rand(len(real), 1, generator=random)
    between = (shares * real + (1 - shares) * made).requires_grad_()
    (slopes,) = torch.autograd.grad(critic(between, cues).sum(), between, create_graph=True)
    penalty: Tensor = (slopes.norm(dim=1) - 1).square().mean()
    return penalty
