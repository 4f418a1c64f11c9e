"""The training loop: it finds a minimum, repeats itself, ends early, and keeps the best weights."""

import math

import pytest
import torch
from torch import Tensor, nn

from data_contracts.errors import ModelError
from models.training.average import WeightAverage
from models.training.loop import Objective, TrainingPlan, TrainingRecord, train
from models.training.schedule import one_cycle

ROWS = 256
INPUTS = torch.linspace(-1, 1, ROWS).unsqueeze(1)
TARGETS = 3 * INPUTS - 2
PLAN = TrainingPlan(epochs=60, batch_rows=32, learning_rate=0.05, weight_decay=0.0)


def line() -> nn.Linear:
    network = nn.Linear(1, 1)
    nn.init.zeros_(network.weight)
    nn.init.zeros_(network.bias)
    return network


def squares(network: nn.Module, noise: float = 0.0) -> Objective:
    def step(rows: Tensor, random: torch.Generator) -> Tensor:
        chance = noise * torch.randn(len(rows), 1, generator=random)
        loss: Tensor = (network(INPUTS[rows]) - TARGETS[rows] - chance).square().mean()
        return loss

    return Objective(step=step, rows=ROWS)


def fitted(seed: int = 1, plan: TrainingPlan = PLAN) -> tuple[nn.Linear, TrainingRecord]:
    network = line()
    return network, train(network, squares(network, noise=0.1), plan, seed=seed)


def test_it_finds_the_minimum() -> None:
    network, record = fitted()
    assert float(network.weight.detach()) == pytest.approx(3, abs=0.05)
    assert float(network.bias.detach()) == pytest.approx(-2, abs=0.05)
    assert not network.training
    assert len(record.losses) == PLAN.epochs
    assert record.steps == PLAN.epochs * ROWS // PLAN.batch_rows
    assert record.losses[-1] < 0.1 * record.losses[0]


def test_the_seed_decides_and_the_global_random_state_stays() -> None:
    networks = [line() for _ in range(3)]
    before = torch.random.get_rng_state()
    for network, seed in zip(networks, (1, 1, 2), strict=True):
        train(network, squares(network, noise=0.1), PLAN, seed=seed)
    assert torch.equal(torch.random.get_rng_state(), before)
    first, again, other = (network.weight for network in networks)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_the_best_validated_weights_are_kept_and_patience_ends_the_run() -> None:
    network, seen = line(), list[Tensor]()

    def judge() -> float:
        seen.append(network.weight.detach().clone())
        return [5.0, 3.0, 1.0, 2.0, 4.0, 0.5][len(seen) - 1]

    objective = Objective(step=squares(network).step, rows=ROWS, validate=judge)
    plan = PLAN.model_copy(update={"patience": 2})
    record = train(network, objective, plan, seed=1)
    assert list(record.validations) == [1, 2, 3, 4, 5]
    assert record.best_epoch == 3
    assert torch.equal(network.weight.detach(), seen[2])


def test_time_that_is_used_up_ends_the_run_with_a_quiet_end() -> None:
    plan = PLAN.model_copy(update={"epochs": 10**6, "max_seconds": 0.3})
    _, record = fitted(plan=plan)
    assert len(record.losses) < 10**6
    assert record.losses[-1] < record.losses[0]


def test_progress_grows_to_one() -> None:
    network, told = line(), list[tuple[float, dict[str, float]]]()
    train(network, squares(network), PLAN, seed=1, progress=lambda *now: told.append(now))
    shares = [share for share, _ in told]
    assert shares == sorted(shares) and shares[-1] == 1.0
    assert {"epoch", "loss"} <= set(told[0][1])


def test_a_loss_that_is_no_number_is_told() -> None:
    network = line()
    objective = Objective(step=lambda *_: network.weight.sum() * math.inf, rows=ROWS)
    with pytest.raises(ModelError, match="learning_rate"):
        train(network, objective, PLAN, seed=1)


def test_the_average_lags_and_swaps_back() -> None:
    network = line()
    start = network.weight.detach().clone()
    average = WeightAverage(network, 0.9)
    with torch.no_grad():
        network.weight += 1
    moved = network.weight.detach().clone()
    average.update()
    average.swap()
    assert float(start) < float(network.weight.detach()) <= float(moved)
    average.swap()
    assert torch.equal(network.weight.detach(), moved)


def test_one_cycle_rises_falls_and_ends_quietly() -> None:
    rates = [one_cycle(step / 100) for step in range(101)]
    top = rates.index(max(rates))
    assert max(rates) == pytest.approx(1.0)
    assert 5 <= top <= 15
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    assert 0 < rates[-1] < 0.01
