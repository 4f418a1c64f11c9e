"""What ingest and proof found: plain records that travel between tasks and into the report."""

from typing import Literal

from pydantic import Field

from data_contracts.manifest import ArtifactRef
from data_contracts.record import Record

RuleState = Literal["pass", "fail", "crashed"]


class RuleCount(Record):
    """One rule of the contract, and how the rows that it looked at kept it.

    A row rule rejects the rows that break it; a broken table rule breaks the whole table.
    `state` is "crashed" when the check itself raised: then nothing is known about the data, which
    is neither a pass nor a fail. `detail` never holds values of rows.
    """

    rule: str
    checked: int
    broken: int
    state: RuleState
    scope: Literal["row", "table"] = "row"
    detail: str = ""


class ReasonCount(Record):
    """How many rows were rejected for this reason; a row with two reasons counts for both."""

    rule: str
    rows: int


class Ingested(Record):
    """A source read into typed parts. `rows_read` = typed rows + rejected rows: nothing is lost."""

    table: str
    parts: tuple[ArtifactRef, ...]
    rejects: tuple[ArtifactRef, ...] = ()
    rows_read: int
    rows_typed: int
    rows_rejected: int
    reasons: tuple[ReasonCount, ...] = ()
    notes: tuple[str, ...] = ()
    fingerprint: str | None = Field(
        default=None, description="sha256 of the source's bytes; None for a database."
    )


class ProvenPart(Record):
    """A typed part after its row rules: the rows that keep them, and where the others went."""

    table: str
    part: ArtifactRef
    rejects: ArtifactRef | None = None
    rows_read: int
    rows_proven: int
    rows_rejected: int
    rules: tuple[RuleCount, ...] = ()
    reasons: tuple[ReasonCount, ...] = ()


def add_reasons(*counts: tuple[ReasonCount, ...]) -> tuple[ReasonCount, ...]:
    """The reasons of several parts added up, most frequent first."""
    total: dict[str, int] = {}
    for reason in (reason for group in counts for reason in group):
        total[reason.rule] = total.get(reason.rule, 0) + reason.rows
    ordered = sorted(total.items(), key=lambda item: (-item[1], item[0]))
    return tuple(ReasonCount(rule=rule, rows=rows) for rule, rows in ordered)


def add_rules(*counts: tuple[RuleCount, ...]) -> tuple[RuleCount, ...]:
    """The rules of several parts added up, in order of first sight; one crash crashes the rule."""
    total: dict[str, RuleCount] = {}
    for rule in (rule for group in counts for rule in group):
        before = total.get(rule.rule)
        total[rule.rule] = rule if before is None else _added(before, rule)
    return tuple(total.values())


def _added(first: RuleCount, second: RuleCount) -> RuleCount:
    states: set[RuleState] = {first.state, second.state}
    state: RuleState = (
        "crashed" if "crashed" in states else ("fail" if "fail" in states else "pass")
    )
    return RuleCount(
        rule=first.rule,
        checked=first.checked + second.checked,
        broken=first.broken + second.broken,
        state=state,
        scope=first.scope,
        detail=first.detail or second.detail,
    )
