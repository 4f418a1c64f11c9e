"""Give a sealed parcel other keys: the wrapping alone, or all of it anew.

Either way the new `seal.json` replaces the old one in one step, after all that it lists. A run that
is killed leaves a parcel that opens, with the old key or with the new one; what else it left goes
with the next change of keys.
"""

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq

from data_contracts.errors import ContractError
from data_contracts.manifest import FileEntry
from tasks.foreign_files import nameless_file, write_whole
from tasks.sealing import PARCELS, SEAL, Parcel, Seal, seal_tables, wrapped_for
from tasks.sealing_keys import KeyService, SealError
from tasks.unsealing import decrypt_table, read_seal, unwrapped

_NUMBER = re.compile(r"part-(\d{5})\.")
_PART = r"data/[^/]+/part-\d{5}\.parquet(\.age)?"
_PART_DRAFT = r"data/[^/]+/\.part-\d{5}\.parquet(\.age)?\.[0-9a-f]{8}\.tmp"
_SEAL_DRAFT = r"\.seal\.json\.[0-9a-f]{8}\.tmp"
_NAMELESS = r"(data/[^/]+/)?\.understudy-[^/]{8}"
_OURS = re.compile(f"{_PART}|{_PART_DRAFT}|{_SEAL_DRAFT}|{_NAMELESS}")
"""What sealing and a killed change of keys leave in a parcel; all else is somebody's own."""


def rewrap(folder: Path, old: KeyService, new: KeyService, *, keep: bool = False) -> Seal:
    """Wraps a parcel's data key for another key; the data stay as they are.

    With `keep` the old keys still open it too. For a key that has become known this is too little:
    who has unwrapped the data key once has it, so use `rekey`. Raises SealError as opening does,
    ContractError for a parcel that cannot be written.
    """
    seal = read_seal(folder)
    _check_writable(folder)
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
    _replace(folder, {SEAL: made.canonical()})
    return made


def rekey(folder: Path, old: KeyService, new: KeyService) -> Seal:
    """Writes the whole parcel anew, under a fresh data key that only `new` unwraps.

    Copies of the old parcel that somebody has stay readable with the old key. Raises SealError as
    opening does, ContractError for a parcel that cannot be written.
    """
    seal = read_seal(folder)
    _check_writable(folder, *((folder / entry.path).parent for entry in seal.files))
    data_key = unwrapped(seal, old)
    tables = {}
    for name in sorted({entry.path.split("/")[1] for entry in seal.files}):
        with nameless_file(folder) as opened:
            decrypt_table(folder, seal, (old, data_key), name, opened)
            with os.fdopen(os.dup(opened), "rb") as stream:
                tables[name] = pq.read_table(stream)
    numbers = [_NUMBER.findall(path.name) for path in folder.glob("data/*/part-*")]
    first = 1 + max(int(found[0]) for found in numbers if found)
    parcel = Parcel(release=seal.release, recipient=seal.recipient)
    _replace(folder, seal_tables(parcel, tables, new, first))
    return read_seal(folder)


def _check_writable(folder: Path, *parts: Path) -> None:
    """Refuses a parcel where a file cannot be written, before anything of it is decrypted."""
    release = _release_of(folder)
    for place in sorted({folder, *parts, release or folder}):
        # A folder that is not there is told of by those who read its parts.
        if not place.is_dir():
            continue
        try:
            with nameless_file(place):
                pass
        except OSError as error:
            raise ContractError(
                f"{place}: no file can be written there ({error.strerror}). Keys are changed in "
                "the parcel itself: allow writing, or change those of a copy."
            ) from None


def _replace(folder: Path, files: dict[str, bytes]) -> None:
    """Writes files of a parcel, the seal last, and removes ours that the seal does not list."""
    with _told(folder):
        for place in sorted(files, key=lambda name: name == SEAL):
            write_whole(folder / place, files[place])
        listed = {entry.path for entry in read_seal(folder).files}
        for path in folder.rglob("*"):
            place = path.relative_to(folder).as_posix()
            if path.is_file() and place not in listed and _OURS.fullmatch(place):
                path.unlink()
        _tell_manifest(folder)


@contextlib.contextmanager
def _told(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SealError(
            f"parcel {folder}: {error.strerror}. It still opens, with the old key or with the new "
            "one. Check free space and permissions, then change its keys again."
        ) from None


def _release_of(folder: Path) -> Path | None:
    """The folder of the release that the parcel lies in, where it lies in one."""
    release = folder.parent.parent
    inside = folder.parent.name == PARCELS and (release / "manifest.json").exists()
    return release if inside else None


def _tell_manifest(folder: Path) -> None:
    """Brings the parcel's entries in its release's manifest up to date, where it lies in one.

    Files that the seal does not list are no part of the release, and `verify` has to find them.
    """
    release = _release_of(folder)
    if release is None:
        return
    path = release / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    if manifest.get("release") != read_seal(folder).release:
        return
    inside = f"{folder.relative_to(release).as_posix()}/"
    kept = [entry for entry in manifest["files"] if not entry["path"].startswith(inside)]
    rows = {entry.path: entry.rows for entry in read_seal(folder).files}
    for place in sorted({SEAL, *rows}):
        content = (folder / place).read_bytes()
        kept.append(
            FileEntry(
                path=f"{inside}{place}", bytes=len(content),
                sha256=hashlib.sha256(content).hexdigest(), rows=rows.get(place),
            ).model_dump(mode="json")
        )  # fmt: skip
    write_whole(path, json.dumps({**manifest, "files": kept}, indent=1).encode())
