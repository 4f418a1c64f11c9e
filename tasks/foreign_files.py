"""Files that come from elsewhere, and files that nobody should find before they are whole."""

import contextlib
import os
import secrets
import stat
import tempfile
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path

from data_contracts.errors import ContractError, StoreError
from tasks.sealing_keys import SealError


@contextlib.contextmanager
def foreign_file(folder: Path, place: str) -> Iterator[BufferedReader]:
    """Opens a file below a folder that somebody else packed.

    It has to be a plain file at that very place: a link could lead anywhere, and a pipe or a device
    would keep its reader for ever. Raises SealError for these, OSError for what is not there.
    """
    path = folder / place
    try:
        linked = path.resolve() != folder.resolve() / place
    except RuntimeError:
        # So Python 3.11 and 3.12 tell of links that lead to each other.
        linked = True
    if linked:
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


@contextlib.contextmanager
def draft_of(output: Path) -> Iterator[int]:
    """A nameless file that `give_name` can put at `output`, which somebody typed.

    Raises ContractError where no file can be put there, before a draft is there to be written.
    """
    remedy = "Name a file in a folder that you may write in."
    with contextlib.ExitStack() as stack:
        try:
            if output.exists() and not output.is_file():
                raise ContractError(f"-o {output}: a folder, or else no plain file. {remedy}")
            output.parent.mkdir(parents=True, exist_ok=True)
            draft = stack.enter_context(nameless_file(output.parent))
        except OSError as error:
            raise ContractError(
                f"-o {output}: no file can be made there ({error.strerror}). {remedy}"
            ) from None
        yield draft


def give_name(file: int, path: Path) -> None:
    """Makes an open file appear whole at `path`, in the place of what was there.

    Raises StoreError where it cannot, and leaves no other name of the file: it may hold what was
    decrypted.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    with written_whole(path), contextlib.ExitStack() as stack:
        stack.callback(draft.unlink, missing_ok=True)
        os.fsync(file)
        _link(file, draft)
        draft.replace(path)


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[None]:
    """Around what writes a draft of `path`: StoreError where the disk is full or refuses it."""
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"{path}: cannot be written ({error.strerror or error}). What was there is as it was. "
            "Check free space and permissions, then run again."
        ) from None


def _link(file: int, draft: Path) -> None:
    """Gives an open file a name, or a copy of it where the file system has no such links."""
    try:
        os.link(f"/proc/self/fd/{file}", draft, follow_symlinks=True)
    except OSError:
        os.lseek(file, 0, os.SEEK_SET)
        copy = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(os.dup(file), "rb") as source, os.fdopen(copy, "wb") as target:
            while block := source.read(1 << 20):
                target.write(block)


def write_whole(path: Path, content: bytes) -> None:
    """Writes a file that is there whole, with its old content or with the new one, at any time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with nameless_file(path.parent) as draft:
        with os.fdopen(os.dup(draft), "wb") as stream:
            stream.write(content)
        give_name(draft, path)
