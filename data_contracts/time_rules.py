"""Dates and timestamps from text: ISO 8601 or a declared format, in a declared zone.

Local times are never guessed. A time that the clock showed twice, or never (the hours around a
change of daylight saving), names no instant: its row is rejected unless the text carries an offset.
"""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.contract import Column
from data_contracts.masks import Mask, matches, only, present, true_mask, try_cast
from data_contracts.schema import type_text

Reasons = dict[str, Mask]
_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_CLOCK = r"[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?"
_OFFSET = r"(Z|[+-][0-9]{2}(:?[0-9]{2})?)"
_NAIVE = rf"^{_DATE}([T ]{_CLOCK})?$"
_AWARE = rf"^{_DATE}[T ]{_CLOCK} ?{_OFFSET}$"


def type_dates(text: pa.Array, target: pa.DataType, format: str | None) -> tuple[pa.Array, Reasons]:
    """Text to dates. A time of day other than midnight is a reason, as a date can't hold it."""
    if format is None:
        whole = try_cast(text, target)
        if whole is not None:
            return whole, {}
    naive, reasons = _parse_naive(text, format)
    days, timed = days_of(naive, target)
    return days, reasons | timed


def days_of(naive: pa.Array, target: pa.DataType) -> tuple[pa.Array, Reasons]:
    """Timestamps without a zone as dates; a time of day other than midnight is a reason."""
    days = naive.cast(pa.date32(), safe=False)
    exact = true_mask(pc.equal(days.cast(pa.timestamp("s")), naive))
    timed = {"has a time of day": present(naive) & ~exact}
    return only(days, exact).cast(target), timed


def type_timestamps(
    text: pa.Array, target: pa.DataType, column: Column
) -> tuple[pa.Array, Reasons]:
    """Text to timestamps in the target's unit and zone.

    Text without an offset is local time of `column.timezone` (or of the target's own zone). Text
    with an offset is an instant; a target without a zone has no place for one.
    """
    if target.tz is None:
        return _naive_timestamps(text, target, column.format)
    return _aware_timestamps(text, target, column)


def _naive_timestamps(
    text: pa.Array, target: pa.DataType, format: str | None
) -> tuple[pa.Array, Reasons]:
    whole = try_cast(text, target) if format is None else None
    if whole is not None:
        return whole, {}
    naive, reasons = _parse_naive(text, format)
    typed, lost = _in_unit(naive, target)
    return typed, reasons | lost


def _aware_timestamps(
    text: pa.Array, target: pa.DataType, column: Column
) -> tuple[pa.Array, Reasons]:
    whole = try_cast(text, target) if column.format is None else None
    if whole is not None:
        return whole, {}
    with_offset = np.zeros(len(text), bool)
    if column.format is None:
        text = pc.utf8_trim_whitespace(text)
        with_offset = matches(text, _AWARE)
    elif "%z" in column.format:
        with_offset = present(text)
    local, reasons = _parse_naive(only(text, ~with_offset), column.format)
    instants, lost = zoned(local, target, column.timezone or target.tz)
    if with_offset.any():
        aware = _parse_aware(only(text, with_offset), column.format)
        reasons["not a timestamp"] = with_offset & ~present(aware)
        aware_typed, aware_lost = _in_unit(aware, target)
        instants = pc.if_else(pa.array(with_offset), aware_typed, instants)
        lost = _either(lost, aware_lost)
    return instants, _either(reasons, lost)


def _either(first: Reasons, second: Reasons) -> Reasons:
    both = dict(first)
    for reason, mask in second.items():
        both[reason] = both[reason] | mask if reason in both else mask
    return both


def zoned(naive: pa.Array, target: pa.DataType, zone: str) -> tuple[pa.Array, Reasons]:
    """Local times of `zone` as instants of the target type; unclear ones become missing."""
    first = pc.assume_timezone(naive, zone, ambiguous="earliest", nonexistent="earliest")
    last = pc.assume_timezone(naive, zone, ambiguous="latest", nonexistent="latest")
    unclear = present(naive) & ~true_mask(pc.equal(first, last))
    reasons: Reasons = {}
    if unclear.any():
        shown = true_mask(pc.equal(pc.local_timestamp(first), naive))
        reasons["shown twice by the clock; give an offset"] = unclear & shown
        reasons["skipped by the clock"] = unclear & ~shown
    typed, lost = _in_unit(only(first, ~unclear), target)
    return typed, reasons | lost


def _in_unit(instants: pa.Array, target: pa.DataType) -> tuple[pa.Array, Reasons]:
    """Casts to the target's unit where that loses nothing; names the rows where it does."""
    whole = try_cast(instants, target)
    if whole is not None:
        return whole, {}
    pieces = [try_cast(instants.slice(row, 1), target) for row in range(len(instants))]
    fits = np.array([piece is not None for piece in pieces], bool)
    return only(instants, fits).cast(target), {
        f"does not fit {type_text(target)} without loss": ~fits
    }


def _parse_naive(text: pa.Array, format: str | None) -> tuple[pa.Array, Reasons]:
    """Text without offsets as timestamps without a zone; microseconds, or finer if written so."""
    text = pc.utf8_trim_whitespace(text)
    shaped = present(text)
    if format is None:
        shaped = matches(text, _NAIVE)
    parsed = _to_datetimes(only(text, shaped), format, utc=False)
    wanted = "an ISO date or time in range" if format is None else f"in the format {format}"
    return parsed, {f"not {wanted}": present(text) & ~present(parsed)}


def _parse_aware(text: pa.Array, format: str | None) -> pa.Array:
    return _to_datetimes(text, format, utc=True)


def _to_datetimes(text: pa.Array, format: str | None, utc: bool) -> pa.Array:
    zone = "UTC" if utc else None
    if not pc.any(pc.is_valid(text)).as_py():
        return pa.nulls(len(text), pa.timestamp("us", tz=zone))
    # pandas checks the calendar (30 February); strptime of the C library lets it pass.
    parsed = pd.to_datetime(
        pd.Series(text.to_pandas(), dtype=object),
        format=format or "ISO8601",
        errors="coerce",
        utc=utc,
    )
    return pa.Array.from_pandas(parsed)
