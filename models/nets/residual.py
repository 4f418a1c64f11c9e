"""A residual multilayer perceptron: the trunk between a model's inputs and its heads."""

import torch
from torch import Tensor, nn
from torch.nn import functional


class ByteDropout(nn.Module):
    """Dropout whose chances are multiples of 1/256: eight draws for the price of one.

    On a CPU the random numbers of usual dropout cost as much as the layer before it.
    """

    def __init__(self, chance: float) -> None:
        super().__init__()
        self.dropped = round(chance * 256)

    def extra_repr(self) -> str:
        """Told beside the layer's name, as torch's own layers do."""
        return f"{self.dropped}/256"

    def forward(self, inputs: Tensor) -> Tensor:
        if not self.training or not self.dropped:
            return inputs
        words = torch.empty(-(-inputs.numel() // 8), dtype=torch.int64).random_(-(2**63), 2**63 - 1)
        bytes_ = words.view(torch.uint8)[: inputs.numel()].view(inputs.shape)
        return inputs * ((bytes_ >= self.dropped) * (256 / (256 - self.dropped)))


class ResidualBlock(nn.Module):
    """x + W2 silu(W1 norm(x)): a pre-normalised residual block that starts as the identity.

    Shape: `(*, width)` in and out.
    """

    def __init__(self, *, width: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.widen = nn.Linear(width, hidden)
        self.narrow = nn.Linear(hidden, width)
        self.dropout = ByteDropout(dropout)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """The last layer starts at zero, so that depth costs nothing at the first steps."""
        nn.init.kaiming_normal_(self.widen.weight, nonlinearity="relu")
        nn.init.zeros_(self.widen.bias)
        nn.init.zeros_(self.narrow.weight)
        nn.init.zeros_(self.narrow.bias)

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = functional.silu(self.widen(self.norm(inputs)))
        outputs: Tensor = inputs + self.narrow(self.dropout(hidden))
        return outputs


class ResidualTrunk(nn.Module):
    """Residual blocks one after the other and a last normalisation.

    Shape: `(*, width)` in and out.
    """

    def __init__(self, *, width: int, blocks: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.blocks = nn.Sequential(
            *(ResidualBlock(width=width, hidden=hidden, dropout=dropout) for _ in range(blocks))
        )
        self.norm = nn.LayerNorm(width)

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.norm(self.blocks(inputs))
        return outputs
