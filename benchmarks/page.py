"""The page docs/benchmarks.md and its chart, made from results alone."""

from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.chart import detection_chart
from benchmarks.medians import REFERENCE_PEER, Line, lines_of
from benchmarks.results import Row

CHART = "benchmark_detection.svg"
Cell = Callable[[Line], str]

_HEAD = """# Benchmarks

Made by `python -m benchmarks.tabular` and `python -m benchmarks.tabular_scale`, from real tables of
which half the rows are held out: no fit sees them. `--render` makes this page and its chart again
from the results in `benchmarks/results/`; a killed run goes on with the same command. The peers
need `make peers` once. Measured on {cpus} CPU cores without a GPU, {when}. Each fit runs alone in a
process of its own, with the generator's own defaults. Figures are medians over the seeds.
"""

_READING = """How to read the tables:

- **fit s**, **rows/s**, **MiB**: wall seconds of the fit; rows for each second of sampling, as many
  rows as were trained on; the peak of memory of the whole process, libraries and input included.
- **fit ÷ {peer}**: fit time over that of {peer} with the same seed, day, code and
  cores; a dash where there is none.
- **detection AUC**: can boosted trees tell synthetic rows from training rows? 0.5: no.
- **shape %**, **trend %**: distance from the training rows by column and by pair of columns; after
  × that distance over its *ceiling*, which is what held-out real rows get: 1 is as good as real.
- **gap**: what a model of the target loses when it is trained on synthetic rather than real rows
  and tested on held-out ones (ROC AUC of the rarest class: trtr for real, tstr for synthetic).
- **dcr share**: share of synthetic rows closer to a training row than to a held-out one. 0.5 is the
  goal; reaching it proves nothing.
- **alpha precision**, **beta recall**: do synthetic rows fill the balls that hold each share of the
  real rows, and do real rows have synthetic ones near by? In brackets what held-out rows get.
- **risks**: in the bands of a report; [the gate](privacy_gate.md) says what each attack does.
- **verdict**: what the gate, with its own tests for copies and its default bars, said of the runs.

Copies of the training rows look perfect in every figure but those for copies: `bootstrap` is there
to be refused. Published rows are what others' generators made from the same training rows, as
their authors published it; their costs are not known.
"""


def write_page(rows: Sequence[Row], page: Path) -> None:
    """Writes the page, and the chart into `pictures/` beside it."""
    lines = lines_of(row for row in rows if row["job"] == "tabular")
    page.parent.mkdir(parents=True, exist_ok=True)
    pictures = page.parent / "pictures"
    pictures.mkdir(exist_ok=True)
    (pictures / CHART).write_text(detection_chart(lines))
    page.write_text(page_text(rows))


def page_text(rows: Sequence[Row]) -> str:
    """The whole page as Markdown."""
    lines = lines_of(row for row in rows if row["job"] == "tabular")
    scale = lines_of(row for row in rows if row["job"] == "scale")
    dates = sorted(row["when"] for row in rows) or [""]
    parts = [
        _HEAD.format(
            cpus=" or ".join(sorted({str(row["cpus"]) for row in rows})) or "?",
            when=dates[0] if dates[0] == dates[-1] else f"{dates[0]} to {dates[-1]}",
        ),
        f"![Detection AUC of every generator on every table.](pictures/{CHART})\n",
        _READING.format(peer=REFERENCE_PEER),
    ]
    if len({row["code"] for row in rows if row["state"] == "done"}) > 1:
        parts.append("These results were made with several versions of the code.\n")
    if not any(line.origin == "ours" for line in lines):
        parts.append("Only published outputs have been measured so far.\n")
    for table in dict.fromkeys(line.table for line in lines):
        own = ordered([line for line in lines if line.table == table])
        parts.append(f"## {table}\n\n{ceilings(own)}\n")
        parts.append(markdown_table(own, QUALITY))
        parts.append(f"The further figures of `{table}`:\n")
        parts.append(markdown_table(own, FURTHER))
        parts.append(f"Risks of `{table}`, as the attacks of the gate found them:\n")
        parts.append(markdown_table(own, RISKS))
        parts.append(per_class(own))
        parts.append(notes(own))
    if scale:
        parts.append("## Scale\n")
        parts.append(markdown_table(scale, SCALE))
        parts.append(notes(scale))
    return "\n".join(part for part in parts if part).rstrip() + "\n"


def ordered(lines: Sequence[Line]) -> list[Line]:
    """Ours, then the peers, then published outputs; the best detection AUC first in each."""
    rank = {"ours": 0, "peer": 1, "published": 2}
    return sorted(
        lines, key=lambda line: (rank[line.origin], line.values.get("detection_auc", 2.0))
    )


def markdown_table(lines: Sequence[Line], columns: dict[str, Cell]) -> str:
    """One row for each line that has a result."""
    told = [line for line in lines if line.runs]
    if not told:
        return ""
    rows = [list(columns), ["---"] + ["---:"] * (len(columns) - 1)]
    rows += [[cell(line) for cell in columns.values()] for line in told]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def ceilings(lines: Sequence[Line]) -> str:
    """A sentence with the figures of real rows that hold for all lines."""
    for line in lines:
        values = line.values
        if "shape_ceiling" in values and "trtr" in values:
            return (
                f"Ceilings: shape {values['shape_ceiling']:.2f} %, trend "
                f"{values['trend_ceiling']:.2f} %; trtr {values['trtr']:.3f}."
            )
    return ""


