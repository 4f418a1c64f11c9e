"""What was read and written, with hashes: references between tasks, and a release's manifest."""

from typing import Any, Literal

from pydantic import Field

from data_contracts.record import Record


class ArtifactRef(Record):
    """A file or folder of the store: what travels between tasks in place of the data.

    `uri` is relative to the store's root; `sha256` is of the file's bytes, or of the sorted
    listing of (path, sha256) of a folder's files.
    """

    uri: str
    sha256: str
    rows: int | None = None


class FileEntry(Record):
    """One published file: path inside the release, size, hash, and rows if it is Parquet."""

    path: str
    bytes: int
    sha256: str
    rows: int | None = None


class Manifest(Record):
    """A release's table of contents and provenance, written after all its files."""

    schema_version: Literal[1] = 1
    release: str
    contract: str
    contract_version: str
    verdict: str
    synthetic: bool = True
    content: str = Field(description="Hash of everything that the data were made from.")
    created: str = Field(description="UTC, ISO 8601.")
    files: tuple[FileEntry, ...]
    schemas: dict[str, str] = Field(default_factory=dict, description="Arrow schema by table.")
    rows: dict[str, int] = Field(default_factory=dict)
    ingest: str
    model: str
    generator: str
    seed: int | None
    versions: dict[str, str] = Field(default_factory=dict)
    privacy_budget: dict[str, Any] | None = None
