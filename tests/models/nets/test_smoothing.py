"""Smoothing along a line: neighbours meet, nothing else moves, means stay."""

import torch

from models.nets.smoothing import LineSmoothing


def test_neighbours_meet_at_their_mean_and_others_stay() -> None:
    table = torch.tensor([[0.0, 4.0], [6.0, 0.0], [3.0, 2.0], [100.0, -7.0]])
    smooth = LineSmoothing([(0, 2), (2, 1)], [1e6, 1e6])
    for _ in range(200):
        smooth(table, 1.0)
    torch.testing.assert_close(table[:3], torch.tensor([[3.0, 2.0]] * 3))
    assert table[3].tolist() == [100.0, -7.0]


def test_one_step_takes_its_share_of_the_difference() -> None:
    table = torch.tensor([[0.0], [10.0]])
    LineSmoothing([(0, 1)], [20.0])(table, 0.005)
    torch.testing.assert_close(table, torch.tensor([[1.0], [9.0]]))


def test_without_neighbours_nothing_happens() -> None:
    table = torch.ones(3, 2)
    LineSmoothing([], [])(table, 1.0)
    assert table.tolist() == [[1.0, 1.0]] * 3
