"""What Prefect's pages show of a release: small, and nothing that only the worker can open."""

from typing import Any

import pytest

from data_contracts.contract import Contract, Privacy, Source, Table
from data_contracts.report import Finding, Report
from tasks import announce
from tasks.run import Outcome, Run
from tests.tasks.landing import integer

TABLE = Table(name="rows", columns=(integer("a"),), source=Source(format="csv", path="rows.csv"))
CONTRACT = Contract(id="c", version="1.0.0", tables=(TABLE,))
NAME = "20240101T000000Z-5f0c2a9d41be-7d3e"


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What was shown, by the kind of artifact."""
    seen: dict[str, Any] = {}
    monkeypatch.setattr(
        announce, "create_markdown_artifact",
        lambda text, **more: seen.update(markdown=text, description=more["description"]),
    )  # fmt: skip
    monkeypatch.setattr(
        announce, "create_link_artifact", lambda link, **_more: seen.update(link=link)
    )
    return seen


def show(store: str, *findings: Finding) -> None:
    folder = f"{store}/c/releases/{NAME}"
    report = Report(verdict="refused", reasons=("it leaks",), findings=findings)
    outcome = Outcome(state="refused", contract="c", release=folder, report=f"{folder}/report.html")
    announce.announce_release.fn(Run(contract=CONTRACT, store=store, work="w"), report, outcome)


def test_verdict_findings_and_path_are_told_as_text(shown: dict[str, Any]) -> None:
    fine = Finding(name="shape", group="fidelity", value=1.25, bar=3, state="pass", table="rows")
    leak = Finding(
        name="copies|near", group="copies", value=12.3456, low=10, high=15, reference=4, bar=5,
        unit="%", state="refuse", table="rows",
    )  # fmt: skip
    show("/srv/store", fine, leak)
    lines = shown["markdown"].splitlines()
    assert lines[0] == "# c: refused"
    assert "- it leaks" in lines
    assert f"Report: `/srv/store/c/releases/{NAME}/report.html`" in lines
    assert lines[-2:] == [
        "| rows | copies&#124;near | 12.35 % | 10 to 15 | 4 | 5 | refuse |",
        "| rows | shape | 1.25 |  |  | 3 | pass |",
    ]
    assert shown["description"] == f"Verdict on release {NAME}"


@pytest.mark.parametrize(
    ("store", "linked"),
    [
        ("/srv/store", False),
        ("memory://store", False),
        ("s3://bucket/store", True),
        ("https://host/store", True),
    ],
)
def test_only_what_a_browser_can_open_is_linked(
    store: str, linked: bool, shown: dict[str, Any]
) -> None:
    show(store)
    assert shown.get("link") == (f"{store}/c/releases/{NAME}/report.html" if linked else None)


def test_many_findings_are_cut_and_those_against_release_come_first(
    shown: dict[str, Any],
) -> None:
    fine = [Finding(name=f"shape {n}", group="fidelity", value=1, state="pass") for n in range(500)]
    show("/srv/store", *fine, Finding(name="leak", group="copies", value=None, state="refuse"))
    rows = [line for line in shown["markdown"].splitlines() if line.startswith("|")][2:]
    assert len(rows) == 60
    assert rows[0] == "|  | leak |  |  |  |  | refuse |"
    assert "441 more findings" in shown["markdown"]
    assert len(shown["markdown"]) < 10_000


def test_a_proof_under_privacy_tells_no_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    monkeypatch.setattr(announce, "create_table_artifact", lambda rows, **_more: seen.append(rows))
    rule = {"rule": "a is there", "scope": "row", "state": "pass", "checked": 731, "broken": 3,
            "detail": "3 of 731"}  # fmt: skip
    proof = {"tables": [{"table": "rows", "rules": [rule]}]}
    private = CONTRACT.model_copy(update={"privacy": Privacy(epsilon=1, delta=1e-6)})
    for contract in (CONTRACT, private):
        announce.announce_proof.fn(contract, proof)
    assert seen == [
        [{"table": "rows", **rule}],
        [{"table": "rows", "rule": "a is there", "scope": "row", "state": "pass"}],
    ]
