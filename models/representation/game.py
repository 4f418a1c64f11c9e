"""The three-party game: tasks and the holder of the key against attackers without it.

After Abadi and Andersen 2016 (adversarial neural cryptography), in the half of it that is of use:
selective protection. The encoder gives codes of which tasks keep what they need; the holder of the
key takes the noise off and decodes the row; attackers see the noisy code and what is known anyway.
Attackers are held at their prior, not at their worst: an attacker who is always wrong is right
when turned round.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.representation.players import Attackers, Players

HIDDEN_SHARE = 0.1
"""Size of the hidden part against the noise: a hundredth of the noise's power."""
_HOLDER_WEIGHT = 0.2
_SENSITIVE_TOLERANCE, _TOLERANCE = 0.001, 0.06
"""Nats by which the code may help an attacker before the encoder pays for it."""
_ALONE, _FULL = 0.2, 0.5
"""Shares of the game: attackers learn first, unheard; then they count more and more."""


@dataclass(frozen=True)
class Board:
    """What the game is played with: one tensor for all rows each.

    `codes` `(rows, parts)` and `numbers` are the rows; `said` are the tasks' teachings, `known`
    what attackers know anyway, `secrets` the column classes `(rows, columns)` they are after.
    """

    codes: Tensor
    numbers: Tensor
    said: tuple[Tensor, ...]
    classes: tuple[int, ...]
    known: Tensor
    secrets: Tensor
    secret_sizes: tuple[int, ...]
    sensitive: tuple[int, ...]
    sizes: tuple[int, ...]


@dataclass(frozen=True)
class Stakes:
    """Noise over codes, how much attackers' gains count, and the steps of the whole game."""

    noise: float
    weight: float
    steps: int


class Game:
    """One step of the game for a batch of rows: attackers learn first, then all others pay."""

    def __init__(self, board: Board, players: Players, stakes: Stakes, width: int) -> None:
        self.board, self.players, self.stakes = board, players, stakes
        self.played = 0
        self.attackers = Attackers(
            known=board.known.shape[1],
            code=players.width,
            classes=max(sum(board.secret_sizes), 1),
            width=width,
        )
        self.learner = torch.optim.Adam(self.attackers.parameters(), lr=2e-3)

    def step(self, batch: Tensor, random: torch.Generator) -> Tensor:
        """The loss of the encoder, the tasks and the holder on these rows."""
        board = self.board
        opened, hidden = self.players.encoder(board.codes[batch], board.numbers[batch])
        code = self._noisy(opened, hidden, random)
        loss = self._tasks(code[:, : opened.shape[1]], batch)
        loss = loss + _HOLDER_WEIGHT * self._holder(opened, hidden, batch)
        self.played += 1
        if self.stakes.weight and board.secret_sizes:
            self._teach_attackers(code.detach(), batch)
            heard = (self.played / self.stakes.steps - _ALONE) / (_FULL - _ALONE)
            if heard > 0:
                loss = loss + self.stakes.weight * min(heard, 1.0) * self._gains(code, batch)
        return loss

    def _noisy(self, opened: Tensor, hidden: Tensor, random: torch.Generator) -> Tensor:
        """The code in units of the noise for its hidden part, so that attackers see both alike."""
        clean = torch.cat([opened, HIDDEN_SHARE * self.stakes.noise * hidden], 1)
        noisy = clean + self.stakes.noise * torch.randn(clean.shape, generator=random)
        width = opened.shape[1]
        return torch.cat([noisy[:, :width], noisy[:, width:] / self.stakes.noise], 1)

    def _tasks(self, code: Tensor, batch: Tensor) -> Tensor:
        total = torch.zeros(())
        for head, said, classes in zip(
            self.players.heads, self.board.said, self.board.classes, strict=True
        ):
            found = head(code)
            if classes:
                total = total + functional.cross_entropy(found, said[batch])
            else:
                total = total + functional.mse_loss(found, said[batch])
        return total

    def _holder(self, opened: Tensor, hidden: Tensor, batch: Tensor) -> Tensor:
        logits = self.players.holder(torch.cat([opened.detach(), hidden], 1))
        losses = _losses(logits, self.board.codes[batch], self.board.sizes)
        return losses.mean(0).sum() / max(len(self.board.sizes), 1)

    def _teach_attackers(self, code: Tensor, batch: Tensor) -> None:
        for _ in range(2):
            prior, attack = self.attackers(self.board.known[batch], code)
            secrets, sizes = self.board.secrets[batch], self.board.secret_sizes
            loss = _losses(prior, secrets, sizes).sum(1).mean()
            loss = loss + _losses(attack, secrets, sizes).sum(1).mean()
            self.learner.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            self.learner.step()

    def _gains(self, code: Tensor, batch: Tensor) -> Tensor:
        """What attackers gain from the code beyond what is tolerated, summed over columns."""
        for weight in self.attackers.parameters():
            weight.requires_grad_(False)
        prior, attack = self.attackers(self.board.known[batch], code)
        for weight in self.attackers.parameters():
            weight.requires_grad_(True)
        secrets, sizes = self.board.secrets[batch], self.board.secret_sizes
        gains = (_losses(prior, secrets, sizes) - _losses(attack, secrets, sizes)).mean(0)
        tolerated = torch.full_like(gains, _TOLERANCE)
        tolerated[list(self.board.sensitive)] = _SENSITIVE_TOLERANCE
        weights = torch.ones_like(gains)
        weights[list(self.board.sensitive)] = 3.0
        return (weights * functional.relu(gains - tolerated)).sum()


def _losses(logits: Tensor, codes: Tensor, sizes: Sequence[int]) -> Tensor:
    """Cross-entropy of each column `(rows, columns)` from logits side by side."""
    found = []
    start = 0
    for column, size in enumerate(sizes):
        part = logits[:, start : start + size]
        found.append(functional.cross_entropy(part, codes[:, column], reduction="none"))
        start += size
    return torch.stack(found, 1) if found else torch.zeros(len(codes), 0)


def open_widths(classes: Sequence[int]) -> tuple[int, ...]:
    """Open numbers of each task: what its answer has, and no more than three."""
    return tuple(min(max(count - 1, 1), 3) for count in classes)


def holder_of(inputs: int, sizes: Sequence[int], width: int) -> nn.Module:
    """Who decodes rows from codes without noise."""
    return nn.Sequential(
        nn.Linear(inputs, width), nn.GELU(), nn.Linear(width, width), nn.GELU(),
        nn.Linear(width, sum(sizes)),
    )  # fmt: skip
