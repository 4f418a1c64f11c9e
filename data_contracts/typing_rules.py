"""Exact typing: a column as it was read, cast to exactly the type that the contract declares.

Each rule first casts the whole column, which is fast; only when that fails does it look for the
rows to blame. A row that cannot be typed becomes missing here and is named, with its reason, in
`Typed.broken`: the caller rejects it. Nothing is rounded, cut or guessed.
"""

from dataclasses import dataclass, field
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.contract import Column, Source
from data_contracts.errors import SourceError
from data_contracts.masks import Mask, matches, only, present, true_mask, try_cast
from data_contracts.schema import column_type, type_text
from data_contracts.time_rules import days_of, type_dates, type_timestamps, zoned

_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
_INFINITY = r"(?i)^[+-]?inf(inity)?$"
_WHOLE = r"^[+-]?[0-9]+(\.0*)?$"


@dataclass(frozen=True)
class Typed:
    """A column in its exact type, and for each reason a mask of the rows that break it."""

    array: pa.Array
    broken: dict[str, Mask] = field(default_factory=dict)


def type_column(values: pa.Array, column: Column, source: Source) -> Typed:
    """Casts `values` to the type that `column` declares; reasons say what each bad row lacks.

    Text (CSV, JSON Lines, partition names, a database's text) is parsed by the rules of its
    target type. Values that already have a type are only cast where no value can change. A
    missing value in a required column is a reason too, as the exact schema has no room for it.

    Raises:
        SourceError: the source's type can't become the declared one by any lossless cast.
    """
    target = column_type(column)
    if source.format in ("csv", "jsonl"):
        values = _without_null_words(values, column, source)
    if _is_text(values.type) and not _is_text(target):
        typed = _type_text(values, target, column, source)
    elif _is_database_decimal(values.type, target, source):
        # Databases without decimals of their own (SQLite) keep them as the nearest double, whose
        # shortest text is the number that was put in.
        texts = [None if value is None else repr(value) for value in values.to_pylist()]
        typed = _floats_as_decimals(pa.array(texts, pa.string()), target)
    else:
        typed = _type_typed(values, target, column)
    broken = {reason: mask for reason, mask in typed.broken.items() if mask.any()}
    if column.required and values.null_count:
        broken["missing"] = true_mask(pc.is_null(values))
    return Typed(typed.array, broken)


def _without_null_words(text: pa.Array, column: Column, source: Source) -> pa.Array:
    words = source.null_words if column.null_words is None else column.null_words
    missing = pc.is_in(text, value_set=pa.array(words, pa.string()))
    if not pc.any(missing).as_py():
        return text
    return pc.if_else(missing, pa.scalar(None, text.type), text)


def _type_text(text: pa.Array, target: pa.DataType, column: Column, source: Source) -> Typed:
    if pa.types.is_dictionary(text.type):
        text = text.cast(pa.string())
    if pa.types.is_boolean(target):
        return _booleans(text, source)
    if pa.types.is_date(target):
        return Typed(*type_dates(text, target, column.format))
    if pa.types.is_timestamp(target):
        return Typed(*type_timestamps(text, target, column))
    if source.decimal != ".":
        text = pc.replace_substring(text, ".", "?")
        text = pc.replace_substring(text, source.decimal, ".")
    if pa.types.is_integer(target):
        return _integers(text, target)
    if pa.types.is_floating(target):
        return _floats(text, target)
    return _decimals(text, target)


def _integers(text: pa.Array, target: pa.DataType) -> Typed:
    # Arrow reads "0x1F" as 31; a contract's integer is written in decimal digits.
    plain = not pc.any(pc.match_substring(text, "x", ignore_case=True)).as_py()
    whole = try_cast(text, target) if plain else None
    if whole is not None:
        return Typed(whole)
    text = pc.utf8_trim_whitespace(text)
    shaped = matches(text, _WHOLE)
    digits = pc.replace_substring_regex(text, r"^\+|\.0*$", "")
    short = shaped & matches(digits, r"^-?0*[0-9]{1,37}$")
    numbers = only(digits, short).cast(pa.decimal128(38, 0))
    low, high = _integer_range(target)
    inside = pc.and_(pc.greater_equal(numbers, low), pc.less_equal(numbers, high))
    fits = true_mask(inside)
    broken = {
        "not an integer": present(text) & ~shaped,
        f"outside {type_text(target)}": shaped & ~fits,
    }
    return Typed(only(numbers, fits).cast(target), broken)


