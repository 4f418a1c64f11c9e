"""The one training loop: whatever is fitted by gradients is fitted here."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from pydantic import Field
from torch import Tensor, nn

from data_contracts.errors import ModelError
from data_contracts.record import Record
from models.base import ProgressCallback
from models.training.average import WeightAverage
from models.training.schedule import one_cycle

Step = Callable[[Tensor, torch.Generator], Tensor]
"""The loss of the rows with these positions `(batch,)`; all its chance from the generator."""

Validate = Callable[[], float]


class TrainingPlan(Record):
    """How long and how fast to train. One epoch is one pass over all rows."""

    epochs: int = Field(gt=0)
    batch_rows: int = Field(gt=0)
    learning_rate: float = Field(gt=0, description="The highest of the one-cycle schedule.")
    weight_decay: float = Field(default=0.01, ge=0)
    clip_norm: float = Field(default=1.0, gt=0)
    average_decay: float = Field(default=0.999, ge=0, lt=1)
    patience: int | None = Field(
        default=None, gt=0, description="Validations without a better one before it ends early."
    )
    validate_every: int = Field(default=1, gt=0, description="Epochs between validations.")
    max_seconds: float | None = Field(
        default=None,
        gt=0,
        description="The schedule is squeezed into this time; then runs no longer repeat exactly.",
    )


@dataclass
class TrainingRecord:
    """What happened: mean training loss of each epoch, and validation losses by epoch."""

    losses: list[float] = field(default_factory=list)
    validations: dict[int, float] = field(default_factory=dict)
    best_epoch: int = 0
    steps: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class Objective:
    """What is minimised: the loss of some of the rows 0..rows-1, and how the weights are judged.

    `validate` gives a loss on rows that are not trained on, in evaluation mode. `regularize` is
    called after each step with its learning rate, to change weights apart from the gradient.
    """

    step: Step
    rows: int
    validate: Validate | None = None
    regularize: Callable[[float], None] | None = None


def train(
    network: nn.Module,
    objective: Objective,
    plan: TrainingPlan,
    *,
    seed: int,
    progress: ProgressCallback | None = None,
) -> TrainingRecord:
    """Trains `network` in place and leaves the averaged weights in it, in evaluation mode.

    AdamW, one-cycle learning rate, clipped gradients, moving average of the weights. Where the
    objective validates, the averaged weights of the best validation are kept, and
    `plan.patience` ends the run early. Same seed, same weights on the same machine with the same
    number of threads; torch's global random state is left as it was. Raises ModelError when the
    loss is no longer a number.
    """
    with torch.random.fork_rng(devices=[]), quick_products():
        torch.manual_seed(seed)
        run = _Run(network, objective, plan, torch.Generator().manual_seed(seed))
        return run.finish(progress)


@contextmanager
def quick_products() -> Iterator[None]:
    """Matrix products of float32 in the processor's bfloat16 units, where it has some.

    Factors are rounded to 8 bits of mantissa, sums stay float32: noise far below that of a
    gradient, at a third of the time. Elsewhere nothing changes.
    """
    settings = torch.backends.mkldnn.matmul  # type: ignore[attr-defined]
    before = settings.fp32_precision
    settings.fp32_precision = "bf16"
    try:
        yield
    finally:
        settings.fp32_precision = before


class _Run:
    """One training run and what it has to remember."""

    def __init__(
        self,
        network: nn.Module,
        objective: Objective,
        plan: TrainingPlan,
        random: torch.Generator,
    ) -> None:
        self.network, self.objective, self.plan, self.random = network, objective, plan, random
        self.weights = [weight for weight in network.parameters() if weight.requires_grad]
        self.optimizer = torch.optim.AdamW(
            self.weights,
            lr=plan.learning_rate,
            betas=(0.9, 0.98),
            weight_decay=plan.weight_decay,
            fused=True,
        )
        self.average = WeightAverage(network, plan.average_decay)
        self.record = TrainingRecord()
        self.best: list[Tensor] | None = None
        self.started = time.monotonic()
        self.steps_planned = plan.epochs * math.ceil(objective.rows / plan.batch_rows)

    def finish(self, progress: ProgressCallback | None) -> TrainingRecord:
        for epoch in range(1, self.plan.epochs + 1):
            self.record.losses.append(self._epoch())
            worse_for = self._validate(epoch)
            done = self._done()
            if progress is not None:
                progress(done, self._figures(epoch))
            if done >= 1 or (self.plan.patience and worse_for >= self.plan.patience):
                break
        self.average.swap()
        self._restore_best()
        self.network.eval()
        self.record.seconds = time.monotonic() - self.started
        return self.record

    def _epoch(self) -> float:
        self.network.train()
        total, rows = torch.zeros(()), 0
        order = torch.randperm(self.objective.rows, generator=self.random)
        for batch in torch.split(order, self.plan.batch_rows):
            total += self._step(batch) * len(batch)
            rows += len(batch)
            if self._done() >= 1:
                break
        mean = float(total) / rows
        if not math.isfinite(mean):
            raise ModelError(
                f"training: the loss is {mean} after {self.record.steps} steps. Lower "
                f"`learning_rate` (now {self.plan.learning_rate:g})."
            )
        return mean

    def _step(self, batch: Tensor) -> Tensor:
        learning_rate = self.plan.learning_rate * one_cycle(self._done())
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        loss = self.objective.step(batch, self.random)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.weights, self.plan.clip_norm)
        self.optimizer.step()
        if self.objective.regularize is not None:
            self.objective.regularize(learning_rate)
        self.average.update()
        self.record.steps += 1
        return loss.detach()

    def _done(self) -> float:
        """The share of the run that is behind us: of its steps, or of its time if that is more."""
        done = self.record.steps / self.steps_planned
        if self.plan.max_seconds is None:
            return done
        return max(done, (time.monotonic() - self.started) / self.plan.max_seconds)

    def _validate(self, epoch: int) -> int:
        """Judges the averaged weights; returns for how many validations none has been better."""
        judge = self.objective.validate
        if judge is None or epoch % self.plan.validate_every:
            return 0
        self.network.eval()
        self.average.swap()
        with torch.no_grad():
            self.record.validations[epoch] = loss = judge()
        self.average.swap()
        if loss <= min(self.record.validations.values()):
            self.record.best_epoch = epoch
            self.best = [weight.clone() for weight in self.average.kept]
        return (epoch - self.record.best_epoch) // self.plan.validate_every

    def _restore_best(self) -> None:
        if self.best is None:
            return
        with torch.no_grad():
            for weight, best in zip(self.weights, self.best, strict=True):
                weight.copy_(best)

    def _figures(self, epoch: int) -> dict[str, float]:
        figures = {"epoch": float(epoch), "loss": self.record.losses[-1]}
        if self.record.validations:
            figures["validation_loss"] = list(self.record.validations.values())[-1]
        return figures
