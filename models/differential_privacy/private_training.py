"""Training by gradients of which each unit's is clipped and all have noise on them (DP-SGD).

Source: Abadi et al. 2016; with units of several rows, McMahan et al. 2018. Each gradient's norm is
found by Opacus without the gradient itself (ghost clipping, Li et al. 2022).
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from data_contracts.errors import ModelError
from data_contracts.record import Record
from models.differential_privacy.secure_steps import noised, poisson_lot
from models.training.average import WeightAverage
from models.training.schedule import one_cycle

MARGIN = 1e-2
"""By so much more noise than the clipped norm asks for: floats may round past it.

Of single rows even where another thread has put matrix products into bfloat16 (`quick_products`),
of which norms and gradients are off by less than half a per cent each. Where a unit has several
rows it would not be enough, see `StepPlan.doubles`.
"""

UnitLosses = Callable[[Tensor, torch.Generator], Tensor]
"""The loss of each of the units with these positions, `(units,)`, through the trained module.

A unit's loss may hang on its own rows and on chance, on nothing else: not on who is there beside
it. Chance comes from the generator.
"""


class StepPlan(Record):
    """What is done to whom. `rate` and `noise` are what was paid for (`Ledger.buy_steps`)."""

    steps: int = Field(gt=0)
    rate: float = Field(gt=0, le=1, description="Chance of each unit to be in a step.")
    noise: float = Field(gt=0, description="Deviation of the noise, in clipped norms.")
    clip_norm: float = Field(default=1.0, gt=0)
    learning_rate: float = Field(gt=0)
    average_decay: float = Field(default=0.99, ge=0, lt=1)
    units: float = Field(gt=0, description="About how many units there are: a number paid for.")
    block: int = Field(default=1024, gt=0, description="Units that are worked on together.")
    doubles: bool = True
    """Whether all is computed in 64 bits, at about twice the time.

    Gradients of the rows of one unit may all but cancel. Of what is left, 32 bits can find a length
    far below the true one, and what was clipped by it is far too long. A single row's gradient is
    one product in each linear layer, which does not cancel.
    """


@dataclass(frozen=True)
class PrivateObjective:
    """What is minimised: the losses of units 0..units-1.

    `regularize` is called after each step with its learning rate, to change weights by nothing but
    themselves; `told` hears how far the run is.
    """

    losses: UnitLosses
    units: int
    regularize: Callable[[float], None] | None = None
    told: Callable[[float], None] | None = None


def train_privately(module: nn.Module, objective: PrivateObjective, plan: StepPlan) -> None:
    """Trains `module` in place and leaves averaged weights in it.

    Adam on noisy gradients with one cycle of learning rates. Every layer that has parameters must
    be one that Opacus knows. How long it goes on is planned beforehand; no loss is looked at, kept
    or told, since each would be one more look at the rows. ModelError when the weights are no
    longer numbers.
    """
    dtype = next(module.parameters()).dtype
    if plan.doubles:
        module.double()
    run = _Run(module, objective, plan)
    module.train()
    try:
        for step in range(plan.steps):
            run.step(step / plan.steps)
            if objective.told is not None:
                objective.told((step + 1) / plan.steps)
    finally:
        run.forget()
        module.to(dtype)
    run.average.swap()
    module.eval()


class _Run:
    def __init__(self, module: nn.Module, objective: PrivateObjective, plan: StepPlan) -> None:
        self.objective, self.plan = objective, plan
        # Here and not above: the package takes seconds to load, and most fits have no budget.
        from opacus.grad_sample import GradSampleModuleFastGradientClipping

        self.listening = GradSampleModuleFastGradientClipping(
            module, max_grad_norm=plan.clip_norm, loss_reduction="sum"
        )
        self.weights = [weight for weight in module.parameters() if weight.requires_grad]
        self.optimizer = torch.optim.Adam(self.weights, lr=plan.learning_rate)
        self.average = WeightAverage(module, plan.average_decay)
        # Known chance would let a unit that is there or not shift that of all units after it.
        self.random = unrepeatable_torch()

    def step(self, done: float) -> None:
        lot = torch.from_numpy(poisson_lot(self.objective.units, self.plan.rate))
        sums = [np.zeros(weight.shape) for weight in self.weights]
        for block in torch.split(lot, self.plan.block) if len(lot) else ():
            for summed, clipped in zip(sums, self.clipped(block), strict=True):
                summed += clipped.double().numpy()
        self._descend(sums, done)

    def clipped(self, block: Tensor) -> list[Tensor]:
        """The sum of these units' gradients, each no longer than `clip_norm`, by weight."""
        each = self.objective.losses(block, self.random)
        each.sum().backward(retain_graph=True)  # type: ignore[no-untyped-call]
        # Without a length, nothing is taken: one unit must not make all weights no numbers.
        shares = self.listening.get_clipping_coef().detach().nan_to_num(nan=0.0)
        self.listening.disable_hooks()
        self.optimizer.zero_grad(set_to_none=True)
        (each * shares).sum().backward()
        self.listening.enable_hooks()
        # A weight that no loss of the block hangs on has no gradient.
        found = [
            torch.zeros_like(weight) if weight.grad is None else weight.grad.detach().clone()
            for weight in self.weights
        ]
        self.optimizer.zero_grad(set_to_none=True)
        return found

    def forget(self) -> None:
        """Leaves nothing of single units at the weights: the listener keeps lengths there."""
        self.listening.remove_hooks()
        for weight in self.weights:
            for kept in ("_norm_sample", "grad_sample", "_current_grad_sample", "_forward_counter"):
                weight.__dict__.pop(kept, None)

    def _descend(self, sums: list[np.ndarray], done: float) -> None:
        plan = self.plan
        deviation = plan.noise * plan.clip_norm * (1 + MARGIN)
        for weight, summed in zip(self.weights, sums, strict=True):
            mean = noised(summed, deviation) / (plan.rate * plan.units)
            weight.grad = torch.from_numpy(mean).to(weight.dtype)
        learning_rate = plan.learning_rate * one_cycle(done)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        self.optimizer.step()
        if self.objective.regularize is not None:
            self.objective.regularize(learning_rate)
        self.average.update()
        # Of what has noise on it already: whoever sees this error learns nothing of the rows.
        if not all(bool(weight.isfinite().all()) for weight in self.weights):
            raise ModelError(
                f"private training: weights are no numbers any more at {done:.0%}. Lower "
                f"`learning_rate` (now {plan.learning_rate:g})."
            )


def unrepeatable_torch() -> torch.Generator:
    """A torch generator for chance that nobody should be able to repeat; its seed is kept nowhere.

    Never a source of noise.
    """
    return torch.Generator().manual_seed(secrets.randbits(63))
