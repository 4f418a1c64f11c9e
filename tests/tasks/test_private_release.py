"""Beside an epsilon goes nothing that was not paid for."""

import json
from pathlib import Path
from typing import Any

import pytest

from data_contracts.choice import ModelChoice
from data_contracts.contract import Contract, Privacy
from data_contracts.dataset import Dataset
from data_contracts.errors import ContractError
from data_contracts.loading import dump_contract
from data_contracts.report import Finding, Report
from models.differential_privacy.ledger import Ledger
from models.evaluation.canary_audit import Audit, audit_finding
from models.generators.dp_marginals import DpMarginalsGenerator, DpMarginalsOptions
from tasks.fit import check_choice, check_generator
from tasks.private_audit import audit_findings
from tasks.private_names import private_name
from tasks.private_release import published_report, told_rows
from tasks.render import render_report
from tasks.storage import Store
from tests.checks.members import CONTRACT, contract_for, members

PRIVATE = contract_for("dp_marginals").model_copy(
    update={
        "generator": ModelChoice(name="dp_marginals"),
        "privacy": Privacy(epsilon=1, delta=1e-6),
    }
)
SECRET = 0.123456789
MODEL = "members/models/abc"
AUDIT = Audit(canaries=500, guesses=250, correct=140, lower_bound=0.1)
FINDINGS = ["dp_epsilon", "dp_accountants", "dp_audit", "dp_together"]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(str(tmp_path / "store"))
    ledger = Ledger(1.0, 1e-6)
    for part in (3, 3):
        ledger.buy_counts("counts", ledger.total / part)
    statement = ledger.state("row").model_dump(mode="json")
    settings = {"settings": {"statement": statement}}
    store.write_json(f"{MODEL}/members/model.json", settings)
    return store


def full_report(state: str = "pass") -> Report:
    figure = Finding(
        name="detection_auc", group="fidelity", value=SECRET, low=SECRET, high=SECRET, bar=0.75,
        state=state, table="members", column="weight", detail=f"seen {SECRET}",
    )  # fmt: skip
    verdict = "published" if state == "pass" else "refused"
    return Report(
        verdict=verdict,
        reasons=() if state == "pass" else (f"detection_auc = {SECRET}",),
        findings=(figure,),
        proof={"tables": [{"rows_proven": 300}]},
        pictures={"tables": [{"name": "members", "counts": [SECRET]}]},
        provenance={
            "contract": "members", "created": "2026-01-01T00:00:00Z", "ingest": "f00d",
            "rows": {"members": {"training": 240, "holdout": 60, "synthetic": 250}},
            "seconds": {"fit": 2.0}, "generator": "dp_marginals", "seed": 1,
        },
    )  # fmt: skip


@pytest.mark.parametrize("state", ["pass", "refuse"])
def test_what_is_published_holds_no_figure_of_real_rows(store: Store, state: Any) -> None:
    audited = (audit_finding(AUDIT, 1, "members"),)
    report = published_report(store, PRIVATE, full_report(state), MODEL, audited)
    text = json.dumps(report.model_dump(mode="json"))
    assert str(SECRET) not in text
    assert "f00d" not in text
    for number in ("300", "240", '"holdout"', '"training"', "seconds"):
        assert number not in text
    assert report.verdict == ("published" if state == "pass" else "refused")
    assert [finding.name for finding in report.findings] == FINDINGS
    assert report.provenance["rows"] == {"members": {"synthetic": 250}}
    spent = report.provenance["privacy"]["members"]
    assert [purchase["what"] for purchase in spent["spendings"]] == ["counts", "counts"]


def test_the_whole_report_stays_with_the_model(store: Store, tmp_path: Path) -> None:
    published_report(store, PRIVATE, full_report(), MODEL, ())
    (kept,) = (tmp_path / "store" / MODEL / "internal").iterdir()
    assert Report.model_validate_json(kept.read_text()) == full_report()


def test_without_privacy_a_report_is_published_as_it_is(store: Store) -> None:
    assert published_report(store, CONTRACT, full_report(), MODEL, ()) == full_report()


def test_a_refusal_is_told_without_its_figure(store: Store) -> None:
    report = published_report(store, PRIVATE, full_report("refuse"), MODEL, ())
    (reason,) = report.reasons
    # Which figures they were is one more thing that nobody has paid for.
    assert "detection_auc" not in reason
    assert reason.endswith("models/abc/internal/report-2026-01-01T000000Z.json")
    assert store.exists(f"members/{reason.split(': ')[1]}")


def test_the_page_prints_what_was_spent_on_what(store: Store) -> None:
    report = published_report(store, PRIVATE, full_report(), MODEL, ())
    named = {**report.provenance, "release": "one"}
    page = render_report(report.model_copy(update={"provenance": named}))
    assert "Spent on counts" in page
    assert "discrete Gaussian noise of variance" in page
    assert "squared_mu" not in page
    assert "Epsilon of all fits together" in page
    # The gate has run: a report that says it did not would be wrong.
    assert "This is not the full privacy gate" not in page
    assert "has been judged, and is not here" in page


