"""How exactly products of matrices are computed in training and sampling."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

_lock = threading.Lock()
_inside: list[str] = []
"""The setting that was found, once for each thread that is inside."""


@contextmanager
def quick_products() -> Iterator[None]:
    """Matrix products of float32 in the processor's bfloat16 units, where it has some.

    Factors are rounded to 8 bits of mantissa, sums stay float32: noise far below that of a
    gradient or of a draw, at half the time. Elsewhere nothing changes. The setting is torch's own
    for the whole process: the last thread that leaves puts back what the first one found.
    """
    settings = torch.backends.mkldnn.matmul  # type: ignore[attr-defined]
    with _lock:
        _inside.append(_inside[0] if _inside else settings.fp32_precision)
        settings.fp32_precision = "bf16"
    try:
        yield
    finally:
        with _lock:
            before = _inside.pop()
            if not _inside:
                settings.fp32_precision = before
