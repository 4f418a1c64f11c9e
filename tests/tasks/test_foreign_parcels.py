"""Parcels made to harm, and runs that are killed: nothing hangs, nothing leaks, nothing is lost."""

import base64
import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data_contracts.errors import ContractError, StoreError
from tasks import changing_keys, unsealing
from tasks.changing_keys import rekey, rewrap
from tasks.foreign_files import write_whole
from tasks.sealing import SEAL, Parcel, seal_tables, write_parcel
from tasks.sealing_keys import KeyService, SealError, key_from, new_symmetric_key
from tasks.unsealing import decrypt_table, open_parcel, read_seal, unwrapped

PARCEL = Parcel(release="20261124T000000Z-0123456789ab-0a0b", recipient="clinic")
PART = "data/people/part-00000.parquet"
ROWS = pa.table({"code_0": np.arange(500, dtype=np.float32)})


def made_key(folder: Path, name: str) -> KeyService:
    (folder / name).write_text(new_symmetric_key())
    return key_from(f"file:{name}", folder)


@pytest.fixture
def key(tmp_path: Path) -> KeyService:
    return made_key(tmp_path, "clinic.key")


@pytest.fixture
def parcel(key: KeyService, tmp_path: Path) -> Path:
    write_parcel(tmp_path / "parcel", seal_tables(PARCEL, {"people": ROWS}, key))
    return tmp_path / "parcel"


@pytest.mark.parametrize("place", [PART, SEAL])
def test_links_and_pipes_in_a_parcel_are_refused(
    parcel: Path, key: KeyService, tmp_path: Path, place: str
) -> None:
    (parcel / place).rename(tmp_path / "elsewhere")
    (parcel / place).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SealError, match="a link"):
        open_parcel(parcel, key, tmp_path / "rows.parquet")
    (parcel / place).unlink()
    os.mkfifo(parcel / place)
    with pytest.raises(SealError, match="not a plain file"):
        open_parcel(parcel, key, tmp_path / "rows.parquet")


@pytest.mark.parametrize("place", [PART, SEAL])
def test_links_that_lead_to_each_other_are_refused(
    parcel: Path, key: KeyService, tmp_path: Path, place: str
) -> None:
    (parcel / place).unlink()
    (parcel / place).symlink_to(tmp_path / "other")
    (tmp_path / "other").symlink_to(parcel / place)
    with pytest.raises(SealError, match=f"{place}: "):
        open_parcel(parcel, key, tmp_path / "rows.parquet")


def test_a_folder_that_is_a_link_is_refused(parcel: Path, key: KeyService, tmp_path: Path) -> None:
    (parcel / "data").rename(tmp_path / "data")
    (parcel / "data").symlink_to(tmp_path / "data")
    with pytest.raises(SealError, match="a link"):
        open_parcel(parcel, key, tmp_path / "rows.parquet")


def with_entry(parcel: Path, key: KeyService, **changes: object) -> None:
    """The seal with its file's entry changed by somebody who has the data key: the sender."""
    seal = read_seal(parcel)
    entries = tuple(entry.model_copy(update=changes) for entry in seal.files)
    seal = seal.model_copy(update={"files": entries}).authenticated(unwrapped(seal, key))
    (parcel / SEAL).write_bytes(seal.canonical())


def test_a_part_with_other_rows_than_its_seal_lists_is_refused(
    parcel: Path, key: KeyService, tmp_path: Path
) -> None:
    with_entry(parcel, key, rows=499)
    with pytest.raises(SealError, match="another number of rows"):
        open_parcel(parcel, key, tmp_path / "rows.parquet")


