"""A training run as bytes: tensors and plain numbers in one safetensors file, nothing that runs."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

NUMBERS = "numbers"
"""The tensor that holds the plain numbers, as JSON text."""


class Checkpoint(NamedTuple):
    """What a run must know to go on as if nothing had happened.

    `numbers` is plain JSON data; tensors have slashes in their names where they belong together.
    """

    numbers: dict[str, Any]
    tensors: dict[str, Tensor]

    def to_bytes(self) -> bytes:
        """The checkpoint as the content of one file."""
        text = json.dumps(self.numbers, allow_nan=False).encode()
        numbers = torch.from_numpy(np.frombuffer(text, dtype=np.uint8).copy())
        content: bytes = save({NUMBERS: numbers, **self.tensors})
        return content

    @classmethod
    def from_bytes(cls, content: bytes) -> "Checkpoint | None":
        """What `to_bytes` wrote; None for anything else."""
        try:
            tensors = load(content)
            return cls(json.loads(tensors.pop(NUMBERS).numpy().tobytes()), tensors)
        except (SafetensorError, KeyError, ValueError):
            return None

    def part(self, name: str) -> dict[str, Tensor]:
        """The tensors below `name/`, without it."""
        start = f"{name}/"
        found = self.tensors.items()
        return {key[len(start) :]: value for key, value in found if key.startswith(start)}


def below(name: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors under `name/key`."""
    return {f"{name}/{key}": value.detach() for key, value in tensors.items()}


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """What an optimizer remembers of each weight, as `weight number/name`."""
    return {
        f"{number}/{name}": value
        for number, kept in optimizer.state_dict()["state"].items()
        for name, value in kept.items()
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Puts what `optimizer_tensors` gave back into an optimizer of the same weights."""
    state = optimizer.state_dict()
    state["state"] = {}
    for key, value in tensors.items():
        number, name = key.split("/")
        state["state"].setdefault(int(number), {})[name] = value
    optimizer.load_state_dict(state)


def mark_of(network: nn.Module) -> str:
    """What tells a network at its start from others: a hash of its layers and of its weights.

    Two that differ in no shape can still differ in dropout, or in the rows that they start from.
    """
    mark = hashlib.sha256(str(network).encode())
    for name, value in network.state_dict().items():
        mark.update(f"{name} {tuple(value.shape)}".encode())
        mark.update(value.contiguous().numpy().tobytes())
    return mark.hexdigest()
