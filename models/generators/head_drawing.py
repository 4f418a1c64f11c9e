"""Heads that give all codes of a row at once: where they start, and how they draw."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from models.encoding.column import IntArray
from models.generators.code_layout import CodeLayout
from models.generators.drawn_values import draw_values
from models.nets.code_heads import CodeHeads

BATCH_ROWS = 2**15
"""Rows that are drawn or judged at once."""
ROUNDS = 20
FEWEST_ROWS = 50
"""A correction counts half when it rests on this many rows."""
LARGEST = 2.0
"""The largest correction of a log probability."""


class Asked(NamedTuple):
    """One code of rows to which it applies: its logits `(rows, values)`, and their places.

    `places` `(rows,)` are the values of the parent of a nested code, 0 of any other code.
    """

    code: int
    logits: Tensor
    places: Tensor


Adjust = Callable[[Asked], Tensor]
"""Logits in place of those asked for; same shape."""


@torch.no_grad()
def draw_codes(
    heads: CodeHeads,
    layout: CodeLayout,
    features: Tensor,
    random: torch.Generator,
    adjust: Adjust = lambda asked: asked.logits,
) -> Tensor:
    """Codes `(rows, codes)` from the softmaxes of features `(rows, width)`, -1 where none applies.

    Parents come before what refines them.
    """
    codes = torch.full((len(features), len(layout.shapes)), -1)
    for part, first in enumerate(layout.first):
        applies = layout.applies(codes, part)
        where = torch.arange(len(codes)) if applies is None else applies.nonzero().squeeze(1)
        for code in range(first, first + 1 + (layout.divisors[part] > 0)):
            shape = layout.shapes[code]
            parents = codes[where, shape.parent] if shape.nested else None
            logits = heads.logits(features[where], code, parents)
            places = torch.zeros_like(where) if parents is None else parents
            shares = adjust(Asked(code, logits, places)).softmax(1)
            codes[where, code] = draw_values(shares, torch.arange(len(where)), random)
    return codes


def draw_rows(
    heads: CodeHeads,
    layout: CodeLayout,
    features: Callable[[int, torch.Generator], Tensor],
    rows: int,
    random: torch.Generator,
) -> IntArray:
    """Codes of parts `(rows, parts)`, drawn batch after batch from `features` of so many rows."""
    drawn = []
    for start in range(0, max(rows, 1), BATCH_ROWS):
        seen = features(min(BATCH_ROWS, rows - start), random)
        drawn.append(layout.from_network(draw_codes(heads, layout, seen, random)))
    return np.concatenate(drawn)


def match_marginals(
    heads: CodeHeads, layout: CodeLayout, features: Tensor, table: Tensor, random: torch.Generator
) -> None:
    """Moves the heads' biases until codes drawn from `features` have the shares of training rows.

    One run of drawing: just before a code is drawn, its mean distribution over all rows, of a
    nested code under each value of its parent, is brought to its shares in the training rows
    `table` `(rows, codes)`. What a code is told by the features stays as it is. That is iterative
    proportional fitting of one margin (Deming and Stephan 1940), and it is as private as the
    shares, at which the biases start anyway.
    """

    def adjust(asked: Asked) -> Tensor:
        wanted = layout.counts(table, asked.code).double()
        shift = _shift(asked, wanted)
        biases = heads.biases(asked.code)
        biases += shift if biases.dim() == 2 else shift[0]
        return asked.logits + shift[asked.places]

    draw_codes(heads, layout, features, random, adjust)


def start_at_marginals(heads: CodeHeads, layout: CodeLayout, table: Tensor) -> None:
    """Sets the biases of fresh heads to the log shares of the codes in `table` `(rows, codes)`."""
    for code in range(len(layout.shapes)):
        heads.biases(code).copy_(layout.log_shares(table, code))


def _shift(asked: Asked, counts: Tensor) -> Tensor:
    """What to add to the logits at each place, so that means have the shares of the counts."""
    seen = torch.bincount(asked.places, minlength=len(counts)).double()[:, None]
    wanted = counts / counts.sum(1, keepdim=True).clamp_min(1)
    shift = torch.zeros_like(counts)
    for _ in range(ROUNDS):
        chances = (asked.logits + shift[asked.places]).softmax(1)
        found = torch.zeros_like(counts).index_add_(0, asked.places, chances)
        found /= seen.clamp_min(1)
        both = (found > 0) & (wanted > 0)
        step = torch.where(both, (wanted / found.clamp_min(1e-12)).clamp_min(1e-12).log(), 0.0)
        shift = (shift + step).clamp(-LARGEST, LARGEST)
    expected = wanted * torch.minimum(seen, counts.sum(1, keepdim=True))
    return (shift * expected / (expected + FEWEST_ROWS)).float()
