"""Training by sampling: conditions drawn so that rare values are seen as often as need be."""

from typing import NamedTuple

import torch
from torch import Tensor

from models.encoding.column import FloatArray
from models.generators.code_layout import CodeLayout
from models.nets.code_heads import ROOT


class Cued(NamedTuple):
    """Cues `(rows,)`, the code of each, and a training row that fulfils each, by position."""

    cues: Tensor
    codes: Tensor
    rows: Tensor


class Cues:
    """Each value of each root code as a cue, and the training rows that hold it.

    A cue is drawn by code, all alike, then by value, with the logarithm of its count; then a row
    is drawn that has this value (CTGAN, Xu et al. 2019). A generator that is asked for cues by
    their true counts makes the values in their true shares again.
    """

    def __init__(self, layout: CodeLayout, table: Tensor) -> None:
        """Sorts the rows of network codes `table` `(rows, codes)` by every root code."""
        roots = [code for code, shape in enumerate(layout.shapes) if shape.parent == ROOT]
        sizes = torch.tensor([shape.cardinality for shape in layout.shapes])
        self.code_of = torch.arange(len(sizes)).repeat_interleave(sizes)
        self.counts = torch.zeros(len(self.code_of), dtype=torch.long)
        starts = (sizes.cumsum(0) - sizes).tolist()
        orders = []
        for code in roots:
            place = slice(starts[code], starts[code] + layout.shapes[code].cardinality)
            self.counts[place] = layout.counts(table, code)[0]
            order = table[:, code].argsort(stable=True)
            orders.append(order[table[order, code] >= 0])
        self.rows = torch.cat(orders)
        self.first = self.counts.cumsum(0) - self.counts
        self.chances = self._by_code(self.counts.double().log1p())

    def draw(self, count: int, random: torch.Generator) -> Cued:
        """Cues for training."""
        cues = torch.multinomial(self.chances, count, replacement=True, generator=random)
        counts = self.counts[cues]
        lots = (torch.rand(count, generator=random) * counts).long().minimum(counts - 1)
        return Cued(cues, self.code_of[cues], self.rows[self.first[cues] + lots])

    def true_shares(self) -> FloatArray:
        """How often each cue must be asked for when rows are to be like the training rows."""
        shares: FloatArray = self._by_code(self.counts.double()).numpy()
        return shares

    def _by_code(self, weights: Tensor) -> Tensor:
        """Weights as shares that give each code with any weight the same sum; 1 in all."""
        sums = torch.zeros(int(self.code_of[-1]) + 1, dtype=torch.float64)
        sums.index_add_(0, self.code_of, weights)
        shares = weights / sums[self.code_of].clamp_min(1e-300)
        return shares / shares.sum()
