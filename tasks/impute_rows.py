"""Real rows whose missing cells a trained model fills in; no gate has judged what it writes."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.parquet as pq

from data_contracts.contract import Table
from data_contracts.dataset import Dataset
from data_contracts.errors import ContractError
from data_contracts.record import Record
from data_contracts.schema import to_arrow, to_frame
from tasks.candidate import read_candidate
from tasks.foreign_files import draft_of, give_name, written_whole
from tasks.sample import open_generator, with_metadata
from tasks.unreleased import TrainedModel, check_output, learned_contract, unreleased_metadata

if TYPE_CHECKING:
    import pandas as pd


class ImputedRows(Record):
    """What was filled in: rows written, and for each column with gaps how many cells of them.

    `left` holds the columns of which some cells are still missing: identifiers, columns that never
    had a value, and cells with which the row would break a rule whatever is drawn.
    """

    rows: int
    filled: dict[str, int]
    left: dict[str, int]


def impute_rows(
    model: TrainedModel, rows: Path, output: Path, *, seed: int, point: bool = False
) -> ImputedRows:
    """Fills the missing cells of the Parquet file `rows` and writes all rows to `output`.

    Known cells, their order and the contract's exact types stay; columns that the contract does not
    have are left out. One draw given all known cells of the row: other seeds give other draws, for
    multiple imputation (Rubin 1987). As a `point`, the middle or the commonest of 21 draws.
    `output` holds real rows: it appears whole or not at all, for its owner alone to read, and takes
    the place of nothing but an older one of its kind. Raises ContractError for rows without the
    contract's columns and types or with an identifier missing that is required, for `output` as
    `check_output` does, and for a model that cannot do it; ModelError where a required cell has no
    value that keeps the rules.
    """
    check_output(output, model.contract)
    contract = learned_contract(model)
    table = contract.tables[0]
    known = to_frame(read_candidate(contract, rows)[table.name])
    _check_identifiers(known, table, rows)
    with open_generator(model.store, model.path, table) as generator:
        fill = getattr(generator, "impute", None)
        if fill is None:
            raise ContractError(
                f"model {model.name}: its generator fills in no missing cells. Use a model of "
                f"{', '.join(_able())}."
            )
        whole = fill(Dataset(contract, {table.name: known}), seed=seed, point=point).frame
    output.parent.mkdir(exist_ok=True)
    with draft_of(output) as draft:
        written = with_metadata(to_arrow(whole, table), unreleased_metadata(model, "in part"))
        with written_whole(output), os.fdopen(os.dup(draft), "wb") as stream:
            pq.write_table(written, stream, compression="zstd")
        give_name(draft, output)
    before, after = known.isna().sum(), whole.isna().sum()
    gaps = [name for name in table.column_names if before[name]]
    return ImputedRows(
        rows=len(whole),
        filled={name: int(before[name] - after[name]) for name in gaps},
        left={name: int(after[name]) for name in gaps if after[name]},
    )


def _check_identifiers(known: "pd.DataFrame", table: Table, rows: Path) -> None:
    """ContractError where one must be there and is not: nothing but the source can tell it."""
    for column in table.columns:
        missing = int(known[column.name].isna().sum())
        if missing and table.issues(column) and (column.required or column.primary_key):
            raise ContractError(
                f"{rows}: column {column.name!r} is missing in {missing} of {len(known)} rows. It "
                "is required, and identifiers are not filled in: no model can tell them. Fill "
                "them in, or leave these rows out."
            )


def _able() -> list[str]:
    from models.registry import REGISTRY

    return sorted(name for name, entry in REGISTRY.items() if "impute" in entry.supports)
