"""A code model that is learned within a budget: codes paid for, then steps of private training."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np
import torch
from torch import Tensor

from data_contracts.contract import Table
from data_contracts.dataset import Dataset
from models.differential_privacy.ledger import Ledger, Statement
from models.differential_privacy.paid_codec import PaidCodec, buy_codec, list_delta
from models.differential_privacy.private_training import (
    PrivateObjective,
    StepPlan,
    train_privately,
)
from models.differential_privacy.relations import Relations
from models.encoding.column import UNKNOWN, IntArray
from models.generators.calibration import calibrate
from models.generators.code_layout import CodeLayout
from models.generators.code_model import CodeModel
from models.generators.dp_marginals import (
    bins_for,
    bounded,
    buy_rows,
    check_delta,
    required_privacy,
    whose,
)
from models.generators.orders import Codes
from models.generators.packing import HIDDEN, PackedRows, unpacked
from models.generators.sizes import Sizes
from models.nets.plain_network import PlainCodeNetwork
from models.nets.smoothing import LineSmoothing
from models.training.loop import train
from models.training.plan import Objective, TrainingPlan

WIDTH, BLOCKS = 64, 1
"""Noise grows with the number of weights: a network far smaller than one without a budget."""
STEPS = 300
LARGEST_RATE = 0.1
"""Chance of a row to be in a step: the larger, the less the noise of a step counts."""
LARGEST_BATCH = 4096
LEARNING_RATE = 3e-3
RELATIONS_SHARE = 0.5
"""Of what the codes have left of the budget, for noisy counts of pairs: of columns that say the
same, hundreds of noisy steps teach the common values alone."""
START_STEPS, START_ROWS, START_RATE = 600, 512, 4e-3
"""Steps on made-up rows with these relations, before those on the table's own."""
BOUGHT, STARTED = 0.2, 0.3
"""How far a fit is said to be when relations are bought, and when the first steps are done."""
SMOOTHING = 1.0
"""How strongly the heads of neighbouring places on a line are drawn to each other."""
MOST_UNITS, MOST_LOGITS = 1024, 2**22
"""Units that are worked on together, and the logits of their rows; 16 MiB for each of a few."""
MOST_PRETENDED = 100_000
"""Rows that stand for noisy counts at most."""


def private_sizes(rows: float) -> Sizes:
    """Sizes for about so many rows, a number that was paid for; nothing else is looked at."""
    batch = min(max(round(rows * LARGEST_RATE), 1), LARGEST_BATCH)
    return Sizes(
        width=WIDTH,
        blocks=BLOCKS,
        epochs=max(1, round(STEPS * batch / max(rows, 1.0))),
        batch_rows=batch,
        learning_rate=LEARNING_RATE,
        dropout=0.0,
    )


