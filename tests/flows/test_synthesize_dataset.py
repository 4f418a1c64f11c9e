"""The main job end to end: a contract in, a judged release out."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from prefect import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterTags
from prefect.client.schemas.objects import FlowRun
from prefect.flow_engine import run_flow_sync

from data_contracts.errors import ContractError, ProofError
from data_contracts.loading import load_contract
from data_contracts.schema import arrow_schema
from flows.prove_dataset import prove_dataset
from flows.synthesize_dataset import synthesize_dataset
from tasks.publish import list_releases
from tasks.run import Changes, NotPublishedError, Outcome
from tasks.storage import Store
from tasks.verify import verify_release
from tests.flows.people import write_people, write_rows

pytestmark = pytest.mark.usefixtures("server")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("people")


@pytest.fixture(scope="module")
def published(server: str, folder: Path) -> Outcome:
    return synthesize_dataset(write_people(folder), str(folder / "store"))


def data_files(outcome: Outcome) -> dict[str, bytes]:
    assert outcome.release is not None
    release = Path(outcome.release)
    return {
        path.relative_to(release).as_posix(): path.read_bytes()
        for path in sorted(release.rglob("data/**/*.parquet"))
    }


def test_a_release_is_whole_and_of_the_contracts_exact_types(
    published: Outcome, folder: Path
) -> None:
    store = Store(str(folder / "store"))
    assert published.state == "published"
    assert published.release is not None
    path = Path(published.release).relative_to(folder / "store").as_posix()
    assert verify_release(store, path) == []
    rows = pq.read_table(Path(published.release) / "data/people")
    contract = load_contract(folder / "people.odcs.yaml")
    assert rows.schema.remove_metadata() == arrow_schema(contract.table("people"))
    manifest = store.read_json(f"{path}/manifest.json")
    assert rows.num_rows == manifest["rows"]["people"] > 1000
    assert rows.schema.metadata[b"understudy.synthetic"] == b"true"
    latest = store.read_json("people/latest.json")
    assert latest["release"] == manifest["release"]
    datetime.fromisoformat(manifest["created"]).astimezone(UTC)


def test_the_report_tells_the_rejected_row_and_the_stages(published: Outcome) -> None:
    assert published.report is not None
    report = json.loads(Path(published.report).with_suffix(".json").read_text())
    proof = report["proof"]["tables"][0]
    assert (proof["rows_rejected"], proof["rows_proven"]) == (1, proof["rows_read"] - 1)
    assert sum(reason["rows"] for reason in proof["reject_reasons"]) == 1
    assert {"prove", "fit", "sample", "evaluate"} <= set(report["provenance"]["seconds"])
    html = Path(published.report).read_text()
    assert "<script" not in html
    assert "published" in html.lower()


def runs_tagged(folder: Path, *tags: str) -> list[FlowRun]:
    """The flow runs on the folder's first store that carry all these tags."""
    wanted = FlowRunFilter(tags=FlowRunFilterTags(all_=list(tags)))
    with get_client(sync_client=True) as client:
        found = client.read_flow_runs(flow_run_filter=wanted)
    return [run for run in found if run.parameters.get("store") == str(folder / "store")]


def test_the_run_itself_carries_the_contract_s_id(published: Outcome, folder: Path) -> None:
    assert published.state == "published"
    runs = {run.name: run.tags for run in runs_tagged(folder, "people", "synthesize")}
    assert set(runs) == {"synthesize-dataset people", "prove-dataset people"}
    assert runs["synthesize-dataset people"] == ["people", "synthesize"]


def test_a_deployment_s_run_keeps_its_tags_and_carries_the_contract_s_id_too(
    published: Outcome, folder: Path
) -> None:
    parameters = {
        "contract": Path(f"{folder}/people.odcs.yaml"), "store": str(folder / "store"),
    }  # fmt: skip
    with get_client(sync_client=True) as client:
        created = client.create_flow_run(
            prove_dataset, parameters={**parameters, "contract": str(parameters["contract"])},
            tags=["nightly"],
        )  # fmt: skip
        ingest = run_flow_sync(prove_dataset, flow_run=created, parameters=parameters)
        ended = client.read_flow_run(created.id)
    assert ingest is not None and published.state == "published"
    assert set(ended.tags) == {"nightly", "people", "prove"}


def test_the_verdict_and_the_report_s_path_are_shown_in_prefect(
    published: Outcome, folder: Path
) -> None:
    (run,) = [r for r in runs_tagged(folder, "synthesize") if r.name.startswith("synthesize")]
    with get_client(sync_client=True) as client:
        artifacts = [a for a in client.read_artifacts() if a.flow_run_id == run.id]
    told = {artifact.key: artifact for artifact in artifacts if artifact.key is not None}
    assert set(told) == {"people-verdict"}
    assert f"Report: `{published.report}`" in str(told["people-verdict"].data)
    assert Path(str(published.release)).name in str(told["people-verdict"].description)


