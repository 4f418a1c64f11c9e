"""CSV as text columns, block by block: every field as it was written, every row accounted for."""

import codecs
import csv
import io
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

from data_contracts.contract import Source
from data_contracts.errors import SourceError, problem
from tasks.source_rows import BLOCK_BYTES, Chunk, Unreadable, check_columns, open_bytes, reading

_HEADER_BYTES = 1 << 20
_COPIED_BYTES = 1 << 20


def read_csv(
    file: Path, name: str, source: Source, wanted: tuple[str, ...] | None
) -> Iterator[Chunk]:
    """The file's rows as text columns, in blocks of bounded size.

    A row with too many or too few fields, or with bytes that are not text, comes as `Unreadable`.
    Raises SourceError for a header that does not fit, a damaged file, or a quote never closed.
    """
    header = read_header(file, source)
    if not source.header:
        if wanted is not None and len(header) != len(wanted):
            fault = f"{len(header)} fields in the first row, the contract has {len(wanted)} columns"
            remedy = "Check the delimiter, and whether the file has a header."
            raise SourceError(problem(name, fault, remedy))
        header = list(wanted) if wanted else [f"column_{i + 1}" for i in range(len(header))]
    columns, left_out = check_columns(name, _named(header, name), wanted)
    with reading(file):
        yield from _Blocks(file, name, source, header).chunks(columns, left_out)


def read_header(file: Path, source: Source) -> list[str]:
    """The fields of the first row that is not blank; SourceError when there is none."""
    with reading(file), open_bytes(file) as stream:
        head = stream.read(_HEADER_BYTES)
    text = codecs.getincrementaldecoder(source.encoding)("replace").decode(head)
    rows = csv.reader(
        io.StringIO(text.removeprefix("\ufeff"), newline=""),
        delimiter=source.delimiter,
        quotechar=source.quote,
    )
    csv.field_size_limit(_HEADER_BYTES)
    try:
        return next(row for row in rows if row)
    except (StopIteration, csv.Error):
        found = "no header and no rows" if source.header else "no rows"
        raise SourceError(problem(str(file), found, "Land the file again, whole.")) from None


def _named(header: list[str], file: str) -> list[str]:
    """The header's names; the one column that it leaves blank is named by its place.

    A table's index, or a delimiter at the end of each line, leaves one. SourceError for more.
    """
    blank = [place + 1 for place, name in enumerate(header) if not name]
    if len(blank) > 1:
        fault = f"the header has no name at places {', '.join(map(str, blank[:12]))}"
        raise SourceError(problem(file, fault, "Name the columns in the source."))
    return [name or f"column_{place + 1}" for place, name in enumerate(header)]


