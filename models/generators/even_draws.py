"""Draws that spread evenly: each row follows its own distribution, all together hit its mean."""

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from models.encoding.column import BoolArray, FloatArray, IntArray


class Lots(NamedTuple):
    """Who draws from what: row r follows the shares of group `groups[r]`, both `(rows,)`.

    Rows of equal or near `strata` are alike in what was drawn for them before.
    """

    groups: Tensor
    strata: Tensor


def draw_evenly(shares: Tensor, lots: Lots, random: torch.Generator) -> Tensor:
    """One value for each row, `(rows,)`, from the shares of its group, `(groups, values)`.

    Systematic sampling (Madow 1949), applied to a binary search for the value: at each fork the
    rows that stand there, sorted by stratum and in random order within, are sent left so that the
    running number of those sent stays within one of the running sum of their probabilities. A row
    goes left with exactly its own probability; but the number of rows with a value, in all and
    within any run of strata, varies far less than under independent draws, and with it every
    marginal of the table. A value of share zero is never drawn.
    """
    ends = np.zeros((shares.shape[0], shares.shape[1] + 1))
    np.cumsum(shares.numpy(), axis=1, dtype=np.float64, out=ends[:, 1:])
    rows, values = lots.groups.numpy(), shares.shape[1]
    mixed = torch.randperm(len(rows), generator=random).numpy()
    mixed = mixed[np.argsort(lots.strata.numpy()[mixed], kind="stable")]
    low = np.zeros(len(rows), dtype=np.int16 if values < 2**15 else np.int64)
    high = np.full_like(low, values)
    for _ in range(math.ceil(math.log2(max(values, 1)))):
        middle = (low + high + 1) // 2
        below = ends[rows, low]
        whole = ends[rows, high] - below
        chance = np.divide(
            ends[rows, middle] - below, whole, out=np.ones_like(whole), where=whole > 0
        )
        order = mixed[np.argsort(low[mixed], kind="stable")]
        left = _sent(chance, order, float(torch.rand(1, generator=random)))
        open_ = high - low > 1
        high = np.where(open_ & left, middle, high)
        low = np.where(open_ & ~left, middle, low)
    return torch.from_numpy(low.astype(np.int64))


def _sent(chance: FloatArray, order: IntArray, start: float) -> BoolArray:
    """Who is sent left, `(rows,)`: where the running sum in this order passes a whole number."""
    passed = np.floor(start + np.cumsum(chance[order]))
    sent = np.empty(len(order), dtype=np.bool_)
    sent[order] = np.diff(passed, prepend=0.0) > 0
    # Sums are rounded; what is certain stays certain.
    certain: BoolArray = (sent | (chance >= 1)) & (chance > 0)
    return certain
