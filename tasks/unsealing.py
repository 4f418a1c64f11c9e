"""Open a sealed parcel.

What comes from elsewhere is held against its seal first, and its Parquet is read in a process of
its own with bounds on memory, output and time: a file made to harm (or with a plaintext footer,
which makes Arrow abort) can end that process and nothing else.
"""

import base64
import binascii
import contextlib
import hashlib
import hmac
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from data_contracts.errors import StoreError
from data_contracts.manifest import FileEntry
from data_contracts.record import Record
from tasks.foreign_files import draft_of, foreign_file, give_name
from tasks.sealing import SEAL, Parcel, Seal, derived
from tasks.sealing_keys import AgeKey, KeyService, SealError, Secret

_MOST_SEAL_BYTES = 5 << 20
_MOST_AGE_BYTES = 2 << 30
_MOST_MEMORY = 8 << 30
"""Bytes of memory that the process apart may map: a row group needs far less."""
_LEAST_OUTPUT, _BLOW_UP = 64 << 20, 100
"""Bytes that it may write: so many, and so many for each sealed byte."""
_SECONDS, _BYTES_PER_SECOND = 120, 1 << 20
_MAGIC = {"parquet-aes-256-gcm": b"PARE", "age": b"age-encryption.org/v1"}
_PLACE = re.compile(r"^data/[A-Za-z0-9][A-Za-z0-9._-]*/part-\d{5}\.parquet(\.age)?$")
_ASK_AGAIN = "Ask the sender for the parcel again."


class Opened(Record):
    """What was opened: whose release it is, and how many rows were written where."""

    release: str
    recipient: str
    rows: int
    output: str


def open_parcel(
    folder: Path,
    key: KeyService,
    output: Path,
    *,
    table: str | None = None,
    release: str | None = None,
) -> Opened:
    """Decrypts one table of a parcel into the Parquet file `output`, for its owner alone to read.

    `table` may be left out where there is one; with `release`, a parcel of any other release is
    refused: an older one, sent again, is whole and would open. Everything is checked before
    `output` appears, and until then nothing decrypted has a name on the disk: what a killed run
    leaves is gone. Raises SealError for a key that does not fit, and for any file that is missing,
    cut, changed, exchanged or harmful; ContractError where `output` cannot be a file; StoreError
    where the disk is full.
    """
    seal = read_seal(folder)
    data_key = unwrapped(seal, key)
    if release is not None and seal.release != release:
        raise SealError(
            f"{folder / SEAL}: of release {seal.release}, not {release}. Ask the sender for the "
            "parcel of that release."
        )
    chosen = _of_table(seal, table)
    with draft_of(output) as draft:
        rows = decrypt_table(folder, seal, (key, data_key), chosen, draft)
        give_name(draft, output)
    return Opened(release=seal.release, recipient=seal.recipient, rows=rows, output=str(output))


def decrypt_table(
    folder: Path, seal: Seal, keys: tuple[KeyService, Secret], table: str, output: int
) -> int:
    """Has a table's parts decrypted by a process apart into an open file; returns the rows.

    `keys` are the recipient's and the data key. Raises SealError as `open_parcel` does, and
    StoreError where the disk is full.
    """
    entries = [entry for entry in seal.files if entry.path.split("/")[1] == table]
    with contextlib.ExitStack() as stack:
        parts = [
            (entry, stack.enter_context(_checked_part(folder, seal, entry, keys[0])))
            for entry in entries
        ]
        return _read_apart(seal, keys[1], parts, output)


def read_seal(folder: Path) -> Seal:
    """A parcel's seal, in the one spelling that it may have; SealError for any other."""
    path = folder / SEAL
    try:
        with foreign_file(folder, SEAL) as stream:
            content = stream.read(_MOST_SEAL_BYTES)
    except OSError as error:
        raise SealError(
            f"{path}: {error.strerror}. Name the folder of a parcel, which has a {SEAL}."
        ) from None
    try:
        seal = Seal.model_validate_json(content)
    except (ValidationError, UnicodeDecodeError):
        raise SealError(f"{path}: not a seal, or damaged. {_ASK_AGAIN}") from None
    if seal.canonical() != content:
        raise SealError(f"{path}: changed since it was sealed. {_ASK_AGAIN}")
    for entry in seal.files:
        if not _PLACE.match(entry.path) or ".." in entry.path:
            raise SealError(f"{path}: lists a file outside of a parcel's places. {_ASK_AGAIN}")
    return seal


def unwrapped(seal: Seal, key: KeyService) -> Secret:
    """The parcel's data key, once the seal's authentication code is found right."""
    mine = next((one for one in seal.keys if one.key == key.key_id()), None)
    if mine is None:
        known = ", ".join(one.key for one in seal.keys)
        raise SealError(
            f"key {key.key_id()}: not a key of this parcel, which is sealed for key {known}. Use "
            "the key that the sender sealed it for."
        )
    try:
        wrapped = base64.b64decode(mine.wrapped, validate=True)
    except (binascii.Error, ValueError):
        raise SealError(f"{SEAL}: the wrapped key is damaged. {_ASK_AGAIN}") from None
    data_key = key.unwrap(wrapped, seal.context())
    if not hmac.compare_digest(seal.expected_mac(data_key).encode(), seal.mac.encode()):
        raise SealError(f"{SEAL}: changed since it was sealed. {_ASK_AGAIN}")
    return data_key


