"""How large a code network is and how long it trains: rules of the number of rows only."""

from typing import NamedTuple


class Sizes(NamedTuple):
    """What a code network of a given table needs."""

    width: int
    blocks: int
    epochs: int
    batch_rows: int
    learning_rate: float
    dropout: float


MANY_ROWS = 20_000
"""From here on rows are many enough that a network of 256 units hardly learns them by heart."""
EPOCHS = 40
MOST_EPOCHS = 100
FEWEST_EPOCHS = 4


def choose_sizes(rows: int) -> Sizes:
    """Sizes for `rows` training rows.

    Twice the rows get 1.4 times the steps. Fewer rows than MANY_ROWS get more dropout, which on
    tables of 6,000 rows kept synthetic rows from leaning towards training rows.
    """
    epochs = round(EPOCHS * (MANY_ROWS / max(rows, 1)) ** 0.5)
    return Sizes(
        width=256,
        blocks=2,
        epochs=min(max(epochs, FEWEST_EPOCHS), MOST_EPOCHS),
        batch_rows=512 if rows < 10 * MANY_ROWS else 1024,
        learning_rate=2e-3,
        dropout=0.2 if rows >= MANY_ROWS else 0.3,
    )
