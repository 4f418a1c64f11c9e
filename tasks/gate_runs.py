"""Every run of the privacy gate and of the attacks on codes, kept with what it judged and cost."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from data_contracts.contract import Contract
from data_contracts.dataset import Dataset
from data_contracts.report import Finding, judge
from models.base import ProgressCallback
from tasks.identity import content_id
from tasks.storage import Store

if TYPE_CHECKING:
    from models.privacy.hygiene import Columns

# The state of a run that has not ended, or that was killed.
BEGUN = "begun"

Sides = tuple[Dataset, Dataset, Dataset]
"""Training, synthetic and held-out rows."""


class Larger(NamedTuple):
    """What the gate's rows were taken from.

    By table the number of all training rows, and how to read columns of tables of which a side is a
    sample. `ingest` names all rows, and what the contract told of them.
    """

    training_rows: Mapping[str, int]
    columns: "Mapping[str, Columns]"
    ingest: str = ""


@dataclass(frozen=True)
class GateRuns:
    """The runs of the gate on one model, or on all that is made of the same rows, in a folder.

    Each run is one JSON file: what was judged (`content`), by which rules, its alpha and state,
    which runs were refused when it ended, and exact figures that no release may hold: published
    figures of privacy alone let outliers be rebuilt. `many_models` says that nobody knows which
    candidates are one model's: each counts as a look at the same held-out rows, but a refusal is of
    its own content alone.
    """

    store: Store
    folder: str
    many_models: bool = False

    def records(self) -> list[dict[str, Any]]:
        """All runs so far, oldest first."""
        files = [path for path in self.store.list_files(self.folder) if path.endswith(".json")]
        return [self.store.read_json(path) for path in files]

    def begin(self, content: str, rules: str) -> dict[str, Any]:
        """The run of this content by these rules: the one that is kept, or a new one, written now.

        It is written before anything is judged, so that neither a run that is killed nor one beside
        it goes uncounted.
        """
        with self.store.lock(self.folder):
            earlier = self.records()
            for record in earlier:
                if (record["content"], record["rules"]) == (content, rules):
                    return record
            record = {
                "run": len(earlier) + 1, "content": content, "rules": rules, "state": BEGUN,
                "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            }  # fmt: skip
            self.write(record)
            return record

    def write(self, record: dict[str, Any]) -> None:
        """Keeps a run."""
        self.store.write_json(f"{self.folder}/run-{record['run']:04d}.json", record)

    def judged_once(
        self, content: str, rules: str, judge: Callable[[int], dict[str, Any]]
    ) -> dict[str, Any]:
        """The run of this content by these rules; `judge` is called with its number if need be.

        What it returns is kept with the run: `state`, `findings` and whatever else. Of two that
        judge the same beside each other, what the first one ends with stands.
        """
        record = self.begin(content, rules)
        return self._end(record, judge(record["run"])) if record["state"] == BEGUN else record

    def _end(self, record: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
        with self.store.lock(self.folder):
            runs = {each["run"]: each for each in self.records()}
            kept = runs.get(record["run"], record)
            if kept["state"] == BEGUN:
                refused = [number for number, each in runs.items() if each["state"] == "refused"]
                kept |= {**found, "refusals": refused}
                self.write(kept)
            return kept

    def refused_before(self, record: dict[str, Any], *alike: str) -> bool:
        """Whether a run was refused before this one ended: any, or one with these entries alike.

        Not before it began: who lets several begin and ends them one after the other would have a
        run left for after the refusal.
        """
        before = record.get("refusals", range(1, record["run"]))
        return any(
            each["state"] == "refused" and all(each[key] == record[key] for key in alike)
            for each in self.records()
            if each["run"] in before
        )


def run_gate(
    runs: GateRuns,
    content: str,
    sides: Sides,
    larger: Larger | None = None,
    *,
    progress: ProgressCallback | None = None,
) -> tuple[Finding, ...]:
    """Runs the gate, records it, and returns what may be published.

    The same content by the same rules is no retry: the judgement that is kept stands. Anything else
    is one, also the same content by another alpha or seed: alpha is divided by the number of runs,
    and a model that was refused stays refused, since drawing until the gate passes would be a leak
    of its own.
    """
    contract, larger = sides[0].contract, larger or Larger({}, {})
    record = runs.judged_once(
        content,
        _rules(contract, larger.ingest),
        lambda number: _judged(sides, number, larger, progress),
    )
    return (*findings_of(record), _of_runs(contract.tables[0].name, record, runs))


def as_kept(findings: tuple[Finding, ...]) -> list[dict[str, Any]]:
    """Findings as a run keeps them: JSON, which has no number for an end without bounds."""
    return [json.loads(finding.model_dump_json()) for finding in findings]


def findings_of(record: dict[str, Any]) -> tuple[Finding, ...]:
    """What a run found, as it may be published."""
    return tuple(Finding.model_validate(each) for each in record["findings"])


def _judged(
    sides: Sides, number: int, larger: Larger, progress: ProgressCallback | None
) -> dict[str, Any]:
    from models.privacy.gate import Attempt, evaluate_privacy

    training, synthetic, holdout = sides
    shares = {
        name: len(training.tables[name]) / max(rows, 1)
        for name, rows in larger.training_rows.items()
    }
    attempt = Attempt(training.contract.sampling.seed, number, shares, larger.columns)
    gated = evaluate_privacy(training, synthetic, holdout, attempt, progress)
    return {
        "state": gate_state(gated.findings),
        "findings": as_kept(gated.findings),
        "figures": gated.figures,
    }


def _rules(contract: Contract, ingest: str) -> str:
    """What decides a judgement beside the candidate: real rows, bars, the seed of the attacks."""
    return content_id({
        "ingest": ingest,
        "alpha": contract.bars.alpha, "leak_share": contract.bars.leak_share,
        "seed": contract.sampling.seed,
    })  # fmt: skip


def gate_state(findings: tuple[Finding, ...]) -> str:
    """`pass`, `refused` or `inconclusive`."""
    verdict, _ = judge(findings)
    return "pass" if verdict == "published" else verdict


def _of_runs(table: str, record: dict[str, Any], runs: GateRuns) -> Finding:
    """`gate_runs`: how often this model has been judged; refused if it was refused before."""
    number = record["run"]
    refused = runs.refused_before(record, *(["content"] if runs.many_models else []))
    detail = "The first and only judgement of this model."
    if number > 1:
        detail = f"Judged {number} times: alpha is divided by {number}."
    if runs.many_models:
        detail = (
            f"Candidate {number} without a model's name that is held against the same held-out "
            f"rows: alpha is divided by {number}. Name what made each one with --model."
        )
    if refused:
        detail += " It was refused before: drawing again does not make a model forget."
    return Finding(
        name="gate_runs", group="copies", value=float(number), unit="count",
        state="refuse" if refused else "info", table=table, detail=detail,
    )  # fmt: skip
