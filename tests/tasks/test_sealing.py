"""Sealed parcels: what opens them, what does not, and that no key is ever shown."""

import base64
import copy
import hashlib
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as parquet_encryption
import pytest

from data_contracts.manifest import FileEntry
from tasks import unsealing
from tasks.changing_keys import rekey, rewrap
from tasks.sealing import SEAL, Parcel, Seal, derived, seal_tables, write_parcel
from tasks.sealing_keys import (
    AgeKey,
    KeyService,
    SealError,
    Secret,
    key_from,
    new_age_key,
    new_symmetric_key,
)
from tasks.unsealing import check_magic, open_parcel, read_seal, unwrapped
from tasks.unsealing_process import PartError, read_part

PARCEL = Parcel(release="20261124T000000Z-0123456789ab-0a0b", recipient="clinic")
PART = "data/people/part-00000.parquet"
ROWS = pa.table({"code_0": np.arange(500, dtype=np.float32), "place": ["a", "b"] * 250})


@pytest.fixture
def key_text() -> str:
    return new_symmetric_key()


@pytest.fixture
def key(key_text: str, tmp_path: Path) -> KeyService:
    (tmp_path / "clinic.key").write_text(f"# for the clinic\n{key_text}\n")
    return key_from("file:clinic.key", tmp_path)


@pytest.fixture
def parcel(key: KeyService, tmp_path: Path) -> Path:
    write_parcel(tmp_path / "parcel", seal_tables(PARCEL, {"people": ROWS}, key))
    return tmp_path / "parcel"


def other_key(tmp_path: Path, name: str = "other.key") -> KeyService:
    (tmp_path / name).write_text(new_symmetric_key())
    return key_from(f"file:{name}", tmp_path)


def resealed(folder: Path, key: KeyService) -> None:
    """Brings hashes and code of the seal in line with changed files, as a thief of the key could.

    What is found now, the encryption of the files themselves has found.
    """
    seal = read_seal(folder)
    data_key = unwrapped(seal, key)
    entries = []
    for entry in seal.files:
        content = (folder / entry.path).read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        entries.append(
            FileEntry(path=entry.path, bytes=len(content), sha256=digest, rows=entry.rows)
        )
    seal = seal.model_copy(update={"files": tuple(entries)}).authenticated(data_key)
    (folder / SEAL).write_bytes(seal.canonical())


def job(
    folder: Path, key: KeyService, parcel: Parcel = PARCEL, place: str = PART
) -> dict[str, Any]:
    data_key = unwrapped(read_seal(folder), key)
    encoded = base64.b64encode(derived(data_key, PARCEL.aad(PART)).reveal()).decode()
    aad = parcel.aad(place).decode()
    return {"name": PART, "file": str(folder / PART), "key": encoded, "aad": aad, "rows": 500}


def test_the_recipient_opens_what_was_sealed(parcel: Path, key: KeyService, tmp_path: Path) -> None:
    opened = open_parcel(parcel, key, tmp_path / "out/rows.parquet")
    read = pq.read_table(tmp_path / "out/rows.parquet")
    assert read.equals(ROWS)
    assert (opened.rows, opened.recipient) == (500, "clinic")
    assert read.schema.metadata[b"understudy.release"] == PARCEL.release.encode()
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["rows.parquet"]


def test_names_and_values_are_nowhere_in_the_sealed_files(parcel: Path) -> None:
    content = (parcel / PART).read_bytes()
    assert content.startswith(b"PARE")
    assert content.endswith(b"PARE")
    assert b"code_0" not in content
    assert b"clinic" not in content


