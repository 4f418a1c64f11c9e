"""From a report's findings to the rows, sentences and reasons that its page shows."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from markupsafe import Markup

from data_contracts.report import Finding, Report, judge
from tasks.bullet_svg import bullet
from tasks.report_numbers import number, show
from tasks.report_words import (
    FULL_GATE,
    GROUP_REMEDIES,
    MAIN_FIGURES,
    NEAR_BAR_REMEDY,
    STATE_WORDS,
    UNDECIDED_REMEDY,
    VERDICTS,
    Measure,
    measure_of,
    reference_words,
)

POWERS = ("smallest_exact_leak", "smallest_near_leak")
DETECTION = ("detection_auc", "detection_score")
_MOST_REASONS = 8
# What an AUC up to each bound says about a classifier.
_EASE = (
    (0.55, "can hardly tell"),
    (0.65, "finds it hard to tell"),
    (0.8, "can often tell"),
    (float("inf"), "can easily tell"),
)
_DECIDING = {"refused": "refuse", "inconclusive": "inconclusive"}


@dataclass(frozen=True)
class Row:
    """One finding, ready to print."""

    name: str
    label: str
    meaning: str
    group: str
    table: str | None
    column: str | None
    value: str
    interval: str
    reference: str
    bar: str
    state: str
    state_word: str
    detail: str
    drawing: Markup


@dataclass(frozen=True)
class Reason:
    """One finding that decided the verdict, in words, with what one can do about it."""

    row: Row
    sentence: str
    remedy: str


@dataclass(frozen=True)
class Verdict:
    """The head of the page."""

    word: str
    state: str
    sentence: str
    reasons: list[Reason]
    unshown: int
    other_reasons: list[str]
    tally: str


def finding_row(finding: Finding) -> Row:
    """A finding with every figure as text and its bullet chart."""
    measure = measure_of(finding.name, finding.unit)
    return Row(
        name=finding.name,
        label=measure.label,
        meaning=measure.meaning,
        group=finding.group,
        table=finding.table,
        column=finding.column,
        value=show(finding.value, finding.unit),
        interval=_interval(finding),
        reference=_reference(finding),
        bar="" if number(finding.bar) is None else show(finding.bar, finding.unit),
        state=finding.state,
        state_word=STATE_WORDS[finding.state],
        detail=finding.detail,
        drawing=bullet(finding, measure, _spoken(finding, measure)),
    )


def verdict_view(report: Report) -> Verdict:
    """What was decided and why: the deciding findings in words, then any other reason as it is."""
    state, word, sentence = VERDICTS[report.verdict]
    deciding = [
        finding for finding in report.findings if finding.state == _DECIDING.get(report.verdict)
    ]
    told = set(judge(report.findings)[1])
    return Verdict(
        word=word,
        state=state,
        sentence=sentence,
        reasons=[_reason(finding) for finding in deciding[:_MOST_REASONS]],
        unshown=max(len(deciding) - _MOST_REASONS, 0),
        other_reasons=[reason for reason in report.reasons if reason not in told],
        tally=_tally(report.findings),
    )


def summary_rows(report: Report) -> list[Row]:
    """The main figures in a fixed order, then whatever else decided the verdict."""
    order = {name: place for place, name in enumerate(MAIN_FIGURES)}
    main = [finding for finding in report.findings if finding.name in order and not finding.column]
    tables = _tables(report.findings)
    main.sort(key=lambda finding: (tables.index(finding.table), order[finding.name]))
    shown = {id(finding) for finding in main}
    others = [
        finding
        for finding in report.findings
        if finding.state in ("refuse", "inconclusive") and id(finding) not in shown
    ]
    rows = [finding_row(finding) for finding in [*main, *others[:_MOST_REASONS]]]
    # Only utility says in its detail what it measures; the sections tell the others' details.
    return [row if row.group == "utility" else replace(row, detail="") for row in rows]


def group_rows(report: Report, group: str) -> list[Row]:
    """The findings of one group that speak of a whole table or of a class, not of a column's shape.

    Shape errors of single columns stand in the table of columns, detection in a section of its own.
    """
    return [
        finding_row(finding)
        for finding in report.findings
        if finding.group == group
        and not (group == "fidelity" and (finding.column or finding.name in DETECTION))
    ]


def split_utility(rows: list[Row]) -> tuple[list[Row], list[Row]]:
    """The scores of whole models; then the figures of classes or misses, both models in turn."""
    main = [row for row in rows if row.name in ("trtr", "tstr", "utility_gap", "trts")]
    seen: dict[str, int] = {}
    turns: list[tuple[int, Row]] = []
    for row in rows:
        if row not in main:
            model = row.name.partition("_")[0]
            turns.append((seen.get(model, 0), row))
            seen[model] = seen.get(model, 0) + 1
    return main, [row for _, row in sorted(turns, key=lambda turn: turn[0])]


def untested_attacks(findings: Iterable[Finding]) -> list[str]:
    """The attacks of the full privacy gate that no finding of this report names."""
    names = [finding.name.lower() for finding in findings if finding.group == "copies"]
    return [
        attack
        for attack, words in FULL_GATE.items()
        if not any(word in name for name in names for word in words)
    ]


def sentences(report: Report) -> list[str]:
    """The release in four sentences at most: columns, detection, usefulness, copies."""
    tables = _tables(report.findings)
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
    tables = _tables(report.findings)
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
            against = f" (a perfect sampler: {show(finding.reference, finding.unit)})"
        parts.append(f"{what} are off by {show(finding.value, finding.unit)} on average{against}")
    return _sentence("; ".join(parts))


def _detection(found: dict[str, Finding]) -> str:
    finding = found.get("detection_auc")
    value = number(finding.value) if finding else None
    if finding is None or value is None:
        return ""
    if _too_good(finding):
        told = measure_of(finding.name, finding.unit).too_good.removesuffix(".")
        return f"{told} (AUC {show(value)}): that is no success."
    words = next(words for bound, words in _EASE if value <= bound)
    return f"A classifier {words} synthetic rows from real ones (AUC {show(value)})."


def _too_good(finding: Finding) -> bool:
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
    if not states:
        return ""
    if "refuse" in states:
        return "The copy tests found signs that training rows were repeated."
    if "inconclusive" in states:
        return "The copy tests had too few rows to decide."
    return (
        "The copy tests found no sign of repeated training rows, within the power stated here."
        if "pass" in states
        else ""
    )


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def _reason(finding: Finding) -> Reason:
    measure = measure_of(finding.name, finding.unit)
    row = finding_row(finding)
    remedy = measure.remedy or GROUP_REMEDIES[finding.group]
    if finding.state == "refuse":
        return Reason(row, measure.failing or f"{measure.label} is beyond its bar.", remedy)
    if measure.too_good and _too_good(finding):
        return Reason(row, measure.too_good, GROUP_REMEDIES["copies"])
    if finding.name in POWERS:
        return Reason(row, measure.failing, remedy)
    if number(finding.value) is None or not row.bar or not row.interval:
        return Reason(row, f"{measure.label} could not be decided.", UNDECIDED_REMEDY)
    sentence = f"{measure.label} is beyond its bar, but by no more than chance may explain."
    return Reason(row, sentence, NEAR_BAR_REMEDY + remedy)


def _interval(finding: Finding) -> str:
    low, high = number(finding.low), number(finding.high)
    if low is None and high is None:
        return ""
    if low is None:
        return f"at most {show(high, finding.unit)}"
    if high is None:
        return f"at least {show(low, finding.unit)}"
    start = show(low, "" if finding.unit == "rows" else finding.unit)
    return f"{start.replace(chr(0x202F) + '%', '')} to {show(high, finding.unit)}"


def _reference(finding: Finding) -> str:
    if number(finding.reference) is None:
        return ""
    return f"{reference_words(finding.reference_name)} {show(finding.reference, finding.unit)}"


def _spoken(finding: Finding, measure: Measure) -> str:
    """The drawing in words, for a reader who can't see it."""
    parts = [f"{measure.label}: {show(finding.value, finding.unit)}"]
    parts += [f"interval {_interval(finding)}"] if _interval(finding) else []
    parts += [_reference(finding)] if _reference(finding) else []
    parts += [f"bar {show(finding.bar, finding.unit)}"] if number(finding.bar) is not None else []
    return ", ".join([*parts, STATE_WORDS[finding.state].lower()])


def _tables(findings: Iterable[Finding]) -> list[str | None]:
    return list(dict.fromkeys(finding.table for finding in findings))


def _tally(findings: tuple[Finding, ...]) -> str:
    judged = [finding for finding in findings if finding.state != "info"]
    if not judged:
        return "This report judges no figure."
    counts = [
        (sum(finding.state == state for finding in judged), word)
        for state, word in (("pass", "pass"), ("refuse", "refused"), ("inconclusive", "undecided"))
    ]
    shown = ", ".join(f"{amount} {word}" for amount, word in counts if amount)
    noun = "figure" if len(judged) == 1 else "figures"
    return f"{len(judged)} judged {noun}: {shown}."
