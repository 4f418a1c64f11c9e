"""A first contract from data: what was found is promised, what was guessed is said.

`TableProfile` reads a source batch by batch in bounded memory; `draft_contract` turns profiles into
a contract that the profiled rows keep. A person has the last word.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from pydantic import TypeAdapter, ValidationError

from data_contracts.column_inference import ColumnDraft, draft_column, finish_column
from data_contracts.column_profile import ColumnProfile, is_time
from data_contracts.contract import Contract, Identifier, Source, Table
from data_contracts.errors import ContractError, SourceError
from data_contracts.faults import suggestion
from data_contracts.identifiers import looks_like_key, words_of
from data_contracts.key_inference import PEOPLE, TableDraft, find_key, link_tables
from data_contracts.time_inference import HashArray, IntArray, Rhythm, find_rhythm
from data_contracts.typing_rules import type_column
from data_contracts.value_holders import Owners

VERSION = "0.1.0"
MOST_KINDS = 3
"""So few words under a header such as `member` are kinds of rows, and nobody's names."""
FEWEST_UNITS = 10
"""Fewer whole numbers under a header such as `economy_of_household` grade, and name nobody."""
_COUNTS = frozenset({"num", "n", "no", "nr", "number", "count", "total", "per", "average", "mean"})
_CODE = re.compile(r"(?=.*[0-9])[A-Za-z0-9]+([ _./-][A-Za-z0-9]+)*")


class Remark(NamedTuple):
    """What a reader of the draft should know about a column; a question waits for a person."""

    table: str
    column: str
    text: str
    question: bool


class Draft(NamedTuple):
    """A drafted contract, with everything in it that is a guess, in plain sentences."""

    contract: Contract
    notes: tuple[str, ...]
    remarks: tuple[Remark, ...]


class TableProfile:
    """What one table holds, learned batch by batch; its memory does not grow with the rows."""

    def __init__(self, name: str, source: Source) -> None:
        self.name = name
        self.source = source
        self.columns: dict[str, ColumnProfile] = {}
        self.rows = 0

    def update(self, batch: pa.RecordBatch | pa.Table) -> None:
        """Take in the next rows. Raises SourceError for headers that name no column or two."""
        names = batch.schema.names
        if not self.columns:
            self._check_names(names)
            self.columns = {name: ColumnProfile(name, self.source) for name in names}
        if names != list(self.columns):
            raise SourceError(
                f"table {self.name!r}: columns {names} come after columns {list(self.columns)}. "
                "All parts of a table must have the same columns."
            )
        self.rows += batch.num_rows
        for name in names:
            self.columns[name].update(batch.column(name))

    def widen(self, other: "TableProfile") -> None:
        """Allow for what `other` holds, a source beside this one with the same columns."""
        for name, column in self.columns.items():
            column.widen(other.columns[name])

    def _check_names(self, names: list[str]) -> None:
        if not names:
            raise SourceError(f"table {self.name!r}: the source has no columns.")
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice or not all(names):
            found = f"{twice[0]!r} twice" if twice else "a column without a name"
            raise SourceError(f"table {self.name!r}: its header has {found}. Mend the header.")


def draft_contract(
    profiles: Sequence[TableProfile],
    contract_id: str,
    target: str | None = None,
    holdout: Mapping[str, Source] | None = None,
) -> Draft:
    """A contract that the profiled rows keep; `target` is a column, or `table.column`.

    Raises ContractError when no column is the target or the id could be no folder's name, and
    SourceError for a table without rows or with a type that no contract can carry.
    """
    try:
        TypeAdapter(Identifier).validate_python(contract_id)
    except ValidationError as error:
        raise ContractError(
            f"id {contract_id!r}: no name for a folder. Use letters, digits, - and _, at most 64."
        ) from error
    wanted = _find_target(profiles, target)
    tables = [_draft_table(profile, wanted) for profile in profiles]
    link_tables(tables)
    for table in tables:
        _guess_unit(table)
        owners = _owners(table)
        for column in table.columns.values():
            finish_column(column, owners)
    contract = Contract.model_validate({
        "id": contract_id,
        "version": VERSION,
        "status": "draft",
        "tables": [_record(table) for table in tables],
        "holdout": {"sources": dict(holdout or {})},
    })  # fmt: skip
    return Draft(contract, tuple(_notes(tables, profiles)), tuple(_remarks(tables)))


