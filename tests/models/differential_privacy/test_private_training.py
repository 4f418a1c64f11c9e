"""Steps of private training: whose gradients they add up, how long each may be, what noise."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import binom, kstest, norm
from torch import Tensor, nn

from data_contracts.errors import ModelError
from models.differential_privacy import private_training
from models.differential_privacy.private_training import (
    PrivateObjective,
    StepPlan,
    _Run,
    train_privately,
    unrepeatable_torch,
)
from models.differential_privacy.secure_steps import LATTICE, gaussian, noised, poisson_lot
from models.nets.code_heads import CodeShape
from models.nets.code_network import CodeNetwork
from models.nets.plain_network import PlainCodeNetwork

SHAPES = (CodeShape(5), CodeShape(7), CodeShape(3, 1, True), CodeShape(4))
UNITS, ROWS = 14, 2
PLAN = StepPlan(steps=3, rate=0.5, noise=1.0, clip_norm=2.0, learning_rate=0.1, units=UNITS)


def network() -> CodeNetwork:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        made = CodeNetwork(SHAPES, width=8, blocks=2, hidden=12, dropout=0.0)
        for weight in made.parameters():
            nn.init.normal_(weight, std=0.3)
    return made


def units() -> tuple[Tensor, Tensor, Tensor]:
    """Observed codes, targets and weights of units of two rows, one of them often not there."""
    random = torch.Generator().manual_seed(1)
    codes = torch.stack(
        [torch.randint(s.cardinality, (UNITS, ROWS), generator=random) for s in SHAPES], -1
    )
    codes[::3, 1] = -1
    observed = torch.where(torch.rand(codes.shape, generator=random) < 0.5, codes, -1)
    observed[..., 1] = codes[..., 1]
    return observed, codes, ((observed < 0) & (codes >= 0)).float()


def listening(made: CodeNetwork, block: int = UNITS) -> _Run:
    plain, plan = PlainCodeNetwork(made), PLAN.model_copy(update={"block": block})
    return _Run(plain, objective(plain), plan)


def objective(plain: PlainCodeNetwork, **more: Any) -> PrivateObjective:
    observed, codes, weights = units()
    return PrivateObjective(
        lambda at, _: plain(observed[at], codes[at], weights[at]), UNITS, **more
    )


def by_weight(made: CodeNetwork, gradients: list[Tensor]) -> dict[str, Tensor]:
    names = [name for name, _ in PlainCodeNetwork(made).named_parameters()]
    return dict(zip(names, gradients, strict=True))


def test_plain_layers_have_the_networks_own_losses() -> None:
    made, (observed, codes, weights) = network(), units()
    each = PlainCodeNetwork(made)(observed, codes, weights)
    for unit in range(UNITS):
        alone = made.loss(observed[unit], codes[unit], weights[unit])
        assert each[unit].item() == pytest.approx(alone.item(), rel=1e-5)


def test_clipped_gradients_are_those_of_units_one_by_one() -> None:
    """Against one backward pass for each unit through the quick layers, which know no Opacus."""
    made, (observed, codes, weights) = network(), units()
    expected: dict[str, Tensor] = {}
    lengths = []
    for unit in range(UNITS):
        made.zero_grad()
        made.loss(observed[unit], codes[unit], weights[unit]).backward()
        own = {
            name: torch.zeros_like(weight) if weight.grad is None else weight.grad.clone()
            for name, weight in made.named_parameters()
            if not name.startswith("heads.nested")
        }
        length = math.sqrt(sum(float((g**2).sum()) for g in own.values()))
        lengths.append(length)
        for name, gradient in own.items():
            share = min(1.0, PLAN.clip_norm / max(length, 1e-9))
            expected[name] = expected.get(name, torch.tensor(0.0)) + gradient * share
    # Some are clipped and some are not, or this would test half of it.
    assert min(lengths) < PLAN.clip_norm < max(lengths)
    found = by_weight(made, listening(made).clipped(torch.arange(UNITS)))
    expected["entry.weight"] = expected.pop("inputs").t()
    expected["exit.weight"] = expected.pop("heads.weight")
    expected["exit.bias"] = expected.pop("heads.bias")
    assert set(found) == set(expected)
    for name, gradient in found.items():
        assert torch.allclose(gradient, expected[name], atol=1e-5), name


def test_no_unit_moves_the_sum_by_more_than_the_clipped_norm() -> None:
    run = listening(network())
    for unit in range(UNITS):
        alone = run.clipped(torch.tensor([unit]))
        length = math.sqrt(sum(float((g.double() ** 2).sum()) for g in alone))
        assert length <= PLAN.clip_norm * (1 + private_training.MARGIN / 2)


def test_rows_that_all_but_cancel_move_the_sum_by_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of a unit's rows pull against the other half. In 32 bits the length of what is left was
    found too short, and a unit of 200 rows went into the sum with half as much again."""
    made = CodeNetwork((CodeShape(2),) * 60, width=64, blocks=1, hidden=64, dropout=0.0)
    codes = (torch.arange(200) % 2)[None, :, None].expand(1, 200, 60)
    made.trunk.norm.weight.data.fill_(3.0)
    plan = StepPlan(steps=1, rate=1.0, noise=1.0, learning_rate=1e-9, units=1)
    seen: list[list[np.ndarray]] = []
    monkeypatch.setattr(_Run, "_descend", lambda self, sums, done: seen.append(sums))
    for scale in (1e-5, 3e-5, 1e-4, 3e-4, 1e-3):
        random = torch.Generator().manual_seed(3)
        made.heads.bias.data.copy_(torch.randn(120, generator=random) * scale)
        plain = PlainCodeNetwork(made)
        blank, every = torch.full_like(codes, -1), torch.ones(codes.shape)
        losses = lambda at, _, plain=plain, b=blank, e=every: plain(b, codes, e)  # noqa: E731
        train_privately(plain, PrivateObjective(losses, 1), plan)
    lengths = [math.sqrt(sum(float((one**2).sum()) for one in sums)) for sums in seen]
    assert min(lengths) < 1 - 1e-6 < max(lengths) <= 1 + 1e-6


