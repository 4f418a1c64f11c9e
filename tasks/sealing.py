"""Seal tables for one recipient: Parquet modular encryption, or age, under keys made for a parcel.

A parcel is a folder that can be handed out by itself: sealed files and `seal.json`, which lists
them with their hashes, holds the data key wrapped for the recipient, and an authentication code
over all of it. Each file has a key of its own, derived from the data key, and is bound to release
and place by its additional authenticated data (AAD), so that no file can stand in for another.
"""

import base64
import hashlib
import hmac
import json
import secrets
import time
from pathlib import Path
from typing import Annotated, Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import Field, StringConstraints

from data_contracts.manifest import FileEntry
from data_contracts.record import Record
from data_contracts.share import RecipientName
from tasks.part_files import ROWS_PER_PART
from tasks.sealing_keys import KEY_BYTES, AgeKey, KeyService, Secret

SEAL, PARCELS = "seal.json", "parcels"
RELEASE_KEY, PLACE_KEY = b"understudy.release", b"understudy.place"
_ROWS_PER_GROUP = 262_144


# A seal is shown before it is authenticated: nothing in it may steer a terminal.
Shown = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]*$", max_length=128)]
Wrapped = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+/=]*$", max_length=16_384)]


class WrappedKey(Record):
    """A parcel's data key, wrapped under one recipient's key."""

    kind: Shown
    key: Shown = Field(description="Fingerprint of the key that unwraps it.")
    wrapped: Wrapped = Field(description="Base64.")


class Seal(Record):
    """What `seal.json` holds. `mac` is HMAC-SHA256 over all the rest, keyed by the data key."""

    schema_version: Literal[1] = 1
    release: Shown
    recipient: RecipientName
    format: Literal["parquet-aes-256-gcm", "age"]
    created: Shown
    files: tuple[FileEntry, ...]
    keys: tuple[WrappedKey, ...] = Field(min_length=1)
    mac: Shown = ""

    def canonical(self) -> bytes:
        """The only bytes in which this seal may be written: another spelling is a change."""
        return json.dumps(self.model_dump(mode="json"), indent=1, sort_keys=True).encode()

    def context(self) -> bytes:
        """What the wrapped data key is bound to."""
        return f"{self.schema_version}\0{self.format}\0{self.release}\0{self.recipient}".encode()

    def authenticated(self, data_key: Secret) -> "Seal":
        """The same seal with its authentication code."""
        return self.model_copy(update={"mac": self.expected_mac(data_key)})

    def expected_mac(self, data_key: Secret) -> str:
        bare = self.model_copy(update={"mac": ""})
        key = derived(data_key, b"seal").reveal()
        return hmac.new(key, bare.canonical(), hashlib.sha256).hexdigest()


class Parcel(Record):
    """Whom a parcel is for, and the release that it belongs to."""

    release: str
    recipient: str

    def aad(self, place: str) -> bytes:
        """The release's id first, then the file's place in the parcel."""
        return f"{self.release}/{self.recipient}/{place}".encode()


def seal_tables(
    parcel: Parcel, tables: dict[str, pa.Table], key: KeyService, first_part: int = 0
) -> dict[str, bytes]:
    """The files of a parcel by their places in it, `seal.json` among them.

    The data key is drawn anew for each call and is kept nowhere but wrapped. Parts are numbered
    from `first_part`: beside those of an older seal none may have the same place.
    """
    data_key = Secret(secrets.token_bytes(KEY_BYTES))
    files, entries = {}, []
    for name, table in tables.items():
        starts = range(0, max(table.num_rows, 1), ROWS_PER_PART)
        for number, first in enumerate(starts, start=first_part):
            part = table.slice(first, ROWS_PER_PART)
            suffix = ".age" if key.format == "age" else ""
            place = f"data/{name}/part-{number:05d}.parquet{suffix}"
            files[place] = sealed_part(part, data_key, parcel, place, key)
            entries.append(file_entry(place, files[place], part.num_rows))
    seal = Seal(
        release=parcel.release,
        recipient=parcel.recipient,
        format="age" if key.format == "age" else "parquet-aes-256-gcm",
        created=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        files=tuple(entries),
        keys=(WrappedKey(kind="none", key="none", wrapped=""),),
    )
    files[SEAL] = wrapped_for(seal, data_key, (key,)).canonical()
    return files


def wrapped_for(seal: Seal, data_key: Secret, keys: tuple[KeyService, ...]) -> Seal:
    """The seal with its data key wrapped for these keys and no others, and authenticated anew."""
    wrapped = tuple(
        WrappedKey(
            kind=key.kind,
            key=key.key_id(),
            wrapped=base64.b64encode(key.wrap(data_key, seal.context())).decode(),
        )
        for key in keys
    )
    return seal.model_copy(update={"keys": wrapped}).authenticated(data_key)


def sealed_part(
    rows: pa.Table, data_key: Secret, parcel: Parcel, place: str, key: KeyService
) -> bytes:
    """One part as sealed Parquet, or as Parquet sealed whole with age."""
    marks = {RELEASE_KEY: parcel.release.encode(), PLACE_KEY: parcel.aad(place)}
    rows = rows.replace_schema_metadata({**(rows.schema.metadata or {}), **marks})
    if isinstance(key, AgeKey):
        return key.seal(_parquet(rows, None))
    return _parquet(rows, encryption_properties(data_key, parcel.aad(place)))


def encryption_properties(data_key: Secret, aad: bytes) -> Any:
    """Uniform: every column and the footer, AES-256-GCM; the AAD is not stored in the file."""
    import pyarrow.parquet.encryption as parquet_encryption

    return parquet_encryption.create_encryption_properties(
        derived(data_key, aad).reveal(), aad_prefix=aad, store_aad_prefix=False
    )


def derived(data_key: Secret, purpose: bytes) -> Secret:
    """A key for one purpose (HKDF-SHA256, RFC 5869): no key is used for two files."""
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    made = HKDF(SHA256(), KEY_BYTES, salt=None, info=b"understudy sealed parcel 1\0" + purpose)
    return Secret(made.derive(data_key.reveal()))


def file_entry(place: str, content: bytes, rows: int) -> FileEntry:
    """A file of a parcel as its seal lists it."""
    digest = hashlib.sha256(content).hexdigest()
    return FileEntry(path=place, bytes=len(content), sha256=digest, rows=rows)


def write_parcel(folder: Path, files: dict[str, bytes]) -> None:
    """Writes a parcel's files below a local folder; the seal comes last."""
    for place in sorted(files, key=lambda name: name == SEAL):
        path = folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(files[place])


def _parquet(rows: pa.Table, properties: Any) -> bytes:
    buffer = pa.BufferOutputStream()
    with pq.ParquetWriter(
        buffer, rows.schema, compression="zstd", encryption_properties=properties
    ) as writer:
        writer.write_table(rows, row_group_size=_ROWS_PER_GROUP)
    return bytes(buffer.getvalue().to_pybytes())
