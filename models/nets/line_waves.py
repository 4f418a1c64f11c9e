"""What rows of a table that lie along lines have in common: smooth waves of their places."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

WAVES = 8
"""Waves of each line, of one to so many half turns."""
HEIGHT = 2.0
"""Root mean square of each wave: by so much a step of its factor moves a row more than a step of
the row's own."""


class Line(NamedTuple):
    """Some rows of a table that lie on a line: the first one, and their `places` in 0..1.

    The rows follow each other in the table, in whatever order on the line; a row beside the line
    has no place (NaN).
    """

    first: int
    places: Tensor


class LineWaves(nn.Module):
    """A table and, along each of its lines, a sum of smooth waves whose factors are learned.

    An optimizer that gives each weight a step of its own learns a row from the examples that touch
    it. What neighbours have in common it learns as slowly as if they had nothing to do with each
    other. A factor is moved by all rows of its line together, so that whatever changes smoothly
    along it, such as the mean and the spread of a number, is learned from all of them at once. The
    waves are those of the discrete cosine transform (Ahmed, Natarajan and Rao 1974).
    """

    def __init__(self, lines: Sequence[Line], width: int) -> None:
        super().__init__()
        self.rows = [slice(line.first, line.first + len(line.places)) for line in lines]
        self.factors = nn.Parameter(torch.zeros(len(lines), WAVES, width))
        turns = math.pi * torch.arange(1, WAVES + 1)
        self.waves = [
            HEIGHT * math.sqrt(2) * torch.cos(line.places.float()[:, None] * turns).nan_to_num(0.0)
            for line in lines
        ]

    def forward(self, table: Tensor) -> Tensor:
        """The table `(rows, width)` with the waves of its lines."""
        added: Tensor = _AddedWaves.apply(  # type: ignore[no-untyped-call]
            table, self.factors, self.rows, self.waves
        )
        return added


class _AddedWaves(torch.autograd.Function):
    """Line after line, in place: autograd would copy the whole table for each of them."""

    @staticmethod
    def forward(
        ctx: Any, table: Tensor, factors: Tensor, rows: list[slice], waves: list[Tensor]
    ) -> Tensor:
        ctx.rows, ctx.waves = rows, waves
        added = table.clone()
        for own, wave, factor in zip(rows, waves, factors, strict=True):
            added[own].addmm_(wave, factor)
        return added

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        lines = zip(ctx.rows, ctx.waves, strict=True)
        return gradient, torch.stack([wave.t() @ gradient[own] for own, wave in lines]), None, None
