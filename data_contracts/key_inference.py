"""Keys, and which table's rows belong to which other table's."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from data_contracts.column_inference import ColumnDraft, found_extremes
from data_contracts.contract import Source
from data_contracts.identifiers import looks_like_key, words_of

# So many different long values are in another table's key by no accident, whatever the header.
_TELLING_VALUES = 100
# A parent of which each row has so many children is a look-up, not whom the rows are about.
_SHARED_BY = 20
PEOPLE = frozenset({
    "person", "people", "customer", "client", "patient", "user", "member", "employee", "subject",
    "student", "participant", "respondent", "household", "account",
})  # fmt: skip
# In fewer rows consecutive whole numbers may be anything, such as years.
_FEWEST_NUMBERS = 20
# In so many rows none of which repeats, numbers that leave out at most as many more (patients who
# were excluded, say) were counted, not measured.
_FEWEST_WITH_GAPS = 100


@dataclass
class TableDraft:
    """A table's promises so far."""

    name: str
    source: Source
    columns: dict[str, ColumnDraft]
    values: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def key(self) -> ColumnDraft | None:
        """The column that alone is the primary key."""
        keys = [column for column in self.columns.values() if column.values.get("primary_key")]
        return keys[0] if len(keys) == 1 else None


def find_key(table: TableDraft) -> None:
    """Marks the column that names each row, if there is one, as the primary key."""
    unique = [
        column
        for column in table.columns.values()
        if column.profile.is_unique
        and column.values["logical_type"] in ("integer", "string")
        and column.values.get("role") != "target"
    ]
    named = [column for column in unique if looks_like_key(column.name)]
    for column in table.columns.values():
        if column.profile.distinct.overflowed and looks_like_key(column.name):
            column.remarks.append("holds too many different values to see whether any repeats")
    numbered = [column for column in unique if _counts_rows(column)]
    coded = [column for column in unique if column.values.get("identifier_kind") == "key"]
    for column in numbered:
        if not looks_like_key(column.name):
            column.identify("key")
            column.ask("numbers the rows")
    keys = named or numbered or coded
    if not keys:
        return
    key = min(keys, key=lambda column: _distance(column.name, table.name))
    key.identify("key")
    key.values |= {"primary_key": True, "unique": True, "required": True, "confirm": False}
    key.questions.clear()
    key.remarks.append("differs in every row and is taken as the primary key")


def _counts_rows(column: ColumnDraft) -> bool:
    """Whether the values, none of which repeats, are whole numbers in a row, or nearly so."""
    extremes, rows = found_extremes(column), column.profile.rows
    if column.values["logical_type"] != "integer" or rows < _FEWEST_NUMBERS:
        return False
    span = extremes.high - extremes.low + 1
    return bool(span <= (2 * rows if rows >= _FEWEST_WITH_GAPS else rows))


def _distance(header: str, table: str) -> int:
    """0 for `id`, 1 for `<table>_id`, 2 for any other name."""
    words = words_of(header)
    if len(words) < 2:
        return 0 if looks_like_key(header) else 2
    return 1 if _singular(words[0]) == _noun(table) else 2


def _noun(table: str) -> str:
    return _singular((words_of(table) or ("",))[-1])


def _singular(word: str) -> str:
    if word == "people":
        return "person"
    if word.endswith("ies"):
        return word[:-3] + "y"
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word


def link_tables(tables: Sequence[TableDraft]) -> None:
    """Guesses foreign keys: columns whose values all stand in another table's key.

    The children's rows then belong to their parent's unit of privacy: a person's rows in all
    tables fall on the same side of the holdout.
    """
    for child in tables:
        for column in child.columns.values():
            parent = next((table for table in tables if _refers(column, child, table)), None)
            if parent is not None and parent.key is not None:
                _link(child, column, parent, parent.key)
    for table in tables:
        _choose_unit(table, tables)


def _refers(column: ColumnDraft, child: TableDraft, parent: TableDraft) -> bool:
    key = parent.key
    if key is None or parent is child or _parents(parent) & {child.name}:
        return False
    if column.values["physical_type"] != key.values["physical_type"]:
        return False
    if column.values.get("role") == "target" or column.name == child.values.get("time"):
        return False
    known, found = key.profile.distinct.hashes, column.profile.distinct.hashes
    if not len(found) or not len(known) or column.profile.distinct.overflowed:
        return False
    if not _names_match(column, key, parent):
        return False
    places = np.searchsorted(known, found).clip(max=len(known) - 1)
    return bool((known[places] == found).all())


def _names_match(column: ColumnDraft, key: ColumnDraft, parent: TableDraft) -> bool:
    words, key_words = words_of(column.name), words_of(key.name)
    if len(key_words) > 1 or not looks_like_key(key.name):
        matches = words[-len(key_words) :] == key_words
    else:
        matches = any(_singular(word) == _noun(parent.name) for word in words[:-1])
    texts = column.profile.sample
    is_telling = len(set(texts)) >= _TELLING_VALUES and min(map(len, texts)) >= 8
    return matches or is_telling


def _parents(table: TableDraft) -> set[str]:
    return {key["parent"] for key in table.values.get("foreign_keys", [])}


def _link(child: TableDraft, column: ColumnDraft, parent: TableDraft, key: ColumnDraft) -> None:
    relation = {"columns": [column.name], "parent": parent.name, "parent_columns": [key.name]}
    child.values.setdefault("foreign_keys", []).append(relation)
    if not _is_look_up(parent, child):
        child.values.setdefault("kind", "child")
    column.identify("key")
    column.values.pop("confirm", None)
    column.questions.clear()
    column.remarks.append(f"each value is a {key.name!r} of the table {parent.name!r}")
    child.notes.append(f"belongs to {parent.name!r} through {column.name!r} (a guess)")


def _choose_unit(table: TableDraft, tables: Sequence[TableDraft]) -> None:
    """Whom the rows are about: the table's own key, or the column that refers to its parent's.

    A table of people stands for itself. Otherwise the parent counts, unless it is a look-up (of
    districts, say) that many rows share.
    """
    children = any(table.name in _parents(other) for other in tables)
    if "unit" in table.values or not (children or _parents(table)):
        return
    named = {other.name: other for other in tables}
    relations = table.values.get("foreign_keys", [])
    people = [relation for relation in relations if _is_people(named[relation["parent"]])]
    close = [
        relation for relation in relations if not _is_look_up(named[relation["parent"]], table)
    ]
    if table.key is not None and children and (_is_people(table) or not close):
        table.values["unit"] = table.key.name
    elif people or close:
        table.values["unit"] = (people or close)[0]["columns"][0]


def _is_people(table: TableDraft) -> bool:
    return _noun(table.name) in PEOPLE


def _is_look_up(parent: TableDraft, child: TableDraft) -> bool:
    rows = [next(iter(table.columns.values())).profile.rows for table in (parent, child)]
    return not _is_people(parent) and rows[0] * _SHARED_BY < rows[1]