def test_a_unit_without_a_length_leaves_the_others_as_they_are() -> None:
    """Its gradient overflows: as a part of the sum, it would show in all weights at once."""
    layer = nn.Linear(2, 1)
    inputs = torch.tensor([[1.0, 0.0], [0.5, 2.0], [0.0, 0.0]], requires_grad=True)
    steep = torch.tensor([1.0, 1.0, 1e30])

    def losses(at: Tensor, _: torch.Generator) -> Tensor:
        return layer(inputs[at]).squeeze(1) * steep[at] * steep[at]

    run = _Run(layer, PrivateObjective(losses, 3), PLAN)
    with_it, without = (run.clipped(torch.tensor(units)) for units in ([0, 1, 2], [0, 1]))
    for one, other in zip(with_it, without, strict=True):
        assert torch.equal(one, other)


def test_nothing_of_single_units_is_left_at_the_weights() -> None:
    made = network()
    plain = PlainCodeNetwork(made)
    train_privately(plain, objective(plain), PLAN)
    for weight in (*plain.parameters(), *made.parameters()):
        assert weight.dtype == torch.float32
        assert not [name for name in vars(weight) if "sample" in name]


def test_sums_do_not_hang_on_who_is_worked_on_together(monkeypatch: pytest.MonkeyPatch) -> None:
    everyone = np.arange(UNITS, dtype=np.int64)
    monkeypatch.setattr(private_training, "poisson_lot", lambda units, rate: everyone)
    seen: list[list[np.ndarray]] = []
    monkeypatch.setattr(_Run, "_descend", lambda self, sums, done: seen.append(sums))
    for block in (UNITS, 3, 1):
        listening(network(), block).step(0.0)
    for sums in seen[1:]:
        for one, other in zip(seen[0], sums, strict=True):
            assert np.allclose(one, other, atol=1e-5)


def test_a_step_without_anybody_is_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    nobody = np.empty(0, dtype=np.int64)
    monkeypatch.setattr(private_training, "poisson_lot", lambda units, rate: nobody)
    asked: list[float] = []

    def telling(sums: np.ndarray, deviation: float) -> np.ndarray:
        assert not sums.any()
        asked.append(deviation)
        return noised(sums, deviation)

    monkeypatch.setattr(private_training, "noised", telling)
    made = network()
    before = made.trunk.norm.weight.detach().clone()
    run = listening(made)
    run.step(0.5)
    assert not torch.equal(made.trunk.norm.weight, before)
    assert asked == [PLAN.noise * PLAN.clip_norm * (1 + private_training.MARGIN)] * len(run.weights)


