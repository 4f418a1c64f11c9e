"""The chart of the benchmarks as SVG: how well trees tell each generator's rows from real ones."""

from collections.abc import Sequence
from html import escape

from benchmarks.medians import Line

LEFT, PANEL, GAP, ROW, TOP = 246, 212, 26, 25, 92
COST = 66
# What a reader of the chart alone has to know.
REMARKS = {"bootstrap": "bootstrap (real rows again)"}
RANK = {"ours": 0, "peer": 1, "published": 2}
GROUPS = {"ours": "Understudy", "peer": "peers", "published": "published outputs"}

_STYLE = """
    svg { --paper: #fbfaf8; --ink: #1c2126; --soft: #545c66; --line: #d5d8dc;
      --synthetic: #0b62b8; --other: #8a5a00; }
    @media (prefers-color-scheme: dark) {
      svg { --paper: #14181c; --ink: #e8eaec; --soft: #aab2bb; --line: #39414a;
        --synthetic: #6db3f7; --other: #e0a94a; }
    }
    text { font: 12.5px system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", Arial,
      sans-serif; fill: var(--soft); }
    .title { font-size: 16.5px; font-weight: 600; fill: var(--ink); }
    .head { font-size: 14px; font-weight: 600; fill: var(--ink); }
    .name { fill: var(--ink); }
    .right { text-anchor: end; }
    .middle { text-anchor: middle; }
    .grid { stroke: var(--line); stroke-width: 1; }
    .goal { stroke: var(--ink); stroke-width: 1.4; }
    .ours { fill: var(--synthetic); stroke: var(--synthetic); }
    .peer { fill: var(--other); stroke: var(--other); }
    .published { fill: var(--paper); stroke: var(--soft); }
    .mark { stroke-width: 1.6; }
    .range { stroke-width: 3; opacity: .45; }
"""


def detection_chart(lines: Sequence[Line]) -> str:
    """Dots on a scale from .5 to 1 in a panel for each table, with fit seconds beside them.

    A bar behind a dot spans the seeds. A generator stands in one row of all panels.
    """
    told = [line for line in lines if "detection_auc" in line.values]
    tables = list(dict.fromkeys(line.table for line in told))
    places = _places(told)
    height = max((y for y in places.values()), default=TOP) + 46
    width = LEFT + len(tables) * (PANEL + COST + GAP)
    body = [
        f'<rect width="{width}" height="{height}" rx="10" fill="var(--paper)"/>',
        '<text x="20" y="32" class="title">How well boosted trees tell synthetic rows from real '
        "ones</text>",
        '<text x="20" y="52">Detection AUC, median over seeds: 0.5 means they cannot. On the '
        "right of each panel: seconds of the fit.</text>",
    ]
    for number, table in enumerate(tables):
        body += _panel(LEFT + number * (PANEL + COST + GAP), table, (height, places), told)
    body += _names(places, told)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        'aria-labelledby="title description">\n'
        '  <title id="title">Detection AUC of every generator on every table</title>\n'
        f'  <desc id="description">{escape(_description(told))}</desc>\n'
        f"  <style>{_STYLE}  </style>\n  " + "\n  ".join(body) + "\n</svg>\n"
    )


def _places(lines: Sequence[Line]) -> dict[tuple[str, str], int]:
    """The height of each row by origin and generator; the best median first in each group."""
    found: dict[tuple[str, str], list[float]] = {}
    for line in lines:
        found.setdefault((line.origin, line.generator), []).append(line.values["detection_auc"])
    keys = sorted(found, key=lambda key: (RANK[key[0]], sum(found[key]) / len(found[key]), key[1]))
    places, y, group = {}, TOP, None
    for key in keys:
        y += ROW if group == key[0] else ROW + 28
        places[key] = y
        group = key[0]
    return places


def _names(places: dict[tuple[str, str], int], lines: Sequence[Line]) -> list[str]:
    parts, group = [], None
    for (origin, generator), y in places.items():
        if origin != group:
            parts.append(f'<text x="20" y="{y - 24}" class="head">{GROUPS[origin]}</text>')
            group = origin
        plain = escape(REMARKS.get(generator, generator.removesuffix(" (published)")))
        parts.append(f'<text x="{LEFT - 18}" y="{y + 4}" class="name right">{plain}</text>')
    return parts if lines else []


def _panel(
    x: int, table: str, frame: tuple[int, dict[tuple[str, str], int]], lines: Sequence[Line]
) -> list[str]:
    height, places = frame
    parts = [f'<text x="{x}" y="{TOP - 6}" class="head">{escape(table)}</text>']
    for tick in range(6):
        value = 0.5 + tick / 10
        at = x + PANEL * tick / 5
        kind = "goal" if tick == 0 else "grid"
        parts.append(
            f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{TOP + 6}" y2="{height - 34}" class="{kind}"/>'
            f'<text x="{at:.1f}" y="{height - 16}" class="middle">{value:.1f}</text>'
        )
    for line in lines:
        if line.table == table:
            parts += _mark(x, places[line.origin, line.generator], line)
    return parts


def _mark(x: int, y: int, line: Line) -> list[str]:
    low, high = (x + PANEL * _share(end) for end in line.spread["detection_auc"])
    at = x + PANEL * _share(line.values["detection_auc"])
    kind = line.origin
    parts = []
    if high - low > 1:
        parts.append(
            f'<line x1="{low:.1f}" x2="{high:.1f}" y1="{y}" y2="{y}" class="range {kind}"/>'
        )
    parts.append(f'<circle cx="{at:.1f}" cy="{y}" r="5" class="mark {kind}"/>')
    if "fit_s" in line.values:
        parts.append(
            f'<text x="{x + PANEL + COST}" y="{y + 4}" class="right">'
            f"{escape(_seconds(line.values['fit_s']))}</text>"
        )
    return parts


def _share(value: float) -> float:
    return min(max((value - 0.5) / 0.5, 0.0), 1.0)


def _seconds(value: float) -> str:
    return f"{value:,.0f} s" if value >= 1 else "< 1 s"


def _description(lines: Sequence[Line]) -> str:
    told = [f"{line.table}, {line.generator}: {line.values['detection_auc']:.3f}" for line in lines]
    return "; ".join(told)
