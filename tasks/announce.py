"""What a person sees while a run goes on and when it ends: progress, Prefect artifacts."""

import re
import sys
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self
from uuid import UUID

from prefect import task
from prefect.artifacts import (
    create_link_artifact,
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.cache_policies import NO_CACHE
from prefect.context import TaskRunContext

from data_contracts.report import Report
from tasks.run import Outcome, Run

_SECONDS_BETWEEN_UPDATES = 2.0
_BAR = 30


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
def announce_proof(contract_id: str, proof: dict[str, Any]) -> None:
    """The proof as a table artifact: a line for each rule of each table."""
    rows = [
        {"table": table["table"], **rule} for table in proof["tables"] for rule in table["rules"]
    ]
    create_table_artifact(rows, key=_key(contract_id, "proof"), description="Contract proof")


@task(name="announce_release", cache_policy=NO_CACHE)
def announce_release(run: Run, report: Report, outcome: Outcome) -> None:
    """Verdict, findings and a link to the report as artifacts of the flow run."""
    contract_id, report_path = run.contract.id, outcome.report or ""
    reasons = "".join(f"\n- {reason}" for reason in report.reasons)
    create_markdown_artifact(
        f"# {contract_id}: {report.verdict}\n{reasons}\n\nReport: `{report_path}`",
        key=_key(contract_id, "verdict"),
        description=f"Verdict on release {report.provenance.get('release')}",
    )
    shown = ("table", "name", "value", "low", "high", "reference", "bar", "state")
    create_table_artifact(
        [{key: getattr(finding, key) for key in shown} for finding in report.findings],
        key=_key(contract_id, "findings"),
        description="Findings",
    )
    link = report_path if "://" in report_path else f"file://{report_path}"
    create_link_artifact(link, link_text="Report", key=_key(contract_id, "report"))


def _key(contract_id: str, what: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", f"{contract_id}-{what}".lower()).strip("-")
