"""An ingest: proven rows in the store, committed whole, or re-used when nothing changed."""

import time
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE

from data_contracts.contract import Contract
from data_contracts.errors import ProofError
from data_contracts.manifest import ArtifactRef
from data_contracts.proof import Ingested, ProvenPart
from data_contracts.record import Record
from tasks.identity import code_version, content_id, versions
from tasks.readers import source_fingerprint
from tasks.run import Run
from tasks.storage import MANIFEST, Store
from tasks.validate import proof_of, prove_tables, raise_if_broken

# The holdout's tables are ingested beside the others, in a folder of their own.
HOLDOUT = "holdout"
REJECTS = "rejects"


class Ingest(Record):
    """A reference to committed, proven tables: `path/<table>/part-*.parquet`."""

    ingest: str
    path: str
    proof: dict[str, Any]
    reused: bool = False


class Intake(Record):
    """One table to take in: its name, and whether it is the holdout's."""

    table: str
    holdout: bool = False

    @property
    def place(self) -> str:
        """Where the table lies inside an ingest."""
        return f"{HOLDOUT}/{self.table}" if self.holdout else self.table

    def folder(self, run: Run) -> str:
        """Where the run works on it."""
        return f"{run.work}/intake/{HOLDOUT if self.holdout else 'main'}"


class Taken(Record):
    """One table taken in: what was read, and its parts after their row rules."""

    intake: Intake
    ingested: Ingested
    parts: tuple[ProvenPart, ...]

    @property
    def rejects(self) -> tuple[ArtifactRef, ...]:
        """Rows that could not be typed, then rows that broke a row rule."""
        broken = tuple(part.rejects for part in self.parts if part.rejects is not None)
        return (*self.ingested.rejects, *broken)


def planned_intakes(contract: Contract) -> list[Intake]:
    """The tables that a run takes in: the contract's, then those of its holdout."""
    main = [Intake(table=table.name) for table in contract.tables]
    return main + [Intake(table=name, holdout=True) for name in contract.holdout.sources]


def find_ingest(run: Run) -> Ingest | None:
    """The ingest that the same source bytes, contract and code already made, if there is one.

    A table that promises freshness is proved anew each time: its data may have aged since.
    """
    name = _name_by_sources(run.contract)
    if name is None or any(table.freshness for table in run.contract.tables):
        return None
    store, path = run.open_store(), _path(run, name)
    if not store.is_committed(path):
        return None
    proof = store.read_json(f"{path}/{MANIFEST}")["proof"]
    return Ingest(ingest=name, path=path, proof=proof, reused=True)


@task(name="prove_rules", cache_policy=NO_CACHE)
def prove_rules(run: Run, taken: list[Taken]) -> dict[str, Any]:
    """The proof of all tables: counts, rejects by reason, and every rule kept or broken."""
    main = {one.intake.table: list(one.parts) for one in taken if not one.intake.holdout}
    held = {one.intake.table: list(one.parts) for one in taken if one.intake.holdout}
    contract, store = run.contract, run.open_store()
    rules = prove_tables(store, list(contract.tables), main)
    # How many rows there must be is promised of a table, not of the holdout beside it.
    unsized = {"min_rows": None, "max_rows": None}
    held_tables = [contract.table(name).model_copy(update=unsized) for name in held]
    held_rules = prove_tables(store, held_tables, {**main, **held}) if held else {}
    proofs = []
    for one in taken:
        found = (held_rules if one.intake.holdout else rules)[one.intake.table]
        table = contract.table(one.intake.table)
        proof = proof_of(table, one.ingested, list(one.parts), found)
        proofs.append({**proof, "table": one.intake.place})
    return {"tables": proofs}


@task(name="commit_ingest", cache_policy=NO_CACHE)
def commit_ingest(run: Run, taken: list[Taken], proof: dict[str, Any]) -> Ingest:
    """Commits proven rows, rejects and proof in one step.

    Raises ProofError when the data break more than the contract tolerates; the rejects and the
    proof are kept then, the rows are not.
    """
    store = run.open_store()
    draft = f"{run.work}/ingest"
    name = _name_by_sources(run.contract) or _name_by_parts(run.contract, taken)
    for one in taken:
        _move(store, one.rejects, f"{draft}/{REJECTS}/{one.intake.place}")
    manifest = {
        "ingest": name,
        "contract": run.contract.id,
        "contract_version": run.contract.version,
        "proof": proof,
        "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "versions": versions(),
    }
    try:
        raise_if_broken(proof["tables"])
    except ProofError as error:
        kept = f"{run.contract.id}/rejected/{name}"
        store.make_folder(draft)
        store.commit(draft, kept, manifest)
        raise ProofError(f"{error} Rejected rows and proof: {store.display(kept)}") from error
    for one in taken:
        _move(store, [part.part for part in one.parts], f"{draft}/{one.intake.place}")
    store.commit(draft, _path(run, name), manifest)
    return Ingest(ingest=name, path=_path(run, name), proof=proof)


def _path(run: Run, name: str) -> str:
    return f"{run.contract.id}/ingests/{name}"


def _name_by_sources(contract: Contract) -> str | None:
    """What names the ingest of these source bytes under this contract by this code.

    None for a database, whose contents have no hash before they are read.
    """
    sources = [table.source for table in contract.tables]
    sources += list(contract.holdout.sources.values())
    fingerprints = [source_fingerprint(source, contract.folder) for source in sources]
    return None if None in fingerprints else _name(contract, fingerprints)


def _name_by_parts(contract: Contract, taken: list[Taken]) -> str:
    hashes = [[one.intake.place, *(part.part.sha256 for part in one.parts)] for one in taken]
    return _name(contract, [*hashes, [one.ingested.rows_read for one in taken]])


def _name(contract: Contract, contents: list[Any]) -> str:
    identity = contract.identity()
    parts = {key: identity[key] for key in ("id", "tables", "holdout")}
    return content_id({**parts, "contents": contents, "code": code_version()})


def _move(store: Store, files: tuple[ArtifactRef, ...] | list[ArtifactRef], folder: str) -> None:
    if files:
        store.make_folder(folder)
    for index, file in enumerate(files):
        store.fs.move(file.uri, f"{folder}/part-{index:05d}.parquet")
