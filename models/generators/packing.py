"""Training rows in as few bytes as they need: two for each code."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from data_contracts.contract import Table
from data_contracts.dataset import Dataset
from models.encoding.column import UNKNOWN, BoolArray
from models.encoding.table import TableCodec
from models.generators.code_layout import CodeLayout

HIDDEN = -2
"""A packed code whose value is there but not told (protected); UNKNOWN does not apply."""
WATCHED_SHARE = 0.1
"""Share of the units of privacy whose rows tell when to stop training."""
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
    share = min(WATCHED_SHARE, MOST_WATCHED / rows) if rows >= FEWEST_ROWS else 0.0
    random = np.random.default_rng([seed, 1])
    packed = torch.empty((rows, len(layout.shapes)), dtype=_dtype(layout))
    watched = []
    start = 0
    for frame in _blocks(data.parts()):
        codes = layout.to_network(codec.encode(frame))
        packed[start : start + len(frame)] = codes.masked_fill(layout.hidden(codes), HIDDEN)
        watched.append(start + np.flatnonzero(_watched(frame, table, share, random)))
        start += len(frame)
    return PackedRows(packed[:start], torch.from_numpy(np.concatenate(watched)))


def unpacked(codes: Tensor) -> tuple[Tensor, Tensor]:
    """Packed codes as int64 network codes, and where one is hidden."""
    return codes.long().clamp_min(UNKNOWN), codes == HIDDEN


def _watched(
    frame: pd.DataFrame, table: Table, share: float, random: np.random.Generator
) -> BoolArray:
    if table.unit is None or table.unit not in frame.columns:
        return random.random(len(frame)) < share
    hashed = pd.util.hash_pandas_object(frame[table.unit].astype(str), index=False)
    return hashed.to_numpy() % 10_000 < share * 10_000


def _blocks(parts: Iterable[pd.DataFrame]) -> Iterable[pd.DataFrame]:
    for part in parts:
        for start in range(0, len(part), _BLOCK):
            yield part.iloc[start : start + _BLOCK]


def _dtype(layout: CodeLayout) -> torch.dtype:
    largest = max(shape.cardinality for shape in layout.shapes)
    return torch.int16 if largest <= 2**15 else torch.int32
