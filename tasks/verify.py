"""Is a release still what was published? Its files by its manifest, wherever it was copied to."""

from pathlib import PurePosixPath

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq
from pydantic import ValidationError

from data_contracts.errors import StoreError
from data_contracts.manifest import FileEntry, Manifest
from data_contracts.record import Record
from tasks.storage import MANIFEST, Store, store_errors

CONTENT_KEY = b"understudy.release"
"""Under which a Parquet file carries in its metadata of what content it is."""


class Verified(Record):
    """What a release says of itself, how many files it names, and what is wrong with which file."""

    release: str
    contract: str
    verdict: str
    files: int
    wrong: tuple[str, ...]


def verify_folder(place: str) -> Verified:
    """Verifies the release or share in a folder, or at the URI of one in an object store.

    Finds what was damaged, lost, added or mixed up. Whoever can write a new manifest as well can
    put anything there: where that matters, compare the manifest's own hash with its publisher's.
    Raises StoreError where there is no release's manifest.
    """
    store = Store(place, for_reading=True)
    if not store.exists(MANIFEST):
        raise StoreError(
            f"{place}: no {MANIFEST} there, so it is no release, or not all of one. Name the "
            "folder that holds it, or copy the release anew."
        )
    manifest = _manifest(store, "")
    return Verified(
        release=_shown(manifest.release),
        contract=_shown(manifest.contract),
        verdict=_shown(manifest.verdict),
        files=len(manifest.files),
        wrong=tuple(_shown(line) for line in _wrong(store, "", manifest)),
    )


def verify_release(store: Store, path: str) -> list[str]:
    """What is wrong with a release in a store: missing, changed or foreign files. Empty: whole."""
    return _wrong(store, path, _manifest(store, path))


def _wrong(store: Store, path: str, manifest: Manifest) -> list[str]:
    wrong = []
    if manifest.release.split("-")[1:2] != [manifest.content[:12]]:
        wrong.append(
            f"{MANIFEST}: release {manifest.release} is not named after its content, "
            f"{manifest.content}"
        )
    for entry in manifest.files:
        wrong += _wrong_with(store, path, entry, manifest.content)
    named = {entry.path for entry in manifest.files} | {MANIFEST}
    try:
        present = {file.removeprefix(f"{path}/") for file in store.list_files(path)}
    except UnicodeDecodeError:
        return [*wrong, "a file whose name is no UTF-8: not in the manifest"]
    return wrong + [f"{name}: not in the manifest" for name in sorted(present - named)]


def _wrong_with(store: Store, path: str, entry: FileEntry, content: str) -> list[str]:
    name, place = entry.path, _within(path, entry.path)
    parts = PurePosixPath(name).parts
    if not parts or ".." in parts or parts[0] == "/" or "\0" in name:
        return [f"{name!r}: named by the manifest, and no file of a release"]
    with store_errors(store.display(place)):
        info = store.fs.get_file_info(place)
    if info.type == pafs.FileType.NotFound:
        return [f"{name}: missing"]
    if info.type != pafs.FileType.File:
        return [f"{name}: a folder, or something else that is no file, is in its place"]
    if info.size != entry.bytes:
        return [f"{name}: changed since publication ({info.size:,} bytes, not {entry.bytes:,})"]
    if store.sha256(place) != entry.sha256:
        return [f"{name}: changed since publication"]
    if parts[0] == "data" and name.endswith(".parquet"):
        found = _content_of(store, place)
        if found != content:
            return [f"{name}: says it is of content {found}, and the manifest of {content}"]
    return []


def _content_of(store: Store, place: str) -> str | None:
    """The content that a Parquet file carries in its metadata; None where it carries none."""
    with store_errors(store.display(place)), store.fs.open_input_file(place) as stream:
        try:
            metadata = pq.read_metadata(stream).metadata or {}
        except pa.ArrowInvalid:
            return None
    found = metadata.get(CONTENT_KEY)
    return None if found is None else str(found, "utf-8", "replace")


def _manifest(store: Store, path: str) -> Manifest:
    place = _within(path, MANIFEST)
    try:
        return Manifest.model_validate_json(store.read_bytes(place))
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"]) or "the whole file"
        raise StoreError(
            f"{store.display(place)}: not the manifest of a release, see {where}. Name a release's "
            "folder, or copy the release anew."
        ) from error


def _shown(text: str) -> str:
    """A text of whoever wrote the copy, so that it steers no terminal."""
    return text if text.isprintable() else ascii(text)


def _within(path: str, name: str) -> str:
    return f"{path}/{name}" if path else name
