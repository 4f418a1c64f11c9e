"""How the learning rate moves over a training run."""

import math


def one_cycle(
    done: float, *, warm_up: float = 0.1, start: float = 0.04, end: float = 1e-3
) -> float:
    """The share of the highest learning rate after `done` (0..1) of the run.

    Rises over the share `warm_up` and falls to nearly nothing at the end, both along a cosine:
    a short run needs the high rates for speed and the low ones for a quiet end (Smith and Topin
    2019, super-convergence).
    """
    if done < warm_up:
        return _cosine(start, 1.0, done / warm_up)
    return _cosine(1.0, end, min(1.0, (done - warm_up) / (1 - warm_up)))


def _cosine(first: float, last: float, share: float) -> float:
    return last + (first - last) * (1 + math.cos(math.pi * share)) / 2
