"""What every reader hands over: rows as they were read, and the rows that it could not split."""

import contextlib
import difflib
import errno
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from data_contracts.contract import Source
from data_contracts.errors import SourceError, problem

# One block of a text file: large enough for a cell of several MiB, small enough to hold a few.
BLOCK_BYTES = 16 << 20
_MAGIC = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"BZh": "bz2",
    b"\x04\x22\x4d\x18": "lz4",
}
_ARCHIVES = {b"PK\x03\x04": "a zip archive", b"7z\xbc\xaf": "a 7z archive", b"\xfd7zXZ": "xz"}
# Missing names that near ones are looked for, and how alike two names are (0..1) that are near.
_NEAR, _LIKENESS = 12, 0.8
_PASSING = (errno.EIO, errno.ETIMEDOUT, errno.ESTALE, errno.EAGAIN, errno.ECONNRESET)


class SourceUnavailableError(SourceError):
    """The source did not answer, though it may later: the only fault worth a retry."""


@dataclass(frozen=True)
class Unreadable:
    """A row that could not be split into columns: where it stands, its raw text, and why."""

    number: int
    text: str
    reason: str


@dataclass(frozen=True)
class Chunk:
    """Rows of one file in their order. `numbers` counts its data rows from 1, header excluded.

    `left_out` names columns that the file has and the caller did not ask for.
    """

    rows: pa.RecordBatch
    file: str
    numbers: np.ndarray
    unreadable: tuple[Unreadable, ...] = ()
    left_out: tuple[str, ...] = ()


def find_files(source: Source, folder: Path) -> list[Path]:
    """The files that a source names, sorted: one file, all below a folder, or those of a glob.

    Hidden files and those that begin with an underscore (`_SUCCESS`) are not data.
    Raises SourceError when there is none.
    """
    assert source.path is not None
    path = folder / source.path
    if path.is_file():
        return [path]
    if path.is_dir():
        found = [file for file in path.rglob("*") if _is_data(file.relative_to(path))]
        what = "an empty folder"
    else:
        found = _globbed(folder, source.path)
        what = "no such file, and no file matches it as a glob"
    files = sorted(file for file in found if file.is_file())
    if not files:
        raise SourceError(problem(str(path), what, "Land the file there, or correct the path."))
    return files


def _globbed(folder: Path, pattern: str) -> list[Path]:
    if not any(sign in pattern for sign in "*?["):
        return []
    base = Path(pattern).anchor
    root, inside = (Path(base), pattern.removeprefix(base)) if base else (folder, pattern)
    found: list[Path] = []
    for file in root.glob(inside):
        found += list(file.rglob("*")) if file.is_dir() else [file]
    return [file for file in found if not file.name.startswith(("_", "."))]


def _is_data(path: Path) -> bool:
    return not any(part.startswith(("_", ".")) for part in path.parts)


def open_bytes(file: Path) -> Any:
    """The file's bytes, unpacked when they are packed (gzip, zstd, bz2, lz4), told by content.

    Raises SourceError for an empty file, or an archive of several files.
    """
    with reading(file), file.open("rb") as stream:
        head = stream.read(6)
    if not head:
        raise SourceError(
            problem(str(file), "the file is empty (0 bytes)", "Land it again, whole.")
        )
    for magic, name in _ARCHIVES.items():
        if head.startswith(magic):
            raise SourceError(problem(str(file), f"the file is {name}", "Unpack it, or use gzip."))
    packing = next((name for magic, name in _MAGIC.items() if head.startswith(magic)), None)
    return pa.input_stream(str(file), compression=packing, buffer_size=1 << 20)


@contextlib.contextmanager
def reading(file: Path) -> Iterator[None]:
    """Turns what goes wrong while a file is read into a SourceError that names the file."""
    try:
        yield
    except UnicodeDecodeError as error:
        found = f"bytes that are not {error.encoding} text ({error.reason})"
        remedy = "Declare the file's encoding, or land it in the declared one."
        raise SourceError(problem(str(file), found, remedy)) from None
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowKeyError) as error:
        raise SourceError(problem(str(file), *_arrow_fault(str(error)))) from None
    except (OSError, EOFError) as error:
        raise _unreadable(file, error) from error


