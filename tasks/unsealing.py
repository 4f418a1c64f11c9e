"""Open a sealed parcel, and give it other keys.

What comes from elsewhere is held against its seal first, and its Parquet is read in a process of
its own: a file made to harm (or with a plaintext footer, which makes Arrow abort) can end that
process and nothing else.
"""

import base64
import binascii
import hashlib
import hmac
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from pydantic import ValidationError

from data_contracts.manifest import FileEntry
from data_contracts.record import Record
from tasks.sealing import (
    PARCELS,
    SEAL,
    Parcel,
    Seal,
    derived,
    seal_tables,
    wrapped_for,
    write_parcel,
)
from tasks.sealing_keys import AgeKey, KeyService, SealError, Secret

_MOST_SEAL_BYTES = 5 << 20
_MAGIC = {"parquet-aes-256-gcm": b"PARE", "age": b"age-encryption.org/v1"}
_PLACE = re.compile(r"^data/[A-Za-z0-9][A-Za-z0-9._-]*/part-\d{5}\.parquet(\.age)?$")
_ASK_AGAIN = "Ask the sender for the parcel again."


class Opened(Record):
    """What was opened: whose release it is, and how many rows were written where."""

    release: str
    recipient: str
    rows: int
    output: str


def open_parcel(folder: Path, key: KeyService, output: Path, table: str | None = None) -> Opened:
    """Decrypts one table of a parcel into the Parquet file `output`.

    `table` may be left out where there is one. Everything is checked before `output` appears.
    Raises SealError for a key that does not fit, and for any file that is missing, cut, changed,
    exchanged or harmful.
    """
    seal = read_seal(folder)
    data_key = unwrapped(seal, key)
    entries = _of_table(seal, table)
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=".understudy-") as temporary:
        draft = Path(temporary) / "opened.parquet"
        parts = [_checked_part(folder, seal, entry, key, draft.parent) for entry in entries]
        rows = _read_apart(seal, data_key, list(zip(entries, parts, strict=True)), draft)
        draft.replace(output)
    return Opened(release=seal.release, recipient=seal.recipient, rows=rows, output=str(output))


def rewrap(folder: Path, old: KeyService, new: KeyService, *, keep: bool = False) -> Seal:
    """Wraps a parcel's data key for another key; the data stay as they are.

    With `keep` the old keys still open it too. For a key that has become known this is too little:
    who has unwrapped the data key once has it, so use `rekey`.
    """
    seal = read_seal(folder)
    if seal.format == "age" or new.format != seal.format:
        raise SealError(
            f"{folder / SEAL}: sealed whole for one age key, or the new key is of another kind. "
            "Only the data written anew can have another one: use `understudy key rekey`."
        )
    data_key = unwrapped(seal, key=old)
    kept = seal.keys if keep else ()
    made = wrapped_for(seal, data_key, (new,))
    fingerprints = {one.key for one in made.keys}
    others = tuple(one for one in kept if one.key not in fingerprints)
    made = made.model_copy(update={"keys": (*others, *made.keys)}).authenticated(data_key)
    draft = folder / f".{SEAL}.tmp"
    draft.write_bytes(made.canonical())
    draft.replace(folder / SEAL)
    _tell_manifest(folder)
    return made


def rekey(folder: Path, old: KeyService, new: KeyService) -> Seal:
    """Writes the whole parcel anew, under a fresh data key that only `new` unwraps.

    Copies of the old parcel that somebody has stay readable with the old key.
    """
    seal = read_seal(folder)
    names = sorted({entry.path.split("/")[1] for entry in seal.files})
    parcel = Parcel(release=seal.release, recipient=seal.recipient)
    tables = {}
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".understudy-") as temporary:
        for name in names:
            opened = Path(temporary) / f"{name}.parquet"
            open_parcel(folder, old, opened, name)
            tables[name] = pq.read_table(opened)
        fresh = Path(temporary) / "fresh"
        write_parcel(fresh, seal_tables(parcel, tables, new))
        retired = Path(temporary) / "retired"
        folder.rename(retired)
        fresh.rename(folder)
        shutil.rmtree(retired)
    _tell_manifest(folder)
    return read_seal(folder)


def read_seal(folder: Path) -> Seal:
    """A parcel's seal, in the one spelling that it may have; SealError for any other."""
    path = folder / SEAL
    try:
        content = path.read_bytes() if path.stat().st_size <= _MOST_SEAL_BYTES else b""
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


