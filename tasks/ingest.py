"""A source taken in: typed rows in exactly the contract's types, and the rows that have none."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State

from data_contracts.contract import Column, Source, Table
from data_contracts.errors import ContractError, SourceError, problem
from data_contracts.proof import Ingested, ReasonCount
from data_contracts.schema import arrow_schema
from data_contracts.time_steps import TimeSteps
from data_contracts.typing_rules import Typed, type_column
from tasks.part_files import PartWriter
from tasks.readers import read_chunks, source_fingerprint
from tasks.reject_rows import FILE, ROW, BadRows, Places, reject_schema, unreadable_rows
from tasks.run import Run
from tasks.sorting import sorted_batches
from tasks.source_rows import Chunk, SourceUnavailableError
from tasks.storage import Store

TYPED = "typed"
UNORDERED = "unordered"
REJECTS = "rejects"


def ingest_source(
    store: Store, table: Table, source: Source, contract_folder: Path, folder: str
) -> Ingested:
    """Reads a source into typed Parquet parts; memory is bounded whatever its size.

    Typed rows go to `<folder>/<table>/typed`, with where they stood in the source as two columns
    more. Rows with a value that has no exact place in its declared type, without a value that the
    contract requires, or that could not be split into columns go to `<folder>/<table>/rejects`, as
    text, each with every reason. Panels and series come out ordered by (entity, time).

    Raises:
        SourceError: no such source, damaged, empty, a header that does not fit.
        StoreError: the store can't be written.
    """
    place = f"{folder}/{table.name}"
    store.delete(place)
    to_order = table.kind in ("panel", "series")
    landing = f"{place}/{UNORDERED if to_order else TYPED}"
    typing = _Typing(table, source)
    counts: Counter[str] = Counter()
    with (
        PartWriter(store, landing, typed_schema(table), "lz4") as typed,
        PartWriter(store, f"{place}/{REJECTS}", reject_schema(table)) as rejects,
    ):
        for chunk in read_chunks(source, contract_folder, table.column_names):
            good, bad = typing.split(chunk)
            typed.write(good)
            rejects.write(bad.table)
            counts.update(bad.counts)
    read = typed.rows + rejects.rows
    if read == 0:
        where = source.path or source.table or "the query"
        raise SourceError(problem(where, "no rows", "Land the data, then run again."))
    parts, notes = tuple(typed.parts), list(typing.notes())
    if to_order:
        parts, more = _ordered(store, table, parts, place)
        notes += more
    return Ingested(
        table=table.name,
        parts=parts,
        rejects=tuple(rejects.parts),
        rows_read=read,
        rows_typed=typed.rows,
        rows_rejected=rejects.rows,
        reasons=tuple(ReasonCount(rule=rule, rows=rows) for rule, rows in counts.most_common()),
        notes=tuple(notes),
        fingerprint=source_fingerprint(source, contract_folder),
    )


def _may_pass(_task: Any, _run: Any, state: State[Any]) -> bool:
    """Whether a retry can help: only where a source did not answer."""
    return isinstance(state.result(raise_on_failure=False), SourceUnavailableError)


@task(
    name="ingest_table",
    task_run_name="ingest {table}",
    cache_policy=NO_CACHE,
    retries=3,
    retry_delay_seconds=[5, 30, 120],
    retry_condition_fn=_may_pass,
)
def ingest_table(run: Run, table: str, holdout: bool, folder: str) -> Ingested:
    """Takes in one table of the contract, or the holdout's of the same name."""
    contract = run.contract
    declared = contract.table(table)
    source = contract.holdout.sources[table] if holdout else declared.source
    try:
        return ingest_source(run.open_store(), declared, source, contract.folder, folder)
    except (ContractError, SourceError) as error:
        # A file's message names the file; that of a database has nothing to tell tables apart by.
        if source.format != "sql":
            raise
        part = " (holdout)" if holdout else ""
        raise type(error)(f"contract {contract.id}, table {table}{part}: {error}") from None


def typed_schema(table: Table) -> pa.Schema:
    """The contract's exact schema, and where each row stood in the source."""
    return (
        arrow_schema(table)
        .append(pa.field(FILE, pa.dictionary(pa.int32(), pa.string())))
        .append(pa.field(ROW, pa.int64()))
    )


