"""What can be wrong with one column although each of its values is well formed."""

import re
import zoneinfo
from collections.abc import Iterator
from typing import Any

import pandas as pd
import pyarrow as pa

from data_contracts.contract import Column, LogicalType
from data_contracts.errors import ContractError
from data_contracts.faults import Fault, show
from data_contracts.schema import arrow_type

_TIMES = ("date", "timestamp")
_NUMBERS = ("integer", "number")


def column_contradictions(column: Column, path: str) -> Iterator[Fault]:
    """Every contradiction inside the column; `path` is its place in the ODCS file."""
    yield from _type_contradictions(column, path)
    yield from _range_contradictions(column, f"{path}.logicalTypeOptions")
    yield from _text_contradictions(column, f"{path}.logicalTypeOptions")
    yield from _category_contradictions(column, f"{path}.quality")
    own = f"{path}.customProperties.understudy"
    if column.identifier_kind is not None and column.role != "identifier":
        found = f"{column.identifier_kind!r} on a column with the role {column.role}"
        remedy = "Use role: identifier, or remove it; an identifier is never modelled."
        yield Fault(f"{own}.identifier_kind", found, remedy)
    if column.ordered and column.categories is None:
        remedy = "Add invalidValues with validValues in their order."
        yield Fault(f"{own}.ordered", "no categories are listed", remedy)
    if column.tolerance is not None and column.logical_type not in _NUMBERS:
        found = f"a tolerance on a column of the type {column.logical_type}"
        yield Fault(f"{own}.tolerance", found, "Only numbers have one. Remove it.")


def _type_contradictions(column: Column, path: str) -> Iterator[Fault]:
    try:
        physical = arrow_type(column.physical_type)
    except ContractError as error:
        remedy = str(error).partition(". ")[2]
        yield Fault(f"{path}.physicalType", f"found {show(column.physical_type)}", remedy)
        return
    logical = logical_type_of(physical)
    if logical != column.logical_type:
        found = (
            f"{column.physical_type!r} holds {logical}, but logicalType is {column.logical_type}"
        )
        yield Fault(f"{path}.physicalType", found, "Make both say the same.")
    zone = physical.tz if pa.types.is_timestamp(physical) else None
    for name, key in (
        (zone, "physicalType"),
        (column.timezone, "logicalTypeOptions.defaultTimezone"),
    ):
        if name is not None and not _is_zone(name):
            remedy = "Use a name such as UTC or Europe/Vienna."
            yield Fault(f"{path}.{key}", f"no time zone is called {name!r}", remedy)
    if column.timezone is not None and column.logical_type != "timestamp":
        yield Fault(f"{path}.logicalTypeOptions", "a time zone on no timestamp", "Remove it.")


def logical_type_of(physical: pa.DataType) -> LogicalType:
    """The standard's word for what an Arrow type holds."""
    if pa.types.is_boolean(physical):
        return "boolean"
    if pa.types.is_integer(physical):
        return "integer"
    if pa.types.is_floating(physical) or pa.types.is_decimal(physical):
        return "number"
    if pa.types.is_date(physical):
        return "date"
    return "timestamp" if pa.types.is_timestamp(physical) else "string"


def _is_zone(name: str) -> bool:
    if re.fullmatch(r"[+-]\d\d:\d\d", name):
        return True
    try:
        zoneinfo.ZoneInfo(name)
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        return False
    return True


def _range_contradictions(column: Column, path: str) -> Iterator[Fault]:
    bounds: dict[str, Any] = {}
    for key in ("minimum", "maximum"):
        value = getattr(column, key)
        if value is None:
            continue
        if column.logical_type not in (*_NUMBERS, *_TIMES):
            yield Fault(f"{path}.{key}", f"given for a {column.logical_type}", "Remove it.")
            continue
        bound = _bound(value, column)
        if bound is None:
            what = "a number" if column.logical_type in _NUMBERS else "an ISO 8601 text"
            yield Fault(f"{path}.{key}", f"found {show(value)}", f"Must be {what}.")
        else:
            bounds[key] = bound
    if len(bounds) == 2 and bounds["minimum"] > bounds["maximum"]:
        found = f"{show(column.minimum)} is above the maximum {show(column.maximum)}"
        yield Fault(f"{path}.minimum", found, "Swap or mend the two.")


def _bound(value: float | int | str, column: Column) -> Any:
    """The bound as something that compares, or None when it is not of the column's type."""
    if column.logical_type in _NUMBERS:
        return None if isinstance(value, bool | str) or value != value else value
    try:
        stamp = pd.Timestamp(value) if isinstance(value, str) else pd.NaT
    except (ValueError, OverflowError):
        return None
    if not isinstance(stamp, pd.Timestamp):
        return None
    return stamp.tz_localize("UTC") if stamp.tz is None else stamp


def _text_contradictions(column: Column, path: str) -> Iterator[Fault]:
    if column.pattern is not None:
        if column.logical_type != "string":
            yield Fault(f"{path}.pattern", f"given for a {column.logical_type}", "Remove it.")
        try:
            re.compile(column.pattern)
        except (re.error, OverflowError, RecursionError) as error:
            found = f"no regular expression ({error})"
            yield Fault(f"{path}.pattern", found, "Mend it, or remove it.")
    if column.format is None or column.logical_type == "string":
        return
    if column.logical_type not in _TIMES:
        yield Fault(f"{path}.format", f"given for a {column.logical_type}", "Remove it.")
    elif "%" not in column.format:
        found = f"found {show(column.format)}"
        yield Fault(f"{path}.format", found, "Write it as yyyy-MM-dd, or as %Y-%m-%d.")


def _category_contradictions(column: Column, path: str) -> Iterator[Fault]:
    if column.categories is None:
        return
    if column.role == "identifier":
        yield Fault(path, "categories on an identifier", "Remove them; they would publish it.")
    if column.logical_type not in ("string", *_NUMBERS):
        remedy = "Only text and numbers have categories; remove them."
        yield Fault(path, f"categories on a {column.logical_type}", remedy)
        return
    if not column.categories:
        yield Fault(path, "an empty list of categories", "List at least one value.")
    if len(set(column.categories)) < len(column.categories):
        yield Fault(path, "a category twice", "List each value once.")
    odd = [value for value in column.categories if not _fits(value, column.logical_type)]
    if odd:
        found = f"category {show(odd[0])} in a column of type {column.logical_type}"
        remedy = "Put it in quotes." if column.logical_type == "string" else "Use numbers only."
        yield Fault(path, found, remedy)


def _fits(value: object, logical_type: str) -> bool:
    if logical_type == "string":
        return isinstance(value, str)
    kinds = int if logical_type == "integer" else int | float
    return isinstance(value, kinds) and not isinstance(value, bool)
