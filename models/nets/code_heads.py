"""The heads of a code network: one softmax for each code, and their losses in one go."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from models.nets.line_waves import Line, LineWaves

ROOT = -1
"""The parent of a code that refines no other."""
MOST_LOGITS = 2**20
"""Logits held at once; 4 MiB of float32."""
HIGHEST_LOGIT = 60.0
"""Logits are held within +-60, so that a softmax needs no maximum to stay finite."""


class CodeShape(NamedTuple):
    """One code of a row: how many values it has, and which earlier code it refines (or ROOT).

    `nested` asks for a start distribution of its own under each value of the parent.
    """

    cardinality: int
    parent: int = ROOT
    nested: bool = False


class CodeHeads(nn.Module):
    """From features `(rows, width)` to the distribution of every code.

    One linear layer whose outputs are the codes' logits side by side; a nested code adds a bias
    of its own under each value of its parent. The layer starts at zero weights, so that the
    distributions start at whatever `biases` are set, such as the marginal ones.
    """

    def __init__(self, shapes: Sequence[CodeShape], *, width: int) -> None:
        super().__init__()
        self.shapes = tuple(shapes)
        sizes = torch.tensor([shape.cardinality for shape in self.shapes])
        self.starts = [0, *sizes.cumsum(0).tolist()]
        self.weight = nn.Parameter(torch.zeros(self.starts[-1], width))
        self.bias = nn.Parameter(torch.zeros(self.starts[-1]))
        self.waves: LineWaves | None = None
        self.nested = nn.ParameterDict(
            {
                str(code): torch.zeros(self.shapes[shape.parent].cardinality, shape.cardinality)
                for code, shape in enumerate(self.shapes)
                if shape.nested
            }
        )
        self.owner: Tensor
        self.first: Tensor
        codes = torch.arange(len(self.shapes)).repeat_interleave(sizes)
        self.register_buffer("owner", codes, persistent=False)
        self.register_buffer("first", torch.tensor(self.starts[:-1]), persistent=False)

    def biases(self, code: int) -> Tensor:
        """The biases of a code, `(cardinality,)`, of a nested one `(parent, cardinality)`.

        They are its log probabilities as long as the weights are zero. Writable.
        """
        if self.shapes[code].nested:
            table: Tensor = self.nested[str(code)]
            return table.detach()
        return self.bias.detach()[self.columns(code)]

    @contextmanager
    def waving(self, places: Mapping[int, Tensor]) -> Iterator[None]:
        """While it lasts, codes whose values have `places` `(values,)` also learn along their line.

        A value that is not on it has no place (NaN). Afterwards the weights hold what was learned.
        """
        lines = [Line(self.starts[code], on_line) for code, on_line in places.items()]
        if not lines:
            yield
            return
        self.waves = LineWaves(lines, self.weight.shape[1])
        try:
            yield
        finally:
            with torch.no_grad():
                self.weight.copy_(self.table())
            self.waves = None

    def table(self) -> Tensor:
        """The weights `(logits, width)` of all heads."""
        return self.weight if self.waves is None else self.waves(self.weight)

    def columns(self, code: int) -> slice:
        """Where the logits of a code are among those of all."""
        return slice(self.starts[code], self.starts[code + 1])

    def logits(self, features: Tensor, code: int, parents: Tensor | None) -> Tensor:
        """Logits `(rows, cardinality)` of one code; `parents` are a nested code's parent values."""
        columns = self.columns(code)
        outputs = nn.functional.linear(features, self.table()[columns], self.bias[columns])
        if self.shapes[code].nested and parents is not None:
            outputs = outputs + nn.functional.embedding(
                parents.clamp_min(0), self.nested[str(code)]
            )
        return outputs

    def loss(self, features: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        """The sum of minus the log probabilities of targets `(rows, codes)`, times their weights.

        A negative target (unknown, or it does not apply) must weigh nothing.
        """
        asked = self._asked(targets, weights)
        tables = [self.nested[str(nest.code)] for nest in asked.nests]
        result: Tensor = _WeightedLoss.apply(  # type: ignore[no-untyped-call]
            asked, features, self.table(), self.bias, *tables
        )
        return result

    @torch.no_grad()
    def log_probabilities(self, features: Tensor, targets: Tensor) -> Tensor:
        """The log probability of each target `(rows, codes)`; means nothing where one is < 0."""
        asked = self._asked(targets, torch.ones(targets.shape))
        tables = [self.nested[str(nest.code)] for nest in asked.nests]
        softmaxes = _Softmaxes(asked, self.table(), self.bias, tables)
        chosen = [softmaxes.chosen(rows, features[rows]) for rows in asked.slices]
        return torch.cat(chosen, 1).t()

    def _asked(self, targets: Tensor, weights: Tensor) -> "_Asked":
        values = targets.clamp_min(0).t()
        nests = [
            _Nest(code, self.columns(code), values[shape.parent])
            for code, shape in enumerate(self.shapes)
            if shape.nested
        ]
        return _Asked(values + self.first[:, None], weights.t(), self.owner, nests)


class _Nest(NamedTuple):
    """A nested code, the columns of its logits, and its parent's values `(rows,)`."""

    code: int
    columns: slice
    parents: Tensor


class _Asked(NamedTuple):
    """What a loss is asked of. Codes come first here: sums over a code are sums over rows."""

    target_columns: Tensor
    weights: Tensor
    owner: Tensor
    nests: list[_Nest]

    @property
    def slices(self) -> list[slice]:
        """Rows that are worked on together, so that their logits stay in bounded memory."""
        rows, size = self.weights.shape[1], max(1, MOST_LOGITS // len(self.owner))
        return [slice(start, start + size) for start in range(0, rows, size)]


class _Softmaxes:
    """The softmaxes of all codes, side by side, in memory that is used again and again.

    Fresh memory of the size of all logits costs more than the arithmetic on them.
    """

    def __init__(
        self, asked: _Asked, weight: Tensor, bias: Tensor, tables: Sequence[Tensor]
    ) -> None:
        self.asked, self.weight, self.bias, self.tables = asked, weight, bias, tables
        shape = (len(asked.owner), min(asked.weights.shape[1], asked.slices[0].stop))
        self.powers, self.scales = torch.empty(shape), torch.empty(shape)

    def chosen(self, rows: slice, features: Tensor) -> Tensor:
        """Log probabilities `(codes, rows)` of the targets; leaves what `gradient` needs."""
        logits = self._scratch(self.powers, len(features))
        torch.addmm(self.bias[:, None], self.weight, features.t(), out=logits)
        for nest, table in zip(self.asked.nests, self.tables, strict=True):
            logits[nest.columns] += table.index_select(0, nest.parents[rows]).t()
        logits.clamp_(-HIGHEST_LOGIT, HIGHEST_LOGIT)
        chosen = logits.gather(0, self.asked.target_columns[:, rows])
        self.totals = torch.zeros_like(chosen).index_add_(0, self.asked.owner, logits.exp_())
        return chosen - self.totals.log()

    def gradient(self, rows: slice) -> Tensor:
        """By how much the weighted loss of these rows grows with each logit, `(columns, rows)`."""
        weights = self.asked.weights[:, rows]
        powers, scales = (
            self._scratch(kept, weights.shape[1]) for kept in (self.powers, self.scales)
        )
        torch.index_select(weights / self.totals, 0, self.asked.owner, out=scales)
        powers.mul_(scales)
        return powers.scatter_add_(0, self.asked.target_columns[:, rows], -weights)

    def _scratch(self, kept: Tensor, rows: int) -> Tensor:
        return kept.view(-1)[: len(kept) * rows].view(len(kept), rows)


class _WeightedLoss(torch.autograd.Function):
    """Cross-entropies of softmaxes side by side, with the gradient worked out on the way.

    By hand because autograd would fill one gradient as large as all logits for each code.
    """

    @staticmethod
    def forward(
        ctx: Any, asked: _Asked, features: Tensor, weight: Tensor, bias: Tensor, *tables: Tensor
    ) -> Tensor:
        softmaxes = _Softmaxes(asked, weight, bias, tables)
        loss = features.new_zeros(())
        gradients = [torch.zeros_like(one) for one in (features, weight, bias, *tables)]
        by_features, by_weight, by_bias, *by_tables = gradients
        for rows in asked.slices:
            loss -= (softmaxes.chosen(rows, features[rows]) * asked.weights[:, rows]).sum()
            by_logit = softmaxes.gradient(rows)
            torch.mm(by_logit.t(), weight, out=by_features[rows])
            by_weight.addmm_(by_logit, features[rows])
            by_bias += by_logit.sum(1)
            for nest, table in zip(asked.nests, by_tables, strict=True):
                table.index_add_(0, nest.parents[rows], by_logit[nest.columns].t())
        ctx.save_for_backward(*gradients)
        return loss

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        return None, *(one.mul_(gradient) for one in ctx.saved_tensors)
