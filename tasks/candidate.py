"""A synthetic table that anybody made, judged by the privacy gate against a contract's rows."""

import hashlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import TypeAdapter, ValidationError

from data_contracts.contract import Column, Contract, Identifier, Table
from data_contracts.dataset import Dataset
from data_contracts.errors import ContractError, UnderstudyError
from data_contracts.record import Record
from data_contracts.report import Finding, judge
from data_contracts.schema import arrow_schema, column_type, to_frame
from tasks.evaluate import MAX_EVALUATED_ROWS, read_sides
from tasks.gate_runs import GateRuns, gate_state, run_gate
from tasks.identity import content_id
from tasks.prove import Ingest
from tasks.split import Split
from tasks.storage import Store
from tasks.thinning import thinned

_BLOCK = 1 << 20
# No model can have this name: an Identifier begins with a letter or a digit.
_UNNAMED = "_unnamed"


class GateOutcome(Record):
    """What the gate said of a candidate; `tests` gives each finding's state by its name."""

    state: str
    contract: str
    candidate: str
    rows: dict[str, int]
    tests: dict[str, str]
    reasons: tuple[str, ...] = ()
    record: str


class GateClosedError(UnderstudyError):
    """The gate refused a candidate (exit code 3) or could not decide (4)."""

    def __init__(self, outcome: GateOutcome) -> None:
        lines = (f"{outcome.candidate}: {outcome.state}:", *(f"  {why}" for why in outcome.reasons))
        super().__init__("\n".join((*lines, f"Exact figures, to be kept inside: {outcome.record}")))
        self.outcome = outcome
        self.exit_code = 3 if outcome.state == "refused" else 4


def judge_candidate(
    contract: Contract, ingest: Ingest, store: str, candidate: Path, model: str | None = None
) -> GateOutcome:
    """Runs the gate on a candidate's rows, and keeps exact figures in the store.

    With `model`, candidates that are judged under one name are one model's: each further one is a
    retry and pays for it. Without, nobody knows whose they are: each further one is another look at
    the same held-out rows and pays as well, but does not inherit a refusal. Both are counted by the
    proven rows, whatever else the contract tells of them by now. Raises ContractError for a file
    that does not have the contract's columns, or not in types that can be restored.
    """
    name, opened = _model_folder(model), Store(store)
    folder = f"{contract.id}/gates/{_rows(opened, contract, ingest)}/{name}"
    tables = read_candidate(contract, candidate)
    content = _content(contract, candidate)
    runs = GateRuns(opened, folder, many_models=model is None)
    frames = {
        table.name: to_frame(_looked_at(table, tables[table.name], content))
        for table in contract.tables
    }
    real = read_sides(opened, contract, ingest)
    sides = (real.training, Dataset(contract, frames), real.unseen)
    larger = real.larger({
        name: (rows.num_rows, partial(_columns, rows)) for name, rows in tables.items()
    })  # fmt: skip
    findings = (*run_gate(runs, content, sides, larger), *real.shared)
    outcome = GateOutcome(
        state=gate_state(findings),
        contract=contract.id,
        candidate=str(candidate),
        rows={
            "synthetic": sum(each.num_rows for each in tables.values()),
            "training": sum(each["training"] for each in real.rows.values()),
            "holdout": sum(each["holdout"] for each in real.rows.values()),
        },
        tests={_label(contract, finding): finding.state for finding in findings},
        reasons=judge(findings)[1],
        record=opened.display(folder),
    )
    if outcome.state != "pass":
        raise GateClosedError(outcome)
    return outcome


def _rows(store: Store, contract: Contract, ingest: Ingest) -> str:
    """A name of the proven rows of all tables."""
    return content_id({
        table.name: Split(store, contract, table, ingest.path).content for table in contract.tables
    })  # fmt: skip


def _model_folder(model: str | None) -> str:
    """The folder of a model's runs; ContractError for a name that could leave its place."""
    if model is None:
        return _UNNAMED
    try:
        return TypeAdapter(Identifier).validate_python(model)
    except ValidationError as error:
        raise ContractError(
            f"--model {model!r}: the name becomes a folder. Write it with letters, digits, '-', "
            "'_' and single dots, at most 64 of them."
        ) from error


def read_candidate(contract: Contract, candidate: Path) -> dict[str, pa.Table]:
    """The candidate's rows by table, in exactly the contract's columns and types.

    One Parquet file (or a folder of them) for a contract of one table; for more tables a folder
    that holds `<table>.parquet` or `<table>/` for each. Other columns are left out.
    """
    return {
        table.name: _restored(table, _read(path), path)
        for table, path in _places(contract, candidate)
    }


