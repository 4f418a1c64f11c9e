"""Batches of rows in random order, pass after pass."""

import torch
from torch import Tensor


class Passes:
    """Positions of rows `(batch,)`, each row once in every pass, in a new order each time.

    `held` are positions that are left out until `release` is called. An order is never stored: it
    comes again from the random state at its start, `order_state`, and the place in it. Raises
    ValueError where no row is left.
    """

    def __init__(self, rows: int, batch_rows: int, random: torch.Generator, held: Tensor) -> None:
        self.rows, self.batch_rows, self.random = rows, batch_rows, random
        self.free: Tensor | None = None
        if len(held):
            self.free = torch.ones(rows, dtype=torch.bool)
            self.free[held] = False
            if not self.free.any():
                raise ValueError(f"all {rows} rows are held back: none is left to train on")
        self._begin()

    def next_batch(self) -> Tensor:
        """The next rows of this pass, or the first ones of a new pass."""
        if self.place >= len(self.order):
            self._begin()
        batch = self.order[self.place : self.place + self.batch_rows]
        self.place += len(batch)
        return batch

    def release(self) -> None:
        """From now on all rows are trained on; a new pass begins."""
        if self.free is not None:
            self.free = None
            self._begin()

    def resume(self, order_state: Tensor, place: int, released: bool) -> None:
        """Goes on where a run with these values stood; the random state must be set afterwards."""
        if released:
            self.free = None
        self.random.set_state(order_state)
        self._begin()
        self.place = place

    def _begin(self) -> None:
        self.order_state = self.random.get_state()
        order = torch.randperm(self.rows, generator=self.random)
        self.order = order if self.free is None else order[self.free[order]]
        self.place = 0
