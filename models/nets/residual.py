"""A residual multilayer perceptron: the trunk between a model's inputs and its heads."""

from torch import Tensor, nn
from torch.nn import functional


class ResidualBlock(nn.Module):
    """x + W2 silu(W1 norm(x)): a pre-normalised residual block that starts as the identity.

    Shape: `(*, width)` in and out.
    """

    def __init__(self, *, width: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.widen = nn.Linear(width, hidden)
        self.narrow = nn.Linear(hidden, width)
        self.dropout = nn.Dropout(dropout)
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
