"""From `pictures`, `proof` and `provenance` to what the page prints; any part may be missing."""

from dataclasses import dataclass, replace
from typing import Any

from markupsafe import Markup

from data_contracts.report import Report
from tasks.heat_map_svg import MOST_COLUMNS, heat_map, matrix
from tasks.pictures_svg import SOURCES, column_picture, largest_gap
from tasks.report_ledger import ledger_facts
from tasks.report_numbers import (
    count,
    duration,
    items,
    mapping,
    mappings,
    number,
    plain,
    share,
    show,
)

MOST_PICTURES = 60
_OPEN_PICTURES = 18
_WORST_PAIRS = 8
_MOST_GIVEAWAYS = 12
_GUESSING = 0.5


@dataclass(frozen=True)
class ColumnView:
    """One column: its figures as text and its drawing (empty where nothing can be drawn)."""

    name: str
    kind: str
    error: str
    ceiling: str
    error_value: float | None
    missing: list[str]
    gap: str
    drawing: Markup


@dataclass(frozen=True)
class PairView:
    """The heat maps of a table and its worst pairs."""

    error_map: Markup
    ceiling_map: Markup
    worst: list[tuple[str, str, str, str]]
    shown: int
    total: int


@dataclass(frozen=True)
class TableView:
    """Everything drawn for one table."""

    name: str
    columns: list[ColumnView]
    pictured: list[ColumnView]
    folded: list[ColumnView]
    pairs: PairView | None
    giveaways: list[tuple[str, str, Markup]]

    @property
    def unpictured(self) -> int:
        """Columns that could be drawn but are listed only, to keep the page light."""
        drawable = sum(bool(column.error != "—") for column in self.columns)
        return max(drawable - len(self.pictured) - len(self.folded), 0)


def table_views(report: Report) -> list[TableView]:
    """The pictures of each table, columns worst first."""
    alike = {
        finding.table
        for finding in report.findings
        if finding.name == "detection_auc" and finding.low is not None and finding.low <= _GUESSING
    }
    views = [_table_view(table) for table in mappings(report.pictures.get("tables"))]
    # Where rows were not told apart, nothing gave them away: what is left of the drops is chance.
    return [replace(view, giveaways=[]) if view.name in alike else view for view in views]


def _table_view(table: dict[str, Any]) -> TableView:
    raw = mappings(table.get("columns"))
    raw.sort(key=lambda column: -(number(column.get("shape_error")) or 0.0))
    views = [_column_view(column, place < MOST_PICTURES) for place, column in enumerate(raw)]
    drawn = [view for view in views if view.drawing]
    return TableView(
        name=str(table.get("table") or ""),
        columns=views,
        pictured=drawn[:_OPEN_PICTURES],
        folded=drawn[_OPEN_PICTURES:],
        pairs=_pair_view(mapping(table.get("pairs"))),
        giveaways=_giveaways(table),
    )


def _column_view(column: dict[str, Any], draw: bool) -> ColumnView:
    error, name = number(column.get("shape_error")), str(column.get("column", "?"))
    missing = mapping(column.get("missing"))
    kind = str(column.get("kind") or "")
    gap = largest_gap(column) if draw else ""
    shown = "unknown" if error is None else show(error, "%")
    title = f"{name}: shares of training, synthetic and holdout rows; shape error {shown}"
    return ColumnView(
        name=name,
        kind=kind,
        error="—" if error is None else show(error, "%"),
        ceiling="—" if number(column.get("shape_ceiling")) is None
        else show(column["shape_ceiling"], "%"),
        error_value=error,
        missing=[
            "—" if number(missing.get(source)) is None else share(missing[source])
            for source in SOURCES
        ],
        gap=gap,
        drawing=column_picture(column, title) if draw and kind != "identifier" else Markup(""),
    )  # fmt: skip


def _pair_view(pairs: dict[str, Any]) -> PairView | None:
    names = [str(name) for name in items(pairs.get("columns"))]
    error = matrix(pairs.get("error"), len(names))
    ceiling = matrix(pairs.get("ceiling"), len(names))
    if not any(value is not None for row in error for value in row):
        return None
    kept = _worst_columns(error)
    shown = [names[place] for place in kept]
    has_ceiling = any(value is not None for row in ceiling for value in row)
    return PairView(
        error_map=heat_map(shown, _part(error, kept), "Trend error of each pair, percent"),
        ceiling_map=heat_map(shown, _part(ceiling, kept), "Trend ceiling of each pair, percent")
        if has_ceiling
        else Markup(""),
        worst=_worst_pairs(names, error, ceiling),
        shown=len(kept),
        total=len(names),
    )


def _worst_columns(error: list[list[float | None]]) -> list[int]:
    """The places of the columns with the worst pairs, in the table's order."""
    worst = {
        place: max((value for value in row if value is not None), default=-1.0)
        for place, row in enumerate(error)
    }
    return sorted(sorted(worst, key=lambda place: (-worst[place], place))[:MOST_COLUMNS])


def _part(cells: list[list[float | None]], kept: list[int]) -> list[list[float | None]]:
    return [[cells[row][at] for at in kept] for row in kept]


