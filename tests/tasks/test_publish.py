"""Releases are named in the order of their commits, and the current one is never an older one."""

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
from tasks.publish import (
    find_release,
    latest_release,
    list_releases,
    point_latest,
    verify_release,
)
from tasks.run import Run
from tasks.storage import Store
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
    pq.write_table(pa.table({"a": [1, 2]}), f"{draft}/part-00000.parquet", filesystem=store.fs)
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