def _of_table(seal: Seal, table: str | None) -> str:
    names = sorted({entry.path.split("/")[1] for entry in seal.files})
    if table is None and len(names) != 1:
        raise SealError(f"the parcel has the tables {', '.join(names)}. Name one with --table.")
    chosen = names[0] if table is None else table
    if chosen not in names:
        raise SealError(f"table {chosen!r}: the parcel has {', '.join(names)}.")
    return chosen


@contextlib.contextmanager
def _checked_part(folder: Path, seal: Seal, entry: FileEntry, key: KeyService) -> Iterator[int]:
    """The open file to read in the process apart: the part itself, or what age had sealed."""
    path = folder / entry.path
    try:
        with foreign_file(folder, entry.path) as stream:
            size = os.fstat(stream.fileno()).st_size
            if size != entry.bytes:
                found = f"{size:,} bytes, not {entry.bytes:,}"
                raise SealError(f"{path}: cut or longer than sealed ({found}). {_ASK_AGAIN}")
            if hashlib.file_digest(stream, "sha256").hexdigest() != entry.sha256:
                raise SealError(f"{path}: changed since it was sealed. {_ASK_AGAIN}")
            check_magic(path, stream, seal.format)
            if not isinstance(key, AgeKey):
                yield stream.fileno()
                return
            if size > _MOST_AGE_BYTES:
                raise SealError(f"{path}: {size:,} bytes sealed whole are too many to open here.")
            stream.seek(0)
            with tempfile.TemporaryFile() as opened:
                opened.write(key.open(stream.read(), str(path)))
                opened.flush()
                yield opened.fileno()
    except OSError as error:
        raise SealError(f"{path}: {error.strerror}. {_ASK_AGAIN}") from None


def check_magic(path: Path, stream: BufferedReader, expected: str) -> None:
    """Refuses what is not sealed whole, above all Parquet whose footer is in plain text."""
    magic = _MAGIC[expected]
    stream.seek(0)
    start = stream.read(len(magic))
    stream.seek(-min(4, os.fstat(stream.fileno()).st_size), os.SEEK_END)
    end = stream.read(4)
    if start != magic or (expected != "age" and end != magic):
        plain = b"PAR1" in (start, end)
        why = "Parquet with a plaintext footer" if plain else f"not sealed as {expected}"
        raise SealError(f"{path}: {why}, which is never opened. {_ASK_AGAIN}")


def _read_apart(
    seal: Seal, data_key: Secret, parts: list[tuple[FileEntry, int]], output: int
) -> int:
    """Has the parts decrypted and written to `output` by a process of its own; returns the rows."""
    parcel = Parcel(release=seal.release, recipient=seal.recipient)
    sealed, size = seal.format != "age", sum(entry.bytes for entry, _ in parts)
    jobs = []
    for entry, file in parts:
        aad = parcel.aad(entry.path)
        key = base64.b64encode(derived(data_key, aad).reveal()).decode() if sealed else None
        jobs.append({
            "name": entry.path, "file": file, "key": key, "aad": aad.decode(), "rows": entry.rows
        })  # fmt: skip
    job = {
        "parts": jobs, "output": output, "most_memory": _MOST_MEMORY,
        "most_output": _LEAST_OUTPUT + _BLOW_UP * size,
    }  # fmt: skip
    names = ", ".join(entry.path for entry, _ in parts)
    try:
        # Keys go through the pipe: arguments and environment of a process can be seen by others.
        ended = subprocess.run(
            [sys.executable, "-m", "tasks.unsealing_process"],
            input=json.dumps(job), capture_output=True, text=True, check=False,
            timeout=_SECONDS + size / _BYTES_PER_SECOND, pass_fds=[output, *(f for _, f in parts)],
            cwd=Path(__file__).resolve().parent.parent,
            env={**os.environ, "PYTHONFAULTHANDLER": ""},
        )  # fmt: skip
    except subprocess.TimeoutExpired as late:
        raise SealError(
            f"{names}: not read within {late.timeout:.0f} s; made to harm, or the machine is very "
            f"busy. Nothing was opened. {_ASK_AGAIN}"
        ) from None
    answer = _answer(ended.stdout)
    if ended.returncode == 0 and answer.get("rows") == sum(entry.rows or 0 for entry, _ in parts):
        return int(answer["rows"])
    if answer.get("full"):
        raise StoreError(
            "no space is left where the rows are to be written. Nothing was opened, and what was "
            "there is as it was. Make room, or open to another disk."
        )
    if ended.returncode < 0:
        raise SealError(
            f"{names}: brought its reader down (signal {-ended.returncode}); damaged, or made to "
            f"harm. Nothing was opened. {_ASK_AGAIN}"
        )
    raise SealError(f"{answer.get('why', f'{names}: cannot be read')}. {_ASK_AGAIN}")


def _answer(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
