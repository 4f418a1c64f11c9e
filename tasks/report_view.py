"""From a report's findings to the rows, sentences and reasons that its page shows."""

from collections.abc import Iterable
from dataclasses import dataclass

from markupsafe import Markup

from data_contracts.report import Finding, Report, judge
from tasks.bullet_svg import bullet, is_band
from tasks.report_measures import GROUP_REMEDIES, Measure, measure_of, reference_words
from tasks.report_numbers import number, show
from tasks.report_sentences import POWERS, tables_of, too_good
from tasks.report_words import (
    FULL_GATE,
    MAIN_FIGURES,
    NEAR_BAR_REMEDY,
    STATE_WORDS,
    UNDECIDED_REMEDY,
    VERDICTS,
)

DETECTION = ("detection_auc", "detection_score")
_MOST_REASONS = 8
_POWER_OF = {"smallest_exact_leak": "exact_copies", "smallest_near_leak": "tail_copies"}
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
        value=_shown(finding),
        interval="" if is_band(finding) else _interval(finding),
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
    deciding = _deciding(report)
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


def _deciding(report: Report) -> list[Finding]:
    """What the verdict rests on; for a test that is undecided for want of power, the power."""
    found = [
        finding for finding in report.findings if finding.state == _DECIDING.get(report.verdict)
    ]
    blind = {(finding.table, _POWER_OF.get(finding.name)) for finding in found}
    return [finding for finding in found if (finding.table, finding.name) not in blind]


def is_of_codes(report: Report) -> bool:
    """Whether this is about shared codes, which are attacked, and not about synthetic rows."""
    return any(finding.group == "attacks" for finding in report.findings)


def summary_findings(report: Report) -> list[Finding]:
    """The main figures in a fixed order, then whatever else decided the verdict.

    A report of codes has none: its attacks come first, all together.
    """
    if is_of_codes(report):
        return []
    order = {name: place for place, name in enumerate(MAIN_FIGURES)}
    main = [finding for finding in report.findings if finding.name in order and not finding.column]
    tables = tables_of(report.findings)
    main.sort(key=lambda finding: (tables.index(finding.table), order[finding.name]))
    shown = {id(finding) for finding in main}
    others = [
        finding
        for finding in report.findings
        if finding.state in ("refuse", "inconclusive") and id(finding) not in shown
    ]
    return [*main, *others[:_MOST_REASONS]]


def group_rows(report: Report, group: str) -> list[Row]:
    """The findings of one group that speak of a whole table or of a class, not of a column's shape.

    Shape errors of single columns stand in the table of columns, detection in a section of its own,
    and what the main figures show is not shown again.
    """
    shown = {id(finding) for finding in summary_findings(report)}
    return [
        finding_row(finding)
        for finding in report.findings
        if finding.group == group
        and id(finding) not in shown
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
    """The attacks of the full privacy gate that were not run: no finding names one, or says so."""
    names = [
        finding.name.lower()
        for finding in findings
        if finding.group == "copies" and not (finding.value is None and finding.state == "info")
    ]
    return [
        attack
        for attack, words in FULL_GATE.items()
        if not any(word in name for name in names for word in words)
    ]


def _reason(finding: Finding) -> Reason:
    measure = measure_of(finding.name, finding.unit)
    row = finding_row(finding)
    remedy = measure.remedy or GROUP_REMEDIES[finding.group]
    if finding.state == "refuse":
        return Reason(row, measure.failing or f"{measure.label} is beyond its bar.", remedy)
    if measure.too_good and too_good(finding):
        return Reason(row, measure.too_good, GROUP_REMEDIES["copies"])
    if finding.name in POWERS:
        return Reason(row, measure.failing, remedy)
    if number(finding.value) is None or not row.bar or not row.interval:
        return Reason(row, f"{measure.label} could not be decided.", UNDECIDED_REMEDY)
    side = "within" if _is_within(finding, measure) else "beyond"
    sentence = f"{measure.label} is {side} its bar, but by no more than chance may explain."
    return Reason(row, sentence, NEAR_BAR_REMEDY + remedy)


def _is_within(finding: Finding, measure: Measure) -> bool:
    """Whether the value itself, without its interval, would pass."""
    value, bar = number(finding.value), number(finding.bar)
    if value is None or bar is None or measure.better == "either":
        return False
    return value <= bar if measure.better == "lower" else value >= bar


def _shown(finding: Finding) -> str:
    return _interval(finding) if is_band(finding) else show(finding.value, finding.unit)


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
    parts = [f"{measure.label}: {_shown(finding)}"]
    if _interval(finding) and not is_band(finding):
        parts.append(f"interval {_interval(finding)}")
    parts += [_reference(finding)] if _reference(finding) else []
    parts += [f"bar {show(finding.bar, finding.unit)}"] if number(finding.bar) is not None else []
    return ", ".join([*parts, STATE_WORDS[finding.state].lower()])


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
