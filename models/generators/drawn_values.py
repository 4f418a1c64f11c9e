"""Values drawn from shares: each row by itself, rows of a group from the same shares."""

import torch
from torch import Tensor


def draw_values(shares: Tensor, groups: Tensor, random: torch.Generator) -> Tensor:
    """One value for each row `(rows,)`, from the shares of its group `(groups, values)`."""
    return values_at(draw_lots(len(groups), random), shares, groups)


def draw_lots(rows: int, random: torch.Generator) -> Tensor:
    """What decides which value each row gets, float64 in [0, 1), `(rows,)`."""
    return torch.rand(rows, generator=random, dtype=torch.float64)


def values_at(lots: Tensor, shares: Tensor, groups: Tensor) -> Tensor:
    """The values `(rows,)` that lots `(rows,)` draw from shares, as `draw_values` does.

    Each row by itself: spreading them evenly would bring the marginals closer to those of the
    training rows than fresh rows could be, and tell how many of them had a value.
    """
    ends = shares.double().cumsum(1)
    # Each group's ends are moved by its number, so that one search serves all groups.
    ends = (ends / ends[:, -1:] + torch.arange(len(ends))[:, None]).flatten()
    values = torch.searchsorted(ends, groups + lots, right=True) - groups * shares.shape[1]
    return values.clamp(0, shares.shape[1] - 1)
