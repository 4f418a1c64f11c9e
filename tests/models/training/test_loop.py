"""The training loop: it finds a minimum, repeats itself, closes early, and goes on after a kill."""

import math

import pytest
import torch
from torch import Tensor, nn

from data_contracts.errors import ModelError
from models.nets.residual import ByteDropout
from models.training import loop
from models.training.average import WeightAverage
from models.training.loop import train
from models.training.passes import Passes
from models.training.plan import Company, Objective, TrainingPlan, TrainingRecord, Watched
from models.training.schedule import one_cycle

ROWS = 256
INPUTS = torch.linspace(-1, 1, ROWS).unsqueeze(1)
TARGETS = 3 * INPUTS - 2
PLAN = TrainingPlan(epochs=60, batch_rows=32, learning_rate=0.05, weight_decay=0.0)
STEPS = PLAN.epochs * ROWS // PLAN.batch_rows
WATCHED = torch.arange(0, ROWS, 10)


class Killed(Exception):
    """Stands for a process that ends in the middle of a run."""


class Keeper:
    """Keeps the last checkpoint; dies after a number of them."""

    def __init__(self, lives: float = math.inf) -> None:
        self.content: bytes | None = None
        self.written = 0
        self.lives = lives

    def read(self) -> bytes | None:
        return self.content

    def write(self, content: bytes) -> None:
        self.content = content
        self.written += 1
        if self.written >= self.lives:
            raise Killed


def line() -> nn.Linear:
    network = nn.Linear(1, 1)
    nn.init.zeros_(network.weight)
    nn.init.zeros_(network.bias)
    return network


def squares(network: nn.Module, noise: float = 0.0, watched: Watched | None = None) -> Objective:
    def step(rows: Tensor, random: torch.Generator) -> Tensor:
        # Chance of both kinds: the run's own generator, and the global one that dropout uses.
        chance = noise * torch.randn(len(rows), 1, generator=random)
        chance += noise * torch.randn(len(rows), 1)
        loss: Tensor = (network(INPUTS[rows]) - TARGETS[rows] - chance).square().mean()
        return loss

    return Objective(step=step, rows=ROWS, watched=watched)


def fitted(seed: int = 1, plan: TrainingPlan = PLAN) -> tuple[nn.Linear, TrainingRecord]:
    network = line()
    return network, train(network, squares(network, noise=0.1), plan, seed=seed)


def test_it_finds_the_minimum() -> None:
    network, record = fitted()
    assert float(network.weight.detach()) == pytest.approx(3, abs=0.05)
    assert float(network.bias.detach()) == pytest.approx(-2, abs=0.05)
    assert not network.training
    assert record.steps == STEPS
    assert record.losses[-1] < 0.1 * record.losses[0]


def test_the_seed_decides_and_the_global_random_state_stays() -> None:
    networks = [line() for _ in range(3)]
    before = torch.random.get_rng_state()
    for network, seed in zip(networks, (1, 1, 2), strict=True):
        train(network, squares(network, noise=0.1), PLAN, seed=seed)
    first, again, other = (network.weight for network in networks)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def watched_run(judgements: list[float]) -> tuple[TrainingRecord, list[Tensor]]:
    """A run whose judge says these losses, then ever larger ones, and the batches it took."""
    network, batches, said = line(), list[Tensor](), iter(judgements)
    noise = torch.linspace(0, 0.1, 10)
    plain = squares(network, watched=Watched(WATCHED, lambda: next(said, 99.0) + noise))

    def step(rows: Tensor, random: torch.Generator) -> Tensor:
        batches.append(rows)
        return plain.step(rows, random)

    objective = Objective(step=step, rows=ROWS, watched=plain.watched)
    return train(network, objective, PLAN, seed=1), batches


