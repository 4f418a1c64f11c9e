"""What all generators of single tables share: input checks and sampling in bounded memory."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from data_contracts.contract import Table
from data_contracts.dataset import Dataset
from data_contracts.errors import ModelError
from models.base import Given
from models.encoding.column import UNKNOWN, IntArray
from models.encoding.table import TableCodec
from models.generators.kept_rules import keep_rules

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
        given = _slice(request.given, start, start + rows)
        batch = _Batch(codec, complete, given, np.random.default_rng(seed))
        frame = batch.draw(np.arange(rows), request.first_row + start)
        names = frozenset() if given is None else frozenset(map(str, given.keys()))
        frames.append(keep_rules(frame, table, names, batch.redraw))
    return frames[0] if len(frames) == 1 else pd.concat(frames, ignore_index=True)


@dataclass(frozen=True)
class _Batch:
    """Rows that are drawn together, and what is given of each of them."""

    codec: TableCodec
    complete: Complete
    given: Given | None
    random: np.random.Generator

    def draw(self, rows: IntArray, first_row: int) -> pd.DataFrame:
        """The rows at these positions of the batch, whose identifiers count from `first_row`."""
        count, given = len(rows), self.given
        if isinstance(given, pd.DataFrame):
            given = given.iloc[rows].reset_index(drop=True)
        if given is None:
            codes = np.full((count, len(self.codec.parts_)), UNKNOWN, dtype=np.int64)
        else:
            codes = self.codec.encode_given(given, count)
        frame = self.codec.decode(self.complete(codes, self.random), self.random, first_row)
        return frame if given is None else self.codec.apply_given(frame, given, count)

    def redraw(self, rows: IntArray) -> pd.DataFrame:
        """Rows at these positions once more, without identifiers: those stay as issued."""
        return self.draw(rows, 0).drop(columns=list(self.codec.issued_))


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
