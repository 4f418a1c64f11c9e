"""Calibration of a trained code network: whole rows have the marginals that it was shown."""

import torch
from torch import Tensor

from models.generators.code_layout import CodeLayout
from models.generators.drawing import CodeDrawing, Question, Shifts
from models.nets.code_network import CodeNetwork

ROUNDS = 20
"""Enough for a shift of one nat to settle; each round costs one softmax of what is drawn anyway."""
FEWEST_ROWS = 50
"""A correction counts half when it rests on this many rows."""
LARGEST = 1.0
"""The largest correction of a log probability."""


def calibrate(
    network: CodeNetwork,
    layout: CodeLayout,
    codes: Tensor,
    random: torch.Generator,
    *,
    most_rows: int,
) -> Shifts:
    """What to add to each code's log probabilities as whole rows are drawn.

    Found by drawing at most so many rows, code after code.

    Each code's mean distribution over the rows drawn so far is compared with its shares in the
    training rows `codes` `(rows, codes)`, a nested code's under each value of its parent, and
    moved until the two agree (iterative proportional fitting, Deming and Stephan 1940, of one
    margin). Small errors of early codes would otherwise add up in the late ones. Only the
    marginals of the training rows are used, which the network was started at anyway. What is
    right on the way of whole rows is wrong where values are given: the shifts are for the former.
    """
    drawing = _Correcting(network, layout, codes)
    rows = min(len(codes), most_rows, drawing.batch_rows)
    drawing.complete(torch.full((rows, len(layout.shapes)), -1), random)
    return drawing.found


class _Correcting(CodeDrawing):
    """Draws rows and finds each code's shift just before it is drawn."""

    def __init__(self, network: CodeNetwork, layout: CodeLayout, codes: Tensor) -> None:
        super().__init__(network, layout)
        self.codes = codes
        self.asked_groups = len(codes)
        self.found: Shifts = {}

    def logits(self, question: Question) -> Tensor:
        logits = super().logits(question)
        code, shape = question.code, self.layout.shapes[question.code]
        parents = question.parents if shape.nested and question.parents is not None else None
        where = torch.zeros(len(logits), dtype=torch.long) if parents is None else parents
        wanted = self.layout.counts(self.codes, code).double()
        self.found[code] = _shift(logits, question.rows, where, wanted)
        return logits + self.found[code][where]


def _shift(logits: Tensor, rows: Tensor, where: Tensor, counts: Tensor) -> Tensor:
    """What to add to the logits of each place `(places, values)`.

    `logits` are `(groups, values)`, each of `rows` `(groups,)` rows and at one place of `where`.
    """
    seen = torch.zeros(len(counts), dtype=torch.float64).index_add_(0, where, rows.double())
    wanted = counts / counts.sum(1, keepdim=True).clamp_min(1)
    shift = torch.zeros_like(counts)
    for _ in range(ROUNDS):
        chances = (logits + shift[where]).softmax(1) * rows[:, None]
        found = torch.zeros_like(counts).index_add_(0, where, chances.double())
        found /= seen[:, None].clamp_min(1)
        both = (found > 0) & (wanted > 0)
        step = torch.where(both, (wanted / found.clamp_min(1e-12)).clamp_min(1e-12).log(), 0.0)
        shift = (shift + step).clamp(-LARGEST, LARGEST)
    expected = wanted * torch.minimum(seen, counts.sum(1))[:, None]
    return (shift * expected / (expected + FEWEST_ROWS)).float()