def _integer_range(target: pa.DataType) -> tuple[pa.Scalar, pa.Scalar]:
    limits = np.iinfo(target.to_pandas_dtype())
    wide = pa.decimal128(38, 0)
    return pa.scalar(int(limits.min), wide), pa.scalar(int(limits.max), wide)


def _floats(text: pa.Array, target: pa.DataType) -> Typed:
    whole = try_cast(text, pa.float64())
    if whole is not None and pc.all(pc.is_finite(whole)).as_py() is not False:
        return _fitting_floats(whole, target)
    text = pc.utf8_trim_whitespace(text)
    shaped = matches(text, _NUMBER)
    infinite = matches(text, _INFINITY)
    typed = _fitting_floats(only(text, shaped).cast(pa.float64()), target)
    broken = {"not a number": present(text) & ~shaped & ~infinite, **typed.broken}
    broken["infinite"] = infinite | broken.get("infinite", np.zeros(len(text), bool))
    return Typed(typed.array, broken)


def _fitting_floats(numbers: pa.Array, target: pa.DataType) -> Typed:
    """Finite numbers of the target's width; a number too large for it is named, not clipped."""
    numbers = pc.if_else(pc.is_nan(numbers), pa.scalar(None, numbers.type), numbers)
    narrow = numbers.cast(target, safe=False)
    finite = pc.is_finite(narrow)
    if pc.all(finite).as_py() is not False:
        return Typed(narrow)
    lost = true_mask(pc.invert(finite))
    beyond = lost & true_mask(pc.is_finite(numbers))
    return Typed(
        only(narrow, ~lost), {f"outside {type_text(target)}": beyond, "infinite": lost & ~beyond}
    )


def _decimals(text: pa.Array, target: pa.DataType) -> Typed:
    whole = try_cast(text, target)
    if whole is not None:
        return Typed(whole)
    text = pc.utf8_trim_whitespace(text)
    shaped = matches(text, r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)$")
    integer_digits = target.precision - target.scale
    room = rf"^[+-]?0*[0-9]{{0,{integer_digits}}}(\.[0-9]{{0,{target.scale}}}0*)?$"
    fits = shaped & matches(text, room)
    # Arrow reads neither a leading plus nor zeros beyond the scale that it would have to drop.
    digits = pc.replace_substring_regex(text, r"^\+", "")
    digits = pc.replace_substring_regex(digits, r"(\.[0-9]*?)0*$", r"\1")
    digits = pc.replace_substring_regex(digits, r"\.$", "")
    broken = {
        "not a number": present(text) & ~shaped,
        f"outside {type_text(target)}": shaped & ~fits,
    }
    return Typed(only(digits, fits).cast(target), broken)


def _booleans(text: pa.Array, source: Source) -> Typed:
    yes = pc.is_in(text, value_set=pa.array(source.true_words, pa.string()))
    no = pc.is_in(text, value_set=pa.array(source.false_words, pa.string()))
    known = true_mask(pc.or_(yes, no))
    return Typed(only(yes, known), {"neither a true word nor a false word": present(text) & ~known})


def _is_database_decimal(found: pa.DataType, target: pa.DataType, source: Source) -> bool:
    is_number = pa.types.is_floating(found) and pa.types.is_decimal(target)
    return source.format == "sql" and bool(is_number)


def _floats_as_decimals(text: pa.Array, target: pa.DataType) -> Typed:
    plain = [
        None if value is None else format(Decimal(value), "f") if "e" in value else value
        for value in text.to_pylist()
    ]
    return _decimals(pa.array(plain, pa.string()), target)


