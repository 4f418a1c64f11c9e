"""A release in a few sentences: columns, detection, usefulness, copies and their power."""

from collections.abc import Iterable

from data_contracts.report import Finding, Report
from tasks.report_measures import measure_of
from tasks.report_numbers import number, show

POWERS = ("smallest_exact_leak", "smallest_near_leak")
# What an AUC up to each bound says about a classifier.
_EASE = (
    (0.55, "can hardly tell"),
    (0.65, "finds it hard to tell"),
    (0.8, "can often tell"),
    (float("inf"), "can easily tell"),
)


def sentences(report: Report) -> list[str]:
    """The release in four sentences at most: columns, detection, usefulness, copies."""
    tables = tables_of(report.findings)
    told: list[str] = []
    for table in tables:
        lead = f"{table}: " if table and len(tables) > 1 else ""
        found = {
            finding.name: finding
            for finding in reversed(report.findings)
            if finding.table == table and not finding.column
        }
        parts = (_fidelity(found), _detection(found), _utility(found), _copies(found))
        told += [lead + part for part in parts if part]
    return told


def power_lines(report: Report) -> list[str]:
    """How small a leak the copy tests of each table would have seen: a sentence for each kind."""
    tables = tables_of(report.findings)
    return [
        (f"{finding.table}: " if finding.table and len(tables) > 1 else "")
        + finding.detail.partition(" Caught in ")[0]
        for finding in report.findings
        if finding.name in POWERS and finding.state in ("pass", "inconclusive") and finding.detail
    ]


def _fidelity(found: dict[str, Finding]) -> str:
    parts = []
    for name, what in (("shape_error", "Single columns"), ("trend_error", "pairs of columns")):
        finding = found.get(name)
        if finding is None or number(finding.value) is None:
            continue
        against = ""
        if number(finding.reference) is not None:
            against = f" (held-out real rows: {show(finding.reference, finding.unit)})"
        parts.append(f"{what} are off by {show(finding.value, finding.unit)} on average{against}")
    return _sentence("; ".join(parts))


def _detection(found: dict[str, Finding]) -> str:
    finding = found.get("detection_auc")
    value = number(finding.value) if finding else None
    if finding is None or value is None:
        return ""
    if too_good(finding):
        told = measure_of(finding.name, finding.unit).too_good.removesuffix(".")
        return f"{told} (AUC {show(value)}): that is no success."
    words = next(words for bound, words in _EASE if value <= bound)
    return f"A classifier {words} synthetic rows from real ones (AUC {show(value)})."


def too_good(finding: Finding) -> bool:
    """Undecided although the whole interval is within the bar: better than it should be."""
    high, bar = number(finding.high), number(finding.bar)
    if finding.state != "inconclusive" or high is None or bar is None:
        return False
    reference = number(finding.reference)
    return high < min(bar, bar if reference is None else reference)


def _utility(found: dict[str, Finding]) -> str:
    synthetic, real = found.get("tstr"), found.get("trtr")
    if synthetic is None or number(synthetic.value) is None:
        return ""
    baseline = real.value if real else synthetic.reference
    against = "" if number(baseline) is None else f", against {show(baseline)} trained on real rows"
    if synthetic.unit == "target":
        return (
            f"A model trained on the synthetic rows misses held-out real rows by "
            f"{show(synthetic.value)} (root mean square, in the target's unit){against}."
        )
    return (
        f"A model trained on the synthetic rows scores {show(synthetic.value)} on held-out real "
        f"rows{against}."
    )


def _copies(found: dict[str, Finding]) -> str:
    states = {found[name].state for name in ("exact_copies", "tail_copies") if name in found}
    attacks = {found[name].state for name in _ATTACKS if name in found}
    if not states:
        return ""
    if "refuse" in attacks and "refuse" not in states:
        return "An attack learned more about people who were trained on than about others."
    if "refuse" in states:
        return "The copy tests found signs that training rows were repeated."
    if "inconclusive" in states:
        return "The copy tests had too few rows to decide."
    return (
        "The copy tests found no sign of repeated training rows, within the power stated here."
        if "pass" in states
        else ""
    )


_ATTACKS = (
    "hygiene", "sequence_copies", "membership_inference", "outlier_membership",
    "attribute_inference", "linkability", "singling_out", "inference",
)  # fmt: skip


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def tables_of(findings: Iterable[Finding]) -> list[str | None]:
    """The tables that findings speak of, in their order."""
    return list(dict.fromkeys(finding.table for finding in findings))
