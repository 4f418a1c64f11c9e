"""Releases are named in the order of their commits, and the current one is never an older one."""

import json
import os
import shutil
import threading
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data_contracts.contract import Contract, Source, Table
from data_contracts.errors import StoreError
from data_contracts.report import Report, Verdict
from tasks import publish
from tasks.fit import FittedModel
from tasks.publish import find_release, latest_release, list_releases, point_latest
from tasks.run import Run
from tasks.sample import with_metadata
from tasks.storage import Store
from tasks.verify import verify_folder, verify_release
from tests.tasks.landing import integer

TABLE = Table(name="rows", columns=(integer("a"),), source=Source(format="csv", path="rows.csv"))
CONTRACT = Contract(id="c", version="1.0.0", tables=(TABLE,))
MODEL = FittedModel(model="m", path="c/models/m", rows={"rows": 2}, reused=False)
NOON = 1_700_000_000.0


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setattr(publish, "render_report", lambda report: f"<p>{report.verdict}</p>")
    return Store(str(tmp_path))


def release(store: Store, content: str, verdict: Verdict = "published") -> str:
    """Publishes a release of two rows made from `content`; returns its name."""
    run = Run(contract=CONTRACT, store=store.root, work=f"c/work/{content}")
    draft = f"{run.work}/release/data/rows"
    store.make_folder(draft)
    rows = with_metadata(pa.table({"a": [1, 2]}), {"release": content})
    pq.write_table(rows, f"{draft}/part-00000.parquet", filesystem=store.fs)
    told: dict[str, Any] = {"created": "2024-01-01T00:00:00Z", "ingest": "i"}
    report = Report(verdict=verdict, provenance=told)
    outcome = publish.publish_release.fn(run, MODEL, report, content)
    assert outcome.release is not None
    return outcome.release.rsplit("/", 1)[-1]


@pytest.mark.parametrize(
    ("clock", "why"),
    [
        ([0.0, 0.1, 0.9], "the same second, whatever the hash of the content"),
        ([0.0, -3600.0, 7.0], "a clock that was put back"),
        ([0.0, 5.0, 86_400.0], "a clock that goes on"),
    ],
)
def test_a_newer_release_is_named_later_and_is_the_current_one(
    clock: list[float], why: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = []
    for content, seconds in zip(("f" * 20, "5" * 20, "0" * 20), clock, strict=True):
        monkeypatch.setattr(publish, "_now", lambda seconds=seconds: NOON + seconds)
        names.append(release(store, content))
        assert latest_release(store, "c") == names[-1], why
    assert names == sorted(names)
    assert [entry["content"][0] for entry in list_releases(store, "c")] == ["f", "5", "0"]


def test_a_refused_release_takes_its_place_in_the_order_too(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publish, "_now", lambda: NOON)
    first = release(store, "f" * 20)
    refused = release(store, "5" * 20, "refused")
    assert latest_release(store, "c") == first
    third = release(store, "0" * 20)
    assert first < refused < third == latest_release(store, "c")


def test_every_file_of_a_release_is_in_its_manifest(store: Store) -> None:
    verdicts: tuple[Verdict, ...] = ("published", "refused")
    for verdict in verdicts:
        name = release(store, verdict, verdict)
        assert verify_release(store, f"c/releases/{name}") == []
        assert store.exists(f"c/releases/{name}/data") == (verdict == "published")
    assert [entry["rows"] for entry in list_releases(store, "c")] == [{"rows": 2}, {}]


def test_a_release_that_was_changed_is_not_taken_up_again(store: Store) -> None:
    run = Run(contract=CONTRACT, store=store.root, work="c/work/again")
    path = f"c/releases/{release(store, 'f' * 20)}"
    again = find_release(run, "f" * 20)
    assert again is not None and again.reused
    part = f"{path}/data/rows/part-00000.parquet"
    whole = store.read_bytes(part)
    store.write_bytes(part, whole[:-9] + b"x" + whole[-8:])
    store.write_bytes(f"{path}/data/rows/more.parquet", whole)
    with pytest.raises(StoreError, match=r"part-00000\.parquet: changed.*more\.parquet: not in"):
        find_release(run, "f" * 20)
    store.delete(path)
    assert find_release(run, "f" * 20) is None
    assert release(store, "f" * 20) == latest_release(store, "c")


def copied(store: Store, tmp_path: Path, verdict: Verdict = "published") -> Path:
    """A release as its reader has it: a folder by itself, under another name."""
    name = release(store, "f" * 20, verdict)
    return Path(shutil.copytree(tmp_path / "c/releases" / name, tmp_path / "download"))


@pytest.mark.parametrize("verdict", ["published", "refused"])
def test_an_untouched_copy_of_a_release_is_verified(
    verdict: Verdict, store: Store, tmp_path: Path
) -> None:
    found = verify_folder(str(copied(store, tmp_path, verdict)))
    assert found.wrong == () and found.verdict == verdict
    assert found.files == (4 if verdict == "published" else 3)


def test_what_was_done_to_a_copy_of_a_release_is_told_by_file(store: Store, tmp_path: Path) -> None:
    folder = copied(store, tmp_path)
    part = folder / "data/rows/part-00000.parquet"
    content = bytearray(part.read_bytes())
    content[9] ^= 1
    part.write_bytes(content)
    (folder / "report.html").write_text("<p>other</p>")
    (folder / "contract.odcs.yaml").unlink()
    (folder / "data/rows/part-00001.parquet").write_bytes(b"more")
    assert verify_folder(str(folder)).wrong == (
        "data/rows/part-00000.parquet: changed since publication",
        "contract.odcs.yaml: missing",
        "report.html: changed since publication (12 bytes, not 16)",
        "data/rows/part-00001.parquet: not in the manifest",
    )


def test_a_manifest_and_data_of_different_content_are_told(store: Store, tmp_path: Path) -> None:
    """All hashes fit: somebody put one release's manifest, with other hashes, to another's data."""
    folder = copied(store, tmp_path)
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, "content": "5" * 20}))
    assert verify_folder(str(folder)).wrong == (
        f"manifest.json: release {manifest['release']} is not named after its content, {'5' * 20}",
        f"data/rows/part-00000.parquet: says it is of content {'f' * 20}, and the manifest of "
        f"{'5' * 20}",
    )


