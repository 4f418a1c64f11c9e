"""What all generators of single tables share: input checks and sampling in bounded memory."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from data_contracts.contract import Table
from data_contracts.dataset import Dataset
from data_contracts.errors import ModelError
from models.base import Given
from models.encoding.column import IntArray
from models.encoding.table import TableCodec

MOST_CODES = 2**24
"""Codes held at once while sampling; 128 MiB of int64."""

Complete = Callable[[IntArray, np.random.Generator], IntArray]
"""Fills the unknown codes (UNKNOWN) of rows `(rows, parts)` and leaves the known ones."""


@dataclass(frozen=True)
class Request:
    """What `sample` was asked for."""

    rows: int
    given: Given | None
    seed: int
    first_row: int = 0


def only_table(data: Dataset, name: str) -> tuple[Table, pd.DataFrame]:
    """The one table of `data` and its rows; ModelError when it is not one of kind `table`."""
    if len(data.tables) != 1:
        raise ModelError(f"{name}: {len(data.tables)} tables given. Fit one table at a time.")
    table = data.contract.table(next(iter(data.tables)))
    if table.kind != "table":
        raise ModelError(
            f"table {table.name!r}: {name} learns kind 'table' only, not {table.kind!r}. Choose "
            "another generator."
        )
    if data.frame.empty:
        raise ModelError(f"table {table.name!r}: 0 rows. A generator needs at least one.")
    return table, data.frame


def unit_ids(table: Table, frame: pd.DataFrame) -> IntArray | None:
    """Which unit of privacy each row belongs to, as ids; None where each row is its own."""
    if table.unit is None or table.unit not in frame.columns:
        return None
    ids, _ = pd.factorize(frame[table.unit], use_na_sentinel=False)
    return ids.astype(np.int64)


def sample_frame(
    codec: TableCodec, table: Table, request: Request, complete: Complete
) -> pd.DataFrame:
    """Exactly the rows asked for, drawn by `complete` and decoded, batch after batch."""
    _check(table, request)
    size = max(1, MOST_CODES // max(1, len(codec.parts_)))
    starts = range(0, max(request.rows, 1), size)
    seeds = np.random.SeedSequence(request.seed).spawn(len(starts))
    frames = []
    for start, seed in zip(starts, seeds, strict=True):
        rows = min(size, request.rows - start)
        random = np.random.default_rng(seed)
        given = _slice(request.given, start, start + rows)
        codes = complete(_given_codes(codec, given, rows), random)
        frame = codec.decode(codes, random, first_row=request.first_row + start)
        frames.append(frame if given is None else codec.apply_given(frame, given, rows))
    return frames[0] if len(frames) == 1 else pd.concat(frames, ignore_index=True)


def _given_codes(codec: TableCodec, given: Given | None, rows: int) -> IntArray:
    if given is None:
        return np.full((rows, len(codec.parts_)), -1, dtype=np.int64)
    return codec.encode_given(given, rows)


def _slice(given: Given | None, start: int, stop: int) -> Given | None:
    if given is None or len(given.keys()) == 0:
        return None
    return given.iloc[start:stop] if isinstance(given, pd.DataFrame) else given


def _check(table: Table, request: Request) -> None:
    if request.rows < 0:
        raise ModelError(f"table {table.name!r}: {request.rows} rows asked for. Ask for 0 or more.")
    if request.given is None:
        return
    unknown = [str(name) for name in request.given.keys() if name not in table.column_names]
    if unknown:
        raise ModelError(
            f"table {table.name!r}: given {', '.join(unknown)}, which it does not have. Its "
            f"columns: {', '.join(table.column_names)}."
        )
    if isinstance(request.given, pd.DataFrame) and len(request.given) != request.rows:
        raise ModelError(
            f"table {table.name!r}: {len(request.given)} given rows for {request.rows} rows. Give "
            "a row for each."
        )
