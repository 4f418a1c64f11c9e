"""Random orders of the codes of a row: which are observed, which are to be predicted."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from models.nets.code_network import ROOT, CodeShape


class Task(NamedTuple):
    """A training task for each row: what is observed, and how the next codes' losses weigh.

    Both `(rows, codes)`: booleans and floats.
    """

    observed: Tensor
    weights: Tensor


def draw_tasks(known: Tensor, shapes: Sequence[CodeShape], random: torch.Generator) -> Task:
    """Cuts a random order of each row's known codes at a random place.

    A code is available once the code that it refines is observed, and at each step every
    available code is equally likely to be next: drawn as a race in which a code's exponential
    clock starts when it becomes available. A row with k known codes is cut after 0..k-1 of them,
    all equally likely, and each available code weighs k / (number available), so that
    the weighted sum of the losses is an unbiased estimate of minus the log likelihood of
    the row, averaged over orders (Uria et al. 2014; Hoogeboom et al. 2022, order-agnostic
    autoregressive models). Unknown codes are neither observed nor predicted.
    """
    clocks = _arrivals(known, shapes, random)
    counts = known.sum(1)
    places = _stratified(len(known), random)
    cuts = (places * counts).long().clamp_max(counts - 1)
    observed = known & (clocks.argsort(1).argsort(1) < cuts.unsqueeze(1))
    available = known & ~observed
    for code, shape in enumerate(shapes):
        if shape.parent != ROOT:
            available[:, code] &= observed[:, shape.parent]
    weights = available * (counts / available.sum(1).clamp_min(1)).unsqueeze(1)
    return Task(observed, weights)


def _arrivals(known: Tensor, shapes: Sequence[CodeShape], random: torch.Generator) -> Tensor:
    """When each code comes, `(rows, codes)`; unknown ones never do."""
    clocks = torch.empty(known.shape).exponential_(generator=random)
    for code, shape in enumerate(shapes):
        if shape.parent != ROOT:
            clocks[:, code] += clocks[:, shape.parent]
    return clocks.masked_fill_(~known, torch.inf)


def _stratified(rows: int, random: torch.Generator) -> Tensor:
    """Uniform numbers in [0, 1), one in each of `rows` equal strata, shuffled."""
    strata = torch.randperm(rows, generator=random)
    return (strata + torch.rand(rows, generator=random)) / rows
