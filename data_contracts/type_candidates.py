"""The types that text is tried as, and the formats of dates among them."""

import re
from collections.abc import Sequence

from data_contracts.contract import Column, LogicalType

_CLOCKS = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
_DAYS = (
    "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%Y/%m/%d", "%d-%m-%Y", "%m-%d-%Y", "%Y.%m.%d", "%Y-%m-%d",
    "%d.%m.%y", "%d/%m/%y", "%m/%d/%y", "%d-%m-%y", "%m-%d-%y", "%d-%b-%Y", "%d-%b-%y", "%d %b %Y",
    "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%b %d %Y", "%B %d %Y",
)  # fmt: skip
# What each sign of a format stands for, as far as a look at one value goes.
_SIGNS = {
    "%Y": "[0-9]{4}", "%y": "[0-9]{2}", "%b": "[A-Za-z]{3}", "%B": "[A-Za-z]{3,9}",
    "%p": "[AaPp][Mm]",
}  # fmt: skip
_AMOUNT = re.compile(
    r"[(+-]{0,2} ?[$€£¥]? ?[+-]?"
    r"([0-9]{1,3}([,.' \u00a0\u202f][0-9]{3})+|[0-9]+)([.,][0-9]+)?"
    r" ?[%$€£¥]?\)?"
)
_PLAIN = re.compile(r"[+-]?[0-9]+([.,][0-9]+)?")


def _candidates() -> dict[str, Column]:
    """The types that text may have, by a name of ours, in order of preference."""
    plain: list[tuple[str, LogicalType, str]] = [
        ("boolean", "boolean", "bool"),
        ("integer", "integer", "int64"),
        ("number", "number", "float64"),
        ("date", "date", "date32"),
        ("timestamp", "timestamp", "timestamp[us]"),
        ("nanoseconds", "timestamp", "timestamp[ns]"),
        ("instant", "timestamp", "timestamp[us, tz=UTC]"),
    ]
    found = {
        name: Column(name=name, logical_type=logical, physical_type=physical)
        for name, logical, physical in plain
    }
    for clock in _CLOCKS:
        logical: LogicalType = "timestamp" if clock else "date"
        physical = "timestamp[us]" if clock else "date32"
        for day in _DAYS:
            form = day + clock
            found[form] = Column(
                name=form, logical_type=logical, physical_type=physical, format=form
            )
    return found


def _shape(form: str) -> re.Pattern[str]:
    """What a value in this format looks like at a glance."""
    pieces = re.split(r"(%[A-Za-z])", form)
    return re.compile("".join(
        _SIGNS.get(piece, "[0-9]{1,2}") if piece.startswith("%") else re.escape(piece)
        for piece in pieces
    ))  # fmt: skip


CANDIDATES = _candidates()
# By the name of a candidate; a value of another shape cannot be in its format.
SHAPES = {
    name: _shape(column.format) for name, column in CANDIDATES.items() if column.format is not None
}
TIME_CANDIDATES = CANDIDATES.keys() - {"boolean", "integer", "number"}


def unread_number(values: Sequence[str]) -> str | None:
    """What a column of text seems to be whose numbers carry signs, and how to mend it.

    `values` are a sample of its different values.
    """
    found = [value.strip() for value in values]
    signed = [value for value in found if _PLAIN.fullmatch(value) is None]
    if not signed or not all(map(_AMOUNT.fullmatch, found)):
        return None
    return (
        "looks like numbers written with a currency, a percent sign, brackets or separators of "
        "thousands: take these out in the source to have it learned as numbers"
    )
