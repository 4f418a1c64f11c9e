"""The adversarial model of rows of codes: a generator and a critic that learn from each other."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from models.base import ProgressCallback
from models.encoding.column import FloatArray, IntArray, Part, prefixed, unprefixed
from models.generators.code_layout import CodeLayout
from models.generators.cues import Cues
from models.generators.drawn_values import draw_values
from models.generators.head_drawing import (
    BATCH_ROWS,
    draw_rows,
    match_marginals,
    start_at_marginals,
)
from models.generators.moment_gaps import mean_gap, table_gap
from models.nets.code_critic import CodeCritic, gradient_penalty
from models.nets.code_generator import CodeGenerator
from models.nets.code_heads import ROOT
from models.nets.weights import take_over, weights_of
from models.training.chance import global_chance
from models.training.loop import train
from models.training.plan import Company, Objective, TrainingPlan, TrainingRecord

MATCHED_ROWS = 20_000
"""Rows on which the marginals are matched."""
FEWEST_ROWS = 2
"""Gaps between means need two halves."""
PENALTY_WEIGHT = 10.0
PENALIZED = 4
"""The slope is measured on one row of so many: it is the dearest part of a step."""
FEATURE_WEIGHT = 1.0
TABLE_WEIGHT = 500.0
"""Of the gaps that a generator closes beside the critic's; tables differ by thousandths."""
MOMENTUM = 0.5
"""Two players who carry more momentum than this circle around each other."""

Arrays = dict[str, npt.NDArray[Any]]


class AdversarialSizes(NamedTuple):
    """How large a generator and its critic are and how long they train."""

    width: int
    blocks: int
    noise: int
    critic_width: int
    critic_blocks: int
    critic_steps: int
    epochs: int
    batch_rows: int
    learning_rate: float


class Duel(nn.Module):
    """The two networks, and whose turn it is."""

    def __init__(self, layout: CodeLayout, sizes: AdversarialSizes) -> None:
        super().__init__()
        shapes = layout.shapes
        self.generator = CodeGenerator(
            shapes,
            _applies_from(layout),
            width=sizes.width,
            blocks=sizes.blocks,
            noise=sizes.noise,
        )
        starts = self.generator.heads.starts
        lines = [[starts[code] + value for value in line] for code, line in layout.lines()]
        self.critic = CodeCritic(
            starts[-1],
            lines,
            codes=len(shapes),
            width=sizes.critic_width,
            blocks=sizes.critic_blocks,
        )
        self.turn: Tensor
        # In the state of the network, so that a run that is taken up again goes on in turn.
        self.register_buffer("turn", torch.zeros((), dtype=torch.long))


@dataclass
class AdversarialCodeModel:
    """Codes of a row made from noise and a cue, and a critic that tells them from real ones.

    Codes are int64 `(rows, parts)`, UNKNOWN where not known or not applicable. `shares` are how
    often each cue is asked for when rows are drawn.
    """

    layout: CodeLayout
    networks: Duel
    sizes: AdversarialSizes
    shares: FloatArray

    @classmethod
    def untrained(cls, parts: Sequence[Part], sizes: AdversarialSizes, *, seed: int = 0) -> Self:
        """A model with random weights; torch's global random state is left as it was."""
        layout = CodeLayout.of(parts)
        with global_chance(seed):
            networks = Duel(layout, sizes)
        columns = networks.generator.heads.starts[-1]
        return cls(layout, networks.eval(), sizes, np.full(columns, 1 / columns))

    def fit(
        self,
        codes: IntArray,
        *,
        seed: int,
        max_seconds: float | None = None,
        progress: ProgressCallback | None = None,
    ) -> TrainingRecord:
        """Starts at the marginals, lets the two learn in turn, and matches the marginals again."""
        table = self.layout.to_network(codes)
        start_at_marginals(self.networks.generator.heads, self.layout, table)
        cues = Cues(self.layout, table)
        self.shares = cues.true_shares()
        plan = TrainingPlan(
            epochs=self.sizes.epochs,
            batch_rows=self.sizes.batch_rows,
            learning_rate=self.sizes.learning_rate,
            momentum=MOMENTUM,
            weight_decay=0.0,
            max_seconds=max_seconds,
        )
        match = _Match(self, table, cues)
        record = train(
            self.networks,
            Objective(step=match.step, rows=len(table)),
            plan,
            seed=seed,
            company=Company(progress),
        )
        random = torch.Generator().manual_seed(seed)
        features = self._features(min(len(table), MATCHED_ROWS), random)
        match_marginals(self.networks.generator.heads, self.layout, features, table, random)
        return record

    def draw(self, rows: int, random: np.random.Generator) -> IntArray:
        """Codes `(rows, parts)` of new rows."""
        torch_random = torch.Generator().manual_seed(int(random.integers(2**63)))
        heads = self.networks.generator.heads
        return draw_rows(heads, self.layout, self._features, rows, torch_random)

    @torch.no_grad()
    def strangeness(self, codes: IntArray) -> FloatArray:
        """Minus what the critic says of each row, `(rows,)`: the higher, the stranger.

        The mean over the cues that the row would fulfil, one for each root code that it has.
        """
        starts = self.networks.generator.heads.starts
        scores = []
        for batch in torch.split(self.layout.to_network(codes).long(), BATCH_ROWS):
            rows = self.one_hot(batch)
            total, cues = torch.zeros(len(batch)), torch.zeros(len(batch))
            for code, shape in enumerate(self.layout.shapes):
                if shape.parent == ROOT:
                    known = batch[:, code] >= 0
                    cue = starts[code] + batch[:, code].clamp_min(0)
                    total -= torch.where(known, self.networks.critic(rows, cue), 0.0)
                    cues += known
            scores.append(total / cues.clamp_min(1))
        strange: FloatArray = torch.cat(scores).double().numpy()
        return strange

    def one_hot(self, codes: Tensor) -> Tensor:
        """Network codes `(rows, codes)` as one-hot rows `(rows, columns)`, zeros where unknown."""
        starts = torch.tensor(self.networks.generator.heads.starts)
        places = torch.where(codes >= 0, codes + starts[:-1], starts[-1])
        return torch.zeros(len(codes), int(starts[-1]) + 1).scatter_(1, places, 1.0)[:, :-1]

    def arrays(self) -> Arrays:
        """Weights and shares by name."""
        return {**prefixed(weights_of(self.networks), "networks"), "shares": self.shares}

    def restore(self, arrays: Arrays) -> Self:
        """Takes over stored weights and shares."""
        take_over(self.networks, unprefixed(arrays, "networks"))
        self.shares = arrays["shares"]
        return self

    @torch.no_grad()
    def _features(self, count: int, random: torch.Generator) -> Tensor:
        """Features of new rows, `(count, width)`."""
        shares = torch.from_numpy(self.shares)[None]
        cues = draw_values(shares, torch.zeros(count, dtype=torch.long), random)
        return self.networks.generator.features(cues, random)


