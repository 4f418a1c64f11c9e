"""The weights of a network as plain arrays, and back."""

from collections.abc import Mapping
from typing import Any

import numpy.typing as npt
import torch
from torch import nn

from data_contracts.errors import ModelError

Weights = dict[str, npt.NDArray[Any]]


def weights_of(network: nn.Module) -> Weights:
    """All weights and buffers of a network by name."""
    return {name: value.numpy() for name, value in network.state_dict().items()}


def take_over(network: nn.Module, weights: Mapping[str, npt.NDArray[Any]]) -> None:
    """Copies stored weights into a network; ModelError where they are those of another one."""
    tensors = {name: torch.tensor(value) for name, value in weights.items()}
    try:
        network.load_state_dict(tensors)
    except RuntimeError:
        raise ModelError(
            "stored model: its weights do not fit its settings. Fit the model again."
        ) from None