def notes(lines: Sequence[Line]) -> str:
    """What is missing or to be known besides, one point each."""
    points = [
        f"- `{line.generator}`: {told}."
        for line in lines
        for told in (*line.troubles, *line.remarks)
    ] + [
        f"- `{line.generator}`: {line.unread:,} values did not read as the contract's types and "
        "count as missing."
        for line in lines
        if line.unread
    ]  # fmt: skip
    return "\n".join(points) + "\n" if points else ""


def number(name: str, digits: int) -> Cell:
    """A cell with a figure of so many decimals; a dash where there is none."""
    return lambda line: f"{line.values[name]:,.{digits}f}" if name in line.values else "–"


def over_ceiling(name: str) -> Cell:
    """An error in percent and its multiple of the ceiling."""

    def cell(line: Line) -> str:
        if f"{name}_error" not in line.values:
            return "–"
        ratio = line.values.get(f"{name}_ratio")
        told = f" × {ratio:.2f}" if ratio is not None else ""
        return f"{line.values[f'{name}_error']:.2f}{told}"

    return cell


def beside_real(name: str) -> Cell:
    """A figure, and in brackets that of held-out real rows."""

    def cell(line: Line) -> str:
        if name not in line.values:
            return "–"
        real = line.values.get(f"{name} reference")
        return f"{line.values[name]:.3f}" + (f" ({real:.3f})" if real is not None else "")

    return cell


def per_class(lines: Sequence[Line]) -> str:
    """Precision and recall of each class of the target; empty where it has none.

    The ends in brackets are those of Wilson's interval.
    """
    names = dict.fromkeys(
        name
        for line in lines
        for name in line.values
        if name.startswith(("tstr_precision Class ", "tstr_recall Class "))
        and not name.endswith((" low", " high", " reference"))
    )
    if not names:
        return ""
    columns = {"generator": _name} | {
        name.removeprefix("tstr_").replace(" Class ", " of "): with_ends(name) for name in names
    }
    told = "Trained on synthetic rows, tested on held-out ones, each class by itself:\n\n"
    return told + markdown_table(lines, columns)


def with_ends(name: str) -> Cell:
    """A figure and the ends of its interval; undefined where it has no value."""

    def cell(line: Line) -> str:
        if name not in line.values:
            return "undefined"
        low, high = (line.values.get(f"{name} {end}") for end in ("low", "high"))
        ends = f" ({low:.3f} to {high:.3f})" if low is not None and high is not None else ""
        return f"{line.values[name]:.3f}{ends}"

    return cell


def _name(line: Line) -> str:
    return f"**{line.generator}**" if line.origin == "ours" else line.generator


def _verdict(line: Line) -> str:
    counts = {verdict: line.verdicts.count(verdict) for verdict in dict.fromkeys(line.verdicts)}
    if len(counts) == 1:
        return next(iter(counts))
    return ", ".join(f"{count} {verdict}" for verdict, count in counts.items()) or "–"


QUALITY: dict[str, Cell] = {
    "generator": _name,
    "fit s": number("fit_s", 1),
    f"fit ÷ {REFERENCE_PEER}": number("fit_ratio", 2),
    "rows/s": number("rows_per_s", 0),
    "MiB": number("peak_mib", 0),
    "detection AUC": number("detection_auc", 3),
    "shape %": over_ceiling("shape"),
    "trend %": over_ceiling("trend"),
    "tstr": number("tstr", 3),
    "gap": number("utility_gap", 3),
    "dcr share": number("dcr_share", 3),
    "verdict": _verdict,
}
FURTHER: dict[str, Cell] = {
    "generator": _name,
    "runs": lambda line: str(line.runs),
    "fit CPU s": number("fit_cpu_s", 1),
    "sampling s": number("sample_s", 2),
    "detection score": number("detection_score", 3),
    "mutual information %": over_ceiling("mutual_information"),
    "three-way %": over_ceiling("three_way"),
    "missingness %": over_ceiling("missingness"),
    "alpha precision": beside_real("alpha_precision"),
    "beta recall": beside_real("beta_recall"),
    "trts": number("trts", 3),
    "refused by": lambda line: ", ".join(f"`{name}`" for name in line.refused_by) or "–",
}
RISKS: dict[str, Cell] = {
    "generator": _name,
    "exact copies": number("exact_copies", 0),
    "tail copies": number("tail_copies", 3),
    "nndr share": number("nndr_share", 3),
    "membership": number("membership_inference", 3),
    "outlier membership": number("outlier_membership", 3),
    "linkability": number("linkability", 3),
    "singling out": number("singling_out", 3),
    "inference": number("inference", 3),
}
SCALE: dict[str, Cell] = {
    "what": lambda line: line.table,
    "generator": _name,
    "runs": lambda line: str(line.runs),
    "fit s": number("fit_s", 1),
    "sampling s": number("sample_s", 1),
    "rows/s": number("rows_per_s", 0),
    "MiB": number("peak_mib", 0),
    "written MiB": number("mib_written", 0),
    "detection AUC": number("detection_auc", 3),
    "shape %": over_ceiling("shape"),
    "trend %": over_ceiling("trend"),
    "gap": number("utility_gap", 3),
    "dcr share": number("dcr_share", 3),
}
