"""One network for all conditional distributions of a row of codes."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from models.nets.code_heads import CodeHeads, CodeShape
from models.nets.residual import ResidualTrunk


class CodeNetwork(nn.Module):
    """From the observed codes of a row to the distribution of each code that is not observed.

    Each code has a learned vector for each of its values and one for "not observed"; their sum
    enters a residual trunk, whose output feeds one linear head for each code. Summed vectors are
    the concatenated embeddings and the first linear layer in one, so that sampling can add one
    code at a time.

    Codes are int64 `(rows, codes)`; a negative code means "not observed".
    """

    def __init__(
        self, shapes: Sequence[CodeShape], *, width: int, blocks: int, hidden: int, dropout: float
    ) -> None:
        super().__init__()
        self.shapes = tuple(shapes)
        sizes = [shape.cardinality for shape in self.shapes]
        inputs = torch.tensor([0, *(size + 1 for size in sizes)]).cumsum(0)
        self.input_start: Tensor
        self.input_blank: Tensor
        self.register_buffer("input_start", inputs[:-1], persistent=False)
        self.register_buffer("input_blank", inputs[1:] - 1, persistent=False)
        self.inputs = nn.Parameter(torch.empty(int(inputs[-1]), width))
        self.trunk = ResidualTrunk(width=width, blocks=blocks, hidden=hidden, dropout=dropout)
        self.heads = CodeHeads(self.shapes, width=width)
        # Inputs of unit variance whatever the number of codes.
        nn.init.normal_(self.inputs, std=len(self.shapes) ** -0.5)

    @torch.no_grad()
    def start_on_line(self, code: int, line: Sequence[int]) -> None:
        """Starts the vectors of values that stand for places on a line as waves along it.

        Near places start with like vectors, so that a relation between two numbers is learned from
        all of their values together and not from each pair of them anew. The waves are random,
        from one half to as many as there are places (random Fourier features, Rahimi and Recht
        2007; Tancik et al. 2020). Uses torch's global random state, as starting weights do.
        """
        places, width = torch.arange(len(line)), self.inputs.shape[1]
        half_waves = torch.exp(torch.rand(width) * math.log(len(line)))
        shifts = 2 * torch.rand(width)
        turns = (places[:, None] + 0.5) / len(line) * half_waves + shifts
        waves = (2 / len(self.shapes)) ** 0.5 * torch.cos(math.pi * turns)
        self.vectors(code)[torch.tensor(line)] = waves

    def vectors(self, code: int) -> Tensor:
        """Input vectors of one code: `(cardinality + 1, width)`, the last one "not observed"."""
        start, blank = int(self.input_start[code]), int(self.input_blank[code])
        return self.inputs[start : blank + 1]

    def embed(self, codes: Tensor) -> Tensor:
        """The summed input vectors `(rows, width)` of codes `(rows, codes)`."""
        rows = torch.where(codes >= 0, codes + self.input_start, self.input_blank)
        summed: Tensor = SummedRows.apply(rows, self.inputs)  # type: ignore[no-untyped-call]
        return summed

    def loss(self, observed: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        """The weighted sum of minus the log probability of each target, given the observed codes.

        All `(rows, codes)`. A negative target must weigh nothing.
        """
        return self.heads.loss(self.trunk(self.embed(observed)), targets, weights)

    def log_probabilities(self, observed: Tensor, targets: Tensor) -> Tensor:
        """The log probability of each target given the observed codes, `(rows, codes)`, in nats."""
        return self.heads.log_probabilities(self.trunk(self.embed(observed)), targets)

    def logits(self, embedded: Tensor, code: int, parents: Tensor | None) -> Tensor:
        """Logits `(rows, cardinality)` of one code only, from summed input vectors.

        `parents` are the parent's values `(rows,)` of a nested code.
        """
        return self.heads.logits(self.trunk(embedded), code, parents)


class SummedRows(torch.autograd.Function):
    """The sum of some rows of a table, `(rows, picked)` of `(table, width)` to `(rows, width)`.

    Its gradient is a product with the matrix that marks who picked what: torch's own walks
    through the picked rows one by one and takes ten times as long.
    """

    @staticmethod
    def forward(ctx: Any, picked: Tensor, table: Tensor) -> Tensor:
        ctx.save_for_backward(picked)
        ctx.height = len(table)
        return nn.functional.embedding_bag(picked, table, mode="sum")

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor]:
        (picked,) = ctx.saved_tensors
        marks = gradient.new_zeros(len(picked), ctx.height).scatter_(1, picked, 1.0)
        return None, marks.t() @ gradient