class _Blocks:
    """One pass over one file. Arrow reports bad rows from inside, so the pass keeps a list."""

    def __init__(self, file: Path, name: str, source: Source, header: list[str]) -> None:
        self.file, self.name, self.source, self.header = file, name, source, header
        self.utf8 = codecs.lookup(source.encoding).name in ("utf-8", "utf-8-sig")
        self.bad: list[Unreadable] = []
        self.next_number = 1

    def chunks(self, columns: tuple[str, ...], left_out: tuple[str, ...]) -> Iterator[Chunk]:
        last: pa.RecordBatch | None = None
        stream, reader = self._bytes(), None
        try:
            reader = self._open(stream, columns)
            for read in reader:
                rows = read.rename_columns(columns)
                last = rows if rows.num_rows else last
                yield self._chunk(rows, left_out)
        finally:
            # Arrow reads on in its own thread; dropping the reader waits for the block at hand.
            del reader
            stream.close()
        if self.bad:
            yield self._chunk(pa.RecordBatch.from_pylist([], self._schema(columns)), left_out)
        if last is not None and _ends_in_a_break(last) and self._quotes() % 2:
            found = "a quote that is opened and never closed swallows the end of the file"
            raise SourceError(problem(self.name, found, "Close it, or declare another quote."))

    def _bytes(self) -> Any:
        """The file's bytes, in UTF-8. A stream of Arrow's own, with nothing of Python's inside.

        Arrow reads ahead after a fault too: a call from there into a Python that is shutting down,
        or that waits for Arrow, ends in a crash or never.
        """
        return open_bytes(self.file) if self.utf8 else _as_utf8(self.file, self.source.encoding)

    def _quotes(self) -> int:
        """How many quotes the file holds: an odd number means that one was never closed."""
        quote, count = self.source.quote.encode(), 0
        with self._bytes() as stream:
            while block := stream.read(_COPIED_BYTES):
                count += block.count(quote)
        return count

    def _schema(self, columns: tuple[str, ...]) -> pa.Schema:
        return pa.schema([(name, pa.binary() if self.utf8 else pa.string()) for name in columns])

    def _open(self, stream: Any, columns: tuple[str, ...]) -> Any:
        named = dict(zip(_named(self.header, self.name), self.header, strict=True))
        inside = [named[column] for column in columns]
        types = {field.name: field.type for field in self._schema(tuple(inside))}
        return pacsv.open_csv(
            stream,
            # Rows get their numbers only without threads; the caller reads ahead in one of its own.
            pacsv.ReadOptions(
                use_threads=False,
                block_size=BLOCK_BYTES,
                column_names=None if self.source.header else self.header,
            ),
            pacsv.ParseOptions(
                delimiter=self.source.delimiter,
                quote_char=self.source.quote,
                newlines_in_values=True,
                # In a file of one column a blank line is a row with an empty field.
                ignore_empty_lines=len(self.header) > 1,
                invalid_row_handler=self._keep_bad,
            ),
            pacsv.ConvertOptions(
                column_types=types, include_columns=inside, strings_can_be_null=False
            ),
        )

    def _keep_bad(self, row: Any) -> str:
        number = row.number - 1 if self.source.header else row.number
        reason = f"{row.actual_columns} fields where the header has {row.expected_columns}"
        self.bad.append(Unreadable(number, row.text, reason))
        return "skip"

    def _chunk(self, rows: pa.RecordBatch, left_out: tuple[str, ...]) -> Chunk:
        bad, self.bad = self.bad, []
        taken = np.array([row.number for row in bad], dtype=np.int64)
        numbers = np.arange(self.next_number, self.next_number + rows.num_rows + len(bad))
        numbers = numbers[~np.isin(numbers, taken)][: rows.num_rows]
        highest = [*numbers[-1:], *taken[-1:]]
        self.next_number = int(max(highest, default=self.next_number - 1)) + 1
        if self.utf8:
            rows, numbers, undecodable = _decoded(rows, numbers, self.source)
            bad += undecodable
        return Chunk(rows, self.name, numbers, tuple(bad), left_out)


def _as_utf8(file: Path, encoding: str) -> Any:
    """The file's text as UTF-8, from a temporary copy that is gone once the stream is closed."""
    decoder = codecs.getincrementaldecoder(encoding)()
    with open_bytes(file) as stream, tempfile.NamedTemporaryFile() as copy:
        while block := stream.read(_COPIED_BYTES):
            copy.write(decoder.decode(block).encode())
        copy.write(decoder.decode(b"", final=True).encode())
        copy.flush()
        return pa.OSFile(copy.name)


def _ends_in_a_break(rows: pa.RecordBatch) -> bool:
    values = [column[-1].as_py() for column in rows.columns]
    return any(b"\n" in (value if isinstance(value, bytes) else value.encode()) for value in values)


def _decoded(
    rows: pa.RecordBatch, numbers: np.ndarray, source: Source
) -> tuple[pa.RecordBatch, np.ndarray, list[Unreadable]]:
    """Bytes as text. A row with bytes that are no text keeps them, escaped, as its raw text."""
    schema = pa.schema([(name, pa.string()) for name in rows.schema.names])
    try:
        columns = [column.cast(pa.string()) for column in rows.columns]
    except pa.ArrowInvalid:
        return _decoded_by_row(rows, numbers, source)
    return pa.RecordBatch.from_arrays(columns, schema=schema), numbers, []


def _decoded_by_row(
    rows: pa.RecordBatch, numbers: np.ndarray, source: Source
) -> tuple[pa.RecordBatch, np.ndarray, list[Unreadable]]:
    faults: dict[int, list[str]] = {}
    for column, name in zip(rows.columns, rows.schema.names, strict=True):
        for row, value in enumerate(column.to_pylist()):
            if not _is_text(value):
                faults.setdefault(row, []).append(name)
    bad = [
        Unreadable(int(numbers[row]), _raw_row(rows.slice(row, 1), source),
                   f"{', '.join(names)}: not UTF-8 text")
        for row, names in faults.items()
    ]  # fmt: skip
    keep = np.ones(rows.num_rows, dtype=bool)
    keep[list(faults)] = False
    kept, _, _ = _decoded(rows.filter(pa.array(keep)), numbers[keep], source)
    return kept, numbers[keep], bad


def _is_text(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def _raw_row(row: pa.RecordBatch, source: Source) -> str:
    written = io.StringIO()
    values = [column[0].as_py().decode("utf-8", "backslashreplace") for column in row.columns]
    csv.writer(written, delimiter=source.delimiter, quotechar=source.quote).writerow(values)
    return written.getvalue().rstrip("\r\n")
