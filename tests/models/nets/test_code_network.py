"""The network of all conditionals: its start, its losses, and that it sees only what it may."""

import math

import pytest
import torch
from torch import Tensor

from models.nets.code_network import CodeNetwork, CodeShape
from models.nets.residual import ResidualTrunk

# A code of three values, one that refines it, one alone of the first's size, one of a single value.
SHAPES = (CodeShape(3), CodeShape(4, 0, True), CodeShape(3), CodeShape(1))


def network(seed: int = 0) -> CodeNetwork:
    torch.manual_seed(seed)
    made = CodeNetwork(SHAPES, width=16, blocks=1, hidden=16, dropout=0.0)
    for weight in made.parameters():
        torch.nn.init.normal_(weight, std=0.5)
    return made.eval()


def all_rows() -> Tensor:
    values = [torch.arange(shape.cardinality) for shape in SHAPES]
    return torch.cartesian_prod(*values)


def test_losses_are_those_of_the_logits() -> None:
    made, rows = network(), all_rows()
    observed = rows.clone()
    observed[:, 1:] = -1
    losses = made.negative_log_likelihood(observed, rows)
    for code, shape in enumerate(SHAPES):
        parents = rows[:, shape.parent] if shape.parent >= 0 else None
        logits = made.logits(made.embed(observed), code, parents)
        wanted = -logits.log_softmax(1).gather(1, rows[:, [code]]).squeeze(1)
        torch.testing.assert_close(losses[:, code], wanted)


def test_what_is_not_observed_is_not_seen() -> None:
    made = network()
    rows = torch.tensor([[0, 1, -1, 0], [0, 1, -5, 0]])
    torch.testing.assert_close(made.embed(rows)[0], made.embed(rows)[1])
    moved = rows.clone()
    moved[1, 2] = 2
    assert not torch.allclose(made.embed(moved)[0], made.embed(moved)[1])


def test_vectors_add_up_to_the_embedding() -> None:
    made = network()
    row = torch.tensor([[2, 3, -1, 0]])
    parts = [made.vectors(code)[int(value)] for code, value in enumerate(row[0])]
    torch.testing.assert_close(made.embed(row)[0], torch.stack(parts).sum(0))


def test_a_fresh_network_starts_at_the_shares_that_it_is_told() -> None:
    made = CodeNetwork(SHAPES, width=16, blocks=2, hidden=16, dropout=0.0).eval()
    made.start_at(0, torch.tensor([0.5, 0.25, 0.25]).log())
    nested = torch.tensor([[0.7, 0.1, 0.1, 0.1], [0.25] * 4, [0.1, 0.2, 0.3, 0.4]])
    made.start_at(1, nested.log())
    rows = torch.tensor([[0, 0, 2, 0], [2, 3, 1, 0]])
    losses = made.negative_log_likelihood(torch.full_like(rows, -1), rows)
    expected = torch.tensor([
        [-math.log(0.5), -math.log(0.7), math.log(3), 0.0],
        [-math.log(0.25), -math.log(0.4), math.log(3), 0.0],
    ])  # fmt: skip
    torch.testing.assert_close(losses, expected)


@pytest.mark.parametrize("blocks", [0, 1, 3])
def test_residual_blocks_start_as_the_identity(blocks: int) -> None:
    trunk = ResidualTrunk(width=8, blocks=blocks, hidden=12, dropout=0.1).eval()
    inputs = torch.randn(5, 8)
    torch.testing.assert_close(trunk(inputs), trunk.norm(inputs))
