"""One network for all conditional distributions of a row of codes."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from models.nets.residual import ResidualTrunk

ROOT = -1
"""The parent of a code that refines no other."""


class CodeShape(NamedTuple):
    """One code of a row: how many values it has, and which earlier code it refines (or ROOT).

    `nested` asks for a start distribution of its own under each value of the parent.
    """

    cardinality: int
    parent: int = ROOT
    nested: bool = False


class CodeNetwork(nn.Module):
    """From the observed codes of a row to the distribution of each code that is not observed.

    Each code has a learned vector for each of its values and one for "not observed"; their sum
    enters a residual trunk, whose output feeds one linear head for each code. Summed vectors are
    the concatenated embeddings and the first linear layer in one, so that sampling can add one
    code at a time. The heads start at zero weights, so that the network starts at whatever
    biases `start_at` sets: the marginal distributions.

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
        self.runs = _runs(self.shapes)
        self.head_start = _head_starts(self.shapes, self.runs)
        self.place: Tensor
        places = [code for run in self.runs for code in run]
        self.register_buffer("place", torch.tensor(places).argsort(), persistent=False)
        self.heads = nn.Linear(width, sum(sizes))
        self.nested = nn.ParameterDict(
            {
                str(code): torch.zeros(sizes[shape.parent], shape.cardinality)
                for code, shape in enumerate(self.shapes)
                if shape.nested
            }
        )
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Inputs of unit variance whatever the number of codes; heads silent."""
        nn.init.normal_(self.inputs, std=len(self.shapes) ** -0.5)
        nn.init.zeros_(self.heads.weight)
        nn.init.zeros_(self.heads.bias)

    @torch.no_grad()
    def start_at(self, code: int, log_probabilities: Tensor) -> None:
        """Sets the start distribution of a code, `(cardinality,)`.

        That of a nested code is `(parent, cardinality)`.
        """
        if self.shapes[code].nested:
            self.nested[str(code)].copy_(log_probabilities)
        else:
            self.heads.bias[self._columns_of(code)] = log_probabilities.to(self.heads.bias.dtype)

    def vectors(self, code: int) -> Tensor:
        """Input vectors of one code: `(cardinality + 1, width)`, the last one "not observed"."""
        start, blank = int(self.input_start[code]), int(self.input_blank[code])
        return self.inputs[start : blank + 1]

    def embed(self, codes: Tensor) -> Tensor:
        """The summed input vectors `(rows, width)` of codes `(rows, codes)`."""
        rows = torch.where(codes >= 0, codes + self.input_start, self.input_blank)
        return nn.functional.embedding_bag(rows, self.inputs, mode="sum")

    def negative_log_likelihood(self, observed: Tensor, targets: Tensor) -> Tensor:
        """Minus the log probability of each target given the observed codes, `(rows, codes)`.

        Where a target is negative (unknown, or it does not apply) the figure means nothing: the
        caller gives it no weight.
        """
        outputs = self.heads(self.trunk(self.embed(observed)))
        values = targets.clamp_min(0)
        losses = [self._run_loss(outputs, values, run) for run in self.runs]
        return torch.cat(losses, 1)[:, self.place]

    def _run_loss(self, outputs: Tensor, values: Tensor, run: list[int]) -> Tensor:
        """Cross-entropies `(rows, len(run))` of equally large codes, in one go."""
        size = self.shapes[run[0]].cardinality
        start = self.head_start[run[0]]
        block = outputs[:, start : start + size * len(run)].view(-1, len(run), size)
        if self.shapes[run[0]].nested:
            biases = [self._nested_bias(code, values[:, self.shapes[code].parent]) for code in run]
            block = block + torch.stack(biases, 1)
        chosen = block.gather(2, values[:, run].unsqueeze(2)).squeeze(2)
        return block.logsumexp(2) - chosen

    def _nested_bias(self, code: int, parents: Tensor) -> Tensor:
        biases: Tensor = nn.functional.embedding(parents.clamp_min(0), self.nested[str(code)])
        return biases

    def logits(self, embedded: Tensor, code: int, parents: Tensor | None) -> Tensor:
        """Logits `(rows, cardinality)` of one code only, from summed input vectors.

        `parents` are the parent's values `(rows,)` of a nested code.
        """
        columns = self._columns_of(code)
        features = self.trunk(embedded)
        outputs = nn.functional.linear(
            features, self.heads.weight[columns], self.heads.bias[columns]
        )
        if self.shapes[code].nested and parents is not None:
            outputs = outputs + self._nested_bias(code, parents)
        return outputs

    def _columns_of(self, code: int) -> slice:
        start = self.head_start[code]
        return slice(start, start + self.shapes[code].cardinality)


def _runs(shapes: Sequence[CodeShape]) -> list[list[int]]:
    """Codes in runs of equal size and nesting: each run is one tensor in the loss."""
    kinds = sorted({(shape.nested, shape.cardinality) for shape in shapes})
    return [
        [code for code, shape in enumerate(shapes) if (shape.nested, shape.cardinality) == kind]
        for kind in kinds
    ]


def _head_starts(shapes: Sequence[CodeShape], runs: list[list[int]]) -> list[int]:
    """Where each code's head begins among the columns of all heads."""
    starts, column = [0] * len(shapes), 0
    for run in runs:
        for code in run:
            starts[code] = column
            column += shapes[code].cardinality
    return starts