def _worst_pairs(
    names: list[str], error: list[list[float | None]], ceiling: list[list[float | None]]
) -> list[tuple[str, str, str, str]]:
    pairs: list[tuple[float, int, int]] = []
    for row in range(len(names)):
        for at in range(row):
            value = error[row][at] if error[row][at] is not None else error[at][row]
            if value is not None:
                pairs.append((value, at, row))
    pairs.sort(key=lambda pair: (-pair[0], pair[1], pair[2]))
    return [
        (
            names[first],
            names[second],
            show(value, "%"),
            "—" if ceiling[second][first] is None else show(ceiling[second][first], "%"),
        )
        for value, first, second in pairs[:_WORST_PAIRS]
    ]


def _giveaways(table: dict[str, Any]) -> list[tuple[str, str, Markup]]:
    columns = [
        (str(entry.get("column", "?")), number(entry.get("importance")))
        for entry in mappings(table.get("detection_columns"))
    ]
    known = [(name, value) for name, value in columns if value is not None and value > 0]
    known.sort(key=lambda pair: (-pair[1], pair[0]))
    longest = max((value for _, value in known), default=0.0)
    return [(name, show(value), meter(value, longest)) for name, value in known[:_MOST_GIVEAWAYS]]


def meter(value: float | None, longest: float) -> Markup:
    """A plain bar for a table cell; its figure stands beside it as text."""
    part = 0.0 if value is None or longest <= 0 else min(max(value / longest, 0.0), 1.0)
    return Markup(
        '<svg class="meter" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="track" width="100" height="8"/>'
        '<rect class="fill" width="{}" height="8"/></svg>'
    ).format(round(100 * part, 1))


def proof_views(report: Report) -> list[dict[str, Any]]:
    """Per table: rows read, proven, rejected; the rules; why rows were rejected; notes."""
    return [_proof_view(table) for table in mappings(report.proof.get("tables"))]


def _proof_view(table: dict[str, Any]) -> dict[str, Any]:
    read, rejected = number(table.get("rows_read")), number(table.get("rows_rejected"))
    reasons = mappings(table.get("reject_reasons"))
    most = max((number(reason.get("rows")) or 0.0 for reason in reasons), default=0.0)
    rank = {"crashed": 0, "fail": 1, "pass": 2}
    rules = sorted(
        mappings(table.get("rules")), key=lambda rule: rank.get(str(rule.get("state")), 1)
    )
    return {
        "table": str(table.get("table") or ""),
        "read": count(read),
        "proven": count(table.get("rows_proven")),
        "rejected": count(rejected),
        "share": share(rejected / read) if read and rejected is not None else "",
        "tolerance": share(table.get("tolerance")) if "tolerance" in table else "",
        "reasons": [
            (str(reason.get("rule", "?")), count(reason.get("rows")),
             meter(number(reason.get("rows")), most))
            for reason in reasons
        ],
        "rules": [
            {
                "rule": str(rule.get("rule", "?")),
                "checked": count(rule.get("checked")),
                "broken": count(rule.get("broken")),
                "state": str(rule.get("state") or "info"),
                "detail": str(rule.get("detail") or ""),
            }
            for rule in rules
        ],
        "notes": [str(note) for note in items(table.get("notes"))],
    }  # fmt: skip


_PLACES = (
    ("contract", "Contract"), ("contract_version", "Contract version"), ("release", "Release"),
    ("created", "Created"), ("generator", "Generator"), ("seed", "Seed"), ("ingest", "Ingest"),
    ("model", "Model"),
)  # fmt: skip


def provenance_view(report: Report) -> dict[str, Any]:
    """Where the release comes from: ids, options, rows of each part, seconds, versions."""
    found = report.provenance
    seconds = mapping(found.get("seconds"))
    longest = max((number(value) or 0.0 for value in seconds.values()), default=0.0)
    known = {key for key, _ in _PLACES}
    shown = known | {
        "contract_name", "generator_options", "rows", "versions", "seconds", "peak_mib", "privacy",
        "withheld",
    }  # fmt: skip
    facts = [(label, plain(found[key])) for key, label in _PLACES if found.get(key) is not None]
    facts += [
        (key.replace("_", " ").capitalize(), plain(value))
        for key, value in found.items()
        if key not in shown and value is not None
    ]
    facts += ledger_facts(mapping(found.get("privacy")))
    peak = number(found.get("peak_mib"))
    if peak is not None:
        facts.append(("Peak memory", f"{count(round(peak))} MiB"))
    return {
        "facts": facts,
        "options": [(key, plain(value)) for key, value in
                    mapping(found.get("generator_options")).items()],
        "rows": [
            (table, [count(mapping(parts).get(source)) for source in SOURCES])
            for table, parts in mapping(found.get("rows")).items()
        ],
        "seconds": [
            (stage.replace("_", " "), duration(value), meter(number(value), longest))
            for stage, value in seconds.items()
        ],
        "versions": [(key, str(value)) for key, value in mapping(found.get("versions")).items()],
    }  # fmt: skip
