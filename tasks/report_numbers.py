"""Figures as a reader wants them, and lenient reading of the report's loose parts."""

import math
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

NARROW_SPACE = "\u202f"
UNDEFINED = "undefined"


def number(value: Any) -> float | None:
    """`value` as a finite float, else None: a page must render with any figure missing."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def numbers(value: Any) -> list[float | None]:
    """A list of finite floats, None where an entry is none; empty when `value` is no list."""
    return [number(entry) for entry in items(value)]


def items(value: Any) -> list[Any]:
    """`value` as a list when it is a sequence other than text, else an empty list."""
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return list(value)
    return []


def mapping(value: Any) -> dict[str, Any]:
    """`value` as a dict with text keys, else an empty one."""
    return {str(key): entry for key, entry in value.items()} if isinstance(value, Mapping) else {}


def mappings(value: Any) -> list[dict[str, Any]]:
    """The entries of a list that are mappings."""
    return [mapping(entry) for entry in items(value) if isinstance(entry, Mapping)]


def show(value: Any, unit: str = "") -> str:
    """A figure with its unit: three digits, or one to two decimals for percent.

    The target's own unit has no name, so that its figures stand bare.
    """
    if isinstance(value, float) and math.isinf(value):
        return "∞" if value > 0 else "−∞"
    figure = number(value)
    if figure is None:
        return UNDEFINED
    if unit == "%":
        return f"{_percent(figure)}{NARROW_SPACE}%".replace("-", "−")
    if unit == "rows":
        return f"{count(figure)} {'row' if figure == 1 else 'rows'}"
    if unit == "count":
        return count(figure)
    return _three_digits(figure).replace("-", "−")


def _percent(figure: float) -> str:
    return f"{figure:,.2f}" if abs(figure) < 9.995 else f"{figure:,.1f}"


def _three_digits(figure: float) -> str:
    if figure == 0:
        return "0"
    if abs(figure) >= 999.5:
        return f"{figure:,.0f}"
    if abs(figure) < 0.0001:
        mantissa, exponent = f"{figure:.1e}".split("e")
        return f"{mantissa}e{int(exponent)}"
    return f"{figure:#.3g}".rstrip(".")


def share(value: Any) -> str:
    """A share between 0 and 1 as percent."""
    figure = number(value)
    return UNDEFINED if figure is None else show(100 * figure, "%")


def count(value: Any) -> str:
    """A count with thousands separators; an em dash when there is none."""
    figure = number(value)
    if figure is None:
        return "—"
    return f"{figure:,.0f}" if figure == int(figure) else show(figure)


def plain(value: Any) -> str:
    """A setting as a reader would write it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(plain, value)) if isinstance(value, list | tuple) else str(value)


def points(value: float) -> str:
    """A signed difference of shares in percentage points, one decimal."""
    text = f"{100 * value:+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text.replace("-", "−")


def duration(value: Any) -> str:
    """Seconds as a person would say them."""
    seconds = number(value)
    if seconds is None:
        return "—"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def axis_number(value: float) -> str:
    """A short tick label; whole numbers below 10,000 stay bare, for they may be years."""
    size = abs(value)
    for bound, divisor, word in ((1e9, 1e9, "bn"), (1e6, 1e6, "M"), (1e5, 1e3, "k")):
        if size >= bound:
            return f"{value / divisor:.3g}{word}".replace("-", "−")
    if value == int(value):
        return (f"{value:.0f}" if size < 10_000 else f"{value:,.0f}").replace("-", "−")
    return f"{value:.3g}".replace("-", "−")


def cut(text: Any, cells: int) -> str:
    """`text` on one line, cut to a width in cells (an ideograph or emoji takes two)."""
    line = " ".join(str(text).split())
    widths = [2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in line]
    if sum(widths) <= cells:
        return line
    kept, used = [], 1
    for sign, width in zip(line, widths, strict=True):
        if used + width > cells:
            break
        kept.append(sign)
        used += width
    return "".join(kept).rstrip() + "…"


def nice_ceiling(value: float) -> float:
    """The smallest 1, 1.5, 2, 3, 4, 5, 6 or 8 times a power of ten that is not below `value`."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    for step in (1, 1.5, 2, 3, 4, 5, 6, 8, 10):
        if step * power >= value * (1 - 1e-9):
            return float(step * power)
    return 10 * power