class _Match:
    """What the two networks do to each other, step by step.

    The critic has `critic_steps` turns for each one of the generator. Either one's loss leaves the
    other's weights without a gradient, so that the one optimiser moves only whose turn it is.
    """

    def __init__(self, model: AdversarialCodeModel, table: Tensor, cues: Cues) -> None:
        self.model, self.table, self.cues = model, table, cues
        self.hidden = model.layout.hidden(table)
        heads = model.networks.generator.heads
        self.sizes = torch.tensor(heads.starts).diff()
        self.starts = torch.tensor(heads.starts[:-1])

    def step(self, batch: Tensor, random: torch.Generator) -> Tensor:
        """The loss of whose turn it is; cues bring their own rows, as many as the batch."""
        networks, rows = self.model.networks, max(len(batch), FEWEST_ROWS)
        turn = int(networks.turn)
        networks.turn.fill_((turn + 1) % (self.model.sizes.critic_steps + 1))
        if turn < self.model.sizes.critic_steps:
            return self._critic_loss(rows, random)
        networks.critic.requires_grad_(False)
        try:
            return self._generator_loss(rows, random)
        finally:
            networks.critic.requires_grad_(True)

    def _critic_loss(self, rows: int, random: torch.Generator) -> Tensor:
        """Minus the Wasserstein distance that the critic sees, and the penalty on its slope."""
        networks, cued = self.model.networks, self.cues.draw(rows, random)
        real = self.model.one_hot(self.table[cued.rows].long())
        with torch.no_grad():
            features = networks.generator.features(cued.cues, random)
            made = self._made(features, cued.rows, random)
        said = networks.critic(torch.cat([real, made]), cued.cues.repeat(2))
        some = slice(max(1, rows // PENALIZED))
        penalty = gradient_penalty(networks.critic, real[some], made[some], cued.cues[some], random)
        loss: Tensor = said[rows:].mean() - said[:rows].mean() + PENALTY_WEIGHT * penalty
        return loss

    def _generator_loss(self, rows: int, random: torch.Generator) -> Tensor:
        """Minus how real the critic finds made rows, their gaps to real ones, and missed cues.

        A critic pushes all made rows in one direction at a time. The gaps between means of its
        features and between small contingency tables push in all directions at once, so that a
        generator does not drop what it has learned.
        """
        networks, cued = self.model.networks, self.cues.draw(rows, random)
        features = networks.generator.features(cued.cues, random)
        made = self._made(features, cued.rows, random)
        places = torch.arange(rows)
        targets = torch.full((rows, len(self.starts)), -1)
        targets[places, cued.codes] = cued.cues - self.starts[cued.codes]
        asked = (targets >= 0) / rows
        missed = networks.generator.heads.loss(features, targets, asked)
        real = self.model.one_hot(self.table[cued.rows].long())
        critic = networks.critic
        looks = [critic.features(rows, cued.cues) for rows in (real, made)]
        gaps = FEATURE_WEIGHT * mean_gap(*looks)
        gaps = gaps + TABLE_WEIGHT * table_gap(critic.seen(real), critic.seen(made))
        loss: Tensor = missed + gaps - critic.realness_of(looks[1]).mean()
        return loss

    def _made(self, features: Tensor, rows: Tensor, random: torch.Generator) -> Tensor:
        """One-hot rows drawn from features, with what is protected in real `rows` left out.

        A generator can't make what has no code; the critic must not find it out by that.
        """
        drawn = torch.cat(self.model.networks.generator.drawn(features, random), 1)
        return drawn * (~self.hidden[rows]).repeat_interleave(self.sizes, 1)


def _applies_from(layout: CodeLayout) -> list[int]:
    """From which value of its parent on each network code applies."""
    least = [0] * len(layout.shapes)
    for part, first in zip(layout.parts, layout.first, strict=True):
        if part.parent is not None and not layout.divisors[part.parent]:
            least[first] = part.applies_from
    return least
