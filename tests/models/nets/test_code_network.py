"""The network of all conditionals: its start, its losses, and that it sees only what it may."""

import math

import pytest
import torch
from torch import Tensor

from models.nets import code_heads
from models.nets.code_heads import CodeShape
from models.nets.code_network import CodeNetwork
from models.nets.residual import ByteDropout, ResidualTrunk

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


def test_log_probabilities_are_those_of_the_logits() -> None:
    made, rows = network(), all_rows()
    observed = rows.clone()
    observed[:, 1:] = -1
    found = made.log_probabilities(observed, rows)
    for code, shape in enumerate(SHAPES):
        parents = rows[:, shape.parent] if shape.parent >= 0 else None
        logits = made.logits(made.embed(observed), code, parents)
        wanted = logits.log_softmax(1).gather(1, rows[:, [code]]).squeeze(1)
        torch.testing.assert_close(found[:, code], wanted)


@pytest.mark.parametrize("most", [1, 100, 10**6])
def test_loss_and_its_gradients_are_those_that_autograd_finds(
    most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Worked out by hand, row slice by row slice, against plain softmaxes."""
    monkeypatch.setattr(code_heads, "MOST_LOGITS", most)
    made, rows = network(), all_rows()
    observed = torch.where(torch.rand(rows.shape) < 0.5, rows, -1)
    weights = torch.rand(rows.shape)
    targets = torch.where(weights < 0.3, -1, rows)
    weights = torch.where(targets < 0, 0.0, weights)
    by_hand = made.loss(observed, targets, weights)
    found = torch.autograd.grad(by_hand, list(made.parameters()))
    plain = plain_loss(made, observed, targets, weights)
    torch.testing.assert_close(by_hand, plain)
    for one, other in zip(found, torch.autograd.grad(plain, list(made.parameters())), strict=True):
        torch.testing.assert_close(one, other)


def plain_loss(made: CodeNetwork, observed: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    table = torch.where(observed >= 0, observed + made.input_start, made.input_blank)
    features = made.trunk(made.inputs[table].sum(1))
    total = torch.zeros(())
    for code, shape in enumerate(SHAPES):
        parents = targets[:, shape.parent] if shape.parent >= 0 else None
        logits = made.heads.logits(features, code, parents)
        chosen = logits.log_softmax(1).gather(1, targets[:, [code]].clamp_min(0)).squeeze(1)
        total = total - (chosen * weights[:, code]).sum()
    return total


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
    made.heads.biases(0).copy_(torch.tensor([0.5, 0.25, 0.25]).log())
    nested = torch.tensor([[0.7, 0.1, 0.1, 0.1], [0.25] * 4, [0.1, 0.2, 0.3, 0.4]])
    made.heads.biases(1).copy_(nested.log())
    rows = torch.tensor([[0, 0, 2, 0], [2, 3, 1, 0]])
    found = made.log_probabilities(torch.full_like(rows, -1), rows)
    expected = torch.tensor([
        [math.log(0.5), math.log(0.7), -math.log(3), 0.0],
        [math.log(0.25), math.log(0.4), -math.log(3), 0.0],
    ])  # fmt: skip
    torch.testing.assert_close(found, expected)


def test_dropout_keeps_the_mean_and_drops_its_share() -> None:
    torch.manual_seed(1)
    dropout = ByteDropout(0.3)
    ones = torch.ones(501, 203)
    kept = dropout.train()(ones)
    assert float((kept == 0).float().mean()) == pytest.approx(0.3, abs=0.01)
    assert float(kept.mean()) == pytest.approx(1.0, abs=0.01)
    assert dropout.eval()(ones) is ones


@pytest.mark.parametrize("blocks", [0, 1, 3])
def test_residual_blocks_start_as_the_identity(blocks: int) -> None:
    trunk = ResidualTrunk(width=8, blocks=blocks, hidden=12, dropout=0.1).eval()
    inputs = torch.randn(5, 8)
    torch.testing.assert_close(trunk(inputs), trunk.norm(inputs))
