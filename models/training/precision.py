"""How exactly training computes."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def quick_products() -> Iterator[None]:
    """Matrix products of float32 in the processor's bfloat16 units, where it has some.

    Factors are rounded to 8 bits of mantissa, sums stay float32: noise far below that of a
    gradient, at a third of the time. Elsewhere nothing changes.
    """
    settings = torch.backends.mkldnn.matmul  # type: ignore[attr-defined]
    before = settings.fp32_precision
    settings.fp32_precision = "bf16"
    try:
        yield
    finally:
        settings.fp32_precision = before