@dataclass
class PrivateRows:
    """Rows that a code model is to be learned from, and what may still be looked at in them.

    `codes` `(rows, parts)` are looked at by `train` alone; `about` is their noisy number.
    """

    table: Table
    codes: IntArray
    units: IntArray | None
    ledger: Ledger
    bought: PaidCodec
    about: float

    @classmethod
    def of(cls, data: Dataset, name: str) -> Self:
        """The rows of `data`, at most so many of each unit, and their codes, which are paid for.

        `name` is the generator's. ModelError without `privacy` in the contract, or where delta is
        not below 1 / units.
        """
        (table,) = data.contract.tables
        privacy = required_privacy(data.contract, name)
        frame = bounded(data.frame, table, privacy)
        ledger = Ledger(
            privacy.epsilon,
            privacy.delta,
            sensitivity=privacy.rows_per_unit or 1,
            list_delta=list_delta(table, privacy),
        )
        about = buy_rows(len(frame), ledger)
        check_delta(privacy, about)
        bought = buy_codec(frame, table, privacy, bins_for(about, ledger), ledger)
        return cls(table, bought.codec.encode(frame), whose(table, frame), ledger, bought, about)

    def train(self, model: CodeModel, told: Callable[[float], None]) -> Statement:
        """Learns what the budget that is left allows; returns what was spent on what.

        Half of it buys noisy counts of pairs. The model first learns made-up rows that have them,
        which costs nothing more, and is calibrated by them in the end; in between, steps of private
        training, as many as the model's sizes say.
        """
        if not self.codes.shape[1]:
            told(1.0)
            return self.ledger.state(self.table.unit or "row")
        pretended = self._pretended(model.layout, lambda done: told(BOUGHT * done))
        _start(model, pretended)
        told(STARTED)
        plan = self._plan(model)
        plain = PlainCodeNetwork(model.network)
        packed = model.layout.to_network(self.codes)
        rows = packed.masked_fill(model.layout.hidden(packed), HIDDEN)
        places = _places(self.units, len(rows), self.ledger.sensitivity)

        def losses(at: Tensor, random: torch.Generator) -> Tensor:
            return _losses(model, plain, _rows_of(rows, places[at]), random)

        objective = PrivateObjective(
            losses,
            len(places),
            _smoothed(model),
            lambda done: told(STARTED + (1 - STARTED) * done),
        )
        train_privately(plain, objective, plan)
        plain.give_back()
        model.network.eval()
        random = torch.Generator().manual_seed(0)
        most = model.calibrated_rows(len(pretended.codes))
        model.shifts = calibrate(
            model.network, model.layout, pretended.codes, random, most_rows=most
        )
        return self.ledger.state(self.table.unit or "row")

    def _plan(self, model: CodeModel) -> StepPlan:
        sizes, values = model.sizes, sum(shape.cardinality for shape in model.layout.shapes)
        rate = min(1.0, sizes.batch_rows / self.about)
        steps = max(1, math.ceil(sizes.epochs / rate))
        return StepPlan(
            steps=steps,
            rate=rate,
            noise=self.ledger.buy_steps("steps of training", steps, rate),
            learning_rate=sizes.learning_rate,
            units=self.about / self.ledger.sensitivity,
            block=max(1, min(MOST_UNITS, MOST_LOGITS // (values * self.ledger.sensitivity))),
            doubles=self.ledger.sensitivity > 1,
        )

    def _pretended(self, layout: CodeLayout, told: Callable[[float], None]) -> PackedRows:
        """Made-up rows: what noisy counts say of the codes and of their relations, and no more."""
        target = None if self.table.target is None else self.table.target.name
        purse = (self.ledger, RELATIONS_SHARE)
        relations = Relations.buy(self.bought, self.codes, target, purse, told)
        codes = relations.draw(int(np.clip(round(self.about), 1, MOST_PRETENDED)))
        return PackedRows(layout.to_network(codes), torch.empty(0, dtype=torch.long))


def _start(model: CodeModel, rows: PackedRows) -> None:
    """Learns rows that are nobody's, by chance that anybody may know."""
    model.start_at_marginals(rows)
    size = len(rows.codes)
    batch = min(START_ROWS, size)
    plan = TrainingPlan(
        epochs=max(1, START_STEPS // math.ceil(size / batch)),
        batch_rows=batch,
        learning_rate=START_RATE,
    )
    objective = Objective(
        step=lambda batch, random: model.loss(*unpacked(rows.codes[batch]), random), rows=size
    )
    train(model.network, objective, plan, seed=0)


def _smoothed(model: CodeModel) -> Callable[[float], None]:
    """Draws the heads of neighbouring places on a line to each other, whoever has many rows.

    Noise is the same on all of them: what neighbours have in common stands out of it.
    """
    starts, lines = model.network.heads.starts, model.layout.lines()
    pairs = [
        (starts[code] + one, starts[code] + following)
        for code, line in lines
        for one, following in pairwise(line)
    ]
    smoothing = LineSmoothing(pairs, [SMOOTHING] * len(pairs))
    return lambda learning_rate: smoothing(model.network.heads.weight, learning_rate)


def _losses(
    model: CodeModel, plain: PlainCodeNetwork, rows: Tensor, random: torch.Generator
) -> Tensor:
    """The loss of each unit of packed rows `(units, rows, codes)`, each row in an order of its own.

    A row that is not there has no codes, and so no loss.
    """
    codes, hidden = unpacked(rows.flatten(0, 1))
    task = model.orders.draw(Codes(codes >= 0, hidden), random, alone=True)
    observed = torch.where(task.observed, codes, UNKNOWN)
    sides = (observed, codes, task.wanted.float())
    result: Tensor = plain(*(side.view(rows.shape) for side in sides))
    return result


def _places(units: IntArray | None, rows: int, most: int) -> Tensor:
    """The rows of each unit `(units, rows of one)`, -1 where it has no more."""
    if units is None:
        return torch.arange(rows)[:, None]
    order = np.argsort(units, kind="stable")
    _, first, counts = np.unique(units[order], return_index=True, return_counts=True)
    places = np.full((len(first), most), -1, dtype=np.int64)
    for number in range(most):
        there = counts > number
        places[there, number] = order[first[there] + number]
    return torch.from_numpy(places)


def _rows_of(rows: Tensor, places: Tensor) -> Tensor:
    """Packed rows at these places, `(units, rows, codes)`; none where a place is negative."""
    found = rows[places.clamp_min(0)]
    return torch.where(places[..., None] >= 0, found, UNKNOWN)