def test_the_page_prints_steps_of_training(store: Store) -> None:
    ledger = Ledger(1.0, 1e-6)
    ledger.buy_steps("steps of training", 20, 0.1)
    statement = ledger.state("row").model_dump(mode="json")
    store.write_json(f"{MODEL}/members/model.json", {"settings": {"statement": statement}})
    report = published_report(store, PRIVATE, full_report(), MODEL, ())
    page = render_report(
        report.model_copy(update={"provenance": {**report.provenance, "release": "one"}})
    )
    assert "20 steps, each unit in one of 10 by lot, noise" in page
    assert report.verdict == "published"


def test_a_ledger_that_lies_is_refused(store: Store) -> None:
    path = f"{MODEL}/members/model.json"
    stored = store.read_json(path)
    for purchase in stored["settings"]["statement"]["spendings"]:
        purchase["variance"] //= 4
    store.write_json(path, stored)
    report = published_report(store, PRIVATE, full_report(), MODEL, ())
    assert report.verdict == "refused"
    states = {f.name: f.state for f in report.findings}
    assert (states["dp_epsilon"], states["dp_accountants"]) == ("refuse", "refuse")


def test_an_audit_above_the_claim_refuses_the_release(store: Store) -> None:
    caught = AUDIT.model_copy(update={"correct": 250, "lower_bound": 3.7})
    audited = (audit_finding(caught, 1, "members"),)
    report = published_report(store, PRIVATE, full_report(), MODEL, audited)
    assert report.verdict == "refused"
    (reason,) = report.reasons
    assert reason.startswith("members: dp_audit = 3.7, bar 1")


def test_an_audit_is_made_once_on_rows_of_the_model(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    fitted = DpMarginalsGenerator(DpMarginalsOptions(rounds=2, steps=10))
    data = Dataset(PRIVATE, {"members": members(400).frame})
    fitted.fit(data, seed=1).save(tmp_path / MODEL / "members")
    made = PRIVATE.model_copy(
        update={"generator": ModelChoice(name="dp_marginals", options={"rounds": 2, "steps": 10})}
    )
    store.write_bytes(f"{MODEL}/contract.odcs.yaml", dump_contract(made).encode())
    store.write_json(f"{MODEL}/manifest.json", {"rows": {"members": fitted.rows_}})
    (first,) = audit_findings(store, made, MODEL)
    assert (first.name, first.state, first.bar) == ("dp_audit", "pass", 1)
    assert first.value is not None and first.value <= 1
    store.delete(f"{MODEL}/members")
    assert audit_findings(store, made, MODEL) == (first,)
    assert audit_findings(store, CONTRACT, MODEL) == ()


def test_names_of_private_bytes_can_only_be_made_with_the_key(store: Store, tmp_path: Path) -> None:
    name = private_name(store, PRIVATE, "0123")
    assert name != "0123"
    assert private_name(store, PRIVATE, "0123") == name
    assert private_name(Store(str(tmp_path / "other")), PRIVATE, "0123") != name
    assert private_name(store, CONTRACT, "0123") == "0123"


def test_rows_are_told_by_their_noisy_number_unless_they_are_public() -> None:
    class Made:
        rows_ = 297

    open_rows = PRIVATE.model_copy(
        update={"privacy": Privacy(epsilon=1, delta=1e-6, rows_are_public=True)}
    )
    assert told_rows(PRIVATE, Made(), 300) == 297
    assert told_rows(open_rows, Made(), 300) == 300
    assert told_rows(CONTRACT, Made(), 300) == 300


@pytest.mark.parametrize("name", ["vae", "bootstrap"])
def test_who_keeps_no_budget_is_refused(name: str) -> None:
    wrong: Contract = PRIVATE.model_copy(update={"generator": ModelChoice(name=name)})
    with pytest.raises(ContractError, match="dp_marginals"):
        check_generator(wrong)
    with pytest.raises(ContractError, match=r"people\.odcs\.yaml: .*dp_marginals"):
        check_choice(wrong, Path("people.odcs.yaml"))


@pytest.mark.parametrize("option", [{"max_seconds": 60.0}, {"refresh": "0123"}])
def test_options_that_look_at_rows_unpaid_are_refused(option: dict[str, Any]) -> None:
    choice = ModelChoice(name="any_order", options=option)
    check_generator(PRIVATE.model_copy(update={"generator": ModelChoice(name="any_order")}))
    with pytest.raises(ContractError, match=f"{next(iter(option))} does not go with privacy"):
        check_generator(PRIVATE.model_copy(update={"generator": choice}))


def test_who_needs_a_budget_is_refused_without() -> None:
    check_generator(PRIVATE)
    with pytest.raises(ContractError, match="delta below 1 / units"):
        check_generator(PRIVATE.model_copy(update={"privacy": None}))
