"""At most so many rows of a large table: whole units by a seeded hash, never every n-th row.

Every n-th row would take the same event of each unit out of panels of equal length, and whoever
makes a candidate could lay copies where nobody looks.
"""

from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa

from data_contracts.contract import Table
from tasks.split import unit_keys

Read = Callable[[list[str] | None], Iterator[pa.Table]]
"""Gives all parts of a table in the same order each time: the columns named, or all for None."""


def thinned(read: Read, table: Table, most: int, seed: int) -> list[pa.Table]:
    """The rows of the units with the largest hashes, about `most` of them, part by part.

    All rows where there are no more. The last unit stays whole, so that its rows may exceed `most`.
    """
    unit = [] if table.unit is None else [table.unit]
    empty = np.zeros(0, dtype=np.uint64)
    keys = np.concatenate([empty, *(each for _, each in _hashed(read(unit), table.unit, seed))])
    if keys.size <= most:
        return list(read(None))
    bound = np.partition(keys, -most)[-most]
    return [
        part.filter(pa.array(keys >= bound)) for part, keys in _hashed(read(None), table.unit, seed)
    ]


def _hashed(
    parts: Iterator[pa.Table], unit: str | None, seed: int
) -> Iterator[tuple[pa.Table, np.ndarray]]:
    first_row = 0
    for part in parts:
        yield part, unit_keys(part, unit, first_row, seed)
        first_row += part.num_rows
