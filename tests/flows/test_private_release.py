"""A release under differential privacy, end to end: what lies in its folder, and what does not."""

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from data_contracts.errors import ModelError
from flows.synthesize_dataset import synthesize_dataset
from tasks.run import NotPublishedError, Outcome
from tasks.storage import Store
from tasks.verify import verify_release
from tests.flows.people import write_people

pytestmark = pytest.mark.usefixtures("server")
BOUNDS = {
    "income": {"minimum": 0, "maximum": 1_000_000},
    "joined": {"minimum": "2020-01-01", "maximum": "2025-01-01"},
    "seen": {"minimum": "2023-01-01T00:00:00", "maximum": "2023-12-31T00:00:00"},
}


OPTIONS = {
    "dp_marginals": {"rounds": 4, "steps": 60},
    "any_order": {"width": 16, "blocks": 1, "epochs": 3, "batch_rows": 64},
}


def write_private_people(folder: Path, generator: str = "dp_marginals") -> Path:
    """The people of the other flows, with bounds in public and a budget."""
    path = write_people(folder, generator=generator, rows=800)
    document = yaml.safe_load(path.read_text())
    for column in document["schema"][0]["properties"]:
        column.setdefault("logicalTypeOptions", {}).update(BOUNDS.get(column["name"], {}))
        if not column["logicalTypeOptions"]:
            del column["logicalTypeOptions"]
    own = document["customProperties"][0]["value"]
    own["privacy"] = {"epsilon": 20.0, "delta": 1e-5}
    own["generator"] = {"name": generator, "options": OPTIONS[generator]}
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    return path


@pytest.fixture(scope="module")
def made(server: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Outcome, Path]:
    folder = tmp_path_factory.mktemp("private")
    path = write_private_people(folder)
    try:
        outcome = synthesize_dataset(path, str(folder / "store"))
    except NotPublishedError as refused:
        outcome = refused.outcome
    assert outcome.release is not None
    return outcome, folder / "store"


def published(outcome: Outcome, name: str) -> Any:
    return json.loads((Path(outcome.release or "") / name).read_text())


def test_the_report_holds_the_ledger_and_no_figure_of_real_rows(
    made: tuple[Outcome, Path],
) -> None:
    outcome, _ = made
    report = published(outcome, "report.json")
    assert {finding["name"]: finding["state"] for finding in report["findings"]} == {
        "dp_epsilon": "pass", "dp_accountants": "pass", "dp_audit": "pass", "dp_together": "info",
    }  # fmt: skip
    assert (report["proof"], report["pictures"]) == ({}, {})
    statement = report["provenance"]["privacy"]["people"]
    assert statement["spent_epsilon"] <= 20
    assert len(statement["spendings"]) > 8
    assert "<script" not in (Path(outcome.release or "") / "report.html").read_text()


def test_no_name_or_number_of_private_rows_is_published(made: tuple[Outcome, Path]) -> None:
    outcome, store = made
    manifest = published(outcome, "manifest.json")
    (ingest,) = [path.name for path in (store / "people" / "ingests").iterdir()]
    release = Path(outcome.release or "")
    for path in release.rglob("*"):
        if path.suffix in (".json", ".html", ".yaml"):
            text = path.read_text()
            assert ingest not in text
            assert '"training"' not in text
    assert manifest["ingest"] == "withheld"
    (model,) = (store / "people" / "models").iterdir()
    told = json.loads((model / "manifest.json").read_text())
    assert model.name == manifest["model"]
    assert told["rows"]["people"] != 0
    assert verify_release(Store(str(store)), release.relative_to(store).as_posix()) == []


def test_the_whole_report_stays_with_the_model(made: tuple[Outcome, Path]) -> None:
    outcome, store = made
    (kept,) = (store / "people" / "models").glob("*/internal/report-*.json")
    whole = json.loads(kept.read_text())
    assert {"detection_auc", "shape_error"} <= {finding["name"] for finding in whole["findings"]}
    assert whole["verdict"] == published(outcome, "report.json")["verdict"]


def test_rows_are_drawn_as_many_as_the_noisy_number_says(made: tuple[Outcome, Path]) -> None:
    outcome, store = made
    if outcome.state != "published":
        pytest.skip("this time the judgement did not publish: there are no rows")
    rows = pq.read_table(Path(outcome.release or "") / "data/people").num_rows
    (model,) = (store / "people" / "models").iterdir()
    assert rows == json.loads((model / "manifest.json").read_text())["rows"]["people"]


def test_asking_again_spends_nothing(made: tuple[Outcome, Path]) -> None:
    first, store = made
    try:
        again = synthesize_dataset(store.parent / "people.odcs.yaml", str(store))
    except NotPublishedError as refused:
        again = refused.outcome
    assert (again.release, again.model) == (first.release, first.model)
    assert len(list((store / "people" / "models").iterdir())) == 1
    (record,) = (store / "people" / "budgets").iterdir()
    fit = json.loads(record.read_text())
    spent = published(first, "report.json")["provenance"]["privacy"]["people"]
    assert (fit["model"], fit["ended"]) == (Path(first.model or "").name, True)
    assert fit["epsilon"] == max(
        spent["spent_epsilon"], spent["spent_epsilon_by_second_accountant"]
    )


def test_another_model_of_these_people_needs_room_in_the_total(
    made: tuple[Outcome, Path],
) -> None:
    _, store = made
    path = store.parent / "people.odcs.yaml"
    total = {"privacy.total_epsilon": 25.0, "privacy.epsilon": 19.0}
    with pytest.raises(
        ModelError, match=r"1 fits of contract 'people' have cost epsilon .* exceed"
    ):
        synthesize_dataset(path, str(store), settings=total)
    assert len(list((store / "people" / "budgets").iterdir())) == 1


def test_steps_of_training_are_released_by_the_same_rules(server: str, tmp_path: Path) -> None:
    """`any_order` under a budget: its ledger, both accountants, its audit, and no figure more."""
    path = write_private_people(tmp_path, "any_order")
    try:
        outcome = synthesize_dataset(path, str(tmp_path / "store"))
    except NotPublishedError as refused:
        outcome = refused.outcome
    report = published(outcome, "report.json")
    assert {finding["name"]: finding["state"] for finding in report["findings"]} == {
        "dp_epsilon": "pass", "dp_accountants": "pass", "dp_audit": "pass", "dp_together": "info",
    }  # fmt: skip
    statement = report["provenance"]["privacy"]["people"]
    *others, steps = statement["spendings"]
    assert steps["mechanism"] == "sampled_gaussian"
    assert {purchase["mechanism"] for purchase in others} == {
        "discrete_gaussian", "exponential",
    }  # fmt: skip
    second = statement["spent_epsilon_by_second_accountant"]
    assert second <= statement["spent_epsilon"] <= 20
    page = (Path(outcome.release or "") / "report.html").read_text()
    assert f"{steps['steps']} steps, each unit in one of" in page
    (model,) = (tmp_path / "store/people/models").iterdir()
    assert not list((tmp_path / "store/people").glob("checkpoints/*"))
    told = json.loads((model / "people/model.json").read_text())["settings"]
    assert (told["hidden"], told["statement"]) == ({}, statement)
