"""The GAN: relations survive, cues are met, and its critic finds broken rows strange."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import roc_auc_score

from data_contracts.dataset import Dataset
from data_contracts.errors import ModelError
from models.encoding.column import Part
from models.generators.code_layout import CodeLayout
from models.generators.cues import Cues
from models.generators.gan import GanGenerator, GanOptions
from models.generators.moment_gaps import mean_gap, table_gap
from models.nets.code_critic import CodeCritic, gradient_penalty
from models.nets.code_generator import CodeGenerator
from models.nets.code_heads import CodeShape
from models.registry import REGISTRY
from tests.checks.members import members
from tests.models.generators.tables import CONTRACT, MEMBERS, people

OPTIONS = GanOptions(
    width=48, blocks=1, noise=8, critic_width=48, epochs=40, batch_rows=128, learning_rate=3e-3
)


@pytest.fixture(scope="module")
def fitted() -> GanGenerator:
    return GanGenerator(OPTIONS).fit(people(3000, seed=1), seed=1)


def test_columns_and_relations_are_kept(fitted: GanGenerator) -> None:
    sampled, real = fitted.sample(6000, seed=2).frame, people(3000, seed=1).frame
    assert sampled["weight"].isna().mean() == pytest.approx(real["weight"].isna().mean(), abs=0.02)
    assert sampled["height"].std() == pytest.approx(real["height"].std(), rel=0.1)
    assert sampled.groupby("group")["member"].mean().to_dict() == pytest.approx(MEMBERS, abs=0.15)
    means = sampled.groupby("group")["height"].mean()
    assert means["north"] - means["south"] > 8


def test_the_critic_finds_broken_rows_stranger_than_new_real_ones(fitted: GanGenerator) -> None:
    real = people(1500, seed=5)
    random = np.random.default_rng(6)
    shuffled = {name: random.permutation(real.frame[name]) for name in ("group", "member")}
    broken = real.frame.assign(**{name: pd.Series(shuffled[name]) for name in shuffled})
    scores = [
        fitted.critic_scores(Dataset(CONTRACT, {"people": frame.astype(real.frame.dtypes)}))
        for frame in (real.frame, broken)
    ]
    labels = np.repeat([0, 1], 1500)
    assert roc_auc_score(labels, np.concatenate(scores)) > 0.6


def test_the_critic_is_stored_too(fitted: GanGenerator, tmp_path: Path) -> None:

    fitted.save(tmp_path)
    rows = people(50, seed=7)
    loaded = GanGenerator.load(tmp_path, CONTRACT)
    assert np.array_equal(loaded.critic_scores(rows), fitted.critic_scores(rows))


def test_what_it_cannot_do_is_refused(fitted: GanGenerator) -> None:
    assert REGISTRY["gan"].supports == {"critic"}
    with pytest.raises(ModelError, match="can't be given"):
        fitted.sample(5, given={"group": "north"}, seed=1)
    with pytest.raises(ModelError, match="height"):
        fitted.critic_scores(members())
    with pytest.raises(ModelError, match="not fitted"):
        GanGenerator().critic_scores(members())


def test_cues_are_met_by_their_rows_and_favour_rare_values() -> None:
    layout = CodeLayout.of((Part(2), Part(3), Part(4, parent=1, nested=True)))
    random = np.random.default_rng(1)
    codes = np.stack([random.random(5000) < 0.02, random.integers(0, 3, 5000)], 1).astype(int)
    table = layout.to_network(np.concatenate([codes, np.zeros((5000, 1), dtype=int)], 1))
    cues = Cues(layout, table)
    drawn = cues.draw(4000, torch.Generator().manual_seed(2))
    starts = torch.tensor([0, 2, 5])
    held = table[drawn.rows].gather(1, drawn.codes[:, None]).squeeze(1)
    assert torch.equal(held + starts[drawn.codes], drawn.cues)
    assert set(drawn.codes.tolist()) == {0, 1}
    rare = float((drawn.cues[drawn.codes == 0] == 1).float().mean())
    assert 0.25 < rare < 0.45
    shares = cues.true_shares()
    assert shares[:2] * 2 == pytest.approx([(codes[:, 0] == 0).mean(), (codes[:, 0] == 1).mean()])
    assert shares[5:].sum() == 0


def test_drawn_codes_are_one_hot_keep_to_their_parents_and_have_a_gradient() -> None:
    torch.manual_seed(1)
    shapes = (CodeShape(3), CodeShape(2, parent=0, nested=True))
    network = CodeGenerator(shapes, [0, 2], width=8, blocks=1, noise=2)
    random = torch.Generator().manual_seed(2)
    features = network.features(torch.zeros(500, dtype=torch.long), random)
    first, second = network.drawn(features, random)
    assert torch.equal(first.sum(1), torch.ones(500))
    assert set(first.detach().unique().tolist()) == {0.0, 1.0}
    assert torch.equal(second.sum(1), first[:, 2])
    (first[:, 0] - second[:, 1]).sum().backward()
    assert float(network.noise_inputs.weight.grad.abs().sum()) > 0


def test_gaps_close_only_when_relations_agree() -> None:
    torch.manual_seed(1)
    pairs = torch.tensor([[0, 2], [1, 3]])[torch.randint(2, (4000,))]
    tied = torch.zeros(4000, 4).scatter_(1, pairs, 1.0) * 2**-0.5
    loose = torch.cat([tied[:, :2], tied[torch.randperm(4000), 2:]], 1)
    fresh = tied[torch.randperm(4000)]
    assert abs(float(table_gap(tied, fresh))) < 0.003 < 0.02 < float(table_gap(tied, loose))
    # Each column by itself is the same: its mean tells nothing.
    assert abs(float(mean_gap(tied, loose))) < 0.003
    assert float(mean_gap(tied, tied + 0.5)) == pytest.approx(4 * 0.25)


def test_a_slope_of_one_costs_nothing() -> None:
    critic = CodeCritic(4, [[0, 1, 2]], codes=2, width=8, blocks=1)
    real, made = torch.eye(4), torch.eye(4).flip(0)
    cues = torch.zeros(4, dtype=torch.long)

    class Slope(torch.nn.Module):
        def __init__(self, slope: float) -> None:
            super().__init__()
            self.slope = slope

        def forward(self, rows: torch.Tensor, cues: torch.Tensor) -> torch.Tensor:
            return self.slope * rows[:, 0]

    random = torch.Generator().manual_seed(1)
    costs = [
        float(gradient_penalty(Slope(slope), real, made, cues, random)) for slope in (1.0, 3.0)
    ]
    assert costs == pytest.approx([0, 4])
    penalty = gradient_penalty(critic, real, made, cues, random)
    penalty.backward()
    assert float(critic.values.weight.grad.abs().sum()) > 0