def _arrow_fault(text: str) -> tuple[str, str]:
    if "straddling" in text or "block size" in text:
        found = f"a row of more than {BLOCK_BYTES >> 20} MiB"
        return found, "Look for a quote that is opened and never closed."
    if "magic bytes" in text or "Parquet file size is" in text:
        return "damaged, cut off, or no Parquet file", "Land it again, whole, or mend its format."
    # Arrow quotes a row or value after a colon; only its first words are ours to show.
    return f"not readable as declared ({text.split(':')[0][:100]})", "Check format and delimiter."


def _unreadable(file: Path, error: OSError | EOFError) -> SourceError:
    number = getattr(error, "errno", None)
    text = getattr(error, "strerror", None) or str(error)
    if number in _PASSING:
        return SourceUnavailableError(problem(str(file), f"not readable now ({text})", "Retry."))
    if number is None or isinstance(error, EOFError):
        found = f"the file is damaged or cut off ({text})"
        return SourceError(problem(str(file), found, "Land it again, whole."))
    return SourceError(problem(str(file), f"not readable ({text})", "Check its permissions."))


def check_columns(
    file: str, found: list[str], wanted: tuple[str, ...] | None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The columns to read and those left out; SourceError for a header that does not fit.

    `wanted` None asks for all columns of the file. In a file that lacks its header `found` are a
    person's values: no message shows more of them than what is, or nearly is, a declared name.
    """
    if twice := _named_twice(found, wanted):
        fault = f"column {twice} stands more than once in the header"
        raise SourceError(problem(file, fault, "Rename or remove the second one in the source."))
    if wanted is None:
        return tuple(found), ()
    missing = [name for name in wanted if name not in found]
    if missing:
        fault = (
            f"{len(missing)} of the contract's {len(wanted)} columns missing: {_listed(missing)}"
        )
        raise SourceError(problem(file, fault + _instead(found, wanted), _hint(found, wanted)))
    return wanted, tuple(name for name in found if name not in wanted)


def _named_twice(found: list[str], wanted: tuple[str, ...] | None) -> str:
    """Names that stand more than once: declared ones in words, others by their places from 1."""
    seen = Counter(found)
    twice = [name for name, count in seen.items() if count > 1]
    declared = [name for name in twice if name in (wanted or ())]
    if declared or not twice:
        return _listed(declared)
    places = [place + 1 for place, name in enumerate(found) if name == twice[0]]
    return f"at places {', '.join(map(str, places[:12]))}"


def _instead(found: list[str], wanted: tuple[str, ...]) -> str:
    """What the file has in place of columns that are missing, without showing its values."""
    others = [name for name in found if name not in wanted]
    folded = {name.strip().casefold(): name for name in others}
    near: dict[str, None] = {}
    for name in [name for name in wanted if name not in found][:_NEAR]:
        plain = name.strip().casefold()
        near.update(
            dict.fromkeys(
                folded[match]
                for match in difflib.get_close_matches(plain, list(folded), 2, _LIKENESS)
            )
        )
    if near:
        return f"; it has {_listed(list(near))}"
    if len(others) == len(found):
        return f"; its first row has {len(found)} fields, none of them a declared column"
    return ""


def _listed(names: list[str], most: int = 12) -> str:
    shown = ", ".join(repr(name[:80]) for name in names[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")


def _hint(found: list[str], wanted: tuple[str, ...]) -> str:
    if len(found) == 1 and len(wanted) > 1:
        for sign in (";", ",", "\t", "|"):
            if sign in found[0]:
                return f"The header looks separated by {sign!r}: declare that delimiter."
    folded = {name.strip().casefold() for name in found}
    if all(name.strip().casefold() in folded for name in wanted):
        return "Names differ in case or spaces only: write them as the source does."
    if not set(found) & set(wanted):
        return "No name fits: has the file a header, and is it the right file?"
    return "Add them to the source, or take them out of the contract."
