"""Orders of the codes of a row for training: which are observed, which are to be predicted."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from models.nets.code_heads import ROOT, CodeShape

USUAL_SHARE = 0.6
"""Share of rows that are trained in the order in which rows are drawn."""
GIVEN_SHARE = 0.25
"""Share of these whose late codes come first, as where rows of a class are asked for."""
LAST_SHARE = 0.4
"""Share of these that are cut where the late codes begin: what others will predict from the rest is
asked for as often as it is drawn."""
LAST_SHARE_ALONE = 0.1
"""The same where each row is drawn alone, under a budget: there noise keeps the late codes from
being learned by heart, and all other codes need the steps."""


class Codes(NamedTuple):
    """What is known of rows, `(rows, codes)` booleans.

    `known`: the code has a value. `hidden`: it has one that is not told. Neither: a detail that
    does not apply below what it refines.
    """

    known: Tensor
    hidden: Tensor


class Task(NamedTuple):
    """A training task for each row: what is observed, and which codes' losses count.

    Both `(rows, codes)`, booleans.
    """

    observed: Tensor
    wanted: Tensor


class Orders:
    """Draws orders of the codes of rows, and cuts them at random places.

    `usual` is the place of each code `(codes,)` when rows are drawn from nothing, `given` the same
    when they are drawn from the late codes, which come first in it; without, there are none.
    """

    def __init__(
        self, shapes: Sequence[CodeShape], usual: Tensor, given: Tensor | None = None
    ) -> None:
        self.usual = usual.float()
        self.given = self.usual if given is None else given.float()
        late = self.usual[self.given < self.usual]
        self.before_late = int(late.min()) if len(late) else None
        parents = [shape.parent for shape in shapes]
        details = [code for code, above in enumerate(parents) if above != ROOT]
        self.details = torch.tensor(details, dtype=torch.long)
        self.refined = torch.tensor([parents[code] for code in details], dtype=torch.long)
        self.levels = _levels(parents)

    def draw(self, codes: Codes, random: torch.Generator, *, alone: bool = False) -> Task:
        """A training task for each row.

        Where each row is to be drawn `alone`, as under a budget, its cut hangs on no other row;
        elsewhere the cuts of rows that are drawn together are spread evenly, which is less noise
        for a mean.

        A share of the rows, USUAL_SHARE, takes the usual order. Errors of the first codes drawn
        are passed on to all later ones, so what sampling meets most is trained most; and a target,
        which is drawn late, is what is given most. All other rows take a random order, so that
        any codes can be given: a code is available once the code that it refines is observed, and
        of the available ones each is equally likely to be next (drawn as a race in which a code's
        exponential clock starts when it becomes available).
        Every row is cut after 0..codes-1 codes, all equally likely; only LAST_SHARE (or
        LAST_SHARE_ALONE) of the rows in the usual order are cut just before the late codes. Every
        available code is to be predicted (Uria et al. 2014; Hoogeboom et al. 2022, order-agnostic
        autoregression).

        Which rows stand for a set of observed codes must not hang on the codes that are not in
        it, or the model learns the wrong distribution. So codes that don't apply have their places
        like all others, although nothing is seen in them, and a row whose hidden codes would come
        before the cut is not asked for anything.
        """
        rows, size = codes.known.shape
        clocks = self._arrivals(codes.known, random)
        lots = torch.rand(rows, 1, generator=random)
        clocks = torch.where(lots < USUAL_SHARE, self.usual, clocks)
        clocks = torch.where(lots < GIVEN_SHARE * USUAL_SHARE, self.given, clocks)
        places = torch.rand(rows, generator=random) if alone else _stratified(rows, random)
        cuts = (places * size).long().clamp_max(size - 1)
        if self.before_late is not None:
            share = LAST_SHARE_ALONE if alone else LAST_SHARE
            last = (lots < USUAL_SHARE) & (lots >= (1 - share) * USUAL_SHARE)
            cuts = torch.where(last.squeeze(1), self.before_late, cuts)
        before = clocks < clocks.sort(1).values.gather(1, cuts.unsqueeze(1))
        observed = codes.known & before
        wanted = codes.known & ~before & ~(codes.hidden & before).any(1, keepdim=True)
        wanted[:, self.details] &= observed[:, self.refined]
        return Task(observed, wanted)

    def _arrivals(self, known: Tensor, random: torch.Generator) -> Tensor:
        """When each code comes in a random order, `(rows, codes)`."""
        clocks = torch.empty(known.shape).exponential_(generator=random)
        for details, refined in self.levels:
            clocks[:, details] += clocks[:, refined]
        return clocks


def _levels(parents: Sequence[int]) -> list[tuple[Tensor, Tensor]]:
    """Codes and their parents, level after level below the roots."""
    levels: list[tuple[Tensor, Tensor]] = []
    above = [code for code, parent in enumerate(parents) if parent == ROOT]
    while level := [code for code, parent in enumerate(parents) if parent in above]:
        levels.append((torch.tensor(level), torch.tensor([parents[code] for code in level])))
        above = level
    return levels


def _stratified(rows: int, random: torch.Generator) -> Tensor:
    """Uniform numbers in [0, 1), one in each of `rows` equal strata, shuffled."""
    strata = torch.randperm(rows, generator=random)
    return (strata + torch.rand(rows, generator=random)) / rows
