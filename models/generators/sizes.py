"""How large a code network is and how long it trains: rules of rows and columns only."""

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
LEAST_DROPOUT, DROPOUT, MOST_DROPOUT = 0.2, 0.5, 0.7
DROPOUT_OF_DETAIL = 0.4
"""DROPOUT of tables with detail: few rows equal a real one there, and relations must be sharp."""
EPOCHS = 35
MOST_EPOCHS = 70
FEWEST_EPOCHS = 4
FEW_ROWS, FEW_ROWS_EPOCHS = 5000, 50
"""With fewer rows than these a network learns them by heart before it has had all its passes: they
get less, but so many at least."""
BATCHES = 6
"""Batches that a pass has at least, as far as SMALLEST_BATCH allows."""
SMALLEST_BATCH, LARGEST_BATCH = 64, 1024
MANY_VALUES = 1000
"""From here on a table has detail that a network of 256 units does not reach."""
ROWS_OF_VALUE = 5
"""With fewer rows for each value a larger network learns rows by heart: 300 columns of 20,000."""
MOST_WORK = 4e12
"""Rows times passes times values times width: about five minutes on two cores."""


def choose_sizes(rows: int, values: int) -> Sizes:
    """Sizes for `rows` training rows whose codes have so many `values` in all.

    Twice the rows get 1.4 times the steps, as far as MOST_WORK allows, and below FEW_ROWS more than
    twice. MANY_ROWS get DROPOUT, fewer rows more: both keep synthetic rows from leaning towards
    training rows. Tables of MANY_VALUES, many of them numbers, get a larger network and more passes
    where they have the rows for it. A step costs about as much as all values together, so that
    tables of hundreds of columns get fewer passes.
    """
    many = max(MANY_ROWS / 2, ROWS_OF_VALUE * values)
    detailed = values >= MANY_VALUES and rows >= many
    width, blocks = (384, 3) if detailed else (256, 2)
    usual = (2.0 if detailed else 1.0) * EPOCHS * (MANY_ROWS / max(rows, 1)) ** 0.5
    affordable = int(MOST_WORK / (max(rows, 1) * max(values, 1) * width))
    return Sizes(
        width=width,
        blocks=blocks,
        epochs=min(max(round(usual), FEWEST_EPOCHS), _most_epochs(rows), max(affordable, 1)),
        batch_rows=_batch_rows(rows),
        learning_rate=2e-3,
        dropout=_dropout(max(rows, 1), DROPOUT_OF_DETAIL if detailed else DROPOUT),
    )


def _batch_rows(rows: int) -> int:
    """A power of two: few rows need small batches to get enough steps in their passes."""
    wanted = max(rows, 1) // BATCHES
    size = 1 << max(wanted.bit_length() - 1, 0)
    usual = LARGEST_BATCH if rows >= 10 * MANY_ROWS else LARGEST_BATCH // 2
    return min(max(size, SMALLEST_BATCH), usual)


def _most_epochs(rows: int) -> int:
    few: float = MOST_EPOCHS * (max(rows, 1) / FEW_ROWS) ** 0.75
    return min(max(round(few), FEW_ROWS_EPOCHS), MOST_EPOCHS)


def _dropout(rows: int, usual: float) -> float:
    chance: float = usual * (MANY_ROWS / rows) ** 0.15
    return round(min(max(chance, LEAST_DROPOUT), MOST_DROPOUT), 3)
