"""From rows of results to one line for each generator and table: medians over the seeds."""

import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from benchmarks.results import Row

REFERENCE_PEER = "mostlyai-engine"
ALIKE = ("seed", "cpus", "when", "code")
"""What two runs have in common whose times may be compared."""


@dataclass(frozen=True)
class Line:
    """One generator on one table. `values` are medians; a figure that no run has is left out.

    `spread` holds the lowest and the highest value of the seeds. `refused_by` names the measures
    that refused any of the runs, `troubles` says why runs are missing, `remarks` what else is to be
    known of them.
    """

    table: str
    generator: str
    origin: str
    runs: int
    values: dict[str, float] = field(default_factory=dict)
    spread: dict[str, tuple[float, float]] = field(default_factory=dict)
    verdicts: tuple[str, ...] = ()
    refused_by: tuple[str, ...] = ()
    troubles: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    unread: int = 0


def lines_of(rows: Iterable[Row]) -> list[Line]:
    """A line for each table and generator, in the order in which they first appear."""
    grouped: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        grouped.setdefault((row["table"], row["generator"]), []).append(row)
    return [_line(group, grouped) for group in grouped.values()]


def _line(group: list[Row], grouped: dict[tuple[str, str], list[Row]]) -> Line:
    done = [row for row in group if row["state"] == "done"]
    samples = [values_of(row) for row in done]
    peers = grouped.get((group[0]["table"], REFERENCE_PEER), [])
    for row, sample in zip(done, samples, strict=True):
        ratio = fit_ratio(row, peers)
        if ratio is not None:
            sample["fit_ratio"] = ratio
    names = dict.fromkeys(name for sample in samples for name in sample)
    values = {name: [s[name] for s in samples if name in s] for name in names}
    reasons = {f"{row['state']}: {row['reason']}": None for row in group if row["state"] != "done"}
    return Line(
        table=group[0]["table"],
        generator=group[0]["generator"],
        origin=group[0]["origin"],
        runs=len(done),
        values={name: statistics.median(found) for name, found in values.items()},
        spread={name: (min(found), max(found)) for name, found in values.items()},
        verdicts=tuple(row["verdict"] for row in done if "verdict" in row),
        refused_by=tuple(dict.fromkeys(n for row in done for n in row.get("refused_by", ()))),
        troubles=tuple(reasons),
        remarks=tuple(dict.fromkeys(row["remark"] for row in done if "remark" in row)),
        unread=max((sum(row.get("unread", {}).values()) for row in done), default=0),
    )


def values_of(row: Row) -> dict[str, float]:
    """The numbers of one run, under the names of measures and costs.

    Beside a measure stand what real rows get (`NAME reference`), the ends of its interval
    (`NAME low`, `NAME high`) and, of an error, its ceiling and its multiple of that.
    """
    values = _costs(row.get("costs", {}))
    for name, figure in row.get("figures", {}).items():
        if figure["value"] is None:
            continue
        values[name] = figure["value"]
        for end in ("low", "high"):
            if figure.get(end) is not None:
                values[f"{name} {end}"] = figure[end]
        reference = figure["reference"]
        if reference is not None:
            values[f"{name} reference"] = reference
        if name.endswith("_error") and reference is not None:
            values[f"{name.removesuffix('_error')}_ceiling"] = reference
            if reference > 0:
                values[f"{name.removesuffix('_error')}_ratio"] = figure["value"] / reference
    return values


def _costs(costs: dict[str, Any]) -> dict[str, float]:
    values: dict[str, float] = {}
    wanted: dict[str, Callable[[], float]] = {
        "fit_s": lambda: costs["fit"]["wall_s"],
        "fit_cpu_s": lambda: costs["fit"]["cpu_s"],
        "sample_s": lambda: costs["sample"]["wall_s"],
        "sample_cpu_s": lambda: costs["sample"]["cpu_s"],
        "rows_per_s": lambda: costs["rows"] / max(costs["sample"]["wall_s"], 1e-3),
        "peak_mib": lambda: costs["peak_mib"],
        "mib_written": lambda: costs["bytes_written"] / 2**20,
    }
    for name, value in wanted.items():
        try:
            values[name] = float(value())
        except KeyError:
            continue
    return values


def fit_ratio(row: Row, peers: Iterable[Row]) -> float | None:
    """The fit's wall seconds over those of the reference peer; None where none is comparable.

    Comparable is a fit of the same seed and cores, on the same day and beside the same code: a
    machine that was slower on another day would count for or against us.
    """
    if "fit" not in row.get("costs", {}):
        return None
    for peer in peers:
        alike = all(peer.get(name) == row.get(name) for name in ALIKE)
        if alike and peer["state"] == "done" and "fit" in peer.get("costs", {}):
            return float(row["costs"]["fit"]["wall_s"] / peer["costs"]["fit"]["wall_s"])
    return None
