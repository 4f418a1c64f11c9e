"""Publish codes: a sealed parcel for each recipient, with the evidence; a refused one only that."""

import hashlib
import secrets
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from prefect import task
from prefect.cache_policies import NO_CACHE

from data_contracts.contract import Contract
from data_contracts.errors import ContractError, StoreError
from data_contracts.loading import dump_contract
from data_contracts.manifest import FileEntry, Manifest
from data_contracts.report import Report
from data_contracts.schema import to_frame
from data_contracts.share import Recipient
from tasks.fit import FittedModel
from tasks.fit_encoder import holder_secret, load_encoder, recipient_key, shared_by
from tasks.identity import code_version, content_id, versions
from tasks.prove import Ingest
from tasks.publish import new_name, outcome_of
from tasks.render import render_report
from tasks.run import Outcome, Run
from tasks.sealing import PARCELS, Parcel, derived, seal_tables, write_parcel
from tasks.split import Split

if TYPE_CHECKING:
    import pandas as pd

    from models.representation.keyed_encoder import KeyedEncoder

SHARES = "shares"
MARK = "row"
MODEL_KEY, RECIPIENT_KEY = b"understudy.model", b"understudy.recipient"
HOLDER_KEY = b"understudy.holder"


def share_content(run: Run, model: FittedModel) -> str:
    """The name of what codes are made from; keys by their fingerprints, never their values.

    Where a key is named does not tell which one it is: behind `file:clinic.key` may lie a new one
    by now, which opens nothing that was sealed for the old one.
    """
    share = shared_by(run.contract)
    references = {one.name: one.key for one in share.recipients}
    keys = {name: recipient_key(run.contract, key).key_id() for name, key in references.items()}
    holder = None if share.holder is None else recipient_key(run.contract, share.holder).key_id()
    made_from = {"contract": run.contract.identity(), "model": model.model, "kind": SHARES}
    return content_id({**made_from, "keys": keys, "holder": holder, "code": code_version()})


@task(name="publish_share", cache_policy=NO_CACHE)
def publish_share(
    run: Run, ingest: Ingest, model: FittedModel, report: Report, content: str
) -> Outcome:
    """Codes and seals the training rows for each recipient, and commits them with the evidence.

    A release that was refused, or left undecided, keeps its report and nothing else. Encoder and
    keys never leave the store's models and the place where the keys are.
    """
    store, contract_id = run.open_store(), run.contract.id
    draft = f"{run.work}/share"
    # A parcel is bound to its release's name: it can be sealed only once the name is known.
    with store.lock(contract_id):
        name = new_name(store, f"{contract_id}/{SHARES}", content)
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            if report.verdict == "published":
                _write_parcels(run, ingest, model, folder / PARCELS, name)
            report = report.model_copy(
                update={"provenance": {**report.provenance, "release": name}}
            )
            (folder / "report.json").write_text(report.model_dump_json(indent=1), "utf-8")
            (folder / "report.html").write_text(render_report(report), "utf-8")
            (folder / "contract.odcs.yaml").write_text(dump_contract(run.contract), "utf-8")
            manifest = _manifest(run, model, report, content, folder)
            store.upload(folder, draft)
        final = f"{contract_id}/{SHARES}/{name}"
        if not store.commit(draft, final, manifest.model_dump(mode="json")):
            raise StoreError(f"store {store.display(final)}: exists already. Run again.")
    release = {**manifest.model_dump(mode="json"), "path": final}
    return outcome_of(store, release, report.reasons, reused=False)


def coded_table(
    encoder: "KeyedEncoder", frame: "pd.DataFrame", key: bytes, *, outcomes: bool
) -> pa.Table:
    """Codes of the rows in an order drawn anew, with marks that name rows and say nothing else.

    Beside the code stands what the tasks' own models read off it: no more is told by that.
    """
    from models.representation.keyed_noise import fresh_marks

    order = np.random.default_rng(secrets.randbits(128)).permutation(len(frame))
    rows = frame.iloc[order].reset_index(drop=True)
    marks = fresh_marks(len(rows))
    codes = encoder.encode(rows, key, marks)
    columns: dict[str, pa.Array] = {MARK: pa.array(marks)}
    for place, name in enumerate(encoder.column_names):
        columns[name] = pa.array(codes[:, place].astype(np.float32))
    for name, answer in encoder.answers(codes).items():
        columns[name] = pa.array(answer)
    for name in encoder.outcome_names if outcomes else ():
        columns[f"true_{name}"] = pa.array(rows[name], from_pandas=True)
    return pa.table(columns)


def noise_key(contract: Contract, release: str, recipient: str) -> bytes:
    """The key of a recipient's noise: the holder can make it again, and without one nobody can."""
    holder = shared_by(contract).holder
    if holder is None:
        return secrets.token_bytes(32)
    purpose = f"noise\0{release}\0{recipient}".encode()
    return derived(holder_secret(contract, holder), purpose).reveal()


def holder_mark(contract: Contract) -> bytes:
    """The fingerprint of the holder's key: so that a wrong key is told, not decoded with."""
    holder = shared_by(contract).holder
    if holder is None:
        raise ContractError(f"contract {contract.id!r}: no `share.holder`, so nobody can decode.")
    return recipient_key(contract, holder).key_id().encode()


def _write_parcels(
    run: Run, ingest: Ingest, model: FittedModel, folder: Path, release: str
) -> None:
    contract, table = run.contract, run.contract.tables[0]
    encoder, share = load_encoder(run, model), shared_by(run.contract)
    split = Split(run.open_store(), contract, table, ingest.path)
    frame = to_frame(split.training())
    for recipient in share.recipients:
        key = noise_key(contract, release, recipient.name)
        coded = coded_table(encoder, frame, key, outcomes=share.outcomes)
        marks = {MODEL_KEY: model.model.encode(), RECIPIENT_KEY: recipient.name.encode()}
        if share.holder is not None:
            marks[HOLDER_KEY] = holder_mark(contract)
        coded = coded.replace_schema_metadata(marks)
        files = _sealed(contract, recipient, Parcel(release=release, recipient=recipient.name),
                        {table.name: coded})  # fmt: skip
        write_parcel(folder / recipient.name, files)


def _sealed(
    contract: Contract, recipient: Recipient, parcel: Parcel, tables: dict[str, pa.Table]
) -> dict[str, bytes]:
    return seal_tables(parcel, tables, recipient_key(contract, recipient.key))


def _manifest(run: Run, model: FittedModel, report: Report, content: str, folder: Path) -> Manifest:
    contract = run.contract
    parcels = [path for path in folder.rglob("*") if path.is_file()]
    entries = []
    for path in sorted(parcels):
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        place = path.relative_to(folder).as_posix()
        entries.append(FileEntry(path=place, bytes=path.stat().st_size, sha256=digest))
    published = report.verdict == "published"
    return Manifest(
        release=report.provenance["release"],
        contract=contract.id,
        contract_version=contract.version,
        verdict=report.verdict,
        synthetic=False,
        content=content,
        created=report.provenance["created"],
        files=tuple(entries),
        rows=dict(model.rows) if published else {},
        ingest=report.provenance["ingest"],
        model=model.model,
        generator="keyed_encoder",
        seed=contract.sampling.seed,
        versions=versions(),
    )
