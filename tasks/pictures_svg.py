"""Inline SVG for one column: training, synthetic and holdout shares on one axis.

Training is a pale area, synthetic a strong line or bar, holdout a thin dashed line or a tick: three
shapes, so that the drawing reads without colour, in the dark and on paper.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from tasks.report_numbers import axis_number, cut, items, mapping, number, numbers, points, share

SOURCES = ("training", "synthetic", "holdout")
_WIDTH = 360.0
_LEFT, _RIGHT, _TOP, _FLOOR = 40.0, 350.0, 10.0, 132.0
_ROW = 19.0
_NAMES_END, _BARS_START, _BARS_END = 122.0, 130.0, 314.0
_MOST_LABELS = 14
# What the evaluation calls the categories that it must not name.
_OTHER = "(other)"
# One bin above this share flattens all others: a square-root axis keeps them in sight.
_DOMINANT = 0.6
# Keeps a right-to-left or mixed name from reordering its neighbours (Unicode isolates).
_ISOLATE, _POP = "\u2068", "\u2069"

Shares = dict[str, list[float | None]]


@dataclass(frozen=True)
class Bar:
    """One row of a bar picture: its label and the three shares, None where unknown."""

    label: str
    shares: dict[str, float | None]
    aside: bool = False


def isolated(text: Any, cells: int) -> str:
    """A name cut to its room and fenced, for SVG text has no `bdi`."""
    return f"{_ISOLATE}{cut(text, cells)}{_POP}"


def column_picture(column: dict[str, Any], title: str) -> Markup:
    """The drawing of one column of `pictures`; empty when it holds no shares."""
    shares = _shares(column)
    known = [values for values in shares.values() if any(value is not None for value in values)]
    if not known:
        return Markup("")
    if _is_bars(column):
        return _bars_picture(_bars(column, shares), title)
    return _steps_picture(column, shares, title)


def largest_gap(column: dict[str, Any]) -> str:
    """Where synthetic and training differ most, in words; empty when that can't be told."""
    shares = _shares(column)
    bars = _bars(column, shares) if _is_bars(column) else _bins(column, shares)
    best, told = -1.0, ""
    for bar in bars:
        training, synthetic = bar.shares["training"], bar.shares["synthetic"]
        if training is None or synthetic is None or abs(synthetic - training) <= best:
            continue
        best = abs(synthetic - training)
        told = f"{isolated(bar.label, 40)}: {share(training)}\u00a0→ {share(synthetic)}"
    return told


def _shares(column: dict[str, Any]) -> Shares:
    return {source: numbers(column.get(source)) for source in SOURCES}


def _is_bars(column: dict[str, Any]) -> bool:
    return bool(items(column.get("labels")) and not items(column.get("edges")))


def _bins(column: dict[str, Any], shares: Shares) -> list[Bar]:
    """The bins of a histogram by their edges, as rows to compare."""
    edges = items(column.get("edges"))
    return [
        Bar(
            f"{_edge_name(left)} to {_edge_name(right)}",
            {source: _at(values, place) for source, values in shares.items()},
        )
        for place, (left, right) in enumerate(itertools.pairwise(edges))
    ]


def _edge_name(edge: Any) -> str:
    """A bin edge for reading: a short number, or a moment without its needless midnight."""
    figure = number(edge)
    if figure is not None:
        return axis_number(figure)
    text = str(edge).replace("T", " ")
    for tail in ("+00:00", "Z", ".000000", " 00:00:00", " 00:00"):
        text = text.removesuffix(tail)
    return cut(text, 19)


# Numbers and dates


def _steps_picture(column: dict[str, Any], shares: Shares, title: str) -> Markup:
    bins = max(len(values) for values in shares.values())
    edges, places = _edges(items(column.get("edges")), bins)
    heights = {source: _heights(values, places) for source, values in shares.items()}
    tallest = max((height for values in heights.values() for height in values), default=0.0)
    root = tallest > _DOMINANT and bins > 2
    top = tallest or 1.0
    parts = [
        _grid(top, root),
        _area(heights["training"], places, top, root),
        _line(heights["holdout"], places, (top, root), "holdout-line"),
        _line(heights["synthetic"], places, (top, root), "synthetic-line"),
        _axis(edges, places),
    ]
    missing = _missing_bar(column)
    height = 152.0 + (22.0 if missing else 0.0)
    if missing:
        parts.append(_bar_row(missing, 150.0, 1.0))
    return _frame(height, title, Markup("").join(parts))


