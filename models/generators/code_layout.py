"""The parts of a table codec as the codes of a network."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from models.encoding.column import UNKNOWN, IntArray, Part
from models.nets.code_heads import ROOT, CodeShape

LARGEST = 1024
"""A part of more values is split in two, so that no head grows with the vocabulary."""
COUNTED_ROWS = 2**20
"""Rows that are counted at once; 8 MiB for each of a few arrays."""
UNSEEN = -30.0
"""Log probability at the start of what no training row has: never drawn in practice."""


@dataclass(frozen=True)
class CodeLayout:
    """Which network codes stand for which parts.

    A part of many values becomes two codes, the value divided by the root of the number of
    values and the remainder, the second refining the first (a two-level softmax, Goodman 2001);
    any other part is one code. `first[p]` is the first code of part p, `divisors[p]` is 0 where
    it is one code. `late` are parts that are drawn late when nothing is given: see `drawing_order`.
    """

    parts: tuple[Part, ...]
    shapes: tuple[CodeShape, ...]
    first: tuple[int, ...]
    divisors: tuple[int, ...]
    late: frozenset[int] = frozenset()

    @classmethod
    def of(cls, parts: Sequence[Part], late: Iterable[int] = ()) -> "CodeLayout":
        """The layout for parts whose `parent` counts over the whole table."""
        shapes: list[CodeShape] = []
        first: list[int] = []
        divisors = [_divisor(part.cardinality) for part in parts]
        for part, divisor in zip(parts, divisors, strict=True):
            parent, nested = ROOT, False
            if part.parent is not None:
                parent = first[part.parent] + (divisors[part.parent] > 0)
                nested = part.nested and divisors[part.parent] == 0
            first.append(len(shapes))
            if divisor:
                shapes.append(CodeShape(math.ceil(part.cardinality / divisor), parent, nested))
                shapes.append(CodeShape(divisor, first[-1], True))
            else:
                shapes.append(CodeShape(max(part.cardinality, 1), parent, nested))
        # A network needs something to see; a table of constants gives it a code of one value.
        usable = tuple(shapes) or (CodeShape(1),)
        return cls(tuple(parts), usable, tuple(first), tuple(divisors), frozenset(late))

    def to_network(self, codes: IntArray) -> Tensor:
        """Codes of parts `(rows, parts)` as int32 codes of the network `(rows, codes)`."""
        columns = []
        for part, divisor in enumerate(self.divisors):
            values = codes[:, part]
            if divisor:
                known = values != UNKNOWN
                columns += [np.where(known, values // divisor, UNKNOWN)]
                columns += [np.where(known, values % divisor, UNKNOWN)]
            else:
                columns.append(values)
        table = np.stack(columns, 1) if columns else np.zeros((len(codes), 1))
        return torch.from_numpy(table.astype(np.int32))

    def from_network(self, codes: Tensor) -> IntArray:
        """The inverse of `to_network`."""
        values = np.empty((len(codes), len(self.parts)), dtype=np.int64)
        for part in range(len(self.parts)):
            values[:, part] = self.value(codes, part).numpy()
        return values

    def value(self, codes: Tensor, part: int) -> Tensor:
        """The values `(rows,)` of one part in network codes `(rows, codes)`."""
        code, divisor = self.first[part], self.divisors[part]
        if not divisor:
            return codes[:, code]
        whole = codes[:, code] * divisor + codes[:, code + 1]
        capped = whole.clamp_max(self.parts[part].cardinality - 1)
        return torch.where(codes[:, code] >= 0, capped, UNKNOWN)

    def applies(self, codes: Tensor, part: int) -> Tensor | None:
        """In which rows a part is there, `(rows,)`; None where it always is."""
        parent = self.parts[part].parent
        if parent is None:
            return None
        return self.value(codes, parent) >= self.parts[part].applies_from

    def hidden(self, codes: Tensor) -> Tensor:
        """Where a value is there but not told (protected), `(rows, codes)`, booleans."""
        hidden = codes < 0
        for number, first in enumerate(self.first):
            if (applies := self.applies(codes, number)) is not None:
                # Below a hidden value nobody knows what applies: the parent counts for both.
                hidden[:, first] &= applies
            if self.divisors[number]:
                hidden[:, first + 1] &= codes[:, first] >= 0
        return hidden

    def lines(self) -> list[tuple[int, tuple[int, ...]]]:
        """Each network code whose values are places on a line, and those in their order."""
        return [
            (first, part.line)
            for part, first, divisor in zip(self.parts, self.first, self.divisors, strict=True)
            if len(part.line) > 1 and not divisor
        ]

    def counts(self, codes: Tensor, code: int) -> Tensor:
        """How many training rows have each value of one network code, `(parent's values, values)`.

        A code that is not nested has one row of counts.
        """
        shape = self.shapes[code]
        groups = self.shapes[shape.parent].cardinality if shape.nested else 1
        counts = torch.zeros(groups * shape.cardinality, dtype=torch.long)
        for block in torch.split(codes, COUNTED_ROWS):
            keys = block[:, code].long()
            known = keys >= 0
            if shape.nested:
                keys = keys + block[:, shape.parent].long() * shape.cardinality
            counts += torch.bincount(keys[known], minlength=len(counts))
        return counts.view(groups, shape.cardinality)

    def log_shares(self, codes: Tensor, code: int) -> Tensor:
        """Log shares of the values of one network code in training rows; `(values,)`.

        Those of a nested code are `(parent's values, values)`. UNSEEN where no row has the value.
        """
        counts = self.counts(codes, code).float()
        totals = counts.sum(1, keepdim=True)
        shares = torch.where(counts > 0, (counts / totals.clamp_min(1)).log(), UNSEEN)
        shares = torch.where(totals > 0, shares, -math.log(counts.shape[1]))
        return shares if self.shapes[code].nested else shares.squeeze(0)


def _divisor(cardinality: int) -> int:
    return math.ceil(math.sqrt(cardinality)) if cardinality > LARGEST else 0
