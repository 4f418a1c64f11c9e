"""Weights survive the way through arrays; those of another network are refused."""

import pytest
import torch
from torch import nn

from data_contracts.errors import ModelError
from models.nets.weights import take_over, weights_of


def test_weights_are_taken_over_as_copies() -> None:
    one, other = nn.Linear(3, 2), nn.Linear(3, 2)
    weights = weights_of(one)
    take_over(other, weights)
    seen = torch.randn(4, 3)
    assert torch.equal(one(seen), other(seen))
    with torch.no_grad():
        one.weight.zero_()
    assert bool(other.weight.any())


def test_weights_of_another_network_are_refused() -> None:
    with pytest.raises(ModelError, match="Fit the model again"):
        take_over(nn.Linear(3, 2), weights_of(nn.Linear(4, 2)))
