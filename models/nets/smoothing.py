"""Smoothing along a line: rows of a weight table that are neighbours are drawn to each other."""

from collections.abc import Sequence

import torch
from torch import Tensor

MOST = 0.25
"""The largest share of a difference that one step may take away; from .5 on steps overshoot."""


class LineSmoothing:
    """Moves each row of a table towards its neighbours on a line, apart from the gradient.

    The decoupled form of a penalty on squared differences, as weight decay is the decoupled form
    of one on squared weights (Loshchilov and Hutter 2019). Rows that few examples touch take over
    what their neighbours have learned; without it a table of cells of numbers is learned by heart.

    `pairs` are rows that are neighbours, `(pairs, 2)`; `strengths` `(pairs,)` how much of their
    difference goes with each unit of the learning rate.
    """

    def __init__(self, pairs: Sequence[tuple[int, int]], strengths: Sequence[float]) -> None:
        self.first, self.second = torch.tensor(pairs, dtype=torch.long).view(-1, 2).unbind(1)
        self.strengths = torch.tensor(strengths).view(-1, 1)

    @torch.no_grad()
    def __call__(self, table: Tensor, learning_rate: float) -> None:
        """One step on `table` `(rows, width)`, in place."""
        shares = (self.strengths * learning_rate).clamp_max(MOST)
        moved = (table[self.second] - table[self.first]).mul_(shares)
        table.index_add_(0, self.first, moved)
        table.index_add_(0, self.second, moved, alpha=-1)
