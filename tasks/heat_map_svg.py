"""Inline SVG for the errors of all column pairs: a grid in six fixed classes, and its legend."""

from typing import Any

from markupsafe import Markup

from tasks.pictures_svg import isolated
from tasks.report_numbers import number

# Percent. Fixed, so that two reports can be laid side by side.
BOUNDS = (1.0, 2.0, 5.0, 10.0, 20.0)
CLASS_NAMES = ("below 1 %", "1 to 2 %", "2 to 5 %", "5 to 10 %", "10 to 20 %", "20 % and more")
MOST_COLUMNS = 40
_MOST_WITH_FIGURES = 16
_CELL = 24.0
_NAMES = 132.0
_HEAD = 18.0


def heat_class(value: float) -> int:
    """The class of an error in percent, 0 (least) to 5."""
    return sum(value >= bound for bound in BOUNDS)


def matrix(value: Any, size: int) -> list[list[float | None]]:
    """A square of finite figures, None wherever the report has none."""
    rows = value if isinstance(value, list | tuple) else []
    square: list[list[float | None]] = []
    for row in range(size):
        cells = rows[row] if row < len(rows) and isinstance(rows[row], list | tuple) else []
        square.append([number(cells[at]) if at < len(cells) else None for at in range(size)])
    return square


def heat_map(names: list[str], cells: list[list[float | None]], title: str) -> Markup:
    """The grid; small grids print each figure, so that nothing hangs on colour alone."""
    size = len(names)
    paths: dict[int, list[str]] = {}
    figures: list[Markup] = []
    for row in range(size):
        for at in range(size):
            value = cells[row][at]
            if row == at or value is None:
                continue
            x, y = _NAMES + at * _CELL, _HEAD + row * _CELL
            level = heat_class(value)
            paths.setdefault(level, []).append(f"M{x:g} {y:g}h23v23h-23z")
            if size <= _MOST_WITH_FIGURES:
                figures.append(_figure(x, y, value, level))
    shapes = [
        Markup('<path class="heat-{}" d="{}"/>').format(level, "".join(paths[level]))
        for level in sorted(paths)
    ]
    width, height = int(_NAMES + size * _CELL + 2), int(_HEAD + size * _CELL + 2)
    return Markup(
        '<svg class="heat-map" viewBox="0 0 {} {}" role="img"><title>{}</title>{}{}{}</svg>'
    ).format(
        width, height, title, Markup("").join(_names(names)), Markup("").join(shapes),
        Markup("").join(figures),
    )  # fmt: skip


def _names(names: list[str]) -> list[Markup]:
    """Names beside the rows, numbered; the numbers alone head the columns."""
    labels = []
    for place, name in enumerate(names):
        y = _HEAD + place * _CELL + 16
        labels.append(
            Markup('<text class="name" x="{:g}" y="{:g}" text-anchor="end">{}</text>').format(
                _NAMES - 26, y, isolated(name, 16)
            )
            + Markup('<text x="{:g}" y="{:g}" text-anchor="end">{}</text>').format(
                _NAMES - 6, y, place + 1
            )
            + Markup('<text x="{:g}" y="{:g}" text-anchor="middle">{}</text>').format(
                _NAMES + place * _CELL + 12, _HEAD - 6, place + 1
            )
        )
    return labels


def _figure(x: float, y: float, value: float, level: int) -> Markup:
    text = f"{value:.1f}" if value < 9.95 else f"{value:.0f}"
    return Markup('<text class="in-{}" x="{:g}" y="{:g}" text-anchor="middle">{}</text>').format(
        level, x + 11.5, y + 15, text
    )
