"""Waves along the lines of a table, against the same sum written out."""

import math

import pytest
import torch

from models.nets.code_heads import CodeHeads, CodeShape
from models.nets.line_waves import HEIGHT, WAVES, Line, LineWaves

PLACES = (torch.tensor([0.1, math.nan, 0.9, 0.5]), torch.tensor([0.25, 0.75]))
LINES = (Line(1, PLACES[0]), Line(6, PLACES[1]))


def written_out(table: torch.Tensor, factors: torch.Tensor) -> torch.Tensor:
    rows = [row.clone() for row in table]
    for line, factor in zip(LINES, factors, strict=True):
        for number, place in enumerate(line.places.tolist()):
            if not math.isnan(place):
                for turn in range(WAVES):
                    wave = HEIGHT * math.sqrt(2) * math.cos(math.pi * (turn + 1) * place)
                    rows[line.first + number] = rows[line.first + number] + wave * factor[turn]
    return torch.stack(rows)


def test_waves_start_flat_and_add_up_to_what_is_written_out() -> None:
    torch.manual_seed(1)
    table = torch.randn(9, 3, requires_grad=True)
    waves = LineWaves(LINES, 3)
    assert torch.equal(waves(table), table)
    torch.nn.init.normal_(waves.factors)
    assert torch.allclose(waves(table), written_out(table, waves.factors), atol=1e-5)


def test_gradients_are_those_of_the_written_out_sum() -> None:
    torch.manual_seed(2)
    table, pulls = torch.randn(9, 3, requires_grad=True), torch.randn(9, 3)
    waves = LineWaves(LINES, 3)
    torch.nn.init.normal_(waves.factors)
    by_hand = torch.autograd.grad((waves(table) * pulls).sum(), (table, waves.factors))
    plain = torch.autograd.grad(
        (written_out(table, waves.factors) * pulls).sum(), (table, waves.factors)
    )
    for one, other in zip(by_hand, plain, strict=True):
        assert torch.allclose(one, other, atol=1e-4)


def test_heads_keep_what_was_learned_along_a_line_and_nothing_else_of_it() -> None:
    torch.manual_seed(3)
    heads = CodeHeads((CodeShape(4), CodeShape(2)), width=3)
    names = set(heads.state_dict())
    features = torch.tensor([[1.0, 0.0, -1.0]])
    with heads.waving({0: torch.tensor([0.125, 0.375, 0.625, 0.875])}):
        assert heads.waves is not None
        torch.nn.init.normal_(heads.waves.factors)
        within = heads.logits(features, 0, None)
    assert within.abs().min() > 0
    assert torch.allclose(heads.logits(features, 0, None), within)
    assert set(heads.state_dict()) == names
    # The other code was not on a line.
    assert not heads.weight[4:].any()


def test_what_was_learned_is_kept_when_training_breaks_off() -> None:
    heads = CodeHeads((CodeShape(4),), width=3)
    with pytest.raises(KeyboardInterrupt), heads.waving({0: torch.linspace(0, 1, 4)}):
        assert heads.waves is not None
        torch.nn.init.ones_(heads.waves.factors)
        raise KeyboardInterrupt
    assert heads.waves is None
    assert heads.weight.any()
