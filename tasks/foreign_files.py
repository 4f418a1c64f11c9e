"""Files that come from elsewhere, and files that nobody should find before they are whole."""

import contextlib
import os
import secrets
import stat
import tempfile
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path

from tasks.sealing_keys import SealError


@contextlib.contextmanager
def foreign_file(folder: Path, place: str) -> Iterator[BufferedReader]:
    """Opens a file below a folder that somebody else packed.

    It has to be a plain file at that very place: a link could lead anywhere, and a pipe or a device
    would keep its reader for ever. Raises SealError for these, OSError for what is not there.
    """
    path = folder / place
    if path.resolve() != folder.resolve() / place:
        raise SealError(f"{path}: a link, which is never followed. Ask the sender for the file.")
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as stream:
        if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            raise SealError(f"{path}: not a plain file. Ask the sender for the file.")
        yield stream


@contextlib.contextmanager
def nameless_file(folder: Path) -> Iterator[int]:
    """An open file on the disk of `folder` that has no name there, so that no kill leaves it.

    Where the file system has no such files, one that is removed at the end. Only its owner may read
    it. Raises OSError where nothing can be written.
    """
    try:
        file = os.open(folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except (AttributeError, OSError):
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".understudy-") as stream:
            yield stream.fileno()
        return
    try:
        yield file
    finally:
        os.close(file)


def give_name(file: int, path: Path) -> None:
    """Makes an open file appear whole at `path`, in the place of what was there."""
    os.fsync(file)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        os.link(f"/proc/self/fd/{file}", draft, follow_symlinks=True)
    except OSError:
        os.lseek(file, 0, os.SEEK_SET)
        copy = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(os.dup(file), "rb") as source, os.fdopen(copy, "wb") as target:
            while block := source.read(1 << 20):
                target.write(block)
    draft.replace(path)


def write_whole(path: Path, content: bytes) -> None:
    """Writes a file that is there whole, with its old content or with the new one, at any time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with nameless_file(path.parent) as draft:
        with os.fdopen(os.dup(draft), "wb") as stream:
            stream.write(content)
        give_name(draft, path)
