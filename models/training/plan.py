"""What a training run is asked for, and what it tells afterwards."""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from pydantic import Field
from torch import Tensor

from data_contracts.record import Record
from models.base import Checkpoints, ProgressCallback

Step = Callable[[Tensor, torch.Generator], Tensor]
"""The loss of the rows with these positions `(batch,)`; all its chance from the generator."""


class TrainingPlan(Record):
    """How long and how fast to train. One epoch is one pass over all rows."""

    epochs: int = Field(gt=0)
    batch_rows: int = Field(gt=0)
    learning_rate: float = Field(gt=0, description="The highest of the one-cycle schedule.")
    weight_decay: float = Field(default=0.01, ge=0)
    clip_norm: float = Field(default=1.0, gt=0)
    momentum: float = Field(default=0.9, ge=0, lt=1, description="First decay of AdamW.")
    average_decay: float = Field(default=0.999, ge=0, lt=1)
    patience: int = Field(
        default=3, gt=0, description="Validations in a row that are worse before it closes early."
    )
    max_seconds: float | None = Field(
        default=None,
        gt=0,
        description="The schedule is squeezed into this time; then runs no longer repeat exactly.",
    )
    spent: float = Field(default=0.0, ge=0, description="Of that time, spent before the run.")


@dataclass
class TrainingRecord:
    """What happened: mean training loss of each hundredth of the run, and validation losses.

    `validations` are by the step before them; `closed_early` says that the best one was long ago.
    `seconds` hold what was spent before the run, too; `step_seconds` are a step's without stalls.
    """

    losses: list[float] = field(default_factory=list)
    validations: dict[int, float] = field(default_factory=dict)
    best_step: int = 0
    closed_early: bool = False
    steps: int = 0
    seconds: float = 0.0
    step_seconds: float | None = None


@dataclass(frozen=True)
class Watched:
    """Rows that tell when to stop: their positions, and their losses in evaluation mode.

    `judge` gives one loss for each of them, or for each of several looks at them, in a fixed order.
    """

    rows: Tensor
    judge: Callable[[], Tensor]


@dataclass(frozen=True)
class Objective:
    """What is minimised: the loss of some of the rows 0..rows-1, and how the weights are judged.

    `regularize` is called after each step with its learning rate, to change weights apart from
    the gradient.
    """

    step: Step
    rows: int
    watched: Watched | None = None
    regularize: Callable[[float], None] | None = None


@dataclass(frozen=True)
class Company:
    """Who goes along with a run: who is told how far it is, and who keeps its checkpoints."""

    progress: ProgressCallback | None = None
    checkpoints: Checkpoints | None = None


ALONE = Company()