def test_each_parcel_has_a_data_key_of_its_own(key: KeyService, tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_parcel(tmp_path / name, seal_tables(PARCEL, {"people": ROWS}, key))
    one, two = (unwrapped(read_seal(tmp_path / name), key).reveal() for name in ("one", "two"))
    assert one != two


def test_another_key_opens_nothing_and_no_key_is_told(
    parcel: Path, key_text: str, tmp_path: Path
) -> None:
    with pytest.raises(SealError, match="not a key of this parcel") as told:
        open_parcel(parcel, other_key(tmp_path), tmp_path / "rows.parquet")
    assert key_text[20:40] not in str(told.value)
    assert not (tmp_path / "rows.parquet").exists()
    assert key_text.split(":")[1] not in (parcel / SEAL).read_text()


def test_a_secret_shows_itself_to_nobody() -> None:
    secret = Secret(b"s3cr3t" * 5)
    assert "s3cr3t" not in f"{secret!r} {secret}"
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    with pytest.raises(TypeError):
        copy.copy(secret)


def test_keys_come_from_files_and_environment(
    key_text: str, key: KeyService, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CLINIC_KEY", key_text)
    assert key_from("env:CLINIC_KEY").key_id() == key.key_id()
    for wrong, why in (
        ("env:NO_KEY", "no such environment variable"),
        ("file:absent.key", "No such file"),
        ("vault:clinic", "not installed"),
        ("age1xyz", "no X25519 key"),
    ):
        with pytest.raises(SealError, match=why):
            key_from(wrong, tmp_path)
    monkeypatch.setenv("CLINIC_KEY", key_text[:-9])
    with pytest.raises(SealError, match="damaged or cut") as told:
        key_from("env:CLINIC_KEY")
    assert key_text[20:40] not in str(told.value)
    age = new_age_key()[0]
    for written in (key_text, age, age.lower(), f"env:{age}", f"file:{key_text}", f"vault:{age}"):
        with pytest.raises(SealError, match="a key itself") as told:
            key_from(written, tmp_path)
        assert written[20:40] not in str(told.value)
        assert written[-20:] not in str(told.value)


@pytest.mark.parametrize("name", [PART, SEAL])
def test_every_changed_byte_is_found(
    parcel: Path, key: KeyService, tmp_path: Path, name: str
) -> None:
    path, random = parcel / name, np.random.default_rng(5)
    content = path.read_bytes()
    for place in random.integers(0, len(content), 30):
        changed = bytearray(content)
        changed[place] ^= 1 << int(random.integers(0, 8))
        path.write_bytes(bytes(changed))
        with pytest.raises(SealError):
            open_parcel(parcel, key, tmp_path / "rows.parquet")
    path.write_bytes(content)
    assert open_parcel(parcel, key, tmp_path / "rows.parquet").rows == 500


def test_every_changed_byte_is_found_by_the_encryption_alone(parcel: Path, key: KeyService) -> None:
    path, random = parcel / PART, np.random.default_rng(6)
    content, part = path.read_bytes(), job(parcel, key)
    assert read_part(part).num_rows == 500
    for place in random.integers(4, len(content) - 8, 60):
        changed = bytearray(content)
        changed[place] ^= 1 << int(random.integers(0, 8))
        path.write_bytes(bytes(changed))
        with pytest.raises(PartError):
            read_part(part)


def test_a_file_of_another_release_or_place_is_refused(parcel: Path, key: KeyService) -> None:
    other = Parcel(release="20261125T000000Z-0123456789ab-0a0b", recipient="clinic")
    for wrong in (job(parcel, key, other), job(parcel, key, place="data/x/part-00001.parquet")):
        with pytest.raises(PartError, match="exchanged"):
            read_part(wrong)


def test_a_file_exchanged_under_the_recipients_own_key_is_refused(
    parcel: Path, key: KeyService, tmp_path: Path
) -> None:
    later = Parcel(release="20261125T000000Z-0123456789ab-0a0b", recipient="clinic")
    write_parcel(tmp_path / "later", seal_tables(later, {"people": ROWS}, key))
    (parcel / PART).write_bytes((tmp_path / "later" / PART).read_bytes())
    with pytest.raises(SealError, match=r"changed since it was sealed|cut or longer"):
        open_parcel(parcel, key, tmp_path / "rows.parquet")
    resealed(parcel, key)
    with pytest.raises(SealError, match="exchanged with another release's"):
        open_parcel(parcel, key, tmp_path / "rows.parquet")


def test_a_cut_file_is_refused(parcel: Path, key: KeyService, tmp_path: Path) -> None:
    content = (parcel / PART).read_bytes()
    (parcel / PART).write_bytes(content[:-100])
    with pytest.raises(SealError, match="cut or longer"):
        open_parcel(parcel, key, tmp_path / "rows.parquet")
    resealed(parcel, key)
    with pytest.raises(SealError, match="not sealed as"):
        open_parcel(parcel, key, tmp_path / "rows.parquet")
    (parcel / PART).unlink()
    with pytest.raises(SealError, match="No such file"):
        open_parcel(parcel, key, tmp_path / "rows.parquet")


def test_plaintext_footers_are_refused_before_anything_reads_them(tmp_path: Path) -> None:
    path = tmp_path / "foreign.parquet"
    properties = parquet_encryption.create_encryption_properties(b"k" * 32, plaintext_footer=True)
    pq.write_table(ROWS, path, encryption_properties=properties)
    with path.open("rb") as stream, pytest.raises(SealError, match="plaintext footer"):
        check_magic(path, stream, "parquet-aes-256-gcm")


def test_a_file_that_brings_its_reader_down_does_not_bring_us_down(
    parcel: Path, key: KeyService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    aborts = tmp_path / "aborts"
    aborts.write_text("#!/bin/sh\nkill -ABRT $$\n")
    aborts.chmod(0o700)
    monkeypatch.setattr(unsealing.sys, "executable", str(aborts))
    with pytest.raises(SealError, match="brought its reader down"):
        open_parcel(parcel, key, tmp_path / "rows.parquet")
    assert not (tmp_path / "rows.parquet").exists()


def test_a_seal_cannot_lead_outside_of_its_folder(parcel: Path, key: KeyService) -> None:
    seal = read_seal(parcel)
    data_key = unwrapped(seal, key)
    astray = tuple(entry.model_copy(update={"path": "data/../x.parquet"}) for entry in seal.files)
    seal = seal.model_copy(update={"files": astray}).authenticated(data_key)
    (parcel / SEAL).write_bytes(seal.canonical())
    with pytest.raises(SealError, match="outside"):
        read_seal(parcel)


def test_rewrapping_changes_who_opens_and_not_the_data(
    parcel: Path, key: KeyService, tmp_path: Path
) -> None:
    before, new = (parcel / PART).read_bytes(), other_key(tmp_path)
    rewrap(parcel, key, new, keep=True)
    assert [open_parcel(parcel, one, tmp_path / "a.parquet").rows for one in (key, new)] == [
        500
    ] * 2
    rewrap(parcel, new, new)
    assert open_parcel(parcel, new, tmp_path / "b.parquet").rows == 500
    with pytest.raises(SealError, match="not a key of this parcel"):
        open_parcel(parcel, key, tmp_path / "c.parquet")
    assert (parcel / PART).read_bytes() == before


def test_rekeying_writes_the_data_anew(parcel: Path, key: KeyService, tmp_path: Path) -> None:
    before, new = (parcel / PART).read_bytes(), other_key(tmp_path)
    old_data_key = unwrapped(read_seal(parcel), key).reveal()
    rekey(parcel, key, new)
    assert unwrapped(read_seal(parcel), new).reveal() != old_data_key
    assert not (parcel / PART).exists()
    (part,) = (path for path in parcel.rglob("part-*"))
    assert part.read_bytes() != before
    open_parcel(parcel, new, tmp_path / "rows.parquet")
    assert pq.read_table(tmp_path / "rows.parquet").equals(ROWS)


def test_age_seals_whole_files_for_one_recipient(tmp_path: Path) -> None:
    secret, public = new_age_key()
    folder = tmp_path / "parcel"
    write_parcel(folder, seal_tables(PARCEL, {"people": ROWS}, key_from(public)))
    (tmp_path / "age.key").write_text(secret)
    key = key_from("file:age.key", tmp_path)
    assert isinstance(key, AgeKey)
    open_parcel(folder, key, tmp_path / "rows.parquet")
    assert pq.read_table(tmp_path / "rows.parquet").equals(ROWS)
    with pytest.raises(SealError, match="a public key opens nothing"):
        open_parcel(folder, key_from(public), tmp_path / "no.parquet")
    with pytest.raises(SealError, match="use `understudy key rekey`"):
        rewrap(folder, key, key)
    rekey(folder, key, other_key(tmp_path))
    assert read_seal(folder).format == "parquet-aes-256-gcm"


def test_a_whole_age_file_cannot_stand_in_for_another(tmp_path: Path) -> None:
    secret, public = new_age_key()
    (tmp_path / "age.key").write_text(secret)
    key = key_from("file:age.key", tmp_path)
    later = Parcel(release="later", recipient="clinic")
    for name, parcel in (("one", PARCEL), ("two", later)):
        write_parcel(tmp_path / name, seal_tables(parcel, {"people": ROWS}, key_from(public)))
    place = f"{PART}.age"
    (tmp_path / "one" / place).write_bytes((tmp_path / "two" / place).read_bytes())
    resealed(tmp_path / "one", key)
    with pytest.raises(SealError, match="another release or place"):
        open_parcel(tmp_path / "one", key, tmp_path / "rows.parquet")


def test_a_seal_in_another_spelling_is_a_changed_seal(parcel: Path) -> None:
    loose = json.dumps(json.loads((parcel / SEAL).read_text()))
    (parcel / SEAL).write_text(loose)
    assert Seal.model_validate_json(loose)
    with pytest.raises(SealError, match="changed since"):
        read_seal(parcel)
