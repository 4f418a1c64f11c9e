"""How large a code network is and how long it trains: rules of rows and codes only."""

from typing import NamedTuple


class Sizes(NamedTuple):
    """What a code network of a given table needs."""

    width: int
    blocks: int
    epochs: int
    batch_rows: int
    learning_rate: float
    dropout: float


def choose_sizes(rows: int, codes: int, values: int) -> Sizes:  # noqa: ARG001
    """Sizes for `rows` training rows of `codes` codes that have `values` values in total."""
    width = 256
    return Sizes(width=width, blocks=2, epochs=50, batch_rows=512, learning_rate=2e-3, dropout=0.0)
