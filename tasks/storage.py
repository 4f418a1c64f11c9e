"""The store: the only place that knows paths and URIs; what it holds is whole or absent.

Layout and rules: docs/architecture.md, section 5. A folder is *committed* when its
`manifest.json` is there, which is always written last. Work in progress lives under
`<contract>/work/<run>/`; on a local disk each run holds a lock there for as long as it lives, so
that the next run can tell a killed run's leavings from a neighbour's work, and clear them. Who
names a release or moves `latest.json` holds the lock of the contract's own folder.
"""

import calendar
import contextlib
import fcntl
import hashlib
import json
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.fs as pafs

from data_contracts.errors import StoreError
from data_contracts.manifest import ArtifactRef

MANIFEST = "manifest.json"
# On an object store there are no locks: leavings older than this are taken for dead.
_STALE_SECONDS = 48 * 3600
_BLOCK = 1 << 20


@contextlib.contextmanager
def store_errors(where: str) -> Iterator[None]:
    """Turns a refusal (disk full, read-only, no access, no network) into a StoreError."""
    remedy = "free space and permissions"
    if "://" in where:
        remedy = "the address, the network and your credentials"
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"store {where}: {error.strerror or error}. Check {remedy}, then run again: what was "
            "already committed is untouched."
        ) from error


