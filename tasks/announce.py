"""What a person sees while a run goes on and when it ends: tags, progress, Prefect artifacts."""

import contextlib
import re
import sys
import time
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, Self
from uuid import UUID

from prefect import get_client, tags, task
from prefect.artifacts import (
    create_link_artifact,
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.cache_policies import NO_CACHE
from prefect.context import FlowRunContext, TaskRunContext

from data_contracts.contract import Contract
from data_contracts.report import Finding, Report
from tasks.run import Outcome, Run

_SECONDS_BETWEEN_UPDATES = 2.0
_BAR = 30
# An artifact is for a glance; the report has all findings.
_MAX_FINDINGS = 60
_STATES = ("refuse", "inconclusive", "pass", "info")
# What a browser follows from a server's page; it does not open files of the worker.
_LINKED = ("http://", "https://", "s3://")


@contextlib.contextmanager
def tagged(*names: str) -> Iterator[None]:
    """Tags the flow run that goes on here with `names`, and all that it starts inside.

    Prefect's own `tags` reaches only what is started inside: a run from the command line would go
    without, and a deployment's run would have no more than the deployment's tags, whichever
    contract it was given.
    """
    context = FlowRunContext.get()
    if context is not None and context.flow_run is not None:
        wanted = sorted({*context.flow_run.tags, *names})
        with get_client(sync_client=True) as client:
            client.update_flow_run(context.flow_run.id, tags=wanted)
    with tags(*names):
        yield


class ProgressReporter:
    """A bar in a terminal, a progress artifact in Prefect; a call-back for long work.

    `__call__(done, figures)` takes the share done in 0..1 and figures such as the loss.
    """

    def __init__(self, title: str) -> None:
        self.title = title
        self._artifact: UUID | None = None
        self._updated = 0.0
        self._terminal = sys.stderr.isatty()

    def __enter__(self) -> Self:
        if TaskRunContext.get() is not None:
            created = create_progress_artifact(progress=0.0, description=self.title)
            self._artifact = created if isinstance(created, UUID) else None
        return self

    def __call__(self, done: float, figures: Mapping[str, float]) -> None:
        now = time.monotonic()
        if now - self._updated < _SECONDS_BETWEEN_UPDATES and done < 1:
            return
        self._updated = now
        if self._terminal:
            told = " ".join(f"{name} {value:.4g}" for name, value in figures.items())
            bar = "#" * round(done * _BAR)
            sys.stderr.write(f"\r{self.title} [{bar:<{_BAR}}] {done:4.0%} {told}\x1b[K")
            sys.stderr.flush()
        if self._artifact is not None:
            update_progress_artifact(self._artifact, progress=round(100 * done, 1))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self(1.0, {})
        if self._terminal:
            sys.stderr.write("\n")


@task(name="announce_proof", cache_policy=NO_CACHE)
def announce_proof(contract: Contract, proof: dict[str, Any]) -> None:
    """The proof as a table artifact: a line for each rule of each table.

    Under `privacy` without counts of rows: who sees Prefect's pages may not be who may see rows.
    """
    told = ("rule", "scope", "state") if contract.privacy is not None else None
    rows = [
        {"table": table["table"]} | {key: rule[key] for key in told or rule}
        for table in proof["tables"]
        for rule in table["rules"]
    ]
    create_table_artifact(rows, key=_key(contract.id, "proof"), description="Contract proof")


@task(name="announce_release", cache_policy=NO_CACHE)
def announce_release(run: Run, report: Report, outcome: Outcome) -> None:
    """Verdict, findings and where the report lies, as artifacts of the flow run."""
    contract_id, report_path = run.contract.id, outcome.report or ""
    create_markdown_artifact(
        _summary(contract_id, report, report_path),
        key=_key(contract_id, "verdict"),
        description=f"Verdict on release {(outcome.release or '').rsplit('/', 1)[-1]}",
    )
    if report_path.startswith(_LINKED):
        create_link_artifact(report_path, link_text="Report", key=_key(contract_id, "report"))


def _summary(contract_id: str, report: Report, report_path: str) -> str:
    """Verdict, reasons, the report's path and the findings, those against release first."""
    reasons = "".join(f"- {reason}\n" for reason in report.reasons)
    findings = sorted(report.findings, key=lambda finding: _STATES.index(finding.state))
    more = len(findings) - _MAX_FINDINGS
    lines = [
        f"# {contract_id}: {report.verdict}\n",
        *([reasons] if reasons else []),
        f"Report: `{report_path}`\n",
        "| table | finding | value | interval | reference | bar | state |",
        "|---|---|---:|---:|---:|---:|---|",
        *(_line(finding) for finding in findings[:_MAX_FINDINGS]),
        *([f"\n{more} more findings are in the report."] if more > 0 else []),
    ]
    return "\n".join(lines)


def _line(finding: Finding) -> str:
    interval = (
        f"{_figure(finding.low)} to {_figure(finding.high)}" if finding.low is not None else ""
    )
    cells = (
        finding.table or "", finding.name, f"{_figure(finding.value)} {finding.unit}".strip(),
        interval, _figure(finding.reference), _figure(finding.bar), finding.state,
    )  # fmt: skip
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _key(contract_id: str, what: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", f"{contract_id}-{what}".lower()).strip("-")
