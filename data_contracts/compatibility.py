"""Will readers of what a contract publishes still work after it changed?

Judged for someone who reads the published Parquet: names, exact types, missing values, the set of
values and the meaning of a column. A promise that grows tighter breaks no reader; one that is taken
back does. What only steers the work (sources, generator, bars, holdout) is told, never breaking.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pandas as pd

from data_contracts.contract import Column, Contract, Table
from data_contracts.record import Record

_WORK = ("holdout", "generator", "sampling", "bars")
_TABLE_WORK = ("source", "reject_tolerance", "freshness", "min_rows", "max_rows", "description")
_SHAPE = ("kind", "unit", "entity", "time", "cadence")
_PROMISES = (
    ("foreign_keys", "foreign key"),
    ("row_rules", "row rule"),
    ("unique_together", "unique group"),
    ("fixed_combinations", "fixed combination"),
)
_GONE = {
    "unique_together": "these columns may now repeat together",
    "fixed_combinations": "values may now come together that never did",
}
_COLUMN_NOTES = ("description", "confirm", "null_words", "format", "identifier_kind", "tolerance")


class Change(Record):
    """One difference: where, of which kind, whether it breaks readers, and the sentence."""

    path: str
    kind: str
    breaking: bool
    text: str


def breaking_changes(old: Contract, new: Contract) -> tuple[Change, ...]:
    """Every change from `old` to `new`, those that break readers first."""
    changes = [*_contract_changes(old, new), *_table_set_changes(old, new)]
    known = {table.name: table for table in new.tables}
    for table in old.tables:
        if table.name in known:
            changes += _table_changes(table, known[table.name])
    return tuple(sorted(changes, key=lambda change: not change.breaking))


def _contract_changes(old: Contract, new: Contract) -> Iterator[Change]:
    if old.id != new.id:
        text = f"{old.id!r} is now {new.id!r}: readers look for releases under the old id"
        yield Change(path="id", kind="renamed", breaking=True, text=text)
    for key in ("version", "name", "status", "description"):
        before, after = getattr(old, key), getattr(new, key)
        if before != after:
            text = f"was {_told(before)}, is {_told(after)}"
            yield Change(path=key, kind="changed", breaking=False, text=text)
    for key in _WORK:
        if getattr(old, key) != getattr(new, key):
            text = "changes how releases are made and judged, not their form"
            yield Change(path=key, kind="work", breaking=False, text=text)


def _table_set_changes(old: Contract, new: Contract) -> Iterator[Change]:
    before, after = ({table.name for table in each.tables} for each in (old, new))
    for name in sorted(before - after):
        text = "readers of this table find nothing"
        yield Change(path=name, kind="table removed", breaking=True, text=text)
    for name in sorted(after - before):
        text = "a table more disturbs nobody"
        yield Change(path=name, kind="table added", breaking=False, text=text)


def _table_changes(old: Table, new: Table) -> Iterator[Change]:
    renamed = _renamed(old, new)
    known = {column.name: column for column in new.columns}
    for column in old.columns:
        path = f"{old.name}.{column.name}"
        if column.name in known:
            yield from _column_changes(column, known[column.name], path)
        elif column.name in renamed:
            text = f"is now called {renamed[column.name]!r}, it seems"
            yield Change(path=path, kind="column renamed", breaking=True, text=text)
        else:
            text = "readers of this column fail"
            yield Change(path=path, kind="column removed", breaking=True, text=text)
    for column in new.columns:
        if column.name not in old.column_names and column.name not in renamed.values():
            path, text = f"{old.name}.{column.name}", "a column more disturbs nobody"
            yield Change(path=path, kind="column added", breaking=False, text=text)
    yield from _order_changes(old, new)
    yield from _shape_changes(old, new)


def _renamed(old: Table, new: Table) -> dict[str, str]:
    """Columns that left while one of the very same promises came: old name to new name."""
    gone = [column for column in old.columns if column.name not in new.column_names]
    come = [column for column in new.columns if column.name not in old.column_names]
    found: dict[str, str] = {}
    for column in gone:
        same = [
            each.name
            for each in come
            if each.name not in found.values() and _promises(each) == _promises(column)
        ]
        place = old.column_names.index(column.name)
        beside = [name for name in same if new.column_names.index(name) == place]
        if beside or len(same) == 1:
            found[column.name] = (beside or same)[0]
    return found


def _promises(column: Column) -> dict[str, Any]:
    return column.model_dump(exclude={"name", "description", "confirm"})


def _order_changes(old: Table, new: Table) -> Iterator[Change]:
    kept = [name for name in old.column_names if name in new.column_names]
    moved = [name for name in new.column_names if name in old.column_names]
    if kept != moved:
        text = "readers who go by position, not by name, get other columns"
        yield Change(path=old.name, kind="columns reordered", breaking=False, text=text)


def _shape_changes(old: Table, new: Table) -> Iterator[Change]:
    for key in _SHAPE:
        before, after = getattr(old, key), getattr(new, key)
        if before != after:
            text = f"was {_told(before)}, is {_told(after)}: a row means something else"
            yield Change(path=f"{old.name}.{key}", kind=f"{key} changed", breaking=True, text=text)
    yield from _promise_changes(old, new)
    for key in _TABLE_WORK:
        if getattr(old, key) != getattr(new, key):
            path, text = f"{old.name}.{key}", "changes what is taken in, not the form of a release"
            yield Change(path=path, kind="work", breaking=False, text=text)


def _promise_changes(old: Table, new: Table) -> Iterator[Change]:
    """Rules of several columns: one that is gone breaks readers, one more or another name do not.

    A rule that grew weaker is gone, and another one added.
    """
    for key, what in _PROMISES:
        before, after = ([*map(_essence, getattr(table, key))] for table in (old, new))
        path = f"{old.name}.{key}"
        if set(before) - set(after):
            text = _GONE.get(key, "readers may rely on it")
            yield Change(path=path, kind=f"{what} gone", breaking=True, text=text)
        if set(after) - set(before):
            text = "a promise more disturbs nobody"
            yield Change(path=path, kind=f"{what} added", breaking=False, text=text)
        if set(after) == set(before) and getattr(old, key) != getattr(new, key):
            text = "other names or another order, the same promises"
            yield Change(path=path, kind="note", breaking=False, text=text)


def _essence(promise: Any) -> Any:
    """A promise without what changes nothing in the rows that keep it."""
    if isinstance(promise, tuple):
        return frozenset(promise)
    return repr(promise.model_copy(update={"name": None}) if hasattr(promise, "name") else promise)


def _column_changes(old: Column, new: Column, path: str) -> Iterator[Change]:
    if old.physical_type != new.physical_type:
        text = f"was {old.physical_type}, is {new.physical_type}"
        yield Change(path=path, kind="type changed", breaking=True, text=text)
    elif old.timezone != new.timezone:
        text = f"local times were of {_told(old.timezone)}, are of {_told(new.timezone)}"
        yield Change(path=path, kind="time zone changed", breaking=True, text=text)
    yield from _flag_changes(old, new, path)
    yield from _category_changes(old, new, path)
    yield from _range_changes(old, new, path)
    if old.pattern != new.pattern:
        text = f"was {_told(old.pattern)}, is {_told(new.pattern)}"
        gone = old.pattern is not None
        yield Change(path=path, kind="pattern changed", breaking=gone, text=text)
    if old.role != new.role:
        yield _role_change(old, new, path)
    for key in _COLUMN_NOTES:
        if getattr(old, key) != getattr(new, key):
            text = f"{key} changed, which the published values do not show"
            yield Change(path=path, kind="note", breaking=False, text=text)


_FLAGS = (
    ("required", "may now be missing", "is never missing any more"),
    ("unique", "may now repeat", "never repeats any more"),
    ("primary_key", "is no longer part of the primary key", "is now part of the primary key"),
)


def _flag_changes(old: Column, new: Column, path: str) -> Iterator[Change]:
    for key, lost, won in _FLAGS:
        before, after = getattr(old, key), getattr(new, key)
        # Rows that were told apart by two columns are not by the old two alone once a third joins.
        breaking = before or key == "primary_key"
        if before != after:
            text = lost if before else won
            yield Change(path=path, kind=f"{key} changed", breaking=breaking, text=text)


def _category_changes(old: Column, new: Column, path: str) -> Iterator[Change]:
    before, after = old.categories, new.categories
    if before is None or after is None:
        if before is not None:
            text = "any value may come now, not only those listed"
            yield Change(path=path, kind="categories dropped", breaking=True, text=text)
        if after is not None:
            text = "values are now of a list"
            yield Change(path=path, kind="categories listed", breaking=False, text=text)
        return
    come, gone = set(after) - set(before), set(before) - set(after)
    if come:
        text = f"{len(come)} new: {', '.join(map(repr, sorted(come, key=str)[:5]))}"
        yield Change(path=path, kind="categories added", breaking=True, text=text)
    if gone:
        text = f"{len(gone)} fewer: {', '.join(map(repr, sorted(gone, key=str)[:5]))}"
        yield Change(path=path, kind="categories removed", breaking=False, text=text)
    kept = [value for value in before if value in after]
    reordered = kept != [value for value in after if value in before]
    if old.ordered != new.ordered or (reordered and old.ordered):
        text = "the order of the categories means something else"
        yield Change(path=path, kind="category order changed", breaking=True, text=text)


def _range_changes(old: Column, new: Column, path: str) -> Iterator[Change]:
    for key, is_wider in (("minimum", _below), ("maximum", _above)):
        before, after = getattr(old, key), getattr(new, key)
        if before == after:
            continue
        wider = before is not None and (after is None or is_wider(after, before))
        text = f"{key} was {_told(before)}, is {_told(after)}"
        kind = "range wider" if wider else "range narrower"
        yield Change(path=path, kind=kind, breaking=wider, text=text)


def _below(first: Any, second: Any) -> bool:
    return bool(_comparable(first) < _comparable(second))


def _above(first: Any, second: Any) -> bool:
    return _below(second, first)


def _comparable(bound: Any) -> Any:
    """A bound as a number, times in seconds; a column has bounds of one kind only."""
    if not isinstance(bound, str):
        return bound
    stamp: datetime = pd.Timestamp(bound)
    return (stamp if stamp.tzinfo else pd.Timestamp(bound, tz="UTC")).timestamp()


def _role_change(old: Column, new: Column, path: str) -> Change:
    """An identifier is issued anew, so that its values have nothing to do with the source's."""
    breaking = "identifier" in (old.role, new.role)
    reason = ": its values are of another making" if breaking else ""
    text = f"was {old.role}, is {new.role}{reason}"
    return Change(path=path, kind="role changed", breaking=breaking, text=text)


def _told(value: Any) -> str:
    return "none" if value is None else repr(value)
