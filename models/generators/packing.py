"""Training rows in as few bytes as they need: two for each code."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor

from data_contracts.contract import Table
from data_contracts.dataset import Dataset
from models.encoding.column import UNKNOWN, IntArray
from models.encoding.table import TableCodec
from models.generators.code_layout import CodeLayout

HIDDEN = -2
"""A packed code whose value is there but not told (protected); UNKNOWN does not apply."""
WATCHED_SHARE = 0.1
"""The largest share of the rows that tell when to stop training."""
MOST_WATCHED = 2000
"""More rows than this tell no more."""
FEWEST_ROWS = 200
"""A tenth of fewer rows than this tells nothing."""
_BLOCK = 2**17


class PackedRows(NamedTuple):
    """Network codes `(rows, codes)`, negative where not known, and positions of watched rows."""

    codes: Tensor
    watched: Tensor


def pack_rows(data: Dataset, codec: TableCodec, layout: CodeLayout, seed: int) -> PackedRows:
    """All training rows of `data`, encoded part by part.

    Rows of one unit of privacy are watched together or not at all: a network that learns a person
    by heart would else look good on that person's other rows.
    """
    table, rows = data.contract.table(next(iter(data.tables))), data.rows
    random = np.random.default_rng([seed, 1])
    packed = torch.empty((rows, len(layout.shapes)), dtype=_dtype(layout))
    keys = np.empty(rows, dtype=np.uint64)
    start = 0
    for frame in blocks(data.parts()):
        codes = layout.to_network(codec.encode(frame))
        packed[start : start + len(frame)] = codes.masked_fill(layout.hidden(codes), HIDDEN)
        keys[start : start + len(frame)] = _unit_keys(frame, table, seed, random)
        start += len(frame)
    return PackedRows(packed[:start], torch.from_numpy(_watched(keys[:start])))


def unpacked(codes: Tensor) -> tuple[Tensor, Tensor]:
    """Packed codes as int64 network codes, and where one is hidden."""
    return codes.long().clamp_min(UNKNOWN), codes == HIDDEN


def _unit_keys(
    frame: pd.DataFrame, table: Table, seed: int, random: np.random.Generator
) -> npt.NDArray[np.uint64]:
    """A seeded 64-bit hash of each row's unit; a row without one is a unit of its own."""
    keys = random.integers(2**64, size=len(frame), dtype=np.uint64)
    if table.unit is None or table.unit not in frame.columns:
        return keys
    units = frame[table.unit]
    hashed = pd.util.hash_pandas_object(units.astype(str), index=False, hash_key=f"{seed:016x}")
    return np.where(units.isna(), keys, hashed.to_numpy())


def _watched(keys: npt.NDArray[np.uint64]) -> IntArray:
    """Positions of the rows of the units with the smallest keys, as many as may be watched.

    A unit of more rows than that is never watched: hardly any row would be left to learn from.
    """
    most = min(int(WATCHED_SHARE * len(keys)), MOST_WATCHED) if len(keys) >= FEWEST_ROWS else 0
    units, counts = np.unique(keys, return_counts=True)
    units, counts = units[counts <= most], counts[counts <= most]
    chosen = units[counts.cumsum() <= most]
    return np.flatnonzero(np.isin(keys, chosen))


def blocks(parts: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    """The rows of all parts, a bounded number at a time."""
    for part in parts:
        for start in range(0, len(part), _BLOCK):
            yield part.iloc[start : start + _BLOCK]


def _dtype(layout: CodeLayout) -> torch.dtype:
    largest = max(shape.cardinality for shape in layout.shapes)
    return torch.int16 if largest <= 2**15 else torch.int32
