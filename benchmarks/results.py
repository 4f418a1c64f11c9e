"""Results of long benchmarks: one JSON object a line, so that a killed run goes on where it was."""

import json
import os
from pathlib import Path
from typing import Any

Row = dict[str, Any]
Key = tuple[str, str, str, int]
# A tidy file leaves no doubt where a row came from; these name it.
KEYS = ("job", "generator", "table", "seed")


class Results:
    """The rows of a file, the last of each key; `add` writes through to the disk.

    `state` is done, failed or skipped. A line that a kill has torn is passed over.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._rows: dict[Key, Row] = {}
        for line in path.read_text().splitlines() if path.exists() else ():
            try:
                row = json.loads(line)
                self._rows[key_of(row)] = row
            except (ValueError, KeyError, TypeError):
                continue

    @property
    def rows(self) -> list[Row]:
        return list(self._rows.values())

    def holds(self, key: Key, *, failed_too: bool) -> bool:
        """Whether there is nothing left to run for `key`; what was skipped is always run again."""
        state = self._rows.get(key, {}).get("state")
        return state == "done" or (failed_too and state == "failed")

    def code_of(self, key: Key) -> str:
        """The version of our code that a result was made with; empty without one."""
        return str(self._rows.get(key, {}).get("code", ""))

    def add(self, row: Row) -> None:
        """Appends the row; it replaces an earlier one of the same key."""
        key = key_of(row)
        if row["state"] == "skipped" and self._rows.get(key, {}).get("state") == "done":
            return
        self._rows[key] = row
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a+b") as file:
            file.seek(0, os.SEEK_END)
            if file.tell():
                file.seek(-1, os.SEEK_END)
                torn = file.read(1) != b"\n"
                file.write(b"\n" if torn else b"")
            file.write(json.dumps(row).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def tidy(self) -> None:
        """Rewrites the file with the rows that count, in the order of their keys."""
        rows = sorted(self._rows.items())
        draft = self.path.with_suffix(".tmp.json")
        draft.write_text("".join(json.dumps(row) + "\n" for _, row in rows))
        draft.replace(self.path)


def key_of(row: Row) -> Key:
    """What a row is a result of."""
    job, generator, table, seed = (row[name] for name in KEYS)
    return str(job), str(generator), str(table), int(seed)
