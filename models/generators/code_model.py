"""The any-order model of rows of codes: fitted on an int array, completes int arrays."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from models.encoding.column import FloatArray, IntArray, Part
from models.generators.calibration import calibrate
from models.generators.code_layout import CodeLayout
from models.generators.density import log_probabilities
from models.generators.drawing import CodeDrawing, Shifts, drawing_order
from models.generators.guide import Guide
from models.generators.likeness import compared_rows, rows_of_own
from models.generators.orders import Codes, Orders
from models.generators.packing import PackedRows, unpacked
from models.generators.sizes import Sizes
from models.nets.code_network import CodeNetwork
from models.nets.smoothing import LineSmoothing
from models.nets.weights import take_over, weights_of
from models.training.chance import global_chance
from models.training.loop import train
from models.training.plan import (
    ALONE,
    Company,
    Objective,
    TrainingPlan,
    TrainingRecord,
    Watched,
)

SHIFT = "shift."
"""What the names of the stored shifts start with."""
CALIBRATED_ROWS = 20_000
FEWEST_CALIBRATED, MOST_CALIBRATED = 200, 60_000
"""Rows that are drawn to match marginals: as a rule, where time is short, and of long tables."""
CALIBRATED_PART = 10
"""One of so many rows is enough: what long tables show of their marginals is exact to less."""
CALIBRATED_CODES = 2_000_000
"""Rows times codes that are drawn for it at most: each code is a pass of the network."""
CALIBRATION_SHARE = 0.15
"""The share of a limited time that is kept for it."""

Arrays = dict[str, npt.NDArray[Any]]


@dataclass
class CodeModel:
    """All conditional distributions of the codes of a row, in one network.

    Codes are int64 `(rows, parts)`, UNKNOWN where not known or not applicable.
    """

    layout: CodeLayout
    network: CodeNetwork
    sizes: Sizes

    def __post_init__(self) -> None:
        order = drawing_order(self.layout)
        usual, given = torch.zeros(2, len(self.layout.shapes))
        for place, (code, part) in enumerate(order):
            usual[code] = place
            given[code] = place - len(order) * (part in self.layout.late)
        self.orders = Orders(self.layout.shapes, usual, given)
        self.shifts: Shifts = {}

    @classmethod
    def untrained(
        cls, parts: Sequence[Part], sizes: Sizes, *, seed: int = 0, late: Iterable[int] = ()
    ) -> Self:
        """A model with random weights that draws `late` parts after the cells of all others.

        Torch's global random state is left as it was.
        """
        layout = CodeLayout.of(parts, late)
        with global_chance(seed):
            network = CodeNetwork(
                layout.shapes,
                width=sizes.width,
                blocks=sizes.blocks,
                hidden=sizes.width,
                dropout=sizes.dropout,
            )
            for code, line in layout.lines():
                network.start_on_line(code, line)
        return cls(layout, network.eval(), sizes)

    def fit(
        self,
        rows: PackedRows,
        *,
        seed: int,
        max_seconds: float | None = None,
        spent: float = 0.0,
        company: Company = ALONE,
    ) -> TrainingRecord:
        """Learns the conditional distributions of the rows, then matches their marginal ones.

        Both together take no more than what is left of `max_seconds`, of which `spent` are gone.
        """
        started = time.monotonic()
        regularize, places = self.smoothed_by(rows.codes), self._places(rows.codes)
        plan = TrainingPlan(
            epochs=self.sizes.epochs,
            batch_rows=self.sizes.batch_rows,
            learning_rate=self.sizes.learning_rate,
            max_seconds=max_seconds and max_seconds * (1 - CALIBRATION_SHARE),
            spent=spent + time.monotonic() - started,
        )
        objective = Objective(
            step=lambda batch, random: self.loss(*unpacked(rows.codes[batch]), random),
            rows=len(rows.codes),
            watched=self._watched(rows),
            regularize=regularize,
        )
        with self.network.heads.waving(places):
            record = train(self.network, objective, plan, seed=seed, company=company)
        random = torch.Generator().manual_seed(seed)
        most = self._affordable(self.calibrated_rows(len(rows.codes)), record, max_seconds)
        self.shifts = calibrate(self.network, self.layout, rows.codes, random, most_rows=most)
        return record

    def start_at_marginals(self, rows: PackedRows) -> None:
        """Sets the biases of an untrained model to the marginal distributions of the rows."""
        for code in range(len(self.layout.shapes)):
            self.network.heads.biases(code).copy_(self.layout.log_shares(rows.codes, code))

    def calibrated_rows(self, rows: int) -> int:
        """How many are drawn to match marginals of `rows` as a rule: fewer of wide tables."""
        affordable = CALIBRATED_CODES // len(self.layout.shapes)
        wanted = min(max(CALIBRATED_ROWS, rows // CALIBRATED_PART), MOST_CALIBRATED)
        return min(wanted, max(affordable, FEWEST_CALIBRATED))

    def _affordable(self, most: int, record: TrainingRecord, max_seconds: float | None) -> int:
        """How many rows calibration can draw in its time: a third of a step for each code.

        Where the planned training did not have to be cut, all the time that it left is there.
        """
        if max_seconds is None:
            return most
        step = record.step_seconds or record.seconds / record.steps
        seconds = step / self.sizes.batch_rows * len(self.layout.shapes) / 3
        rows = int((max_seconds - record.seconds) / max(seconds, 1e-9))
        return min(max(rows, FEWEST_CALIBRATED), most)

    def _watched(self, rows: PackedRows) -> Watched | None:
        """Judges the watched rows by the mean of minus the log probabilities, as in `loss`.

        Each row in two orders, the same ones each time.
        """
        if not len(rows.watched):
            return None
        codes, hidden = unpacked(rows.codes[rows.watched.repeat(2)])
        task = self.orders.draw(Codes(codes >= 0, hidden), torch.Generator().manual_seed(0))
        observed = torch.where(task.observed, codes, -1)
        weights = task.wanted * (len(codes) / task.wanted.sum().clamp_min(1))

        def judge() -> Tensor:
            return -(self.network.log_probabilities(observed, codes) * weights).sum(1)

        return Watched(rows.watched, judge)

    def loss(self, codes: Tensor, hidden: Tensor, random: torch.Generator) -> Tensor:
        """The mean of minus the log probabilities of network codes `(rows, codes)`, in nats.

        Each row is judged in one order, cut at one random place (see `Orders`).
        """
        task = self.orders.draw(Codes(codes >= 0, hidden), random)
        weights = task.wanted / task.wanted.sum().clamp_min(1)
        return self.network.loss(torch.where(task.observed, codes, -1), codes, weights)

    def complete(
        self, codes: IntArray, random: np.random.Generator, *, temperature: float = 1.0
    ) -> IntArray:
        """The codes with every unknown one that applies drawn, given the known ones."""
        torch_random = torch.Generator().manual_seed(int(random.integers(2**63)))
        drawing = self._drawing(temperature)
        drawn = drawing.complete(self.layout.to_network(codes), torch_random)
        return self.layout.from_network(drawn)

    def complete_guided(
        self,
        codes: IntArray,
        random: np.random.Generator,
        guide: Guide,
        *,
        temperature: float = 1.0,
    ) -> IntArray:
        """As `complete`, keeping to the guide."""
        torch_random = torch.Generator().manual_seed(int(random.integers(2**63)))
        drawing = self._drawing(temperature)
        drawn = drawing.complete_guided(self.layout.to_network(codes), torch_random, guide)
        return self.layout.from_network(drawn)

    def _drawing(self, temperature: float) -> CodeDrawing:
        return CodeDrawing(self.network, self.layout, shifts=self.shifts, temperature=temperature)

    def log_probabilities(self, codes: IntArray, parts: Sequence[int]) -> FloatArray:
        """The log probability of these parts of rows of codes, `(rows,)`, in nats."""
        return log_probabilities(self.network, self.layout, self.layout.to_network(codes), parts)

    def _places(self, codes: Tensor) -> dict[int, Tensor]:
        """Where each value of a code on a line lies among the rows `(rows, codes)`, in 0..1.

        Cells inside a bin are left out: what few rows say of them is learned by heart.
        """
        places = {}
        for code, line in self.layout.lines():
            if self.layout.shapes[code].nested:
                continue
            on_line = torch.tensor(line)
            counts = self.layout.counts(codes, code)[0].double()
            shares = counts[on_line] / counts[on_line].sum().clamp_min(1)
            places[code] = torch.full_like(counts, torch.nan)
            places[code][on_line] = shares.cumsum(0) - shares / 2
        return places

    def smoothed_by(self, codes: Tensor) -> Callable[[float], None]:
        """Smoothing of the heads along the lines of the codes, by the rows `(rows, codes)` of each.

        A value that few rows have says little by itself, and a network learns those rows by heart:
        as many rows as `rows_of_own` says weigh as much as what its neighbours have learned. The
        cells inside a bin share their head with those of all other bins, so that the rows of one
        bin count.
        """
        pairs, strengths, compared = [], [], compared_rows(codes)
        for code, line in self.layout.lines():
            start = self.network.heads.starts[code]
            counts = self.layout.counts(codes, code)
            bins = int((counts.sum(1) > 0).sum())
            rows = (counts.sum(0) / max(bins, 1)).clamp_min(1).tolist()
            wanted = rows_of_own(self.layout, compared, code, line)
            for (one, following), own in zip(pairwise(line), wanted, strict=True):
                pairs.append((start + one, start + following))
                strengths.append(own / max(rows[one], rows[following]))
        smoothing = LineSmoothing(pairs, strengths)
        return lambda learning_rate: smoothing(self.network.heads.weight, learning_rate)

    def arrays(self) -> Arrays:
        """The weights by name."""
        shifts = {f"{SHIFT}{code}": shift.numpy() for code, shift in self.shifts.items()}
        return weights_of(self.network) | shifts

    def restore(self, arrays: Arrays) -> Self:
        """Takes over stored weights."""
        weights = dict(arrays)
        self.shifts = {
            int(name.removeprefix(SHIFT)): torch.tensor(weights.pop(name))
            for name in arrays
            if name.startswith(SHIFT)
        }
        take_over(self.network, weights)
        return self
