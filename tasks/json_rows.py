"""JSON Lines as text columns: numbers keep the digits that they were written with."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from data_contracts.contract import Source
from data_contracts.errors import SourceError, problem
from tasks.source_rows import BLOCK_BYTES, Chunk, Unreadable, check_columns, open_bytes, reading

_ROWS = 20_000
_BYTES = 4 << 20


class _Digits(str):
    """A number as it was written."""

    __slots__ = ()


def read_json_lines(
    file: Path, name: str, source: Source, wanted: tuple[str, ...] | None
) -> Iterator[Chunk]:
    """One object a line; a missing key is a missing value, a nested value is its JSON text.

    A line that is no JSON object comes as `Unreadable`. Raises SourceError for a damaged file, a
    line longer than a block, or a column that no line of the first chunk has.
    """
    columns = wanted
    seen: set[str] = set()
    with reading(file), open_bytes(file) as stream:
        for first, lines in _grouped(stream, file):
            objects, numbers, bad = _parsed(lines, first, source.encoding)
            keys = dict.fromkeys(key for item in objects for key in item)
            if columns is None:
                columns = tuple(keys)
            if objects and not seen:
                check_columns(name, [*keys], tuple(key for key in columns if key in keys))
                if not set(columns) & set(keys):
                    check_columns(name, [*keys], columns)
            seen |= set(keys)
            yield Chunk(
                _batch(objects, columns), name, numbers, tuple(bad),
                tuple(sorted(seen - set(columns))),
            )  # fmt: skip
    absent = [key for key in columns or () if key not in seen]
    if seen and absent:
        check_columns(name, sorted(seen), columns)


def _grouped(stream: Any, file: Path) -> Iterator[tuple[int, list[bytes]]]:
    """Lines in groups of bounded size, each with the number of its first line."""
    first, lines, size, rest = 1, [], 0, b""
    while block := bytes(stream.read(1 << 20)):
        *whole, rest = (rest + block).split(b"\n")
        if len(rest) > BLOCK_BYTES:
            found = f"a line of more than {BLOCK_BYTES >> 20} MiB"
            raise SourceError(problem(str(file), found, "Write one object a line."))
        lines += whole
        size += len(block)
        if len(lines) >= _ROWS or size >= _BYTES:
            yield first, lines
            first, lines, size = first + len(lines), [], 0
    if rest:
        lines.append(rest)
    if lines:
        yield first, lines


def _parsed(
    lines: list[bytes], first: int, encoding: str
) -> tuple[list[dict[str, Any]], np.ndarray, list[Unreadable]]:
    objects, numbers, bad = [], [], []
    for number, line in enumerate(lines, first):
        if not line.strip():
            continue
        try:
            item = json.loads(
                line.decode(encoding).removeprefix("\ufeff"),
                parse_float=_Digits, parse_int=_Digits, parse_constant=_Digits,
            )  # fmt: skip
        except (ValueError, RecursionError):
            item = None
        if isinstance(item, dict):
            objects.append(item)
            numbers.append(number)
        else:
            text = line.decode(encoding, "backslashreplace")
            bad.append(Unreadable(number, text, "the line is no JSON object"))
    return objects, np.array(numbers, dtype=np.int64), bad


def _batch(objects: list[dict[str, Any]], columns: tuple[str, ...]) -> pa.RecordBatch:
    arrays = [
        pa.array([_text(item.get(name)) for item in objects], pa.string()) for name in columns
    ]
    return pa.RecordBatch.from_arrays(arrays, names=list(columns))


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return _written(value)


def _written(value: Any) -> str:
    """A value as JSON again, with the digits of its numbers as they were."""
    if isinstance(value, _Digits):
        return value
    if isinstance(value, dict):
        pairs = (f"{json.dumps(key)}: {_written(inner)}" for key, inner in value.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_written, value)) + "]"
    return json.dumps(value, ensure_ascii=False)
