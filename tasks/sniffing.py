"""Guesses how a landed file is written, so that a person only has to confirm it."""

import codecs
import csv
import io
import re
from pathlib import Path

from data_contracts.contract import Source
from data_contracts.errors import SourceError, problem
from tasks.source_rows import find_files, open_bytes, reading

_SAMPLE = 1 << 20
_DELIMITERS = (",", ";", "\t", "|")
_BOMS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_COMMA_NUMBER = re.compile(r"[+-]?[0-9]{1,3}(\.[0-9]{3})*,[0-9]+|[+-]?[0-9]+,[0-9]+")
_POINT_NUMBER = re.compile(r"[+-]?[0-9]*\.[0-9]+")
_VALUE = re.compile(r"[+-]?[0-9.,]+([eE][+-]?[0-9]+)?|[0-9]{4}-[0-9]{2}-[0-9]{2}.*|")


def sniff_source(path: Path) -> Source:
    """How the file, folder or glob at `path` is to be read; `Source.path` is the path as given.

    Format comes from content first (Parquet and SQLite name themselves) and suffix second; packing
    is told by content whenever a file is read, and so is no part of a source. Raises SourceError
    when there is nothing to read, or a database has not exactly one table.
    """
    file = find_files(Source(format="csv", path=str(path)), Path())[0]
    with reading(file), file.open("rb") as stream:
        head = stream.read(16)
    if head.startswith(b"PAR1"):
        return Source(format="parquet", path=str(path))
    if head.startswith(b"SQLite format 3\0"):
        return Source(format="sql", url=f"sqlite:///{path}", table=_only_table(file))
    with reading(file), open_bytes(file) as stream:
        sample = _read_sample(stream)
    encoding, text = _decoded(sample)
    names = "".join(file.suffixes).lower()
    if any(suffix in names for suffix in (".jsonl", ".ndjson")) or text.lstrip()[:1] == "{":
        return Source(format="jsonl", path=str(path), encoding=encoding)
    return _sniff_csv(str(path), text, encoding)


def _read_sample(stream: object) -> bytes:
    blocks, size = [], 0
    while size < _SAMPLE and (block := bytes(stream.read(_SAMPLE - size))):  # type: ignore[attr-defined]
        blocks.append(block)
        size += len(block)
    return b"".join(blocks)


def _only_table(file: Path) -> str:
    import sqlalchemy

    from tasks.sql_rows import read_only_sqlite

    engine = sqlalchemy.create_engine(read_only_sqlite(file.resolve()))
    try:
        tables = sqlalchemy.inspect(engine).get_table_names()
    finally:
        engine.dispose()
    if len(tables) != 1:
        found = f"{len(tables)} tables: {', '.join(tables)[:200]}"
        raise SourceError(problem(str(file), found, "Write a source for each: url and table."))
    return tables[0]


def _decoded(sample: bytes) -> tuple[str, str]:
    for mark, encoding in _BOMS.items():
        if sample.startswith(mark):
            return encoding, sample.decode(encoding, "replace").removeprefix("\ufeff")
    for encoding in ("utf-8", "cp1252"):
        try:
            # The sample may end inside a character, which is no fault of the file.
            return encoding, codecs.getincrementaldecoder(encoding)().decode(sample)
        except UnicodeDecodeError:
            continue
    return "latin-1", sample.decode("latin-1")


def _sniff_csv(path: str, text: str, encoding: str) -> Source:
    best: tuple[tuple[float, int], str, str] = ((-1.0, 0), ",", '"')
    for quote in ('"', "'"):
        for delimiter in _DELIMITERS:
            score = _fit(_rows(text, delimiter, quote))
            if score > best[0]:
                best = (score, delimiter, quote)
    (_, delimiter, quote) = best
    rows = _rows(text, delimiter, quote)
    header = bool(rows) and _is_header(rows[0])
    return Source(
        format="csv",
        path=path,
        delimiter=delimiter,
        quote=quote,
        encoding=encoding,
        decimal=_decimal(rows[1 if header else 0 :], delimiter),
        header=header,
    )


def _rows(text: str, delimiter: str, quote: str) -> list[list[str]]:
    whole = text if len(text) < _SAMPLE else text[: text.rfind("\n") + 1] or text
    reader = csv.reader(io.StringIO(whole, newline=""), delimiter=delimiter, quotechar=quote)
    rows: list[list[str]] = []
    try:
        for row in reader:
            if row:
                rows.append(row)
            if len(rows) >= 2000:
                break
    except csv.Error:
        return rows
    return rows


def _fit(rows: list[list[str]]) -> tuple[float, int]:
    """How well rows agree on a number of fields, and that number; one field says nothing."""
    if not rows or len(rows[0]) == 1:
        return (0.0, 1)
    width = len(rows[0])
    return (sum(len(row) == width for row in rows) / len(rows), width)


def _is_header(row: list[str]) -> bool:
    return len(set(row)) == len(row) and not any(_VALUE.fullmatch(cell.strip()) for cell in row)


def _decimal(rows: list[list[str]], delimiter: str) -> str:
    if delimiter == ",":
        return "."
    cells = [cell.strip() for row in rows for cell in row]
    commas = sum(bool(_COMMA_NUMBER.fullmatch(cell)) for cell in cells)
    points = sum(bool(_POINT_NUMBER.fullmatch(cell)) for cell in cells)
    return "," if commas > points else "."
