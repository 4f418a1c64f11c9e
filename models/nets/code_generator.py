"""A network that makes rows of codes from noise and one cued value, with a gradient."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.nets.code_heads import ROOT, CodeHeads, CodeShape
from models.nets.residual import ResidualTrunk

TEMPERATURE = 0.5
"""Of the softmax whose gradient stands for that of a draw: lower is truer and noisier."""


class CodeGenerator(nn.Module):
    """From noise `(rows, noise)` and a cue `(rows,)` to heads of all codes, and to drawn codes.

    A cue is the number of one value of one code, counted over all codes side by side, as are the
    columns of one-hot rows. A code that refines another applies from the value `applies_from` of
    its parent.
    """

    def __init__(
        self,
        shapes: Sequence[CodeShape],
        applies_from: Sequence[int],
        *,
        width: int,
        blocks: int,
        noise: int,
    ) -> None:
        super().__init__()
        self.shapes, self.applies_from = tuple(shapes), tuple(applies_from)
        self.noise = noise
        self.cues = nn.Embedding(sum(shape.cardinality for shape in shapes), width)
        self.noise_inputs = nn.Linear(noise, width)
        self.trunk = ResidualTrunk(width=width, blocks=blocks, hidden=width, dropout=0.0)
        self.heads = CodeHeads(shapes, width=width)
        # Heads of zero weight would hide from the trunk what the critic says.
        nn.init.normal_(self.heads.weight, std=width**-0.5)

    def features(self, cues: Tensor, random: torch.Generator) -> Tensor:
        """What the heads need, `(rows, width)`, from new noise."""
        noise = torch.randn(len(cues), self.noise, generator=random)
        features: Tensor = self.trunk(self.noise_inputs(noise) + self.cues(cues))
        return features

    def drawn(self, features: Tensor, random: torch.Generator) -> list[Tensor]:
        """For each code one-hot draws `(rows, cardinality)`, zeros where it does not apply.

        Forward they are draws from the heads' softmaxes (Gumbel-max); backward they pass the
        gradient of a softmax of the same noise (straight-through Gumbel-softmax, Jang et al. 2017).
        """
        rows: list[Tensor] = []
        for code, shape in enumerate(self.shapes):
            columns = self.heads.columns(code)
            logits = functional.linear(
                features, self.heads.weight[columns], self.heads.bias[columns]
            )
            if shape.nested:
                logits = logits + rows[shape.parent] @ self.heads.nested[str(code)]
            soft = ((logits + _gumbel(logits, random)) / TEMPERATURE).softmax(1)
            hard = functional.one_hot(soft.argmax(1), shape.cardinality) + (soft - soft.detach())
            if shape.parent != ROOT:
                hard = hard * rows[shape.parent][:, self.applies_from[code] :].sum(1, keepdim=True)
            rows.append(hard)
        return rows


def _gumbel(like: Tensor, random: torch.Generator) -> Tensor:
    return -torch.empty_like(like).exponential_(generator=random).log()