def _type_typed(values: pa.Array, target: pa.DataType, column: Column) -> Typed:
    if pa.types.is_dictionary(values.type) and values.type != target:
        values = values.cast(values.type.value_type)
    if pa.types.is_timestamp(target) and target.tz and _is_naive(values.type) and column.timezone:
        return Typed(*zoned(values, target, column.timezone))
    if not _can_become(values.type, target):
        raise SourceError(
            f"column {column.name!r} is {values.type}, the contract says {type_text(target)}, and "
            "no lossless cast leads from one to the other. Change physicalType, or cast the column "
            "in the source."
        )
    if pa.types.is_floating(values.type):
        values = pc.if_else(pc.is_nan(values), pa.scalar(None, values.type), values)
        if pa.types.is_floating(target):
            return _fitting_floats(values, target)
    if pa.types.is_integer(values.type) and pa.types.is_decimal(target):
        # Arrow wants room for the widest int64 first; the values may well fit less.
        values = values.cast(pa.decimal128(38, min(target.scale, 18)))
    if pa.types.is_integer(values.type) and pa.types.is_boolean(target):
        known = true_mask(pc.is_in(values, value_set=pa.array([0, 1], values.type)))
        return Typed(
            only(values, known).cast(target), {"neither 0 nor 1": present(values) & ~known}
        )
    if pa.types.is_timestamp(values.type) and pa.types.is_date(target):
        return Typed(*days_of(values, target))
    whole = _cast_text(values, target)
    return Typed(whole) if whole is not None else _cast_row_by_row(values, target)


def _cast_text(values: pa.Array, target: pa.DataType) -> pa.Array | None:
    if pa.types.is_dictionary(target) and not pa.types.is_dictionary(values.type):
        return values.cast(target.value_type).dictionary_encode().cast(target)
    return try_cast(values, target)


def _cast_row_by_row(values: pa.Array, target: pa.DataType) -> Typed:
    """Slow and exact: only reached for a batch in which some value does not fit."""
    fits = np.array(
        [try_cast(values.slice(row, 1), target) is not None for row in range(len(values))], bool
    )
    typed = only(values, fits).cast(target)
    return Typed(typed, {f"does not fit {type_text(target)} without loss": ~fits})


_FAMILIES = (
    (pa.types.is_integer, pa.types.is_integer),
    (pa.types.is_integer, pa.types.is_floating),
    (pa.types.is_integer, pa.types.is_decimal),
    (pa.types.is_floating, pa.types.is_floating),
    (pa.types.is_floating, pa.types.is_integer),
    (pa.types.is_decimal, pa.types.is_decimal),
    (pa.types.is_date, pa.types.is_date),
    (pa.types.is_boolean, pa.types.is_boolean),
    (pa.types.is_integer, pa.types.is_boolean),
)


def _can_become(found: pa.DataType, target: pa.DataType) -> bool:
    """Whether values of type `found` may become `target` where each of them fits exactly."""
    if found == target or pa.types.is_null(found):
        return True
    if _is_text(found) and _is_text(target):
        return True
    if pa.types.is_timestamp(found) and pa.types.is_timestamp(target):
        return (found.tz is None) == (target.tz is None)
    if pa.types.is_timestamp(found) and pa.types.is_date(target):
        return found.tz is None
    if pa.types.is_date(found) and pa.types.is_timestamp(target):
        return target.tz is None
    return any(is_from(found) and is_to(target) for is_from, is_to in _FAMILIES)


def _is_text(data_type: pa.DataType) -> bool:
    if pa.types.is_dictionary(data_type):
        return _is_text(data_type.value_type)
    return bool(
        pa.types.is_string(data_type)
        or pa.types.is_large_string(data_type)
        or pa.types.is_string_view(data_type)
    )


def _is_naive(data_type: pa.DataType) -> bool:
    return bool(pa.types.is_timestamp(data_type)) and data_type.tz is None