def _edges(edges: list[Any], bins: int) -> tuple[list[Any], list[float]]:
    """The edges and their places from 0 to 1; evenly spaced where edges aren't numbers."""
    even = [place / bins for place in range(bins + 1)]
    if len(edges) != bins + 1:
        return [], even
    figures = [number(edge) for edge in edges]
    known = [figure for figure in figures if figure is not None]
    if len(known) != len(figures) or known != sorted(known) or known[0] == known[-1]:
        return edges, even
    width = known[-1] - known[0]
    return edges, [(figure - known[0]) / width for figure in known]


def _heights(values: list[float | None], places: list[float]) -> list[float]:
    """Shares, divided by the bin's width (mean 1), so that areas compare where widths differ."""
    bins = len(places) - 1
    widths = [(right - left) * bins for left, right in itertools.pairwise(places)]
    if min(widths) <= 0:
        widths = [1.0] * bins
    return [max(value or 0.0, 0.0) / width for value, width in zip(values, widths, strict=False)]


def _up(height: float, top: float, root: bool) -> float:
    part = height / top
    return round(_FLOOR - (math.sqrt(part) if root else part) * (_FLOOR - _TOP), 1)


def _across(place: float) -> float:
    return round(_LEFT + place * (_RIGHT - _LEFT), 1)


def _outline(heights: Sequence[float], places: list[float], top: float, root: bool) -> str:
    steps = [f"H{_across(places[0])}"]
    for index, height in enumerate(heights):
        steps.append(f"V{_up(height, top, root)}H{_across(places[index + 1])}")
    return "".join(steps)


def _area(heights: list[float], places: list[float], top: float, root: bool) -> Markup:
    if not heights:
        return Markup("")
    path = f"M{_across(places[0])} {_FLOOR}{_outline(heights, places, top, root)}V{_FLOOR}z"
    return Markup('<path class="training-area" d="{}"/>').format(path)


def _line(
    heights: list[float], places: list[float], scale: tuple[float, bool], name: str
) -> Markup:
    if not heights:
        return Markup("")
    path = f"M{_across(places[0])} {_FLOOR}{_outline(heights, places, *scale)}V{_FLOOR}"
    return Markup('<path class="{}" d="{}"/>').format(name, path)


def _grid(top: float, root: bool) -> Markup:
    levels = (0.1, 0.4, 1.0) if root else (0.5, 1.0)
    parts = [Markup('<path class="floor" d="M{} {}H{}"/>').format(_LEFT, _FLOOR, _RIGHT)]
    for level in levels:
        y = _up(level * top, top, root)
        parts.append(Markup('<path class="grid" d="M{} {}H{}"/>').format(_LEFT, y, _RIGHT))
        parts.append(_text(_LEFT - 5, y + 3, _axis_share(level * top), "end"))
    if root:
        parts.append(_text(_RIGHT, _TOP - 2, "square-root scale", "end"))
    return Markup("").join(parts)


def _axis_share(value: float) -> str:
    percent = 100 * value
    return f"{percent:.0f}%" if percent >= 9.5 else f"{percent:.2g}%"


def _axis(edges: list[Any], places: list[float]) -> Markup:
    """Labels under the first and last edge and those nearest to the thirds or the middle."""
    if not edges:
        return Markup("")
    dated = any(number(edge) is None for edge in edges)
    targets = (0.0, 0.5, 1.0) if dated else (0.0, 0.25, 0.5, 0.75, 1.0)
    chosen = sorted(
        {
            min(range(len(places)), key=lambda index: abs(places[index] - target))
            for target in targets
        }
    )
    parts = []
    for index in chosen:
        x = _across(places[index])
        anchor = "start" if index == 0 else "end" if index == len(places) - 1 else "middle"
        parts.append(Markup('<path class="floor" d="M{} {}v4"/>').format(x, _FLOOR))
        parts.append(_text(x, _FLOOR + 15, _edge_name(edges[index]), anchor))
    return Markup("").join(parts)