def test_a_part_that_swells_is_stopped(
    key: KeyService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    same = pa.table({"code": ["x" * 1000] * 20_000})
    folder = tmp_path / "parcel"
    write_parcel(folder, seal_tables(PARCEL, {"people": same}, key))
    monkeypatch.setattr(unsealing, "_LEAST_OUTPUT", 1000)
    monkeypatch.setattr(unsealing, "_BLOW_UP", 0)
    with pytest.raises(SealError, match="larger than it may be"):
        open_parcel(folder, key, tmp_path / "rows.parquet")
    monkeypatch.undo()
    monkeypatch.setattr(unsealing, "_MOST_MEMORY", 1 << 20)
    with pytest.raises(SealError):
        open_parcel(folder, key, tmp_path / "rows.parquet")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clinic.key", "parcel"]


def test_a_reader_that_does_not_end_is_ended(
    parcel: Path, key: KeyService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = tmp_path / "waits"
    waits.write_text("#!/bin/sh\nexec sleep 600\n")
    waits.chmod(0o700)
    monkeypatch.setattr(unsealing.sys, "executable", str(waits))
    monkeypatch.setattr(unsealing, "_SECONDS", 0.2)
    with pytest.raises(SealError, match="not read within"):
        open_parcel(parcel, key, tmp_path / "rows.parquet")
    assert not (tmp_path / "rows.parquet").exists()


def test_a_disk_that_is_full_is_no_fault_of_the_parcel(parcel: Path, key: KeyService) -> None:
    seal = read_seal(parcel)
    table = seal.files[0].path.split("/")[1]
    with open("/dev/full", "wb") as full, pytest.raises(StoreError, match="no space is left"):
        decrypt_table(parcel, seal, (key, unwrapped(seal, key)), table, full.fileno())


def test_a_seal_cannot_steer_the_terminal_that_shows_it(parcel: Path) -> None:
    loose = json.loads((parcel / SEAL).read_text())
    for place in ("release", "recipient"):
        changed = {**loose, place: "\x1b]0;owned\x07"}
        (parcel / SEAL).write_text(json.dumps(changed, indent=1, sort_keys=True))
        with pytest.raises(SealError, match="not a seal"):
            read_seal(parcel)
    loose["keys"][0]["key"] = "\x1b[2J"
    (parcel / SEAL).write_text(json.dumps(loose, indent=1, sort_keys=True))
    with pytest.raises(SealError, match="not a seal"):
        read_seal(parcel)


def test_an_older_release_sent_again_is_told(parcel: Path, key: KeyService, tmp_path: Path) -> None:
    output = tmp_path / "rows.parquet"
    with pytest.raises(SealError, match=r"of release 20261124T0.*, not 20261125"):
        open_parcel(parcel, key, output, release="20261125T000000Z-0123456789ab-0a0b")
    assert not output.exists()
    assert open_parcel(parcel, key, output, release=PARCEL.release).rows == 500


def test_what_is_opened_is_for_its_owner_alone_and_replaces_what_was_there(
    parcel: Path, key: KeyService, tmp_path: Path
) -> None:
    (tmp_path / "rows.parquet").write_text("old")
    open_parcel(parcel, key, tmp_path / "rows.parquet")
    assert (tmp_path / "rows.parquet").stat().st_mode & 0o077 == 0
    assert pq.read_table(tmp_path / "rows.parquet").equals(ROWS)


KILLED = """
import os, signal, sys
from pathlib import Path
from tasks import changing_keys, unsealing
from tasks.sealing_keys import key_from

folder, step = Path(sys.argv[1]), int(sys.argv[2])
steps = 0

def counted(module, name):
    real = getattr(module, name)
    def wrapped(*arguments, **named):
        global steps
        if steps == step:
            os.kill(os.getpid(), signal.SIGKILL)
        steps += 1
        return real(*arguments, **named)
    setattr(module, name, wrapped)

counted(changing_keys, "decrypt_table")
counted(changing_keys, "write_whole")
counted(changing_keys, "_tell_manifest")
counted(unsealing, "give_name")
old = key_from(f"file:{folder / 'clinic.key'}")
if sys.argv[3] == "open":
    unsealing.open_parcel(folder / "parcel", old, folder / "out" / "rows.parquet")
else:
    getattr(changing_keys, sys.argv[3])(
        folder / "parcel", old, key_from(f"file:{folder / 'new.key'}")
    )
"""


def killed(folder: Path, step: int, what: str) -> int:
    words = [sys.executable, "-c", KILLED, str(folder), str(step), what]
    return subprocess.run(words, check=False).returncode


@pytest.mark.parametrize("what", ["rekey", "rewrap"])
def test_a_change_of_keys_that_is_killed_leaves_a_parcel_that_opens(
    parcel: Path, key: KeyService, tmp_path: Path, what: str
) -> None:
    new = made_key(tmp_path, "new.key")
    ended = []
    for step in (2, 3) if what == "rekey" else (0, 1):
        ended.append(killed(tmp_path, step, what))
        mine = {one.key for one in read_seal(parcel).keys}
        opens = key if key.key_id() in mine else new
        assert open_parcel(parcel, opens, tmp_path / "rows.parquet").rows == 500
        assert not [path for path in parcel.rglob("*") if b"PAR1" in _content(path)]
    assert ended == [-signal.SIGKILL] * len(ended)
    # The next change clears what the killed ones left.
    changing_keys.rewrap(parcel, opens, new)
    listed = {SEAL, *(entry.path for entry in read_seal(parcel).files)}
    left = {path.relative_to(parcel).as_posix() for path in parcel.rglob("*") if path.is_file()}
    assert left == listed
    assert open_parcel(parcel, new, tmp_path / "rows.parquet").rows == 500


@pytest.mark.parametrize("change", [rekey, rewrap])
def test_a_change_of_keys_removes_what_it_wrote_itself_and_no_other_file(
    key: KeyService, tmp_path: Path, change: Callable[..., object]
) -> None:
    parcel = tmp_path / "release/parcels/clinic"
    write_parcel(parcel, seal_tables(PARCEL, {"people": ROWS}, key))
    manifest = tmp_path / "release/manifest.json"
    manifest.write_text(json.dumps({"release": PARCEL.release, "files": []}))
    strangers = {"notes.txt", "data/notes.csv", "data/people/part-list.txt", "data/people/a/b.age"}
    killed_left = {
        "data/people/part-00007.parquet", "data/people/part-00007.parquet.age",
        "data/people/.part-00007.parquet.0a1b2c3d.tmp", ".seal.json.0a1b2c3d.tmp",
        ".understudy-abc_d123",
    }  # fmt: skip
    for place in strangers | killed_left:
        (parcel / place).parent.mkdir(parents=True, exist_ok=True)
        (parcel / place).write_text("what lay there")
    change(parcel, key, made_key(tmp_path, "new.key"))
    listed = {SEAL, *(entry.path for entry in read_seal(parcel).files)}
    left = {path.relative_to(parcel).as_posix() for path in parcel.rglob("*") if path.is_file()}
    assert left == listed | strangers
    # They are no part of the release: `verify` tells of them.
    told = {entry["path"] for entry in json.loads(manifest.read_text())["files"]}
    assert told == {f"parcels/clinic/{place}" for place in listed}


def _content(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b""


def test_an_opening_that_is_killed_leaves_nothing_decrypted(
    parcel: Path, key: KeyService, tmp_path: Path
) -> None:
    assert killed(tmp_path, 0, "open") == -signal.SIGKILL
    assert list((tmp_path / "out").iterdir()) == []


def test_a_file_system_without_nameless_files_does_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "O_TMPFILE")

    def refuses(*_: object, **__: object) -> None:
        raise PermissionError("no links here")

    monkeypatch.setattr(os, "link", refuses)
    write_whole(tmp_path / "a" / "file", b"content")
    assert (tmp_path / "a" / "file").read_bytes() == b"content"
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["file"]


def test_a_file_that_cannot_be_replaced_leaves_no_draft(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rows").mkdir()
    with pytest.raises(StoreError, match=r"rows: cannot be written \(Is a directory\)"):
        write_whole(tmp_path / "rows", b"decrypted")
    monkeypatch.setattr(os, "link", refused)
    with pytest.raises(StoreError, match=r"rows: cannot be written \(Is a directory\)"):
        write_whole(tmp_path / "rows", b"decrypted")
    assert [path.name for path in tmp_path.rglob("*")] == ["rows"]


def refused(*_: object, **__: object) -> None:
    raise PermissionError(errno.EACCES, "Permission denied")


def protected(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes a folder one where nobody can make a file: a superuser's tests need that told so."""
    real = os.open

    def opened(path: object, flags: int, *rest: object, **named: object) -> int:
        if flags & (os.O_RDWR | os.O_WRONLY) and Path(str(path)).is_relative_to(folder):
            refused()
        return real(path, flags, *rest, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", opened)


@pytest.mark.parametrize("place", ["folder", "file/rows.parquet", "file/a/rows.parquet", "kept/a"])
def test_a_place_where_no_file_can_be_is_refused_before_anything_is_decrypted(
    parcel: Path, key: KeyService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "kept").mkdir()
    (tmp_path / "file").write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    protected(tmp_path / "kept", monkeypatch)
    monkeypatch.setattr(unsealing, "decrypt_table", refused)
    with pytest.raises(ContractError, match=f"-o {tmp_path / place}: .* Name a file in a folder"):
        open_parcel(parcel, key, tmp_path / place)
    assert sorted(tmp_path.rglob("*")) == before
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("place", ["parcels/clinic", "parcels/clinic/data", "."])
@pytest.mark.parametrize("change", [rekey, rewrap])
def test_keys_of_a_parcel_that_cannot_be_written_stay_as_they_are(
    key: KeyService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    change: Callable[..., object], place: str,
) -> None:  # fmt: skip
    parcel, new = tmp_path / "release/parcels/clinic", made_key(tmp_path, "new.key")
    write_parcel(parcel, seal_tables(PARCEL, {"people": ROWS}, key))
    manifest = tmp_path / "release/manifest.json"
    manifest.write_text(json.dumps({"release": PARCEL.release, "files": []}))
    before = {path: _content(path) for path in (tmp_path / "release").rglob("*")}
    protected(tmp_path / "release" / place, monkeypatch)
    if change is rewrap and place.endswith("data"):
        assert change(parcel, key, new)
        return
    monkeypatch.setattr(changing_keys, "decrypt_table", refused)
    with pytest.raises(ContractError, match=r"no file can be written there \(Permission denied"):
        change(parcel, key, new)
    assert {path: _content(path) for path in (tmp_path / "release").rglob("*")} == before


def test_a_change_of_keys_that_fails_midway_is_told_and_the_parcel_opens(
    parcel: Path, key: KeyService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = made_key(tmp_path, "new.key")
    monkeypatch.setattr(changing_keys, "_tell_manifest", refused)
    with pytest.raises(SealError, match=r"Permission denied.* with the old key or with the new"):
        rekey(parcel, key, new)
    assert open_parcel(parcel, new, tmp_path / "rows.parquet").rows == 500


def test_rekeyed_and_rewrapped_parcels_keep_their_rows(
    parcel: Path, key: KeyService, tmp_path: Path
) -> None:
    new = made_key(tmp_path, "new.key")
    rekey(parcel, key, new)
    rekey(parcel, new, key)
    rewrap(parcel, key, new)
    open_parcel(parcel, new, tmp_path / "rows.parquet")
    assert pq.read_table(tmp_path / "rows.parquet").equals(ROWS)
    secret = base64.b64encode(unwrapped(read_seal(parcel), new).reveal())
    assert secret not in (parcel / SEAL).read_bytes()
