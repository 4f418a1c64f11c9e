"""The networks of the game: who codes rows, who holds the key, and who attacks without it."""

import torch
from torch import Tensor, nn

_EMBEDDED = 16


def perceptron(inputs: int, width: int, outputs: int, dropout: float = 0.0) -> nn.Sequential:
    """Two hidden layers: enough for tables of tens of columns, and quick on one core."""
    return nn.Sequential(
        nn.Linear(inputs, width), nn.GELU(), nn.Dropout(dropout),
        nn.Linear(width, width), nn.GELU(), nn.Dropout(dropout),
        nn.Linear(width, outputs),
    )  # fmt: skip


class RowEncoder(nn.Module):
    """Rows to bounded codes.

    Takes codes of parts `(rows, parts)`, 0 for unknown, and numbers `(rows, numbers)`. Gives the
    open part `(rows, open)` and the hidden part `(rows, hidden)`, both within [-1, 1]: tasks read
    the first, the second is for the holder of the key alone.
    """

    first: Tensor

    def __init__(
        self, *, sizes: list[int], numbers: int, open_width: int, hidden_width: int, width: int
    ) -> None:
        super().__init__()
        starts = [0, *torch.tensor(sizes).cumsum(0).tolist()[:-1]]
        self.width = open_width + hidden_width
        self.register_buffer("first", torch.tensor(starts, dtype=torch.long))
        self.embedding = nn.Embedding(sum(sizes), _EMBEDDED)
        nn.init.normal_(self.embedding.weight, std=0.3)
        inputs = _EMBEDDED * len(sizes) + numbers
        self.open_part = perceptron(inputs, width, open_width, dropout=0.2)
        self.hidden_part = perceptron(inputs, width, hidden_width)

    def forward(self, codes: Tensor, numbers: Tensor) -> tuple[Tensor, Tensor]:
        embedded = self.embedding(codes + self.first).flatten(1)
        inputs = torch.cat([embedded, numbers], 1)
        return torch.tanh(self.open_part(inputs)), torch.tanh(self.hidden_part(inputs))


class Attackers(nn.Module):
    """All columns from what is known anyway, and from that with the code: the code's gain.

    `known` is `(rows, known)`, `code` `(rows, width)`; both outputs are logits `(rows, classes)` of
    all columns side by side. The second is the first with a correction, so that an attacker who
    learns nothing from the code is at the prior and not below it.
    """

    def __init__(self, *, known: int, code: int, classes: int, width: int) -> None:
        super().__init__()
        self.prior = perceptron(known, width, classes)
        self.gain = perceptron(known + code, width, classes)

    def forward(self, known: Tensor, code: Tensor) -> tuple[Tensor, Tensor]:
        prior = self.prior(known)
        return prior, prior.detach() + self.gain(torch.cat([known, code], 1))


class Players(nn.Module):
    """Those who pull the same way: the encoder, the tasks' heads and the holder of the key."""

    def __init__(self, encoder: RowEncoder, heads: nn.ModuleList, holder: nn.Module) -> None:
        super().__init__()
        self.encoder, self.heads, self.holder = encoder, heads, holder
        self.width = encoder.width
