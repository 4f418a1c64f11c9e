"""Checkpoints of a training run in the store: a killed run's successor goes on from them."""

import time
from dataclasses import dataclass

from tasks.storage import Store

# What nobody has touched for this long belongs to a contract that was changed since.
_STALE_SECONDS = 48 * 3600


@dataclass(frozen=True)
class StoredCheckpoints:
    """The last checkpoint of one table's fit, named by the model that it will become.

    The same contract, data and code find it again, whichever run they are in. It lies outside of
    the runs' work folders, which go with their runs.
    """

    store: Store
    model: str
    table: str

    @property
    def path(self) -> str:
        return f"{_folder(self.model)}/{self.table}.safetensors"

    def read(self) -> bytes | None:
        return self.store.read_bytes(self.path) if self.store.exists(self.path) else None

    def write(self, content: bytes) -> None:
        self.store.write_bytes(self.path, content)


def clear_checkpoints(store: Store, model: str) -> None:
    """Removes the checkpoints of a model that is committed, and those that nobody will ask for."""
    own = _folder(model)
    store.delete(own)
    parent = own.rsplit("/", 1)[0]
    for name in store.list_folders(parent):
        files = store.list_files(f"{parent}/{name}")
        changed = [info.mtime_ns / 1e9 for info in store.fs.get_file_info(files)]
        if time.time() - max(changed, default=0.0) > _STALE_SECONDS:
            store.delete(f"{parent}/{name}")


def _folder(model: str) -> str:
    """Beside the folder of models: `<contract>/models/<id>` has `<contract>/checkpoints/<id>`."""
    contract, _, name = model.rsplit("/", 2)
    return f"{contract}/checkpoints/{name}"
