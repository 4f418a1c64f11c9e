"""Contradictions: promises that are each well formed, but cannot all hold."""

from collections.abc import Iterable, Iterator

from pandas.tseries.frequencies import to_offset

from data_contracts.column_contradictions import column_contradictions
from data_contracts.contract import Column, Contract, ForeignKey, Table
from data_contracts.faults import Fault, suggestion
from data_contracts.privacy_contradictions import privacy_contradictions
from data_contracts.rule_contradictions import rule_contradictions, unknown_columns
from data_contracts.share_contradictions import share_contradictions
from data_contracts.source_contradictions import source_contradictions

_TIMES = ("date", "timestamp")
# Folders that stand beside the tables' folders in an ingest.
RESERVED = ("holdout", "rejects")


def find_contradictions(contract: Contract) -> Iterator[Fault]:
    """Every contradiction in the contract, each with its path in the ODCS file."""
    yield from _repeated((table.name for table in contract.tables), "schema[{}].name", "table")
    for index, table in enumerate(contract.tables):
        path = f"schema[{index}]"
        if table.name.lower() in RESERVED:
            found = f"{table.name!r} is a folder of the store's own"
            yield Fault(f"{path}.name", found, "Give the table another name.")
        names = (column.name for column in table.columns)
        yield from _repeated(names, path + ".properties[{}].name", "column")
        for position, column in enumerate(table.columns):
            yield from column_contradictions(column, f"{path}.properties[{position}]")
        yield from _table_contradictions(table, path)
        for position, key in enumerate(table.foreign_keys):
            place = f"{path}.relationships[{position}]"
            yield from _foreign_key_contradictions(contract, table, key, place)
        yield from source_contradictions(table.source, f"servers.{table.name}")
    yield from share_contradictions(contract)
    place = "customProperties.understudy.holdout.sources"
    for name, source in contract.holdout.sources.items():
        if name not in {table.name for table in contract.tables}:
            remedy = suggestion(name, (table.name for table in contract.tables))
            yield Fault(f"{place}.{name}", "no table has this name", remedy)
        yield from source_contradictions(source, f"{place}.{name}")
    yield from privacy_contradictions(contract)


def _repeated(names: Iterable[str], place: str, what: str) -> Iterator[Fault]:
    first: dict[str, int] = {}
    for index, name in enumerate(names):
        if name in first:
            found = f"{what} {name!r} again (first at {first[name]})"
            yield Fault(place.format(index), found, "Rename or remove one of the two.")
        first.setdefault(name, index)


def _table_contradictions(table: Table, path: str) -> Iterator[Fault]:
    own = f"{path}.customProperties.understudy"
    for role in ("unit", "entity", "time"):
        name = getattr(table, role)
        if name is not None and name not in table.column_names:
            remedy = suggestion(name, table.column_names)
            yield Fault(f"{own}.{role}", f"no column is called {name!r}", remedy)
    yield from _kind_contradictions(table, own)
    yield from _time_contradictions(table, own)
    targets = [column.name for column in table.columns if column.role == "target"]
    if len(targets) > 1:
        yield Fault(f"{path}.properties", f"several targets: {targets}", "Keep one.")
    if table.min_rows is not None and table.max_rows is not None:
        if table.min_rows > table.max_rows:
            found = f"rowCount at least {table.min_rows} and at most {table.max_rows}"
            yield Fault(f"{path}.quality", found, "Swap or mend the two.")
    yield from rule_contradictions(table, path)
    yield from _freshness_contradictions(table)


def _kind_contradictions(table: Table, own: str) -> Iterator[Fault]:
    if table.kind == "panel" and table.entity is None:
        yield Fault(
            f"{own}.entity",
            "missing in a panel",
            "Name the column that tells its rows' series apart.",
        )
    if table.kind in ("panel", "series") and table.time is None:
        yield Fault(
            f"{own}.time", f"missing in a {table.kind}", "Name the column that orders its rows."
        )
    if table.kind == "series" and table.entity is not None:
        yield Fault(f"{own}.entity", "given for a series", "Use kind: panel, or remove the entity.")
    if table.kind == "child" and not table.foreign_keys:
        yield Fault(
            f"{own}.kind", "a child without a foreign key", "Add a relationship to its parent."
        )
    if table.entity is not None and table.entity == table.time:
        yield Fault(f"{own}.entity", "the same column as time", "Name two different columns.")


def _time_contradictions(table: Table, own: str) -> Iterator[Fault]:
    time = _column(table, table.time)
    if time is not None and time.logical_type not in (*_TIMES, "integer"):
        found = f"column {time.name!r} is of type {time.logical_type}"
        yield Fault(f"{own}.time", found, "Name a date, timestamp or integer column.")
    if table.cadence is None:
        return
    if table.time is None:
        yield Fault(f"{own}.cadence", "given without a time column", "Add time, or remove it.")
    try:
        to_offset(table.cadence)
    except ValueError:
        found = f"{table.cadence!r} is no pandas offset"
        yield Fault(f"{own}.cadence", found, "Use 'h', 'D', '7D', 'W-SAT', 'MS' or the like.")


def _freshness_contradictions(table: Table) -> Iterator[Fault]:
    if table.freshness is None:
        return
    column = _column(table, table.freshness.column)
    path = f"slaProperties({table.name})"
    if column is None:
        found = f"no column is called {table.freshness.column!r}"
        yield Fault(path, found, suggestion(table.freshness.column, table.column_names))
    elif column.logical_type not in _TIMES:
        found = f"column {column.name!r} is of type {column.logical_type}"
        yield Fault(path, found, "Freshness needs a date or timestamp column.")


def _foreign_key_contradictions(
    contract: Contract, table: Table, key: ForeignKey, path: str
) -> Iterator[Fault]:
    parent = next((other for other in contract.tables if other.name == key.parent), None)
    if parent is None:
        names = (other.name for other in contract.tables)
        yield Fault(path, f"no table is called {key.parent!r}", suggestion(key.parent, names))
    if len(key.columns) != len(key.parent_columns) or not key.columns:
        found = f"{len(key.columns)} columns refer to {len(key.parent_columns)}"
        yield Fault(path, found, "Name as many columns on both sides, at least one.")
    yield from unknown_columns(table, key.columns, path)
    if parent is None:
        return
    yield from unknown_columns(parent, key.parent_columns, path)
    for name, parent_name in zip(key.columns, key.parent_columns, strict=False):
        ends = (_column(table, name), _column(parent, parent_name))
        if ends[0] and ends[1] and _key_type(ends[0]) != _key_type(ends[1]):
            found = f"{name!r} is {ends[0].physical_type}, {parent_name!r} {ends[1].physical_type}"
            yield Fault(path, found, "Give both sides the same type.")


def _key_type(column: Column) -> str:
    """Text is one key type, however Arrow lays it out."""
    return "string" if column.logical_type == "string" else column.physical_type


def _column(table: Table, name: str | None) -> Column | None:
    return next((column for column in table.columns if column.name == name), None)
