"""Reads a source batch by batch, in memory bounded whatever its size; hashes it; guesses one."""

import atexit
import hashlib
import queue
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Generic, TypeVar
from urllib.parse import unquote

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from data_contracts.contract import Source
from data_contracts.errors import SourceError, problem
from tasks.csv_rows import read_csv
from tasks.json_rows import read_json_lines
from tasks.sniffing import sniff_source as sniff_source
from tasks.source_rows import Chunk, check_columns, find_files, reading

_PARQUET_ROWS = 65_536
_MISSING_PARTITION = "__HIVE_DEFAULT_PARTITION__"
Item = TypeVar("Item")


def read_batches(
    source: Source, folder: Path, columns: Sequence[str] | None = None
) -> Iterator[pa.RecordBatch]:
    """The source's rows as record batches: CSV and JSON Lines as text, Parquet and SQL typed.

    Args:
        source: What to read; its path counts from `folder`.
        folder: The contract's folder.
        columns: The columns wanted, in this order; None for all.

    Rows that can't be split into columns are left out here; `read_chunks` hands them over.
    Raises SourceError for a source that can't be read, or lacks a column.
    """
    for chunk in read_chunks(source, folder, columns):
        yield chunk.rows


def read_chunks(
    source: Source, folder: Path, columns: Sequence[str] | None = None
) -> Iterator[Chunk]:
    """Like `read_batches`, with the file, the row numbers, and the rows that couldn't be split."""
    wanted = None if columns is None else tuple(columns)
    if source.format == "sql":
        from tasks.sql_rows import read_sql

        yield from read_sql(source, folder, wanted)
        return
    for file in find_files(source, folder):
        yield from read_ahead(_read_file(file, source, folder, wanted))


def source_fingerprint(source: Source, folder: Path) -> str | None:
    """sha256 over the names (sorted, relative to `folder`) and bytes of the source's files.

    None for a database, whose contents have no hash before they are read.
    """
    if source.format == "sql":
        return None
    digest = hashlib.sha256()
    for file in find_files(source, folder):
        digest.update(shown_name(file, folder).encode() + b"\0")
        with reading(file), file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()


def shown_name(file: Path, folder: Path) -> str:
    """The file's name relative to the contract's folder, where it lies inside."""
    return str(file.relative_to(folder)) if file.is_relative_to(folder) else str(file)


def _read_file(
    file: Path, source: Source, folder: Path, wanted: tuple[str, ...] | None
) -> Iterator[Chunk]:
    name = shown_name(file, folder)
    if source.format == "csv":
        return read_csv(file, name, source, wanted)
    if source.format == "jsonl":
        return read_json_lines(file, name, source, wanted)
    assert source.path is not None
    return _read_parquet(file, name, _partition_values(file, folder / source.path), wanted)


def _read_parquet(
    file: Path, name: str, partition: dict[str, str | None], wanted: tuple[str, ...] | None
) -> Iterator[Chunk]:
    """A Parquet file's rows, typed as it types them; partition values from its path, as text."""
    with reading(file):
        if file.stat().st_size == 0:
            raise SourceError(problem(name, "the file is empty (0 bytes)", "Land it again, whole."))
        with pq.ParquetFile(file, pre_buffer=False) as parquet:
            inside = parquet.schema_arrow.names
            outside = [key for key in partition if key not in inside]
            columns, left_out = check_columns(name, [*inside, *outside], wanted)
            stored = [column for column in columns if column in inside]
            first = 1
            for batch in parquet.iter_batches(_PARQUET_ROWS, columns=stored):
                arrays = [
                    batch[column] if column in inside else _constant(partition[column], batch)
                    for column in columns
                ]
                rows = pa.RecordBatch.from_arrays(arrays, names=list(columns))
                numbers = np.arange(first, first + rows.num_rows)
                yield Chunk(rows, name, numbers, (), left_out)
                first += rows.num_rows


def _constant(value: str | None, batch: pa.RecordBatch) -> pa.Array:
    return pa.repeat(pa.scalar(value, pa.string()), batch.num_rows)


def _partition_values(file: Path, root: Path) -> dict[str, str | None]:
    """`key=value` folders between the source's path and the file (hive partitions)."""
    parts = file.relative_to(root).parts[:-1] if file.is_relative_to(root) else file.parts[:-1]
    pairs = [part.split("=", 1) for part in parts if "=" in part]
    return {key: None if text == _MISSING_PARTITION else unquote(text) for key, text in pairs}


class _Ahead(Generic[Item]):
    """Makes items in a thread of its own, a bounded number ahead of their use."""

    def __init__(self, items: Iterator[Item], depth: int) -> None:
        self._items = items
        self._made: queue.Queue[Item | BaseException | None] = queue.Queue(maxsize=depth)
        self._stopped = threading.Event()
        self._worker = threading.Thread(target=self._make, daemon=True, name="read-ahead")

    def __iter__(self) -> Iterator[Item]:
        self._worker.start()
        # Whoever never finishes, say for an error elsewhere, must not leave a thread at work in a
        # Python that shuts down.
        atexit.register(self._stop)
        try:
            while (item := self._made.get()) is not None:
                if isinstance(item, BaseException):
                    raise item
                yield item
        finally:
            atexit.unregister(self._stop)
            self._stop()

    def _stop(self) -> None:
        self._stopped.set()
        self._worker.join()

    def _make(self) -> None:
        try:
            for item in self._items:
                if not self._hand_over(item):
                    return
            self._hand_over(None)
        except BaseException as error:  # handed to the thread that asked
            self._hand_over(error)

    def _hand_over(self, item: Item | BaseException | None) -> bool:
        while not self._stopped.is_set():
            try:
                self._made.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False


def read_ahead(items: Iterator[Item], depth: int = 2) -> Iterator[Item]:
    """The same items, made in a thread of its own up to `depth` ahead of their use.

    Parsing and typing both leave Python's lock, so that two cores share the work.
    """
    return iter(_Ahead(items, depth))