def test_every_step_has_noise_on_every_weight(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also on weights that no row's loss hangs on: a gradient of zero is a figure too."""
    asked = []
    monkeypatch.setattr(
        private_training, "noised", lambda sums, deviation: asked.append(sums.shape) or sums
    )
    made = network()
    plain = PlainCodeNetwork(made)
    shapes = [tuple(weight.shape) for weight in plain.parameters()]
    train_privately(plain, objective(plain), PLAN)
    assert asked == shapes * PLAN.steps


def test_training_ends_with_averaged_weights_in_the_network() -> None:
    made = network()
    plain, told, rates = PlainCodeNetwork(made), [], []
    before = made.inputs.detach().clone()
    train_privately(plain, objective(plain, told=told.append, regularize=rates.append), PLAN)
    assert max(rates) <= PLAN.learning_rate
    assert len(rates) == PLAN.steps
    assert told == pytest.approx([1 / 3, 2 / 3, 1.0])
    assert torch.equal(made.inputs, before)
    plain.give_back()
    assert torch.equal(made.inputs, plain.entry.weight.t())
    assert not torch.equal(made.inputs, before)
    # Nothing listens any more: sampling must not collect activations of whoever is given.
    assert not hasattr(plain.entry, "activations") or not plain.entry.activations
    assert not plain.entry._forward_hooks


def test_weights_that_are_no_numbers_end_the_training() -> None:
    made = network()
    plain = PlainCodeNetwork(made)
    plan = PLAN.model_copy(update={"noise": 1e38, "clip_norm": 1e38, "doubles": False})
    with pytest.raises(ModelError, match="Lower `learning_rate`"):
        train_privately(plain, objective(plain), plan)


def test_each_unit_is_in_by_a_lot_of_its_own() -> None:
    """Poisson sampling: counts are binomial, where shuffled batches would all be equally large."""
    units, rate, steps = 400, 0.1, 400
    lots = [poisson_lot(units, rate) for _ in range(steps)]
    sizes = np.array([len(lot) for lot in lots])
    assert abs(sizes.mean() - units * rate) < 5 * math.sqrt(units * rate * 0.9 / steps)
    assert 0.7 < sizes.var() / (units * rate * 0.9) < 1.4
    inside = np.bincount(np.concatenate(lots), minlength=units)
    low, high = binom.ppf([1e-7, 1 - 1e-7], steps, rate)
    assert low <= inside.min() <= inside.max() <= high
    assert all((np.diff(lot) > 0).all() for lot in lots)


def test_lots_go_from_nobody_to_all() -> None:
    assert {len(poisson_lot(3, 0.2)) for _ in range(200)} >= {0, 1}
    assert poisson_lot(50, 1.0).tolist() == list(range(50))
    assert not len(poisson_lot(0, 0.5))


def test_the_noise_is_gaussian_of_the_asked_deviation() -> None:
    drawn = noised(np.full(40_000, 3.0), 2.5)
    assert kstest(drawn, norm(3.0, 2.5).cdf).pvalue > 1e-6
    assert abs(drawn.std() / 2.5 - 1) < 0.02
    # Neighbours are not told apart by a pattern of the blocks that are drawn together.
    again = gaussian(40_001)
    assert abs(float(np.corrcoef(again[:-1], again[1:])[0, 1])) < 0.03
    assert len(again) == 40_001


def test_noisy_sums_lie_on_a_lattice_that_hides_low_bits() -> None:
    deviation = 0.37
    places = noised(np.array([1 / 3, 1e-9, 12345.678]), deviation) / (deviation * LATTICE)
    assert np.allclose(places, np.round(places), atol=1e-6)


def test_nothing_that_was_drawn_comes_again() -> None:
    assert not np.array_equal(gaussian(8), gaussian(8))
    first, second = (torch.rand(4, generator=unrepeatable_torch()) for _ in range(2))
    assert not torch.equal(first, second)