def test_a_form_of_typed_fields_asks_for_what_a_run_changes() -> None:
    form: dict[str, Any] = synthesize_dataset.parameters.model_dump()
    assert list(form["properties"]) == ["contract", "store", "changes", "settings"]
    fields = form["definitions"]["Changes"]["properties"]
    assert all(field["description"] for field in fields.values())
    kinds = {name: field.get("anyOf", [field])[0]["type"] for name, field in fields.items()}
    assert kinds == {
        "rows": "integer", "seed": "integer", "generator": "string", "options": "object",
    }  # fmt: skip
    assert "independent" in fields["generator"]["anyOf"][0]["enum"]
    given = synthesize_dataset.validate_parameters({"contract": "c", "changes": {"rows": 9}})
    assert given["changes"] == Changes(rows=9)


def test_no_work_is_left_behind_and_no_row_is_lost(published: Outcome, folder: Path) -> None:
    store = Store(str(folder / "store"))
    assert store.list_folders("people/work") == []
    (ingest,) = store.list_folders("people/ingests")
    kept = pq.read_table(folder / f"store/people/ingests/{ingest}/people")
    rejected = pq.read_table(folder / f"store/people/ingests/{ingest}/rejects/people")
    assert kept.num_rows + rejected.num_rows == 1500
    assert rejected["id"].to_pylist() in (["751"], [751])


def test_unchanged_input_finds_the_same_release_again(published: Outcome, folder: Path) -> None:
    again = synthesize_dataset(folder / "people.odcs.yaml", str(folder / "store"))
    assert again.reused
    assert again.release == published.release
    assert len(Store(str(folder / "store")).list_folders("people/releases")) == 1


def test_the_same_seed_gives_the_same_bytes_in_another_store(
    published: Outcome, folder: Path
) -> None:
    other = synthesize_dataset(folder / "people.odcs.yaml", str(folder / "other"))
    assert not other.reused
    assert data_files(other) == data_files(published)


def test_a_change_and_a_setting_make_another_release(published: Outcome, folder: Path) -> None:
    other = synthesize_dataset(
        folder / "people.odcs.yaml",
        str(folder / "store"),
        changes=Changes(rows=1150),
        settings={"sampling.seed": 2},
    )
    assert other.release != published.release
    (entry,) = [r for r in list_releases(Store(str(folder / "store")), "people") if r["latest"]]
    assert entry["rows"] == {"people": 1150}


def test_a_copy_of_the_data_is_refused_and_leaves_only_its_report(tmp_path: Path) -> None:
    contract = write_people(tmp_path, generator="bootstrap")
    for _ in range(2):
        with pytest.raises(NotPublishedError) as caught:
            synthesize_dataset(contract, str(tmp_path / "store"))
        outcome = caught.value.outcome
        assert caught.value.exit_code == 3
        assert outcome.state == "refused"
        assert outcome.release is not None
        left = {path.name for path in Path(outcome.release).rglob("*") if path.is_file()}
        assert left == {"contract.odcs.yaml", "report.json", "report.html", "manifest.json"}
    store = Store(str(tmp_path / "store"))
    # Asked twice, judged once.
    assert len(store.list_folders("people/releases")) == 1
    assert not store.exists("people/latest.json")


def test_data_beyond_tolerance_stop_the_run_and_keep_their_rejects(tmp_path: Path) -> None:
    contract = write_people(tmp_path)
    lines = (tmp_path / "people.csv").read_text().splitlines()
    broken = [line.replace("north", "nowhere") for line in lines[1:200]]
    (tmp_path / "people.csv").write_text("\n".join([lines[0], *broken, *lines[200:]]) + "\n")
    with pytest.raises(ProofError, match="region"):
        synthesize_dataset(contract, str(tmp_path / "store"))
    store = Store(str(tmp_path / "store"))
    (kept,) = store.list_folders("people/rejected")
    rejected = pq.read_table(tmp_path / f"store/people/rejected/{kept}/rejects/people")
    assert rejected.num_rows == sum("nowhere" in line for line in broken) + 1
    assert not store.exists("people/ingests")


def test_new_data_make_a_new_model(published: Outcome, folder: Path, tmp_path: Path) -> None:
    contract = write_people(tmp_path)
    write_rows(tmp_path / "people.csv", seed=5)
    second = synthesize_dataset(contract, str(folder / "store"))
    assert published.model != second.model
    assert published.release != second.release


@pytest.mark.parametrize(
    ("settings", "error", "said"),
    [
        ({"generator.name": "no_such"}, ContractError, "no_such"),
        ({"generator.options.no_such": 1}, ContractError, "no_such"),
        ({"sampling.rows": 0}, ContractError, "rows"),
        ({"sampling.row": 10}, ContractError, "row"),
    ],
)
def test_wrong_settings_fail_before_any_work(
    tmp_path: Path, settings: dict[str, object], error: type[Exception], said: str
) -> None:
    contract = write_people(tmp_path, rows=50)
    with pytest.raises(error, match=said):
        synthesize_dataset(contract, str(tmp_path / "store"), settings=settings)
    assert not (tmp_path / "store/people/ingests").exists()


def test_five_rows_are_too_few(tmp_path: Path) -> None:
    contract = write_people(tmp_path, rows=5)
    with pytest.raises(ProofError, match=r"5|4"):
        synthesize_dataset(contract, str(tmp_path / "store"))
