"""Guesses how a landed file is written, so that a person only has to confirm it."""

import codecs
import csv
import io
import itertools
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
_VALUE = re.compile(r"[+-]?[0-9.,]+([eE][+-]?[0-9]+)?|[0-9]{4}-[0-9]{2}-[0-9]{2}.*")
_SINGLE_QUOTED = re.compile(r"(^|[,;\t|])'", re.MULTILINE)
_YEAR = re.compile(r"(19|20)[0-9]{2}")
_NOTHING = ("", "na", "n/a", "nan", "null", "none", "-", "?")
# The share of a column's cells that are values where the column holds values.
_MOSTLY = 0.9


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
    if re.match(r"\s*\[\s*[{\[]", text) and ".json" in names:
        raise SourceError(
            problem(str(file), "one JSON list", "Write JSON Lines instead: an object a line.")
        )
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
    # A lost double quote is no sign of single ones.
    for quote in ('"', "'") if _SINGLE_QUOTED.search(text) else ('"',):
        for delimiter in _DELIMITERS:
            score = _fit(_rows(text, delimiter, quote))
            if score > best[0]:
                best = (score, delimiter, quote)
    (_, delimiter, quote) = best
    rows = _rows(text, delimiter, quote)
    header = bool(rows) and _is_header(rows)
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


def _is_header(rows: list[list[str]]) -> bool:
    """Whether the first row names the columns: its cells are no values, or not of the kind below.

    Names are words, so a file of words alone is taken to have a header, unless a word of its first
    row stands twice there and again below. What tells `,id,x` from a row with a blank is a word
    above numbers or dates; `country,2019,2020` has years at equal steps above what are no years.
    """
    first = [cell.strip() for cell in rows[0]]
    below = [[row[place].strip() for row in rows[1:] if len(row) == len(first)]
             for place in range(len(first))]  # fmt: skip
    columns = list(zip(first, below, strict=True))
    named = any(
        cell.lower() not in _NOTHING and not _is_value(cell) and _holds_values(cells)
        for cell, cells in columns
    )
    if any(_is_value(cell) for cell in first):
        text = any(cell and not _is_value(cell) for cell in first)
        return text and _are_years(columns, 1 if named else 2)
    if named:
        return True
    blank = [cells for cell, cells in columns if not cell]
    if blank:
        return len(blank) < len(first) and all(all(cells) or not any(cells) for cells in blank)
    return not any(first.count(cell) > 1 and cell in cells for cell, cells in columns)


def _is_value(cell: str) -> bool:
    return _VALUE.fullmatch(cell) is not None


def _holds_values(cells: list[str]) -> bool:
    """Whether nearly all cells that hold something are numbers or dates."""
    filled = [cell for cell in cells if cell.lower() not in _NOTHING]
    return bool(filled) and sum(map(_is_value, filled)) >= _MOSTLY * len(filled)


def _are_years(columns: list[tuple[str, list[str]]], least: int) -> bool:
    """Whether what looks like values in the first row are years, as names of columns can be."""
    values = [(cell, cells) for cell, cells in columns if _is_value(cell)]
    if len(values) < least or not all(_YEAR.fullmatch(cell) for cell, _ in values):
        return False
    years = [int(cell) for cell, _ in values]
    steps = {after - before for before, after in itertools.pairwise(years)}
    is_series = len(steps) <= 1 and steps != {0}
    return is_series and not any(
        all(_YEAR.fullmatch(cell) for cell in cells if cell) for _, cells in values
    )


def _decimal(rows: list[list[str]], delimiter: str) -> str:
    if delimiter == ",":
        return "."
    cells = [cell.strip() for row in rows for cell in row]
    commas = sum(bool(_COMMA_NUMBER.fullmatch(cell)) for cell in cells)
    points = sum(bool(_POINT_NUMBER.fullmatch(cell)) for cell in cells)
    return "," if commas > points else "."