def _find_target(profiles: Sequence[TableProfile], target: str | None) -> tuple[str, str] | None:
    if target is None:
        return None
    found = [
        (profile.name, name)
        for profile in profiles
        for name in profile.columns
        if target in (name, f"{profile.name}.{name}")
    ]
    if len(found) == 1:
        return found[0]
    names = [name for profile in profiles for name in profile.columns]
    if not found:
        raise ContractError(f"target {target!r}: no such column. {suggestion(target, names)}")
    places = ", ".join(".".join(place) for place in found)
    raise ContractError(f"target {target!r}: several columns. Write one of {places}.")


def _draft_table(profile: TableProfile, target: tuple[str, str] | None) -> TableDraft:
    if not profile.rows:
        raise SourceError(f"table {profile.name!r}: no rows, so that nothing can be drafted.")
    table = TableDraft(profile.name, profile.source, {})
    for name, column in profile.columns.items():
        try:
            table.columns[name] = draft_column(column, target == (profile.name, name))
        except SourceError as error:
            if target == (profile.name, name) or len(profile.columns) == 1:
                raise
            table.notes.append(f"leaves a column out: {error}")
    find_key(table)
    rhythm = find_rhythm(_times(table.columns), _entities(table.columns))
    if rhythm is not None and rhythm.is_sure:
        _set_rhythm(table, rhythm)
    elif rhythm is not None:
        table.notes.append(f"{_panel_but(rhythm)}. If it is one, give its kind, entity and time")
    return table


def _times(columns: Mapping[str, ColumnDraft]) -> dict[str, IntArray]:
    """Columns of points in time without gaps, as microseconds of the first rows."""
    found = {}
    for name, column in columns.items():
        if column.values["logical_type"] not in ("date", "timestamp"):
            continue
        if not column.values.get("required"):
            continue
        parts = [_microseconds(values, column) for values in column.profile.head_values]
        found[name] = np.concatenate(parts)
    return found


def _microseconds(values: Any, column: ColumnDraft) -> IntArray:
    if not is_time(values.type):
        typed = column.record().model_copy(update={"required": False})
        values = type_column(values, typed, column.profile.source).array
    zone = getattr(values.type, "tz", None)
    micros = values.cast(pa.timestamp("us", tz=zone), safe=False).cast(pa.int64())
    return np.asarray(micros.to_numpy(zero_copy_only=False), dtype=np.int64)


def _entities(columns: Mapping[str, ColumnDraft]) -> dict[str, HashArray]:
    return {
        name: np.concatenate(column.profile.codes)
        for name, column in columns.items()
        if column.values["logical_type"] in ("integer", "string")
        and column.values.get("required")
        and column.values.get("role") != "target"
        and not column.profile.is_unique
    }


def _set_rhythm(table: TableDraft, rhythm: Rhythm) -> None:
    time = table.columns[rhythm.time]
    table.values |= {"time": rhythm.time, "cadence": rhythm.cadence, "kind": "series"}
    step = f"every {rhythm.cadence}" if rhythm.cadence else "without a regular step"
    if rhythm.entity is None:
        table.notes.append(f"is a series in the time {rhythm.time!r}, {step}")
        if rhythm.steps.odd:
            table.notes.append(f"has {rhythm.steps.odd:,} steps beside the usual one")
        if not time.profile.is_unique:
            table.notes.append(f"repeats some values of {rhythm.time!r}")
        elif table.key is None:
            time.values |= {"primary_key": True, "unique": True}
        return
    table.values |= {"kind": "panel", "entity": rhythm.entity, "unit": rhythm.entity}
    table.notes.append(
        f"is a panel: a series for each {rhythm.entity!r} in the time {rhythm.time!r}, {step}"
    )
    if rhythm.steps.repeated or rhythm.steps.odd:
        table.notes.append(f"{_panel_but(rhythm)}. It is drafted as one; confirm that")


