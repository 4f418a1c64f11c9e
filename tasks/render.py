"""The quality report as one self-contained HTML file, drawn from a Report alone.

No script, no font, no picture from elsewhere: what is in the file is all there is, so that it can
be mailed, archived and printed. Everything that comes from data is escaped by the template engine.
"""

import importlib.resources
from typing import Any

import jinja2

from data_contracts.report import Report
from tasks.attack_measures import CODE_GLOSSARY
from tasks.bullet_svg import state_sign
from tasks.heat_map_svg import CLASS_NAMES
from tasks.report_numbers import count, items
from tasks.report_pictures import proof_views, provenance_view, table_views
from tasks.report_sentences import power_lines, sentences
from tasks.report_view import (
    DETECTION,
    finding_row,
    group_rows,
    is_of_codes,
    split_utility,
    summary_findings,
    untested_attacks,
    verdict_view,
)
from tasks.report_words import GLOSSARY, STATE_WORDS

_GROUPS = ("fidelity", "utility", "copies", "attacks", "proof", "other")


def render_report(report: Report) -> str:
    """The report as one HTML page: the verdict first, then the figures it rests on.

    Pure and deterministic: the same report gives the same text, whatever the clock or the machine.
    Any key of `pictures`, `proof` and `provenance` may be missing; its part of the page then says
    so or is left out.
    """
    return _environment().get_template("report.html.j2").render(_page(report))


def _page(report: Report) -> dict[str, Any]:
    tables = {finding.table for finding in report.findings if finding.table}
    everything = [finding_row(finding) for finding in report.findings]
    of_codes = is_of_codes(report)
    return {
        "of_codes": of_codes,
        "name": str(
            report.provenance.get("contract_name") or report.provenance.get("contract") or ""
        ),
        "provenance": provenance_view(report),
        "source": {key: str(value) for key, value in report.provenance.items()},
        "verdict": verdict_view(report),
        "published": report.verdict == "published",
        "sentences": sentences(report),
        "powers": power_lines(report),
        "summary": [finding_row(finding) for finding in summary_findings(report)],
        "measured": {finding.group for finding in report.findings},
        "groups": {group: group_rows(report, group) for group in _GROUPS},
        "utility": split_utility(group_rows(report, "utility")),
        "detection": [row for row in everything if row.name in DETECTION[1:]],
        "everything": everything,
        "tables": table_views(report),
        "many_tables": len(tables) > 1,
        "proof": proof_views(report),
        "cautions": [str(one) for one in items(report.provenance.get("caution"))],
        # Under a privacy budget the gate has run, and its figures are not published.
        "untested": [] if report.provenance.get("privacy") else untested_attacks(report.findings),
        "withheld": str(report.provenance.get("withheld") or ""),
        "heat_classes": CLASS_NAMES,
        "glossary": CODE_GLOSSARY if of_codes else GLOSSARY,
        "schema_version": report.schema_version,
    }


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_template),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals["sign"] = state_sign
    environment.globals["state_words"] = STATE_WORDS
    environment.filters["count"] = count
    return environment


def _template(name: str) -> str | None:
    file = importlib.resources.files("tasks") / "templates" / name
    return file.read_text(encoding="utf-8") if file.is_file() else None
