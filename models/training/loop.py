"""The one training loop: whatever is fitted by gradients is fitted here."""

import math
import time

import torch
from torch import Tensor, nn

from data_contracts.errors import ModelError
from models.base import Checkpoints, ProgressCallback
from models.training.average import WeightAverage
from models.training.chance import global_chance
from models.training.checkpoint import (
    Checkpoint,
    below,
    mark_of,
    optimizer_tensors,
    restore_optimizer,
)
from models.training.clock import Clock
from models.training.passes import Passes
from models.training.plan import ALONE, Company, Objective, TrainingPlan, TrainingRecord
from models.training.precision import quick_products
from models.training.schedule import one_cycle

SEARCHED = 0.7
"""The share of a run after which the watched rows are trained on like all others."""
VALIDATIONS = 30
"""How often the watched rows would be judged in a whole run."""
EARLIEST = 1 / 3
"""The share of a run before which it never closes: high learning rates make losses waver."""
CLOSING = 0.3
"""A run that ends early takes this share of the steps to its best weights for its quiet end."""
REPORTS = 100
"""How often a run tells how far it is."""
CHECKPOINT_SECONDS = 30.0
"""Least time between two checkpoints: shorter runs write none."""


def train(
    network: nn.Module,
    objective: Objective,
    plan: TrainingPlan,
    *,
    seed: int,
    company: Company = ALONE,
) -> TrainingRecord:
    """Trains `network` in place and leaves the averaged weights in it, in evaluation mode.

    AdamW, one-cycle learning rate, clipped gradients, moving average of the weights. Watched rows
    are left out at first. When `plan.patience` judgements in a row are worse than the best one by
    more than chance, the run goes back to its best averaged weights and closes: what is left of
    the schedule is gone through quickly, on all rows. Otherwise it closes as planned, on all rows
    too.

    A run that finds a checkpoint of its own goes on from there, to the same weights. Same seed,
    same weights on the same machine with the same number of threads; torch's global random state
    is left as it was. Raises ModelError when the loss is no longer a number.
    """
    with global_chance(seed), quick_products():
        return _Run(network, objective, plan, seed).finish(company)


TELLING = 0.01
"""Share by which the loss of unseen rows must grow before a run closes early."""


