"""Exponential moving average of a network's weights."""

import torch
from torch import Tensor, nn


class WeightAverage:
    """A moving average of the weights, which samples better than the last weights do.

    The decay grows with the number of steps, so that a short run is not dominated by its start.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.steps = 0
        self.live = [weight for weight in network.parameters() if weight.requires_grad]
        self.kept = [weight.detach().clone() for weight in self.live]

    @torch.no_grad()
    def update(self) -> None:
        """Moves the average towards the present weights."""
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        torch._foreach_lerp_(self.kept, [weight.detach() for weight in self.live], 1 - decay)

    @torch.no_grad()
    def swap(self) -> None:
        """Exchanges present and averaged weights; a second call changes them back."""
        for weight, kept in zip(self.live, self.kept, strict=True):
            weight_copy: Tensor = weight.detach().clone()
            weight.copy_(kept)
            kept.copy_(weight_copy)
