"""What people type of the rows that they want, in the types of the columns."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from data_contracts.contract import Column, Table
from data_contracts.errors import ContractError
from data_contracts.schema import arrow_type

RANGE = ".."


def typed_wishes(
    table: Table, given: Mapping[str, str], shares: Sequence[str] = ()
) -> dict[str, Any]:
    """Values, ranges, choices and shares as people type them, in their columns' types.

    `given` holds a value, an empty text for a missing one, a range `30..40` or `30..` of a number
    or a time, or a JSON list of values of which any will do, `null` being a missing one. `shares`
    are `column=value:share`.
    Raises ContractError for a column that the table lacks or a text that its type cannot read.
    """
    from models.conditions import Shares

    typed = {name: _wish(_column(table, name, "--given"), text) for name, text in given.items()}
    stated: dict[str, dict[Any, float]] = {}
    for text in shares:
        name, value, share = _share_parts(text)
        wish = _wish(_column(table, name, "--share"), value)
        stated.setdefault(name, {})[wish] = share
    if twice := sorted(typed.keys() & stated.keys()):
        raise ContractError(f"{', '.join(twice)}: in --given and in --share. Name it once.")
    return {**typed, **{name: Shares(of) for name, of in stated.items()}}


def check_powers(generator: str, asked: Mapping[str, Any], temperature: float | None) -> None:
    """Raises ContractError where rows are asked for in a way that the generator has no power for.

    It says so before any row is drawn, and names the generators that can.
    """
    from models.conditions import Wish
    from models.registry import REGISTRY

    wishes = [name for name, value in asked.items() if isinstance(value, Wish)]
    needed = {
        "condition": ("given values", [name for name in asked if name not in wishes]),
        "wishes": ("ranges, choices and shares", wishes),
        "temperature": ("a temperature", ["--temperature"] * (temperature is not None)),
    }
    for power, (what, names) in needed.items():
        if names and power not in REGISTRY[generator].supports:
            able = ", ".join(sorted(n for n, one in REGISTRY.items() if power in one.supports))
            raise ContractError(
                f"{', '.join(names)}: the generator {generator!r} does not take {what}. Leave "
                f"them out, or use a model of {able}."
            )


def _share_parts(text: str) -> tuple[str, str, float]:
    name, equals, rest = text.partition("=")
    value, colon, share = rest.rpartition(":")
    try:
        if not equals or not colon:
            raise ValueError
        return name, value, float(share)
    except ValueError:
        raise ContractError(f"--share {text}: not COLUMN=VALUE:SHARE, as in region=north:0.5.") \
            from None  # fmt: skip


def _column(table: Table, name: str, option: str) -> Column:
    if name not in table.column_names:
        known = ", ".join(table.column_names)
        raise ContractError(f"{option} {name}: table {table.name!r} has no such column: {known}.")
    return table.column(name)


def _wish(column: Column, text: str) -> Any:
    from models.conditions import OneOf, Range

    if column.kind in ("number", "datetime") and RANGE in text:
        low, _, high = text.partition(RANGE)
        return Range(*(_value(column, end) for end in (low, high)))
    if text.startswith("["):
        try:
            listed = json.loads(text)
        except ValueError:
            listed = None
        if isinstance(listed, list) and listed:
            return OneOf(tuple(_listed(column, value) for value in listed))
    return _value(column, text)


def _listed(column: Column, value: Any) -> Any:
    """A value of a JSON list; null is a missing one, and true is not the word `True`."""
    if value is None:
        return None
    return _value(column, value if isinstance(value, str) else json.dumps(value))


def _value(column: Column, text: str) -> Any:
    if not text:
        return None
    if column.logical_type == "string":
        return text
    try:
        # Arrow's casts read booleans, numbers, decimals, dates and times.
        return pa.array([text]).cast(arrow_type(column.physical_type))[0].as_py()
    except (ValueError, ArithmeticError) as error:
        zoned = ", with an offset as in 08:00+02:00" * (column.timezone is not None)
        raise ContractError(
            f"{column.name}={text}: not a value of type {column.physical_type}. Booleans are true "
            f"or false, dates and times ISO 8601{zoned}, a range LOW..HIGH, a missing value "
            "nothing at all."
        ) from error
