"""Draws codes from a code network, one code after the other; rows that agree share the work."""

from typing import NamedTuple

import torch
from torch import Tensor

from models.generators.code_layout import CodeLayout
from models.generators.even_draws import Lots, draw_evenly
from models.nets.code_network import CodeNetwork

BATCH_ROWS = 2**16
MOST_CELLS = 2**24
"""Rows times values of the largest code that are held at once; 64 MiB of float32."""
SHARED = 0.7
"""Rows are grouped by their known codes while the groups are fewer than this share of them."""
LEAST_LOGIT = -25.0
"""What is e^25 times less likely than the likeliest value is not drawn at all."""


class CodeDrawing:
    """Completes rows of network codes, whatever is known of them at first.

    Conditioning on known codes is exact: they are simply observed. Rows with the same known
    codes have the same distribution of the next one, so the network is asked once for each such
    group; codes of few values are drawn first, so that groups stay few for long.
    """

    def __init__(self, network: CodeNetwork, layout: CodeLayout) -> None:
        self.network, self.layout = network, layout
        self.order = drawing_order(layout)
        largest = max((shape.cardinality for shape in layout.shapes), default=1)
        self.batch_rows = max(1, min(BATCH_ROWS, MOST_CELLS // largest))

    @torch.inference_mode()
    def complete(self, codes: Tensor, random: torch.Generator) -> Tensor:
        """Known codes `(rows, codes)` with the unknown ones (negative) drawn; int64.

        What does not apply stays unknown.
        """
        batches = torch.split(codes.long(), self.batch_rows)
        return torch.cat([self._complete_batch(batch.clone(), random) for batch in batches])

    def _complete_batch(self, codes: Tensor, random: torch.Generator) -> Tensor:
        groups = _Groups(self.network, len(codes))
        for code in range(codes.shape[1]):
            if bool((codes[:, code] >= 0).any()):
                groups.observe(code, codes[:, code])
        for code, part in self.order:
            applies = self.layout.applies(codes, part)
            unknown = codes[:, code] < 0
            wanted = unknown if applies is None else unknown & applies
            if bool(wanted.any()):
                drawn = self._draw(codes, code, (groups, wanted), random)
                groups.observe(code, drawn)
                codes[:, code] = torch.where(wanted, drawn, codes[:, code])
        return codes

    def _draw(
        self, codes: Tensor, code: int, where: tuple["_Groups", Tensor], random: torch.Generator
    ) -> Tensor:
        """New values `(rows,)` of one code in the wanted rows, -1 in all others."""
        groups, wanted = where
        rows = wanted.nonzero().squeeze(1)
        asked, group = torch.unique(groups.of_row[rows], return_inverse=True)
        parent = self.layout.shapes[code].parent
        parents = codes[groups.example[asked], parent] if parent >= 0 else None
        sizes = torch.bincount(group, minlength=len(asked))
        logits = self.logits(Question(code, groups.embedded[asked], parents, sizes))
        drawn = torch.full((len(codes),), -1)
        drawn[rows] = _draw_values(logits, Lots(group, groups.stratum[rows]), random)
        return drawn

    def logits(self, question: "Question") -> Tensor:
        """Logits `(groups, values)` of the code that is asked for."""
        return self.network.logits(question.embedded, question.code, question.parents)


class Question(NamedTuple):
    """What the network is asked: one code's distribution for each group of rows that agree.

    `embedded` `(groups, width)` are their summed input vectors, `parents` the value of the code
    that this one refines (None if it refines none), `rows` how many rows each group has.
    """

    code: int
    embedded: Tensor
    parents: Tensor | None
    rows: Tensor


class _Groups:
    """Rows with equal known codes: the summed input vectors of each group, and whose it is.

    `stratum` `(rows,)` sorts rows by the codes known first, also once every row is a group.
    """

    def __init__(self, network: CodeNetwork, rows: int) -> None:
        self.network = network
        blank = torch.full((1, len(network.shapes)), -1)
        self.embedded = network.embed(blank)
        self.of_row = torch.zeros(rows, dtype=torch.long)
        self.example = torch.zeros(1, dtype=torch.long)
        self.stratum = self.of_row

    def observe(self, code: int, values: Tensor) -> None:
        """Takes in values `(rows,)` of a code that no row knew; negative ones stay unknown."""
        vectors = self.network.vectors(code)
        size = len(vectors)
        values = torch.where(values >= 0, values, size - 1)
        rows = len(values)
        if len(self.example) < rows:
            keys, groups = torch.unique(self.of_row * size + values, return_inverse=True)
            if len(keys) < SHARED * rows:
                self.embedded = self.embedded[keys // size] + (vectors - vectors[-1])[keys % size]
                self.of_row = self.stratum = groups
                self.example = torch.empty(len(keys), dtype=torch.long)
                self.example[groups] = torch.arange(rows)
                return
            self.embedded = self.embedded[self.of_row]
            self.of_row = self.example = torch.arange(rows)
        self.embedded = self.embedded + (vectors - vectors[-1])[values]


def drawing_order(layout: CodeLayout) -> list[tuple[int, int]]:
    """Network codes in the order of drawing, each with its part: few values first, details last."""
    depths: list[int] = []
    for part in layout.parts:
        depths.append(0 if part.parent is None else depths[part.parent] + 1)
    parts = sorted(
        range(len(depths)), key=lambda part: (depths[part], layout.parts[part].cardinality)
    )
    return [
        (code, part)
        for part in parts
        for code in range(layout.first[part], layout.first[part] + 1 + (layout.divisors[part] > 0))
    ]


def _draw_values(logits: Tensor, lots: Lots, random: torch.Generator) -> Tensor:
    """One value for each row `(rows,)` from its group's logits `(groups, values)`."""
    relative = logits - logits.amax(1, keepdim=True)
    shares = torch.where(relative > LEAST_LOGIT, relative.exp(), 0.0)
    return draw_evenly(shares, lots, random)
