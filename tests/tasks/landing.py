"""Small tables landed as files, taken in and proven: what tests of ingest and proof share."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from data_contracts.contract import Column, Source, Table
from data_contracts.proof import Ingested, ProvenPart
from tasks.ingest import ingest_source
from tasks.storage import Store
from tasks.validate import proof_of, prove_part, prove_tables

WORK = "work"


def integer(name: str, **options: Any) -> Column:
    return Column(name=name, logical_type="integer", physical_type="int64", **options)


def number(name: str, physical: str = "float64", **options: Any) -> Column:
    return Column(name=name, logical_type="number", physical_type=physical, **options)


def text(name: str, physical: str = "string", **options: Any) -> Column:
    return Column(name=name, logical_type="string", physical_type=physical, **options)


class Landing:
    """A folder with a landed source, the table that describes it, and a store beside it."""

    def __init__(self, folder: Path, *columns: Column, **options: Any) -> None:
        self.folder = folder
        source = options.pop("source", None) or Source(format="csv", path="rows.csv")
        self.table = Table(
            name=options.pop("name", "rows"), columns=columns, source=source, **options
        )
        self.store = Store(str(folder / "store"))

    def write(self, content: str | bytes, name: str = "rows.csv") -> "Landing":
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return self

    def ingest(self) -> Ingested:
        return ingest_source(self.store, self.table, self.table.source, self.folder, WORK)

    def prove(self, ingested: Ingested) -> list[ProvenPart]:
        return [prove_part(self.store, self.table, part, WORK) for part in ingested.parts]

    def proof(self) -> dict[str, Any]:
        ingested = self.ingest()
        parts = self.prove(ingested)
        rules = prove_tables(self.store, [self.table], {self.table.name: parts})
        return proof_of(self.table, ingested, parts, rules[self.table.name])

    def read(self, folder: str) -> pa.Table:
        """All rows below `work/<table>/<folder>`, in the order of the parts."""
        paths = self.store.list_files(f"{WORK}/{self.table.name}/{folder}")
        tables = [pq.read_table(path, filesystem=self.store.fs) for path in paths]
        return pa.concat_tables(tables, promote_options="permissive")

    def typed(self, name: str) -> list[Any]:
        return self.read("typed")[name].to_pylist() if self._has("typed") else []

    def rejects(self) -> list[dict[str, Any]]:
        return self.read("rejects").to_pylist() if self._has("rejects") else []

    def _has(self, folder: str) -> bool:
        return bool(self.store.list_files(f"{WORK}/{self.table.name}/{folder}"))


def reasons(rejects: list[dict[str, Any]]) -> list[list[str]]:
    return [row["_reasons"] for row in rejects]