def _places(contract: Contract, candidate: Path) -> list[tuple[Table, Path]]:
    if len(contract.tables) == 1:
        return [(contract.tables[0], candidate)]
    if not candidate.is_dir():
        named = ", ".join(f"{table.name}.parquet" for table in contract.tables)
        raise ContractError(
            f"{candidate}: no folder. Contract {contract.id!r} has several tables: name a folder "
            f"with {named}."
        )
    places = []
    for table in contract.tables:
        file, folder = candidate / f"{table.name}.parquet", candidate / table.name
        places.append((table, file if file.is_file() else folder))
    return places


def _read(path: Path) -> pa.Table:
    if not path.exists():
        raise ContractError(f"{path}: there is no such file. Name a Parquet file.")
    if path.is_dir() and not any(path.rglob("*.parquet")):
        raise ContractError(f"{path}: no file in this folder ends in .parquet. Write one there.")
    try:
        return pq.read_table(path)
    except PermissionError as error:
        raise ContractError(f"{path}: may not be read. Check its permissions.") from error
    except (pa.ArrowInvalid, pa.ArrowTypeError, OSError) as error:
        raise ContractError(
            f"{path}: not a Parquet file that can be read. Write the rows as Parquet, each "
            "column once, and of one type in all files."
        ) from error


def _restored(table: Table, rows: pa.Table, path: Path) -> pa.Table:
    missing = [name for name in table.column_names if name not in rows.column_names]
    if missing:
        raise ContractError(
            f"{path}: no column {', '.join(map(repr, missing))}, which contract table "
            f"{table.name!r} has. It has {', '.join(map(repr, rows.column_names))}."
        )
    arrays = [_typed(column, rows[column.name], path) for column in table.columns]
    schema = pa.schema([field.with_nullable(True) for field in arrow_schema(table)])
    return pa.Table.from_arrays(arrays, schema=schema)


def _typed(column: Column, values: pa.ChunkedArray, path: Path) -> pa.ChunkedArray:
    """The values in the column's type; ContractError, without any value, where one doesn't fit."""
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    target = column_type(column)
    if pa.types.is_floating(values.type) and not pa.types.is_floating(target):
        # Not a number is how some tools write a missing one.
        values = pc.if_else(pc.is_nan(values), pa.scalar(None, values.type), values)
    try:
        return _cast(values, target)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        row = _first_that_fails(values, target)
        raise ContractError(
            f"{path}: column {column.name!r} holds {values.type}, of which some values are no "
            f"{target}, as the contract has it: row {row:,} is the first. Write it as {target}."
        ) from error


def _cast(values: pa.ChunkedArray, target: pa.DataType) -> pa.ChunkedArray:
    if pa.types.is_dictionary(target):
        array: Any = values.cast(target.value_type).combine_chunks().dictionary_encode()
        return pa.chunked_array([array.cast(pa.dictionary(pa.int32(), target.value_type))
                                 .cast(target)])  # fmt: skip
    if pa.types.is_timestamp(target) and target.tz and not getattr(values.type, "tz", None):
        naive = values.cast(pa.timestamp(target.unit))
        values = pc.assume_timezone(naive, target.tz, ambiguous="earliest",
                                    nonexistent="latest")  # fmt: skip
    if pa.types.is_decimal(target) and pa.types.is_floating(values.type):
        values = pc.round(values, target.scale)
    return values.cast(target)


def _first_that_fails(values: pa.ChunkedArray, target: pa.DataType) -> int:
    """The number, from 1, of the first row whose value does not fit; values of which one fails."""
    fitting, failing = 0, len(values)
    while failing - fitting > 1:
        middle = (fitting + failing) // 2
        try:
            _cast(values.slice(fitting, middle - fitting), target)
            fitting = middle
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            failing = middle
    return failing


def _looked_at(table: Table, rows: pa.Table, content: str) -> pa.Table:
    """At most MAX_EVALUATED_ROWS, chosen by the candidate's own hash: nobody knows which before."""
    read = partial(_columns, rows)
    return pa.concat_tables(thinned(read, table, MAX_EVALUATED_ROWS, int(content[:12], 16)))


def _columns(rows: pa.Table, columns: list[str] | None) -> Iterator[pa.Table]:
    yield rows if columns is None else rows.select(columns)


def _content(contract: Contract, candidate: Path) -> str:
    """A hash of the candidate's bytes, whatever its files are called."""
    found = hashlib.sha256()
    for _, path in _places(contract, candidate):
        files = [path] if path.is_file() else sorted(path.rglob("*.parquet"))
        for file in files:
            with file.open("rb") as stream:
                while block := stream.read(_BLOCK):
                    found.update(block)
    return found.hexdigest()


def _label(contract: Contract, finding: Finding) -> str:
    parts = [finding.name, finding.column]
    if len(contract.tables) > 1:
        parts.insert(0, finding.table)
    return ".".join(part for part in parts if part)
