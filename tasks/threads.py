"""How many threads the networks run on: always as many, so that equal work gives equal bytes."""

THREADS = 2
"""Sums of floats depend on how they are split among threads."""


def steady_threads() -> None:
    """Lets torch compute on THREADS threads, whatever the machine or its environment says."""
    import torch

    torch.set_num_threads(THREADS)
