"""Torch's global random state, borrowed for as long as something draws from it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

_lock = threading.RLock()


@contextmanager
def global_chance(seed: int) -> Iterator[None]:
    """Torch's global random state starts at `seed`, and is as it was before afterwards.

    Starting weights and dropout draw from it, and there is one for the whole process: a thread
    waits until no other one is inside, or the same seed would no longer give the same weights.
    """
    with _lock, torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