def test_watched_rows_are_trained_on_in_the_end() -> None:
    record, batches = watched_run([1 / judged for judged in range(1, 40)])
    first = next(place for place, rows in enumerate(batches) if torch.isin(rows, WATCHED).any())
    assert not record.closed_early
    assert record.steps == STEPS == len(batches)
    assert first == pytest.approx(loop.SEARCHED * STEPS, abs=ROWS / PLAN.batch_rows)
    closing = torch.cat(batches[first:])
    assert set(WATCHED.tolist()) <= set(closing.tolist())
    # A pass takes each row once, before and after.
    assert len(torch.unique(torch.cat(batches[: (ROWS - len(WATCHED)) // PLAN.batch_rows]))) == 224


def test_a_run_that_gets_worse_closes_early_from_its_best_weights() -> None:
    record, batches = watched_run([5.0, 3.0, 1.0, 2.0, 2.0, 2.0])
    assert record.closed_early
    assert len(record.validations) == pytest.approx(loop.EARLIEST * loop.VALIDATIONS, abs=1)
    assert record.best_step == list(record.validations)[2]
    # The quiet end comes after a share of the steps to the best, and all rows are in it.
    last_judged = max(record.validations)
    assert record.steps - last_judged == pytest.approx(loop.CLOSING * record.best_step, abs=2)
    assert set(WATCHED.tolist()) & set(torch.cat(batches[last_judged:]).tolist())


def test_a_killed_run_goes_on_to_the_same_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)

    def run(keeper: Keeper | None) -> tuple[nn.Linear, TrainingRecord]:
        network = line()
        # What the judge says must depend on the weights alone, as a real one does.
        watched = Watched(WATCHED, lambda: (network.weight - 2.5).abs()[0] + INPUTS[WATCHED, 0])
        objective = squares(network, 0.1, watched)
        return network, train(network, objective, PLAN, seed=1, company=Company(None, keeper))

    whole, record = run(None)
    for lives in (1, 100, record.steps - 2):
        keeper = Keeper(lives)
        with pytest.raises(Killed):
            run(keeper)
        keeper.lives = math.inf
        network, again = run(keeper)
        assert torch.equal(network.weight, whole.weight) and torch.equal(network.bias, whole.bias)
        assert again.losses == record.losses
        assert again.validations == record.validations
        assert (again.steps, again.best_step) == (record.steps, record.best_step)


def test_a_limited_run_goes_on_too_whatever_was_spent_before_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)
    keeper, batches = Keeper(100), list[Tensor]()

    def run(spent: float) -> tuple[nn.Linear, TrainingRecord]:
        network = line()
        plain = squares(network, noise=0.1)

        def step(rows: Tensor, random: torch.Generator) -> Tensor:
            batches.append(rows)
            return plain.step(rows, random)

        plan = PLAN.model_copy(update={"max_seconds": 1e6, "spent": spent})
        company = Company(None, keeper)
        objective = Objective(step=step, rows=ROWS)
        return network, train(network, objective, plan, seed=1, company=company)

    with pytest.raises(Killed):
        run(spent=40.0)
    keeper.lives = math.inf
    network, record = run(spent=2.0)
    assert len(batches) == STEPS
    assert 42 < record.seconds < 100
    assert torch.equal(network.weight, fitted()[0].weight)


def test_a_checkpoint_of_another_run_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)
    keeper = Keeper(5)
    network = line()
    with pytest.raises(Killed):
        train(network, squares(network), PLAN, seed=2, company=Company(None, keeper))
    for content in (keeper.content, b"nonsense", b""):
        keeper.content, keeper.lives = content, math.inf
        network = line()
        company = Company(None, keeper)
        train(network, squares(network, noise=0.1), PLAN, seed=1, company=company)
        assert torch.equal(network.weight, fitted()[0].weight)


def test_a_run_with_another_network_starts_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither another dropout nor another start shows in the shapes of its weights."""
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)

    def run(chance: float, start: float, keeper: Keeper | None) -> Tensor:
        network = nn.Sequential(ByteDropout(chance), line())
        nn.init.constant_(network[1].weight, start)
        train(network, squares(network), PLAN, seed=1, company=Company(None, keeper))
        weight: Tensor = network[1].weight
        return weight

    for other in ((0.25, 0.0), (0.5, 1.0)):
        keeper = Keeper(100)
        with pytest.raises(Killed):
            run(0.5, 0.0, keeper)
        keeper.lives = math.inf
        assert torch.equal(run(*other, keeper), run(*other, None))


def test_short_runs_write_no_checkpoint() -> None:
    network, keeper = line(), Keeper()
    train(network, squares(network), PLAN, seed=1, company=Company(None, keeper))
    assert keeper.written == 0


def test_time_that_is_used_up_ends_the_run_with_a_quiet_end() -> None:
    plan = PLAN.model_copy(update={"epochs": 10**6, "max_seconds": 0.3})
    _, record = fitted(plan=plan)
    assert record.steps < 10**6 * ROWS / PLAN.batch_rows
    assert record.losses[-1] < record.losses[0]


def test_time_that_is_not_used_up_changes_nothing() -> None:
    plain, timed = fitted(), fitted(plan=PLAN.model_copy(update={"max_seconds": 1e6}))
    assert torch.equal(plain[0].weight, timed[0].weight)


def test_progress_grows_to_one() -> None:
    network, told = line(), list[tuple[float, dict[str, float]]]()
    company = Company(lambda *now: told.append(now))
    train(network, squares(network), PLAN, seed=1, company=company)
    shares = [share for share, _ in told]
    assert shares == sorted(shares) and shares[-1] == 1.0
    assert {"epoch", "loss"} <= set(told[0][1])
    assert told[-1][1]["epoch"] == PLAN.epochs


@pytest.mark.parametrize("seconds", [0.0, 30.0])
def test_a_loss_that_is_no_number_is_told(seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", seconds)
    network = line()
    objective = Objective(step=lambda *_: network.weight.sum() * math.inf, rows=ROWS)
    with pytest.raises(ModelError, match="learning_rate"):
        train(network, objective, PLAN, seed=1, company=Company(None, Keeper()))


def test_every_pass_takes_each_row_once() -> None:
    passes = Passes(10, 4, torch.Generator().manual_seed(1), torch.tensor([2, 5]))
    taken = [passes.next_batch().tolist() for _ in range(4)]
    assert [len(batch) for batch in taken] == [4, 4, 4, 4]
    assert sorted(taken[0] + taken[1]) == [0, 1, 3, 4, 6, 7, 8, 9] == sorted(taken[2] + taken[3])
    passes.release()
    assert sorted(torch.cat([passes.next_batch() for _ in range(3)]).tolist()) == list(range(10))


def test_rows_that_are_all_held_back_are_an_error() -> None:
    with pytest.raises(ValueError, match="none is left"):
        Passes(3, 4, torch.Generator(), torch.arange(3))


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
