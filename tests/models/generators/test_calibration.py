"""Calibration: a network that is off is brought back to the shares of its training rows."""

import torch

from models.encoding.column import Part
from models.generators.calibration import calibrate
from models.generators.code_layout import CodeLayout
from models.generators.drawing import CodeDrawing, Shifts
from models.nets.code_network import CodeNetwork

PARTS = (Part(3), Part(6), Part(4, parent=0, applies_from=1, nested=True))
ROWS = 20_000


def rows_of_shares() -> torch.Tensor:
    random = torch.Generator().manual_seed(1)
    first = torch.multinomial(torch.tensor([0.5, 0.3, 0.2]), ROWS, True, generator=random)
    second = torch.multinomial(torch.arange(6.0), ROWS, True, generator=random)
    # The value 3 is never held below 1, and value 0 of the second code by nobody.
    detail = (torch.rand(ROWS, generator=random) * torch.where(first == 1, 3, 4)).long()
    return torch.stack([first, second, torch.where(first >= 1, detail, -1)], 1).int()


def shares(codes: torch.Tensor, code: int, parent: int | None = None) -> torch.Tensor:
    rows = codes if parent is None else codes[codes[:, 0] == parent]
    counts = torch.bincount(rows[:, code].long(), minlength=PARTS[code].cardinality)
    return counts / counts.sum()


def test_marginals_come_back_and_what_nobody_has_stays_out() -> None:
    layout, real = CodeLayout.of(PARTS), rows_of_shares()
    torch.manual_seed(2)
    network = CodeNetwork(layout.shapes, width=16, blocks=1, hidden=16, dropout=0.0).eval()
    torch.nn.init.normal_(network.heads.weight, std=0.15)
    for code in range(3):
        network.heads.biases(code).copy_(layout.log_shares(real, code))

    def drawn(shifts: Shifts) -> torch.Tensor:
        blank = torch.full((ROWS, 3), -1)
        drawing = CodeDrawing(network, layout, shifts=shifts)
        return drawing.complete(blank, torch.Generator().manual_seed(3))

    def error(rows: torch.Tensor) -> float:
        one = [(shares(rows, code) - shares(real, code)).abs().max() for code in (0, 1)]
        two = [(shares(rows, 2, top) - shares(real, 2, top)).abs().max() for top in (1, 2)]
        return float(max(one + two))

    shifts = calibrate(network, layout, real, torch.Generator().manual_seed(4), most_rows=ROWS)
    rows = drawn(shifts)
    assert error(drawn({})) > 0.08
    # Independent draws of 4,000 rows miss a share by up to .02.
    assert error(rows) < 0.03
    assert not (rows[:, 1] == 0).any()
    assert not (rows[rows[:, 0] == 1, 2] == 3).any()


def test_rows_of_which_something_is_known_are_not_shifted() -> None:
    layout, real = CodeLayout.of(PARTS), rows_of_shares()
    network = CodeNetwork(layout.shapes, width=16, blocks=1, hidden=16, dropout=0.0).eval()
    known = real.clone()
    known[:, 1] = -1
    far = {1: torch.tensor([[9.0, 0, 0, 0, 0, 0]])}
    plain, shifted = (
        CodeDrawing(network, layout, shifts=shifts).complete(
            known, torch.Generator().manual_seed(5)
        )
        for shifts in ({}, far)
    )
    assert torch.equal(plain, shifted)