class _Run:
    """One training run and what it has to remember."""

    def __init__(
        self, network: nn.Module, objective: Objective, plan: TrainingPlan, seed: int
    ) -> None:
        self.network, self.objective, self.plan, self.seed = network, objective, plan, seed
        # First: a process's first optimizer takes torch seconds to import, out of a limited time.
        steps = plan.epochs * math.ceil(objective.rows / plan.batch_rows)
        self.clock = Clock(steps, plan.max_seconds, plan.spent)
        self.start = mark_of(network)
        self.random = torch.Generator().manual_seed(seed)
        self.weights = [weight for weight in network.parameters() if weight.requires_grad]
        self.optimizer = torch.optim.AdamW(
            self.weights,
            lr=plan.learning_rate,
            betas=(plan.momentum, 0.98),
            weight_decay=plan.weight_decay,
            fused=True,
        )
        self.average = WeightAverage(network, plan.average_decay)
        self.record = TrainingRecord()
        self.best: list[Tensor] = []
        self.judged, self.waited = torch.zeros(0), 0
        self.closing = objective.watched is None
        watched = torch.zeros(0) if objective.watched is None else objective.watched.rows
        self.passes = Passes(objective.rows, plan.batch_rows, self.random, watched.long())
        self.loss_sum, self.loss_rows = torch.zeros(()), 0

    def finish(self, company: Company) -> TrainingRecord:
        self._resume(company.checkpoints)
        written = time.monotonic()
        self.network.train()
        while self.clock.done < 1:
            before = self.clock.done
            self._step(self.passes.next_batch())
            self.clock.tick()
            if not self.closing and _passed(before, self.clock.done, VALIDATIONS):
                self._validate()
            if _passed(before, self.clock.done, REPORTS):
                self._report(company.progress)
            keeper, now = company.checkpoints, time.monotonic()
            if keeper is not None and now - written >= CHECKPOINT_SECONDS and self.clock.done < 1:
                self._check(float(self.loss_sum))
                keeper.write(self._checkpoint().to_bytes())
                written = now
        self.average.swap()
        self.network.eval()
        self.record.seconds, self.record.step_seconds = self.clock.seconds, self.clock.step_seconds
        return self.record

    def _step(self, batch: Tensor) -> None:
        learning_rate = self.plan.learning_rate * one_cycle(self.clock.done)
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
        self.loss_sum += loss.detach() * len(batch)
        self.loss_rows += len(batch)

    def _validate(self) -> None:
        """Judges the averaged weights, and closes the run when that is due."""
        assert self.objective.watched is not None
        self.network.eval()
        self.average.swap()
        with torch.no_grad():
            judged = self.objective.watched.judge()
        self.average.swap()
        self.network.train()
        found, loss = self.record.validations, float(judged.mean())
        if loss <= min(found.values(), default=math.inf):
            self.record.best_step, self.judged, self.waited = self.record.steps, judged, 0
            self.best = [weight.clone() for weight in self.average.kept]
        else:
            self.waited = self.waited + 1 if _is_worse(judged, self.judged) else 0
        found[self.record.steps] = loss
        if self.waited >= self.plan.patience and self.clock.done >= EARLIEST:
            self._go_back()
        if self.record.closed_early or self.clock.done >= SEARCHED:
            self.closing, self.best = True, []
            self.passes.release()

    @torch.no_grad()
    def _go_back(self) -> None:
        """Takes up the best weights again; what is left of the schedule becomes short."""
        for weight, kept, best in zip(self.weights, self.average.kept, self.best, strict=True):
            weight.copy_(best)
            kept.copy_(best)
        self.record.closed_early = True
        self.clock.end_in(round(CLOSING * self.record.best_step))

    def _report(self, progress: ProgressCallback | None) -> None:
        mean = float(self.loss_sum) / self.loss_rows
        self._check(mean)
        self.record.losses.append(mean)
        self.loss_sum, self.loss_rows = torch.zeros(()), 0
        if progress is None:
            return
        epoch = self.record.steps * self.plan.batch_rows / self.objective.rows
        figures = {"epoch": epoch, "loss": mean}
        if self.record.validations:
            figures["validation_loss"] = list(self.record.validations.values())[-1]
        progress(self.clock.done, figures)

    def _check(self, loss: float) -> None:
        if not math.isfinite(loss):
            raise ModelError(
                f"training: the loss is {loss} after {self.record.steps} steps. Lower "
                f"`learning_rate` (now {self.plan.learning_rate:g})."
            )

    def _identity(self) -> list[object]:
        """What a checkpoint must have in common with a run that goes on from it.

        What was spent before the run is another time in each process and counts for nothing.
        """
        return [
            self.plan.model_dump(mode="json", exclude={"spent"}),
            self.seed,
            self.objective.rows,
            self.start,
        ]

    def _checkpoint(self) -> Checkpoint:
        numbers = {
            "identity": self._identity(),
            "clock": self.clock.state(),
            "average_steps": self.average.steps,
            "closing": self.closing,
            "place": self.passes.place,
            "losses": [*self.record.losses, float(self.loss_sum), self.loss_rows],
            "validations": list(self.record.validations.items()),
            "best_step": self.record.best_step,
            "waited": self.waited,
            "closed_early": self.record.closed_early,
            "steps": self.record.steps,
        }
        states = {
            "order": self.passes.order_state,
            "own": self.random.get_state(),
            "global": torch.get_rng_state(),
        }
        tensors = {
            **below("network", self.network.state_dict()),
            **below("optimizer", optimizer_tensors(self.optimizer)),
            **below("average", _numbered(self.average.kept)),
            **below("best", _numbered(self.best)),
            "judged": self.judged,
            **below("random", states),
        }
        return Checkpoint(numbers, tensors)

    def _resume(self, keeper: Checkpoints | None) -> None:
        """Goes on from a checkpoint of this very run, if there is one."""
        content = None if keeper is None else keeper.read()
        found = None if content is None else Checkpoint.from_bytes(content)
        if found is None or found.numbers.get("identity") != self._identity():
            return
        numbers, record = found.numbers, self.record
        self.clock.restore(numbers["clock"])
        self.average.steps, self.closing = numbers["average_steps"], numbers["closing"]
        *record.losses, total, self.loss_rows = numbers["losses"]
        self.loss_sum = torch.tensor(total)
        record.validations = dict(numbers["validations"])
        record.best_step, record.steps = numbers["best_step"], numbers["steps"]
        record.closed_early = numbers["closed_early"]
        self.network.load_state_dict(found.part("network"))
        restore_optimizer(self.optimizer, found.part("optimizer"))
        self.average.kept = _in_order(found.part("average"))
        self.best = _in_order(found.part("best"))
        self.judged, self.waited = found.tensors["judged"], numbers["waited"]
        states = found.part("random")
        self.passes.resume(states["order"], numbers["place"], self.closing)
        self.random.set_state(states["own"])
        torch.set_rng_state(states["global"])


def _numbered(tensors: list[Tensor]) -> dict[str, Tensor]:
    return {str(place): tensor for place, tensor in enumerate(tensors)}


def _in_order(tensors: dict[str, Tensor]) -> list[Tensor]:
    return [tensors[str(place)] for place in range(len(tensors))]


def _is_worse(losses: Tensor, best: Tensor) -> bool:
    """Whether losses have grown by more than chance (two standard errors) and by a telling share.

    Rows are known well enough long before what is drawn looks right: on 6,000 rows a loss that
    stood still for three quarters of a run saw detection fall from .65 to .55 meanwhile.
    """
    differences = losses - best
    if len(differences) < 2:
        return False
    error = differences.std() / len(differences) ** 0.5
    return bool(differences.mean() > max(2 * error, TELLING * best.mean().abs()))


def _passed(before: float, now: float, times: int) -> bool:
    """Whether a whole multiple of 1/times lies in (before, now]."""
    return math.floor(now * times) > math.floor(before * times)
