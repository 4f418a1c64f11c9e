"""Contradictions in what a contract says of sharing coded rows."""

from collections.abc import Iterator

from data_contracts.contract import Contract, Table
from data_contracts.faults import Fault, suggestion
from data_contracts.share import DeclaredTask, Share, is_written_out

_PLACE = "customProperties.understudy.share"


def share_contradictions(contract: Contract) -> Iterator[Fault]:
    """Every contradiction below `share`, and of it with the contract's tables."""
    share = contract.share
    if share is None:
        return
    if len(contract.tables) != 1 or contract.tables[0].kind != "table":
        found = f"{len(contract.tables)} tables, the first of kind {contract.tables[0].kind}"
        yield Fault(_PLACE, found, "Rows are coded of one table of kind table. Give it alone.")
        return
    for place, task in enumerate(share.tasks):
        yield from _task_contradictions(contract.tables[0], task, f"{_PLACE}.tasks[{place}]")
    yield from _column_contradictions(contract.tables[0], share)
    yield from _recipient_contradictions(share)


def _task_contradictions(table: Table, task: DeclaredTask, place: str) -> Iterator[Fault]:
    if task.kind == "clustering":
        if task.clusters is None:
            yield Fault(f"{place}.clusters", "missing", "Say how many groups are to be found.")
        if task.column is not None:
            yield Fault(f"{place}.column", "given for a clustering", "Remove it.")
        return
    if task.clusters is not None:
        yield Fault(f"{place}.clusters", f"given for a {task.kind}", "Remove it.")
    if task.column not in table.column_names:
        found = f"no column is called {task.column!r}"
        yield Fault(f"{place}.column", found, suggestion(task.column, table.column_names))
        return
    column = table.column(task.column)
    if table.issues(column):
        yield Fault(f"{place}.column", "an identifier", "Name a column that can be predicted.")
    elif column.role == "sensitive":
        found = f"{column.name!r} is sensitive"
        yield Fault(f"{place}.column", found, "What a task finds is told: take its role away.")
    elif task.kind == "regression" and column.kind != "number":
        found = f"{column.name!r} is no number"
        yield Fault(f"{place}.column", found, "Declare a classification.")
    elif task.kind == "classification" and column.kind == "datetime":
        yield Fault(f"{place}.column", f"{column.name!r} is a time", "Name a column of classes.")


def _column_contradictions(table: Table, share: Share) -> Iterator[Fault]:
    for name in share.public or ():
        if name not in table.column_names:
            found = f"no column is called {name!r}"
            yield Fault(f"{_PLACE}.public", found, suggestion(name, table.column_names))
        elif table.column(name).role == "sensitive":
            found = f"{name!r} is sensitive"
            yield Fault(f"{_PLACE}.public", found, "A column is either public or sensitive.")
    names = [task.name for task in share.tasks]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield Fault(f"{_PLACE}.tasks", f"{name} more than once", "Keep one.")


def _recipient_contradictions(share: Share) -> Iterator[Fault]:
    # Each has a folder of its parcels, and some disks do not tell small letters from large ones.
    names = [recipient.name.casefold() for recipient in share.recipients]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield Fault(f"{_PLACE}.recipients", f"{name!r} more than once", "Keep one.")
    keys = [(f"{_PLACE}.recipients", one.key) for one in share.recipients]
    if share.holder is not None:
        keys.append((f"{_PLACE}.holder", share.holder))
    for place, key in keys:
        if is_written_out(key):
            # The key itself is not repeated here: errors end in logs.
            remedy = "It is no secret any more: make a new one, and name its file or variable."
            yield Fault(place, "a key is written out", remedy)