def _panel_but(rhythm: Rhythm) -> str:
    """What speaks against a panel, in numbers only."""
    found = []
    if rhythm.steps.repeated:
        found.append(f"{rhythm.steps.repeated:,} rows repeat a time of the same {rhythm.entity!r}")
    if rhythm.steps.odd:
        found.append(f"{rhythm.steps.odd:,} steps are no multiple of the usual one")
    elif not rhythm.is_sure and (rhythm.steps.usual_share < 0.5 or not found):
        found.append("its steps have no usual length")
    return (
        f"looks like a panel of {rhythm.entity!r} over {rhythm.time!r}, but {' and '.join(found)}"
    )


def _guess_unit(table: TableDraft) -> None:
    """A repeated key, or a column such as `subject`, names whom the rows are about."""
    if "unit" in table.values:
        return
    repeated = [
        column
        for column in table.columns.values()
        if column.values["logical_type"] in ("integer", "string")
        and column.values.get("role") != "target"
        and not column.profile.is_unique
    ]
    people = [column for column in repeated if _names_people(column)]
    named = [column for column in people if not _tells_kinds(column)]
    for column in people:
        if _tells_kinds(column):
            table.notes.append(
                f"does not take {column.name!r} as the unit of privacy, for it has only "
                f"{len(column.profile.counts or ())} different values. If they name someone, "
                "write it as `unit`"
            )
    keys = [
        column
        for column in repeated
        if column.values.get("identifier_kind") == "key" and _is_code(column)
    ]
    if not named + keys:
        return
    unit = (named + keys)[0]
    table.values["unit"] = unit.name
    table.notes.append(f"takes {unit.name!r} as the unit of privacy (a guess)")
    if not unit.is_identifier:
        unit.identify("key")
        unit.ask("seems to name whom the rows are about")


def _owners(table: TableDraft) -> Owners:
    """Whose the rows are: the unit's, or else what identifiers that repeat may say."""
    if "unit" in table.values:
        return Owners(table.columns[table.values["unit"]].profile)
    repeated = [
        column.profile
        for column in table.columns.values()
        if column.is_identifier and not column.profile.is_unique
    ]
    return Owners(likely=tuple(repeated))


def _is_code(column: ColumnDraft) -> bool:
    """Whether a header or digits tell a key from a city's name, a time of day or an amount."""
    words = column.profile.sample
    codes = sum(_CODE.fullmatch(word) is not None for word in words)
    return looks_like_key(column.name) or 2 * codes >= len(words)


def _names_people(column: ColumnDraft) -> bool:
    """Whether the header is a word for people, with `id` after it or no word that counts them."""
    words, is_key = words_of(column.name), looks_like_key(column.name)
    if not words or words[-1 - is_key :][0] not in PEOPLE:
        return False
    return is_key or not _COUNTS & set(words)


def _tells_kinds(column: ColumnDraft) -> bool:
    """Whether so few words, or 0 and 1, say of what kind a row is: `member`, yes or no.

    Grades do, too, where the header says more than whom they are about.
    """
    words = column.profile.counts
    if words is None:
        return False
    is_graded = len(words_of(column.name)) > 1 and not looks_like_key(column.name)
    if is_graded and column.values["logical_type"] == "integer":
        return len(words) < FEWEST_UNITS
    return len(words) <= MOST_KINDS and all(
        word in ("0", "1") or not any(map(str.isdigit, word)) for word in words
    )


def _record(table: TableDraft) -> Table:
    columns = [column.record() for column in table.columns.values()]
    return Table.model_validate(
        {"name": table.name, "source": table.source, "columns": columns, **table.values}
    )


def _notes(tables: Sequence[TableDraft], profiles: Sequence[TableProfile]) -> list[str]:
    notes = []
    for table, profile in zip(tables, profiles, strict=True):
        columns = table.columns.values()
        found = [f"{profile.rows:,} rows", f"{len(columns)} columns"]
        if table.key is not None:
            found.append(f"primary key {table.key.name!r}")
        notes.append(f"{table.name}: {', '.join(found)}")
        notes += [f"{table.name}: {note}" for note in table.notes]
        notes += [
            f"{table.name}.{column.name}: {text}"
            for column in columns
            for text in (*column.remarks, *(f"confirm: {each}" for each in column.questions))
        ]
    return notes


def _remarks(tables: Sequence[TableDraft]) -> list[Remark]:
    return [
        Remark(table.name, column.name, text, question)
        for table in tables
        for column in table.columns.values()
        for question, texts in ((True, column.questions), (False, column.remarks))
        for text in texts
    ]