def test_a_manifest_that_leads_out_of_its_release_is_told(store: Store, tmp_path: Path) -> None:
    folder = copied(store, tmp_path)
    (tmp_path / "secret").write_text("other")
    manifest = json.loads((folder / "manifest.json").read_text())
    names = ("../secret", "/x", "data/../../secret", "", "a\0b")
    manifest["files"] += [{"path": name, "bytes": 5, "sha256": "0"} for name in names]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    told = verify_folder(str(folder)).wrong
    assert told == tuple(f"{name!r}: named by the manifest, and no file of a release"
                         for name in names)  # fmt: skip


def test_names_of_foreign_files_steer_no_terminal_and_need_not_be_text(
    store: Store, tmp_path: Path
) -> None:
    folder = copied(store, tmp_path)
    (folder / "\x1b[2Jnote").write_text("")
    (told,) = verify_folder(str(folder)).wrong
    assert "note" in told and told.isprintable()
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff")).write_text("")
    (told,) = verify_folder(str(folder)).wrong
    assert "no UTF-8" in told


def test_a_folder_in_the_place_of_a_file_is_told(store: Store, tmp_path: Path) -> None:
    folder = copied(store, tmp_path)
    (folder / "report.html").unlink()
    (folder / "report.html").mkdir()
    (told,) = verify_folder(str(folder)).wrong
    assert told.startswith("report.html: a folder")


@pytest.mark.parametrize(
    ("manifest", "said"),
    [(None, r"no manifest\.json there"), ("{", "the whole file"), ('{"release": 1}', "release")],
)
def test_what_is_no_release_is_told(manifest: str | None, said: str, tmp_path: Path) -> None:
    if manifest is not None:
        (tmp_path / "manifest.json").write_text(manifest)
    with pytest.raises(StoreError, match=said):
        verify_folder(str(tmp_path))


def test_a_release_in_an_object_store_is_verified_by_its_uri(store: Store, tmp_path: Path) -> None:
    folder, remote = copied(store, tmp_path), Store("memory://bucket/verify")
    for file in folder.rglob("*"):
        if file.is_file():
            name = file.relative_to(folder).as_posix()
            remote.make_folder(f"copy/{name}".rsplit("/", 1)[0])
            remote.write_bytes(f"copy/{name}", file.read_bytes())
    assert verify_folder("memory://bucket/verify/copy").wrong == ()
    remote.delete("copy/report.json")
    assert verify_folder("memory://bucket/verify/copy").wrong == ("report.json: missing",)


def test_the_pointer_never_moves_back_between_a_look_at_it_and_the_move(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    newer = threading.Thread(target=point_latest, args=(store, "c", "20240102T000000Z"))

    def look_while_a_neighbour_points(opened: Store, contract_id: str) -> str | None:
        seen = latest_release(opened, contract_id)
        if threading.current_thread() is not newer:
            newer.start()
            # Without the lock the neighbour ends at once, and the older release overwrites it.
            newer.join(timeout=0.5)
        return seen

    monkeypatch.setattr(publish, "latest_release", look_while_a_neighbour_points)
    point_latest(store, "c", "20240101T000000Z")
    newer.join()
    assert latest_release(store, "c") == "20240102T000000Z"
    monkeypatch.undo()
    point_latest(store, "c", "20240101T000000Z")
    assert latest_release(store, "c") == "20240102T000000Z"
