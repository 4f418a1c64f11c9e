"""Publish a judged candidate: atomic, hashed; a refused one leaves its report and nothing else."""

import calendar
import contextlib
import math
import secrets
import time
from typing import Any

import pyarrow.parquet as pq
from prefect import task
from prefect.cache_policies import NO_CACHE

from data_contracts.errors import StoreError
from data_contracts.loading import dump_contract
from data_contracts.manifest import FileEntry, Manifest
from data_contracts.report import Report
from data_contracts.schema import arrow_schema
from tasks.fit import FittedModel
from tasks.identity import code_version, content_id, versions
from tasks.render import render_report
from tasks.run import Outcome, Run
from tasks.storage import MANIFEST, Store
from tasks.verify import verify_release

RELEASES = "releases"
# UTC in whole seconds: text that sorts by age.
_STAMP = "%Y%m%dT%H%M%SZ"


def release_content(run: Run, model: FittedModel) -> str:
    """The name of what a release is made from: equal names hold equal data, byte for byte."""
    return content_id(
        {"contract": run.contract.identity(), "model": model.model, "code": code_version()}
    )


def find_release(run: Run, content: str, kind: str = RELEASES) -> Outcome | None:
    """The whole release that was already made from `content`, if it still stands.

    A judgement is made once for each model and sample: asking again gives the same answer, also
    when the answer was no. A published release that another one has replaced since is not taken
    up again: the caller wants it to be the current one, so it is published anew. Of another `kind`
    (a folder beside the releases), none is current. Raises StoreError where the release that would
    be taken up again is not what was published.
    """
    store = run.open_store()
    latest = (latest_release(store, run.contract.id) or "") if kind == RELEASES else ""
    for release in reversed(list_releases(store, run.contract.id, kind)):
        published = release["verdict"] == "published" and kind == RELEASES
        if release["content"] != content or (published and release["release"] < latest):
            continue
        _raise_if_changed(store, release["path"])
        if published:
            # A run that was killed between its release and the pointer left this to do.
            point_latest(store, run.contract.id, release["release"])
        report = store.read_json(f"{release['path']}/report.json")
        return outcome_of(store, release, tuple(report["reasons"]), reused=True)
    return None


def _raise_if_changed(store: Store, path: str) -> None:
    if wrong := verify_release(store, path):
        raise StoreError(
            f"store {store.display(path)}: not as it was published ({'; '.join(wrong)}). Let "
            "nobody read it: move its folder away, then run again to publish anew."
        )


def list_releases(store: Store, contract_id: str, kind: str = RELEASES) -> list[dict[str, Any]]:
    """The manifests of all whole releases of a contract, oldest first, with `path` and `latest`."""
    latest = latest_release(store, contract_id)
    found = []
    for name in store.list_folders(f"{contract_id}/{kind}"):
        path = f"{contract_id}/{kind}/{name}"
        if store.is_committed(path):
            manifest = store.read_json(f"{path}/{MANIFEST}")
            found.append({**manifest, "path": path, "latest": name == latest})
    return found


def latest_release(store: Store, contract_id: str) -> str | None:
    """The id of the current release, or None before the first publication."""
    path = f"{contract_id}/latest.json"
    return str(store.read_json(path)["release"]) if store.exists(path) else None


@task(name="publish_release", cache_policy=NO_CACHE)
def publish_release(run: Run, model: FittedModel, report: Report, content: str) -> Outcome:
    """Commits the candidate in the run's work folder as a release, with report and manifest.

    Only a published one keeps its data and moves `latest.json`, which is written last.
    """
    store, contract_id = run.open_store(), run.contract.id
    draft = f"{run.work}/release"
    if report.verdict != "published":
        store.delete(f"{draft}/data")
    # Hashed before the lock is taken: large data take long, and neighbours wait for the lock.
    data = _entries(store, draft, of_data=True)
    store.write_bytes(f"{draft}/contract.odcs.yaml", dump_contract(run.contract).encode())
    # Named and committed under one lock, so that names grow in the order of the commits.
    with store.lock(contract_id):
        name = new_name(store, f"{contract_id}/{RELEASES}", content)
        final = f"{contract_id}/releases/{name}"
        report = report.model_copy(update={"provenance": {**report.provenance, "release": name}})
        store.write_json(f"{draft}/report.json", report.model_dump(mode="json"))
        store.write_bytes(f"{draft}/report.html", render_report(report).encode())
        manifest = _manifest(run, model, report, content, data)
        if not store.commit(draft, final, manifest.model_dump(mode="json")):
            raise StoreError(f"store {store.display(final)}: exists already. Run again.")
    if report.verdict == "published":
        point_latest(store, contract_id, name)
    release = {**manifest.model_dump(mode="json"), "path": final}
    return outcome_of(store, release, report.reasons, reused=False)


