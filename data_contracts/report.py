"""What was found, and how sure we are: never a bare number as a verdict."""

from typing import Any, Literal

from pydantic import Field

from data_contracts.record import Record

State = Literal["pass", "refuse", "inconclusive", "info"]
Verdict = Literal["published", "refused", "inconclusive"]


class Finding(Record):
    """One figure with its interval, what it is judged against, its bar and its state.

    `value` is None where the figure is undefined (say why in `detail`). `reference` is the noise
    ceiling, the baseline or the control; `reference_name` says which. `state` is "info" for a
    figure that no bar judges. The unit "target" is the predicted column's own. Where a count of
    rows is a band, `low` and `high` are its ends and `value` is the upper one.
    """

    name: str
    group: Literal["fidelity", "utility", "copies", "attacks", "proof", "other"]
    value: float | None
    low: float | None = None
    high: float | None = None
    reference: float | None = None
    reference_name: str | None = None
    bar: float | None = None
    unit: Literal["", "%", "rows", "count", "target"] = ""
    state: State = "info"
    table: str | None = None
    column: str | None = None
    detail: str = ""


class Report(Record):
    """Findings with provenance; `pictures` holds the binned data that the report draws.

    `report.html` is drawn from this record alone.
    """

    schema_version: Literal[1] = 1
    verdict: Verdict
    reasons: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    proof: dict[str, Any] = Field(default_factory=dict)
    pictures: dict[str, Any] = Field(default_factory=dict)
    provenance: dict[str, Any] = Field(default_factory=dict)


def judge(findings: tuple[Finding, ...]) -> tuple[Verdict, tuple[str, ...]]:
    """The verdict that findings add up to, and the reasons for anything but `published`.

    One refusal refuses; else one undecided finding makes the whole inconclusive.
    """
    refused = tuple(_reason(finding) for finding in findings if finding.state == "refuse")
    if refused:
        return "refused", refused
    undecided = tuple(_reason(finding) for finding in findings if finding.state == "inconclusive")
    return ("inconclusive", undecided) if undecided else ("published", ())


def _reason(finding: Finding) -> str:
    place = f"{finding.table}: " if finding.table else ""
    value = "undefined" if finding.value is None else _with_unit(finding, finding.value)
    if finding.unit == "rows" and None not in (finding.low, finding.high, finding.value):
        value = f"{finding.low:,.0f} to {value}" if finding.low != finding.high else value
    bar = "" if finding.bar is None else f", bar {_with_unit(finding, finding.bar)}"
    detail = f" ({finding.detail})" if finding.detail else ""
    return f"{place}{finding.name} = {value}{bar}{detail}"


def _with_unit(finding: Finding, figure: float) -> str:
    if finding.unit == "rows":
        return f"{figure:,.0f} {'row' if figure == 1 else 'rows'}"
    return f"{figure:.4g}{'%' if finding.unit == '%' else ''}"