# Categories and booleans


def _bars(column: dict[str, Any], shares: Shares) -> list[Bar]:
    labels = items(column.get("labels"))
    bars = [
        Bar(
            str(label),
            {source: _at(values, place) for source, values in shares.items()},
            aside=label == _OTHER and place == len(labels) - 1,
        )
        for place, label in enumerate(labels)
    ]
    if len(bars) > _MOST_LABELS:
        bars = _gather(bars)
    missing = _missing_bar(column)
    return [*bars, missing] if missing else bars


def _gather(bars: list[Bar]) -> list[Bar]:
    """The largest categories in their own order, all others as one bar."""
    size = {
        place: max(value or 0.0 for value in bar.shares.values())
        for place, bar in enumerate(bars)
        if not bar.aside
    }
    kept = set(sorted(size, key=lambda place: (-size[place], place))[: _MOST_LABELS - 1])
    rest = [bar for place, bar in enumerate(bars) if place not in kept]
    total = {source: _total([bar.shares[source] for bar in rest]) for source in SOURCES}
    own = [bar for place, bar in enumerate(bars) if place in kept]
    return [*own, Bar("all others", total, aside=True)]


def _total(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _at(values: list[float | None], place: int) -> float | None:
    return values[place] if place < len(values) else None


def _missing_bar(column: dict[str, Any]) -> Bar | None:
    missing = mapping(column.get("missing"))
    shares = {source: number(missing.get(source)) for source in SOURCES}
    return Bar("missing", shares, aside=True) if any(shares.values()) else None


def _bars_picture(bars: list[Bar], title: str) -> Markup:
    longest = max((value or 0.0 for bar in bars for value in bar.shares.values()), default=0.0)
    top = longest or 1.0
    height = 18.0 + _ROW * len(bars)
    head = _text(_BARS_START, 10, "0", "start") + _text(_BARS_END, 10, _axis_share(top), "end")
    head += _text(_WIDTH - 2, 10, "points", "end")
    rows = [_bar_row(bar, 16.0 + _ROW * index, top) for index, bar in enumerate(bars)]
    return _frame(height, title, head + Markup("").join(rows))


def _bar_row(bar: Bar, y: float, top: float) -> Markup:
    """Training as a pale wide bar, synthetic as a narrow strong one in it, holdout as a tick."""
    parts = [
        Markup('<text class="{}" x="{}" y="{}" text-anchor="end">{}</text>').format(
            "name aside" if bar.aside else "name", _NAMES_END, y + 12, isolated(bar.label, 18)
        ),
        Markup('<path class="floor" d="M{} {}v{}"/>').format(_BARS_START, y, _ROW - 2),
    ]
    shape = Markup('<rect class="{}" x="{}" y="{}" width="{}" height="{}"/>')
    training, synthetic, holdout = (bar.shares[source] for source in SOURCES)
    if training is not None:
        parts.append(shape.format("training-bar", _BARS_START, y + 1, _long(training, top), 15))
    if synthetic is not None:
        parts.append(shape.format("synthetic-bar", _BARS_START, y + 5, _long(synthetic, top), 7))
    if holdout is not None:
        x = round(_BARS_START + _long(holdout, top), 1)
        parts.append(Markup('<path class="holdout-tick" d="M{} {}v17"/>').format(x, y))
    if training is not None and synthetic is not None:
        parts.append(_text(_WIDTH - 2, y + 12, points(synthetic - training), "end"))
    return Markup("").join(parts)


def _long(value: float, top: float) -> float:
    return round(min(max(value / top, 0.0), 1.0) * (_BARS_END - _BARS_START), 1)


def _text(x: float, y: float, words: str, anchor: str) -> Markup:
    return Markup('<text x="{}" y="{}" text-anchor="{}">{}</text>').format(
        round(x, 1), round(y, 1), anchor, words
    )


def _frame(height: float, title: str, body: Markup) -> Markup:
    return Markup(
        '<svg class="picture" viewBox="0 0 {} {}" role="img"><title>{}</title>{}</svg>'
    ).format(int(_WIDTH), int(height), title, body)
