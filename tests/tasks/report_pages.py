"""Reports of the real shape, made by hand, and a reader of the pages drawn from them."""

from html.parser import HTMLParser
from typing import Any

from data_contracts.report import Finding, Report, judge

VOID = {"meta", "br", "hr", "img", "input", "link"}
BLOCKS = {"dt", "dd", "td", "th", "li", "p", "h1", "h2", "h3"}


class Page(HTMLParser):
    """A page's elements in order, with their attributes, its text, and tags left open."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)
        if tag in BLOCKS:
            self.text += " "

    def handle_data(self, data: str) -> None:
        self.text += data

    @property
    def tags(self) -> list[str]:
        return [tag for tag, _ in self.elements]

    def ids(self) -> list[str]:
        return [str(found["id"]) for _, found in self.elements if "id" in found]


def number_column(name: str, error: float = 2.0) -> dict[str, Any]:
    return {
        "column": name,
        "kind": "number",
        "edges": [0.0, 10.0, 20.0, 30.0],
        "labels": [],
        "training": [0.2, 0.5, 0.2],
        "synthetic": [0.25, 0.4, 0.25],
        "holdout": [0.2, 0.49, 0.21],
        "missing": {"training": 0.1, "synthetic": 0.1, "holdout": 0.1},
        "shape_error": error,
        "shape_ceiling": 1.0,
    }


def category_column(name: str, labels: list[str], error: float = 3.0) -> dict[str, Any]:
    share = round(1 / len(labels), 4)
    return {
        "column": name,
        "kind": "category",
        "edges": [],
        "labels": labels,
        "training": [share] * len(labels),
        "synthetic": [share] * len(labels),
        "holdout": [share] * len(labels),
        "missing": {"training": 0.0, "synthetic": 0.0, "holdout": 0.0},
        "shape_error": error,
        "shape_ceiling": 1.0,
    }


def pictures(columns: list[dict[str, Any]]) -> dict[str, Any]:
    names = [column["column"] for column in columns]
    square = [[float(abs(row - at)) for at in range(len(names))] for row in range(len(names))]
    return {
        "tables": [
            {
                "table": "people",
                "columns": columns,
                "pairs": {"columns": names, "error": square, "ceiling": square},
                "detection_columns": [{"column": name, "importance": 0.1} for name in names],
            }
        ]
    }


def findings(state: str = "pass") -> tuple[Finding, ...]:
    def found(name: str, group: str, value: float | None, **more: Any) -> Finding:
        return Finding.model_validate(
            {"name": name, "group": group, "value": value, "table": "people", **more}
        )

    shape = {"pass": (2.0, 1.8, 2.2), "refuse": (9.0, 8.0, 10.0), "inconclusive": (3.1, 2.8, 3.4)}
    value, low, high = shape[state]
    return (
        found("shape_error", "fidelity", value, low=low, high=high, bar=3.0, unit="%", state=state,
              reference=1.5, reference_name="shape_ceiling"),
        found("trend_error", "fidelity", 4.0, low=3.0, high=5.0, bar=6.0, unit="%", state="pass"),
        found("detection_auc", "fidelity", 0.61, low=0.6, high=0.62, bar=0.75, state="pass"),
        found("trtr", "utility", 0.91, detail="ROC AUC of the rarest class."),
        found("tstr", "utility", 0.89, reference=0.91, reference_name="trtr"),
        found("utility_gap", "utility", 0.02, bar=0.05, state="pass"),
        found("tstr_precision", "utility", None, detail="Class 'x' of 'y': undefined, none."),
        found("exact_copies", "copies", 0.0, reference=0.0, unit="rows", state="pass"),
        found("smallest_exact_leak", "copies", 0.5, bar=5.0, unit="%", state="pass",
              detail="Would have seen a leak of 4 rows (0.5 %) or more, copied verbatim. "
              "Caught in 4 of 5 plantings: 0.5 % verbatim (any rows)."),
        found("tail_copies", "copies", 0.5, reference=0.5, reference_name="chance", state="pass"),
        found("dcr_share", "copies", 0.5, bar=0.55),
    )  # fmt: skip


def proof(**changes: Any) -> dict[str, Any]:
    table = {
        "table": "people",
        "rows_read": 1_000,
        "rows_proven": 993,
        "rows_rejected": 7,
        "tolerance": 0.01,
        "reject_reasons": [{"rule": "age: between 0 and 120", "rows": 7}],
        "rules": [
            {"rule": "age: integer", "checked": 1_000, "broken": 0, "state": "pass",
             "scope": "row", "detail": ""},
            {"rule": "newest row", "checked": 1_000, "broken": 0, "state": "crashed",
             "scope": "table", "detail": "the check raised ValueError"},
        ],
        "notes": ["12 cells read as missing."],
    }  # fmt: skip
    return {"tables": [{**table, **changes}]}


PROVENANCE = {
    "contract": "people",
    "contract_version": "1.2.0",
    "contract_name": "People of a town",
    "release": "20260101T000000Z-abcdef-01",
    "created": "2026-01-01T00:00:00Z",
    "generator": "tabular",
    "generator_options": {"epochs": 20, "private": False},
    "seed": 7,
    "rows": {"people": {"training": 800, "holdout": 200, "synthetic": 800}},
    "ingest": "0123",
    "model": "4567",
    "model_reused": False,
    "versions": {"python": "3.12", "torch": "2.13"},
    "seconds": {"fit_generator": 75.0, "evaluate": 3.2},
    "peak_mib": 812.4,
}


def report(state: str = "pass", **changes: Any) -> Report:
    found = changes.pop("findings", findings(state))
    verdict, reasons = judge(found)
    columns = [number_column("age"), category_column("town", ["Graz", "Linz", "(other)"])]
    parts = {"proof": proof(), "pictures": pictures(columns), "provenance": PROVENANCE}
    return Report(verdict=verdict, reasons=reasons, findings=found, **{**parts, **changes})


def named(names: list[str]) -> Report:
    """A report in which everything that comes from data or contract has one of these names."""
    columns = [number_column(name, 2.0 + place) for place, name in enumerate(names)]
    columns += [category_column(f"{name}!", [*names, name]) for name in names]
    facts = {**PROVENANCE, "contract_name": names[0], "generator_options": {names[0]: names[-1]}}
    rules = [{"rule": names[0], "checked": 9, "broken": 1, "state": "fail", "detail": names[-1]}]
    return report(
        "refuse",
        findings=tuple(
            finding.model_copy(update={"detail": names[0], "column": names[-1]})
            for finding in findings("refuse")
        ),
        pictures=pictures(columns),
        provenance=facts,
        proof=proof(rules=rules, notes=names, reject_reasons=[{"rule": names[-1], "rows": 3}]),
    )