def point_latest(store: Store, contract_id: str, release: str) -> None:
    """Makes `release` the current one, unless a newer one is: the pointer never moves back.

    Names grow in the order of the commits, and no other run can move the pointer between the look
    at it and the move. An object store has no locks: there, run one flow of a contract at a time
    (`concurrency_limit` in `prefect.yaml`).
    """
    with store.lock(contract_id):
        current = latest_release(store, contract_id)
        if current is None or current < release:
            store.write_json(
                f"{contract_id}/latest.json",
                {"release": release, "path": f"releases/{release}", "manifest": MANIFEST},
            )


def new_name(store: Store, folder: str, content: str) -> str:
    """Time first, so that names sort by age; then content; then a mark of the run.

    A release is always named at least a second after the newest one: in the same second, or when
    the clock was put back, its time is a little ahead of the clock. The one that `latest.json`
    names counts although somebody moved it away. To be called under the contract's lock. The names
    are UTC, in whole seconds.
    """
    seconds = math.floor(_now())
    current = latest_release(store, folder.split("/")[0]) or ""
    for name in (*store.list_folders(folder), current):
        with contextlib.suppress(ValueError):
            taken = calendar.timegm(time.strptime(name.split("-")[0], _STAMP))
            seconds = max(seconds, taken + 1)
    stamp = time.strftime(_STAMP, time.gmtime(seconds))
    return f"{stamp}-{content[:12]}-{secrets.token_hex(2)}"


def _now() -> float:
    """Seconds since 1970, as the clock of this machine has it."""
    return time.time()


def _manifest(
    run: Run, model: FittedModel, report: Report, content: str, data: tuple[FileEntry, ...]
) -> Manifest:
    store, contract = run.open_store(), run.contract
    files = (*data, *_entries(store, f"{run.work}/release", of_data=False))
    rows: dict[str, int] = {}
    for file in files:
        if file.rows is not None:
            table = file.path.split("/")[1]
            rows[table] = rows.get(table, 0) + file.rows
    return Manifest(
        release=report.provenance["release"],
        contract=contract.id,
        contract_version=contract.version,
        verdict=report.verdict,
        content=content,
        created=report.provenance["created"],
        files=files,
        schemas={table.name: str(arrow_schema(table)) for table in contract.tables},
        rows=rows,
        ingest=report.provenance["ingest"],
        model=model.model,
        generator=contract.generator.name,
        seed=contract.sampling.seed,
        versions=versions(),
    )


def _entries(store: Store, draft: str, *, of_data: bool) -> tuple[FileEntry, ...]:
    """The entries of the draft's data, or of all its other files."""
    return tuple(
        _entry(store, draft, path)
        for path in store.list_files(draft)
        if path.startswith(f"{draft}/data/") == of_data
    )


def _entry(store: Store, draft: str, path: str) -> FileEntry:
    rows = None
    if path.endswith(".parquet"):
        with store.fs.open_input_file(path) as stream:
            rows = pq.read_metadata(stream).num_rows
    return FileEntry(
        path=path.removeprefix(f"{draft}/"),
        bytes=store.fs.get_file_info(path).size,
        sha256=store.sha256(path),
        rows=rows,
    )


def outcome_of(
    store: Store, release: dict[str, Any], reasons: tuple[str, ...], *, reused: bool
) -> Outcome:
    """What a run tells of a committed release: its manifest with its `path`, and the reasons."""
    return Outcome(
        state=release["verdict"],
        contract=release["contract"],
        release=store.display(release["path"]),
        report=store.display(f"{release['path']}/report.html"),
        model=store.display(f"{release['contract']}/models/{release['model']}"),
        reused=reused,
        reasons=reasons,
    )