class Store:
    """A local folder or an object store (any URI that pyarrow or fsspec knows).

    All paths are relative to the root, with forward slashes. One that is only read (`for_reading`)
    makes no folder: a mistyped root would leave an empty one behind. Raises StoreError for a root
    that cannot be made or reached.
    """

    def __init__(self, root: str, *, for_reading: bool = False) -> None:
        self.root = root
        self.local_root: Path | None = None
        if "://" in root and not root.startswith("file://"):
            base, prefix = _remote(root)
        else:
            self.local_root = Path(root.removeprefix("file://")).resolve()
            if not for_reading:
                with store_errors(str(self.local_root)):
                    self.local_root.mkdir(parents=True, exist_ok=True)
            base, prefix = pafs.LocalFileSystem(), str(self.local_root)
        self.fs: pafs.FileSystem = pafs.SubTreeFileSystem(prefix, base)

    def display(self, path: str) -> str:
        """The path as a person can use it: absolute on a local disk, else with the store's URI."""
        if self.local_root is not None:
            return str(self.local_root / path)
        return f"{self.root.rstrip('/')}/{path}"

    def exists(self, path: str) -> bool:
        with store_errors(self.display(path)):
            return bool(self.fs.get_file_info(path).type != pafs.FileType.NotFound)

    def is_committed(self, folder: str) -> bool:
        return self.exists(f"{folder}/{MANIFEST}")

    def list_files(self, folder: str) -> list[str]:
        """All files below `folder`, sorted; an absent folder has none."""
        selector = pafs.FileSelector(folder, allow_not_found=True, recursive=True)
        with store_errors(self.display(folder)):
            found = self.fs.get_file_info(selector)
        return sorted(info.path for info in found if info.type == pafs.FileType.File)

    def list_folders(self, folder: str) -> list[str]:
        """The names of the folders right below `folder`, sorted."""
        selector = pafs.FileSelector(folder, allow_not_found=True)
        with store_errors(self.display(folder)):
            found = self.fs.get_file_info(selector)
        return sorted(info.base_name for info in found if info.type == pafs.FileType.Directory)

    def make_folder(self, path: str) -> None:
        with store_errors(self.display(path)):
            self.fs.create_dir(path, recursive=True)

    def delete(self, path: str) -> None:
        """Removes a file or a folder with all that is in it; an absent one is no error."""
        with store_errors(self.display(path)):
            kind = self.fs.get_file_info(path).type
            if kind == pafs.FileType.Directory:
                self.fs.delete_dir(path)
            elif kind == pafs.FileType.File:
                self.fs.delete_file(path)

    def read_bytes(self, path: str) -> bytes:
        with store_errors(self.display(path)), self.fs.open_input_stream(path) as stream:
            return bytes(stream.read())

    def write_bytes(self, path: str, content: bytes) -> None:
        """Writes a file that is there whole or not at all."""
        with store_errors(self.display(path)):
            if self.local_root is None:
                with self.fs.open_output_stream(path) as stream:
                    stream.write(content)
                return
            target = self.local_root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
            try:
                with draft.open("wb") as stream:
                    stream.write(content)
                    stream.flush()
                    os.fsync(stream.fileno())
                draft.replace(target)
            finally:
                draft.unlink(missing_ok=True)

    def read_json(self, path: str) -> Any:
        """What a JSON file holds; StoreError for one that somebody cut or changed."""
        try:
            return json.loads(self.read_bytes(path))
        except ValueError:
            raise StoreError(
                f"store {self.display(path)}: damaged, it is no JSON any more. Bring it back from "
                "a copy, or move its folder away and run again."
            ) from None

    def write_json(self, path: str, content: Any) -> None:
        text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
        self.write_bytes(path, text.encode())

    def sha256(self, path: str) -> str:
        digest = hashlib.sha256()
        with store_errors(self.display(path)), self.fs.open_input_stream(path) as stream:
            while block := stream.read(_BLOCK):
                digest.update(block)
        return digest.hexdigest()

    def reference(self, path: str, rows: int | None = None) -> ArtifactRef:
        """A reference to a file: its path, the hash of its bytes, and its rows if known."""
        return ArtifactRef(uri=path, sha256=self.sha256(path), rows=rows)

    def commit(self, draft: str, final: str, manifest: dict[str, Any]) -> bool:
        """Makes the folder `draft` appear whole at `final`; False if another run was first.

        On a local disk this is one rename, on an object store a copy with the manifest last. A run
        that comes second throws its own draft away: equal addresses hold equal contents.
        """
        if self.is_committed(final):
            self.delete(draft)
            return False
        if self.local_root is not None:
            return self._commit_by_rename(draft, final, manifest)
        for path in self.list_files(draft):
            pafs.copy_files(
                path,
                final + path.removeprefix(draft),
                source_filesystem=self.fs,
                destination_filesystem=self.fs,
            )
        self.write_json(f"{final}/{MANIFEST}", manifest)
        self.delete(draft)
        return True

    def _commit_by_rename(self, draft: str, final: str, manifest: dict[str, Any]) -> bool:
        assert self.local_root is not None
        self.write_json(f"{draft}/{MANIFEST}", manifest)
        source, target = self.local_root / draft, self.local_root / final
        with store_errors(str(target)):
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                source.rename(target)
            except OSError:
                # Another run renamed first: a folder with files in it is never replaced.
                if not self.is_committed(final):
                    raise
                self.delete(draft)
                return False
        return True

    def upload(self, folder: Path, path: str) -> None:
        """Copies a local folder into the store."""
        with store_errors(self.display(path)):
            self.fs.create_dir(path, recursive=True)
            for file in sorted(file for file in folder.rglob("*") if file.is_file()):
                self.write_bytes(f"{path}/{file.relative_to(folder).as_posix()}", file.read_bytes())

    @contextlib.contextmanager
    def local_copy(self, path: str) -> Iterator[Path]:
        """The folder as a local one: itself on a local disk, else a temporary copy."""
        if self.local_root is not None:
            yield self.local_root / path
            return
        import tempfile

        with tempfile.TemporaryDirectory() as temporary:
            for file in self.list_files(path):
                target = Path(temporary) / file.removeprefix(f"{path}/")
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(self.read_bytes(file))
            yield Path(temporary)

    @contextlib.contextmanager
    def work_folder(self, contract_id: str) -> Iterator[str]:
        """A folder for one run's work in progress; it goes when the run ends, however it ends.

        Clears what killed runs of the same contract left behind.
        """
        parent = f"{contract_id}/work"
        path = f"{parent}/{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{secrets.token_hex(4)}"
        with contextlib.ExitStack() as stack:
            # Clearing and claiming exclude each other, or a neighbour could clear a folder in the
            # moment between its creation and its lock.
            with self.lock(parent):
                self._clear_dead_work(parent)
                stack.enter_context(self.lock(path))
            try:
                yield path
            finally:
                self.delete(path)

    @contextlib.contextmanager
    def lock(self, path: str) -> Iterator[None]:
        """Holds the folder `path`, made if it is not there, against all who ask for it in this way.

        Waits for another holder's end, also that of a killed one. Not to be taken twice by one
        holder: it would wait for itself. On an object store there are no locks: it holds nothing.
        """
        self.make_folder(path)
        if self.local_root is None:
            yield
            return
        with store_errors(self.display(path)):
            handle = (self.local_root / path / ".lock").open("w")
        with handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    def _clear_dead_work(self, parent: str) -> None:
        for name in self.list_folders(parent):
            path = f"{parent}/{name}"
            if self._is_dead(path):
                self.delete(path)

    def _is_dead(self, path: str) -> bool:
        if self.local_root is None:
            started = time.strptime(path.rsplit("/", 1)[1].split("-")[0], "%Y%m%dT%H%M%SZ")
            return time.time() - calendar.timegm(started) > _STALE_SECONDS
        try:
            handle = (self.local_root / path / ".lock").open("a")
        except OSError:
            return True
        with handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                return False
        return True


def _remote(uri: str) -> tuple[pafs.FileSystem, str]:
    """The file system of an object-store URI, and the path inside it.

    Raises StoreError for a URI that neither pyarrow nor fsspec can open, or that is not reached.
    """
    with store_errors(uri):
        try:
            base, prefix = pafs.FileSystem.from_uri(uri)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            base, prefix = _remote_by_fsspec(uri)
    return base, prefix


def _remote_by_fsspec(uri: str) -> tuple[pafs.FileSystem, str]:
    import fsspec

    try:
        remote, prefix = fsspec.core.url_to_fs(uri)
    except (ValueError, ImportError) as error:
        raise StoreError(
            f"store {uri}: cannot be opened ({error}). Name a folder, or a URI such as "
            "s3://bucket/prefix or gs://bucket/prefix."
        ) from error
    return pafs.PyFileSystem(pafs.FSSpecHandler(remote)), prefix