class _Typing:
    """Types chunks by the contract, and remembers what is worth a note."""

    def __init__(self, table: Table, source: Source) -> None:
        self.table, self.source = table, source
        self.columns = tuple(_with_presence(column, table) for column in table.columns)
        self.schema = typed_schema(table)
        self.left_out: set[str] = set()
        self.any_value = dict.fromkeys(table.column_names, False)

    def split(self, chunk: Chunk) -> tuple[pa.Table, BadRows]:
        """The rows that are typed, and the rows that can't be, with their reasons."""
        self.left_out.update(chunk.left_out)
        rows = chunk.rows
        arrays, reasons = [], {}
        for column in self.columns:
            typed = self._typed(rows[column.name], column, chunk.file)
            arrays.append(_by_category(typed.array, column))
            reasons.update({f"{column.name}: {why}": m for why, m in typed.broken.items()})
            if typed.array.null_count < len(typed.array):
                self.any_value[column.name] = True
        files = pa.DictionaryArray.from_arrays(
            pa.array(np.zeros(rows.num_rows, dtype=np.int32)), pa.array([chunk.file])
        )
        arrays += [files, pa.array(chunk.numbers, pa.int64())]
        broken = np.zeros(rows.num_rows, dtype=bool)
        for mask in reasons.values():
            broken |= mask
        if broken.any():
            keep = pa.array(~broken)
            arrays = [array.filter(keep) for array in arrays]
        read = pa.Table.from_batches([rows])
        bad = BadRows.of(read, Places.of(chunk), reasons, broken)
        bad = bad.joined(unreadable_rows(chunk, self.table))
        return pa.Table.from_arrays(arrays, schema=self.schema), bad

    def _typed(self, values: pa.Array, column: Column, file: str) -> Typed:
        try:
            return type_column(values, column, self.source)
        except SourceError as error:
            raise SourceError(f"{file}: {error}") from None

    def notes(self) -> Iterator[str]:
        """Columns that the contract does not name, and columns without a single value."""
        for name in sorted(self.left_out):
            yield f"column {name!r} is in the source but not in the contract, and was left out"
        for name, found in self.any_value.items():
            if not found:
                yield f"column {name!r} holds no value in any row"


def _with_presence(column: Column, table: Table) -> Column:
    """A key, and what orders a panel, must be there whether or not the column says `required`."""
    needed = column.primary_key
    if table.kind in ("panel", "series"):
        needed = needed or column.name in (table.entity, table.time)
    return column.model_copy(update={"required": True}) if needed else column


def _by_category(values: pa.Array, column: Column) -> pa.Array:
    """A dictionary in the contract's order of categories; others, which no rule keeps, after it."""
    if not pa.types.is_dictionary(values.type) or column.categories is None:
        return values
    declared = pa.array([str(value) for value in column.categories], pa.string())
    others = values.dictionary.filter(pc.invert(pc.is_in(values.dictionary, declared)))
    levels = pa.concat_arrays([declared, others.drop_null()])
    places = pc.index_in(values.dictionary, levels).take(values.indices)
    return pa.DictionaryArray.from_arrays(places, levels, ordered=column.ordered)


def _ordered(
    store: Store, table: Table, parts: tuple[Any, ...], place: str
) -> tuple[tuple[Any, ...], list[str]]:
    """The parts ordered by (entity, time), and what their steps show."""
    keys = tuple(name for name in (table.entity, table.time) if name is not None)
    steps, moved = TimeSteps(table), _Movement()
    with PartWriter(store, f"{place}/{TYPED}", typed_schema(table), "lz4") as writer:
        for rows in sorted_batches(store, parts, keys, f"{place}/runs"):
            steps.add(rows)
            moved.add(rows)
            writer.write(rows)
    store.delete(f"{place}/runs")
    store.delete(f"{place}/{UNORDERED}")
    notes = [f"rows did not come ordered by {', '.join(keys)}: they were sorted"]
    return tuple(writer.parts), (notes if moved.found else []) + steps.notes()


class _Movement:
    """Whether sorting changed the order in which a file's rows came."""

    def __init__(self) -> None:
        self.found = False
        self._last: dict[str, int] = {}

    def add(self, rows: pa.Table) -> None:
        files = rows[FILE].combine_chunks()
        numbers = rows[ROW].to_numpy()
        for index, file in enumerate(files.dictionary.to_pylist()):
            own = numbers[files.indices.to_numpy() == index]
            if len(own) and (np.any(np.diff(own) < 0) or own[0] < self._last.get(file, 0)):
                self.found = True
            if len(own):
                self._last[file] = int(own[-1])
