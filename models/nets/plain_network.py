"""A code network made of standard layers only: the same function, for gradients row by row."""

from typing import Self

import torch
from torch import Tensor, nn

from models.nets.code_heads import HIGHEST_LOGIT
from models.nets.code_network import CodeNetwork


class PlainCodeNetwork(nn.Module):
    """The losses of rows under a `CodeNetwork`, out of linear layers and normalisations.

    Who clips each row's gradient needs a rule for it in every layer, which the quick layers of a
    `CodeNetwork` do not have. Trunk and heads are the network's own parameters; the summed input
    vectors become a linear layer of marks, whose weights `give_back` writes into the network. The
    start distributions of nested codes are constants here: they stay as they were set.
    """

    def __init__(self, network: CodeNetwork) -> None:
        super().__init__()
        height, width = network.inputs.shape
        self.entry = nn.Linear(height, width, bias=False)
        self.trunk = network.trunk
        self.exit = nn.Linear(width, len(network.heads.bias))
        self.exit.weight, self.exit.bias = network.heads.weight, network.heads.bias
        with torch.no_grad():
            self.entry.weight.copy_(network.inputs.t())
        # In a tuple, out of reach of `parameters`: what is trained must be trained here alone.
        self._network = (network,)

    @torch.no_grad()
    def give_back(self) -> Self:
        """Writes the input vectors back; all other weights are shared anyway."""
        (network,) = self._network
        network.inputs.copy_(self.entry.weight.t())
        return self

    def forward(self, observed: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        """The weighted sum of minus the log probability of each target, given the observed codes.

        All `(units, rows, codes)`; the sums are those of each unit, `(units,)`. A negative target
        must weigh nothing.
        """
        heads = self._network[0].heads
        values = targets.clamp_min(0)
        logits = self.exit(self.trunk(self.entry(self._marks(observed))))
        shifts = torch.zeros_like(logits)
        for code, table in heads.nested.items():
            parent = heads.shapes[int(code)].parent
            shifts[..., heads.columns(int(code))] = table.detach()[values[..., parent]]
        logits = (logits + shifts).clamp(-HIGHEST_LOGIT, HIGHEST_LOGIT)
        chosen = logits.gather(-1, values + heads.first)
        totals = torch.zeros_like(chosen).index_add(-1, heads.owner, logits.exp())
        each: Tensor = ((totals.log() - chosen) * weights).flatten(1).sum(1)
        return each

    def _marks(self, observed: Tensor) -> Tensor:
        """Which input vectors are summed, `(units, rows, input vectors)`, ones and zeros."""
        (network,) = self._network
        picked = torch.where(observed >= 0, observed + network.input_start, network.input_blank)
        height, dtype = len(network.inputs), self.entry.weight.dtype
        marks = torch.zeros((*observed.shape[:-1], height), dtype=dtype)
        # Torch warns of a layer whose inputs need no gradient and that is listened to backwards.
        return marks.scatter_(-1, picked, 1.0).requires_grad_()
