"""Tables written as Parquet parts of bounded size, whatever the number of rows."""

from types import TracebackType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from data_contracts.manifest import ArtifactRef
from tasks.storage import Store, store_errors

ROWS_PER_PART = 1_000_000
_BYTES_PER_PART = 256 << 20
_ROWS_PER_GROUP = 262_144
_BYTES_PER_GROUP = 64 << 20


def restored(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """Rows read from Parquet in the types in which they were written.

    Parquet has neither seconds nor date64: it gives back milliseconds and date32.
    """
    for place, field in enumerate(schema):
        is_lacking = pa.types.is_date64(field.type) or (
            pa.types.is_timestamp(field.type) and field.type.unit == "s"
        )
        if is_lacking and rows.schema.field(place).type != field.type:
            rows = rows.set_column(place, field, rows.column(place).cast(field.type))
    return rows


class PartWriter:
    """Writes batches of one schema as `<folder>/part-00000.parquet` and on.

    A part ends at a million rows or 256 MiB, so that whoever reads one knows what it costs. Without
    rows no file is written. Used as a context: `parts` is complete when it ends without an error.
    Raises StoreError when the store refuses (disk full, read-only).
    """

    def __init__(self, store: Store, folder: str, schema: pa.Schema, packing: str = "zstd") -> None:
        self.parts: list[ArtifactRef] = []
        self.rows = 0
        self._store, self._folder, self._schema, self._packing = store, folder, schema, packing
        self._waiting: list[pa.Table] = []
        self._waiting_rows = self._waiting_bytes = 0
        self._part_rows = self._part_bytes = 0
        self._stream: Any = None
        self._writer: pq.ParquetWriter | None = None

    def __enter__(self) -> "PartWriter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self._flush()
            self._end_part()
        else:
            self._abandon()

    def write(self, rows: pa.Table) -> None:
        """Adds rows; they reach the store when a row group is full."""
        if rows.num_rows == 0:
            return
        rows = restored(rows, self._schema)
        self._waiting.append(rows)
        self._waiting_rows += rows.num_rows
        self._waiting_bytes += rows.nbytes
        self.rows += rows.num_rows
        if self._waiting_rows >= _ROWS_PER_GROUP or self._waiting_bytes >= _BYTES_PER_GROUP:
            self._flush()

    def _flush(self) -> None:
        if not self._waiting:
            return
        group = pa.concat_tables(self._waiting).unify_dictionaries()
        self._waiting, self._waiting_rows, waiting_bytes = [], 0, self._waiting_bytes
        self._waiting_bytes = 0
        while group.num_rows:
            piece = group.slice(0, ROWS_PER_PART - self._part_rows)
            group = group.slice(piece.num_rows)
            with store_errors(self._store.display(self._folder)):
                self._opened().write_table(piece, row_group_size=_ROWS_PER_GROUP)
            self._part_rows += piece.num_rows
            self._part_bytes += waiting_bytes
            if self._part_rows >= ROWS_PER_PART or self._part_bytes >= _BYTES_PER_PART:
                self._end_part()

    def _path(self) -> str:
        return f"{self._folder}/part-{len(self.parts):05d}.parquet"

    def _opened(self) -> pq.ParquetWriter:
        if self._writer is None:
            self._store.make_folder(self._folder)
            self._stream = self._store.fs.open_output_stream(self._path())
            self._writer = pq.ParquetWriter(self._stream, self._schema, compression=self._packing)
        return self._writer

    def _end_part(self) -> None:
        if self._writer is None:
            return
        with store_errors(self._store.display(self._folder)):
            self._writer.close()
            self._stream.close()
            self._writer = self._stream = None
            self.parts.append(self._store.reference(self._path(), self._part_rows))
        self._part_rows = self._part_bytes = 0

    def _abandon(self) -> None:
        """Lets go of the open file; what it holds is no part, and the first error is the cause."""
        for opened in (self._writer, self._stream):
            if opened is not None:
                try:
                    opened.close()
                except OSError:
                    continue
        self._writer = self._stream = None