def _of_table(seal: Seal, table: str | None) -> list[FileEntry]:
    names = sorted({entry.path.split("/")[1] for entry in seal.files})
    if table is None and len(names) != 1:
        raise SealError(f"the parcel has the tables {', '.join(names)}. Name one with --table.")
    chosen = names[0] if table is None else table
    if chosen not in names:
        raise SealError(f"table {chosen!r}: the parcel has {', '.join(names)}.")
    return [entry for entry in seal.files if entry.path.split("/")[1] == chosen]


def _checked_part(
    folder: Path, seal: Seal, entry: FileEntry, key: KeyService, temporary: Path
) -> Path:
    """The file to read in the process apart: itself, or what age had sealed."""
    path = folder / entry.path
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SealError(f"{path}: {error.strerror}. {_ASK_AGAIN}") from None
    if len(content) != entry.bytes:
        found = f"{len(content):,} bytes, not {entry.bytes:,}"
        raise SealError(f"{path}: cut or longer than sealed ({found}). {_ASK_AGAIN}")
    if hashlib.sha256(content).hexdigest() != entry.sha256:
        raise SealError(f"{path}: changed since it was sealed. {_ASK_AGAIN}")
    check_magic(path, content, seal.format)
    if not isinstance(key, AgeKey):
        return path
    opened = temporary / entry.path.replace("/", "-")
    opened.write_bytes(key.open(content, str(path)))
    return opened


def check_magic(path: Path, content: bytes, expected: str) -> None:
    """Refuses what is not sealed whole, above all Parquet whose footer is in plain text."""
    magic = _MAGIC[expected]
    whole = content.startswith(magic) and (expected == "age" or content.endswith(magic))
    if not whole:
        plain = content.startswith(b"PAR1") or content.endswith(b"PAR1")
        why = "Parquet with a plaintext footer" if plain else f"not sealed as {expected}"
        raise SealError(f"{path}: {why}, which is never opened. {_ASK_AGAIN}")


def _read_apart(
    seal: Seal, data_key: Secret, parts: list[tuple[FileEntry, Path]], output: Path
) -> int:
    """Has the parts decrypted and written to `output` by a process of its own; returns the rows."""
    parcel = Parcel(release=seal.release, recipient=seal.recipient)
    sealed = seal.format != "age"
    jobs = []
    for entry, path in parts:
        aad = parcel.aad(entry.path)
        key = base64.b64encode(derived(data_key, aad).reveal()).decode() if sealed else None
        jobs.append({"path": str(path.resolve()), "key": key, "aad": aad.decode()})
    job = {"parts": jobs, "output": str(output.resolve())}
    # Keys go through the pipe: arguments and environment of a process can be seen by others.
    ended = subprocess.run(
        [sys.executable, "-m", "tasks.unsealing_process"],
        input=json.dumps(job), capture_output=True, text=True, check=False,
        cwd=Path(__file__).resolve().parent.parent, env={**os.environ, "PYTHONFAULTHANDLER": ""},
    )  # fmt: skip
    answer = _answer(ended.stdout)
    if ended.returncode == 0 and answer.get("rows") == sum(entry.rows or 0 for entry, _ in parts):
        return int(answer["rows"])
    names = ", ".join(entry.path for entry, _ in parts)
    if ended.returncode < 0:
        raise SealError(
            f"{names}: brought its reader down (signal {-ended.returncode}); damaged, or made to "
            f"harm. Nothing was opened. {_ASK_AGAIN}"
        )
    where = answer.get("failed", names)
    why = answer.get("why", "holds other rows than its seal says")
    raise SealError(f"{where}: {why}. {_ASK_AGAIN}")


def _answer(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _tell_manifest(folder: Path) -> None:
    """Brings the parcel's entries in its release's manifest up to date, where it lies in one."""
    release = folder.parent.parent
    path = release / "manifest.json"
    if folder.parent.name != PARCELS or not path.exists():
        return
    manifest = json.loads(path.read_text(encoding="utf-8"))
    if manifest.get("release") != read_seal(folder).release:
        return
    inside = f"{folder.relative_to(release).as_posix()}/"
    kept = [entry for entry in manifest["files"] if not entry["path"].startswith(inside)]
    rows = {entry.path: entry.rows for entry in read_seal(folder).files}
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        content, place = file.read_bytes(), file.relative_to(folder).as_posix()
        kept.append(
            FileEntry(
                path=f"{inside}{place}", bytes=len(content),
                sha256=hashlib.sha256(content).hexdigest(), rows=rows.get(place),
            ).model_dump(mode="json")
        )  # fmt: skip
    draft = path.with_name(".manifest.json.tmp")
    draft.write_text(json.dumps({**manifest, "files": kept}, indent=1), encoding="utf-8")
    draft.replace(path)
