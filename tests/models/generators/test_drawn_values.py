"""Draws from shares: as likely as the shares say, and never what has none."""

import numpy as np
import torch

from models.generators.drawn_values import draw_values


def test_each_group_follows_its_own_shares() -> None:
    shares = torch.tensor([[0.2, 0.0, 0.8, 0.0], [0.0, 3.0, 1.0, 0.0]])
    groups = torch.arange(2).repeat_interleave(20_000)
    drawn = draw_values(shares, groups, torch.Generator().manual_seed(1))
    for group, wanted in enumerate(shares / shares.sum(1, keepdim=True)):
        found = torch.bincount(drawn[groups == group], minlength=4) / 20_000
        assert torch.allclose(found, wanted, atol=0.015)
        assert not found[wanted == 0].any()


def test_rows_are_drawn_apart_from_each_other() -> None:
    """The number of rows with a value varies as much as that of fresh rows would."""
    shares, groups = torch.tensor([[0.3, 0.7]]), torch.zeros(500, dtype=torch.long)
    random = torch.Generator().manual_seed(2)
    counts = [int((draw_values(shares, groups, random) == 0).sum()) for _ in range(400)]
    assert 0.8 < np.var(counts) / (500 * 0.3 * 0.7) < 1.25


def test_many_groups_keep_their_own_values() -> None:
    rows = 70_000
    shares = torch.nn.functional.one_hot(torch.arange(rows) % 7, 7).float()
    drawn = draw_values(shares, torch.arange(rows), torch.Generator().manual_seed(3))
    assert torch.equal(drawn, torch.arange(rows) % 7)
