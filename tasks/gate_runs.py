"""Every run of the privacy gate, kept with what it judged: exact figures, and what retries cost."""

import time
from dataclasses import dataclass
from typing import Any

from data_contracts.dataset import Dataset
from data_contracts.report import Finding, judge
from models.base import ProgressCallback
from tasks.storage import Store

Sides = tuple[Dataset, Dataset, Dataset]
"""Training, synthetic and held-out rows."""


@dataclass(frozen=True)
class GateRuns:
    """The runs of the gate on one model, or on the candidates of one ingest, in a store's folder.

    Each run is one JSON file: what was judged (`content`), its alpha and state, and exact figures
    that no release may hold: published figures of privacy alone let outliers be rebuilt.
    """

    store: Store
    folder: str

    def records(self) -> list[dict[str, Any]]:
        """All runs so far, oldest first."""
        files = [path for path in self.store.list_files(self.folder) if path.endswith(".json")]
        return [self.store.read_json(path) for path in files]

    def write(self, number: int, record: dict[str, Any]) -> str:
        """Keeps a run; returns the file's path in the store."""
        path = f"{self.folder}/run-{number:04d}.json"
        self.store.write_json(path, record)
        return path


def run_gate(
    runs: GateRuns, content: str, sides: Sides, *, progress: ProgressCallback | None = None
) -> tuple[Finding, ...]:
    """Runs the gate, records it, and returns what may be published.

    The same content again is no retry: it is judged as it was. Anything else that a model made is
    one: alpha is divided by the number of runs, and a model that was refused stays refused, since
    drawing until the gate passes would be a leak of its own.
    """
    from models.privacy.gate import Attempt, evaluate_privacy

    training, synthetic, holdout = sides
    contract = training.contract
    earlier = runs.records()
    same = [record for record in earlier if record["content"] == content]
    number = same[0]["run"] if same else len(earlier) + 1
    gated = evaluate_privacy(
        training, synthetic, holdout, Attempt(contract.sampling.seed, number), progress
    )
    before = [record for record in earlier if record["run"] < number]
    findings = (*gated.findings, *_of_runs(contract.tables[0].name, number, before))
    state = gate_state(gated.findings)
    record = {
        "run": number,
        "content": content,
        "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "state": state,
        "findings": [finding.model_dump(mode="json") for finding in gated.findings],
        "figures": gated.figures,
    }
    runs.write(number, record)
    return findings


def gate_state(findings: tuple[Finding, ...]) -> str:
    """`pass`, `refused` or `inconclusive`."""
    verdict, _ = judge(findings)
    return "pass" if verdict == "published" else verdict


def _of_runs(table: str, number: int, before: list[dict[str, Any]]) -> tuple[Finding, ...]:
    """`gate_runs`: how often this model has been judged; refused if it was refused before."""
    refused = any(record["state"] == "refused" for record in before)
    detail = "The first and only judgement of this model."
    if number > 1:
        detail = f"Judged {number} times: alpha is divided by {number}."
    if refused:
        detail += " It was refused before: drawing again does not make a model forget."
    return (
        Finding(
            name="gate_runs", group="copies", value=float(number),
            state="refuse" if refused else "info", table=table, detail=detail,
        ),
    )  # fmt: skip
