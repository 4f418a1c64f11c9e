"""What voids a claim of differential privacy before any row is read."""

from collections.abc import Iterator

from data_contracts.contract import Column, Contract, Privacy, Table
from data_contracts.faults import Fault

_PLACE = "customProperties.understudy.privacy"


def privacy_contradictions(contract: Contract) -> Iterator[Fault]:
    """Every promise that a contract with `privacy` can't keep: nothing without `privacy`."""
    privacy = contract.privacy
    if privacy is None:
        return
    if len(contract.tables) > 1:
        found = (
            f"one budget for {len(contract.tables)} tables, in all of which a unit may have rows"
        )
        yield Fault(_PLACE, found, "Write a contract with a budget of its own for each table.")
    if contract.share is not None:
        found = "a budget, and share, which codes each single row without one"
        yield Fault(_PLACE, found, "Write share into a contract of its own, without privacy.")
    if privacy.total_epsilon is not None and privacy.total_epsilon < privacy.epsilon:
        found = f"{privacy.total_epsilon:g}, less than one fit costs ({privacy.epsilon:g})"
        yield Fault(f"{_PLACE}.total_epsilon", found, "Allow more, or a smaller epsilon.")
    for index, table in enumerate(contract.tables):
        path = f"schema[{index}]"
        yield from _unit_contradictions(privacy, table)
        yield from _table_contradictions(privacy, table, path)
        for position, column in enumerate(table.columns):
            if not table.issues(column):
                yield from _domain_contradictions(privacy, column, f"{path}.properties[{position}]")


def _unit_contradictions(privacy: Privacy, table: Table) -> Iterator[Fault]:
    place = f"{_PLACE}.rows_per_unit"
    if table.unit is not None and privacy.rows_per_unit is None:
        found = f"missing, and units of table {table.name!r} ({table.unit}) may have many rows"
        yield Fault(place, found, "Say how many rows of a unit are learned from at most: 1, 5, 20.")
    if table.unit is None and (privacy.rows_per_unit or 1) > 1:
        found = f"{privacy.rows_per_unit}, but table {table.name!r} names no unit"
        yield Fault(place, found, f"Name the unit's column at the table, or remove {place}.")


def _table_contradictions(privacy: Privacy, table: Table, path: str) -> Iterator[Fault]:
    if table.min_rows and privacy.delta >= 1 / table.min_rows:
        found = f"{privacy.delta:g} is 1/rows or more (table {table.name!r} has {table.min_rows:,})"
        remedy = f"Choose one well below {1 / table.min_rows:.1g}: it may give single rows away."
        yield Fault(f"{_PLACE}.delta", found, remedy)
    if table.fixed_combinations:
        found = "combinations that are to be found in the rows, which nobody pays for"
        place = f"{path}.customProperties.understudy.fixed_combinations"
        yield Fault(place, found, "Remove them, or write row rules that say the same in public.")


def _domain_contradictions(privacy: Privacy, column: Column, path: str) -> Iterator[Fault]:
    """Bounds and lists that would have to be taken from the rows."""
    if column.kind in ("number", "datetime"):
        for end in ("minimum", "maximum"):
            if getattr(column, end) is None:
                found = "missing, and under privacy it can't be taken from the rows"
                remedy = f"Write one that is known without looking at the rows of {column.name!r}."
                yield Fault(f"{path}.logicalTypeOptions.{end}", found, remedy)
    if column.kind == "category" and column.categories is None and privacy.value_share == 0:
        yield Fault(
            f"{path}.quality",
            "no list of values, and privacy.value_share is 0",
            f"List the values of {column.name!r} (metric invalidValues, argument validValues), or "
            "pay for finding them by a value_share above 0.",
        )
