"""Train a generator on the proven training rows, or re-use the one trained on the same."""

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE

from data_contracts.contract import Contract
from data_contracts.dataset import Dataset, LargeDataset
from data_contracts.errors import ContractError, ModelError
from data_contracts.loading import dump_contract
from data_contracts.record import Record
from data_contracts.schema import to_frame
from tasks.announce import ProgressReporter
from tasks.budgets import begin_fit, end_fit
from tasks.checkpoints import StoredCheckpoints, clear_checkpoints
from tasks.identity import code_version, content_id, versions
from tasks.private_names import private_name
from tasks.private_release import check_budget, read_statements, told_rows
from tasks.prove import Ingest
from tasks.refresh import open_earlier
from tasks.run import Run, peak_mib
from tasks.split import Split
from tasks.threads import steady_threads

# A frame of more rows than this would not fit into memory: other rows are not learned from.
MAX_FRAME_ROWS = 1_000_000
# Who learns from parts needs a frame only to find out which values there are.
MAX_SHARDED_FRAME_ROWS = 250_000


class FittedModel(Record):
    """A reference to a trained model in the store."""

    model: str
    path: str
    rows: dict[str, int]
    reused: bool


def check_generator(contract: Contract) -> None:
    """Refuses a generator, option or kind of table that cannot work, before any work is done.

    What cannot work is the contract's fault: ContractError.
    """
    from models.registry import REGISTRY

    _check_asked_for(contract)
    name = contract.generator.name
    entry = REGISTRY[name]
    for table in contract.tables:
        what = f"table {table.name!r}: generator {name!r}"
        if table.kind not in entry.kinds:
            able = [each for each in REGISTRY if table.kind in REGISTRY[each].kinds]
            made = ", ".join(sorted(entry.kinds))
            raise ContractError(
                f"{what} makes kind {made} only, not {table.kind}. If the order of its rows need "
                "not be kept, write `kind: table` and take out entity, time and cadence (keep "
                f"`unit`). {_otherwise(able)}"
            )
        if table.foreign_keys and "foreign_keys" not in entry.supports:
            able = [each for each in REGISTRY if "foreign_keys" in REGISTRY[each].supports]
            raise ContractError(
                f"{what} can't keep foreign keys. If each table may stand for itself, write a "
                f"contract for each, without them (keep `unit`). {_otherwise(able)}"
            )


def _otherwise(able: Sequence[str]) -> str:
    """What else there is, by the generators that are able to do what this one can't."""
    named = ", ".join(sorted(able))
    chosen = f"Choose a generator that does ({named})" if named else "No generator does as yet"
    return f"{chosen}; `understudy check` proves the data alone."


def check_choice(contract: Contract, file: Path) -> None:
    """Refuses a generator or option that there is not, or that can't keep the contract's budget.

    Which kinds of tables it makes is not looked at: data can be proven that no generator makes.
    ContractError names the contract's file.
    """
    try:
        _check_asked_for(contract)
    except ContractError as error:
        raise ContractError(f"{file}: {error}") from None


def _check_asked_for(contract: Contract) -> None:
    from models.registry import resolve

    try:
        resolve(contract.generator)
        check_budget(contract)
    except ModelError as error:
        raise ContractError(f"customProperties.understudy.generator: {error}") from None


@task(
    name="fit_generator",
    task_run_name="fit {run.contract.generator.name}",
    cache_policy=NO_CACHE,
)
def fit_generator(run: Run, ingest: Ingest) -> FittedModel:
    """Fits the contract's generator to each table's training rows and stores the model.

    Equal data, contract and code have an equal model id: then the stored model is re-used.
    """
    store = run.open_store()
    model = private_name(store, run.contract, model_id(run.contract, ingest))
    final = f"{run.contract.id}/models/{model}"
    if store.is_committed(final):
        return FittedModel(
            model=model, path=final, rows=store.read_json(f"{final}/manifest.json")["rows"],
            reused=True,
        )  # fmt: skip
    started = time.monotonic()
    steady_threads()
    draft = f"{run.work}/model"
    splits = [Split(store, run.contract, table, ingest.path) for table in run.contract.tables]
    record = begin_fit(store, run.contract, model, ingest.ingest)
    rows = {split.table.name: _fit_table(run, split, (draft, final)) for split in splits}
    end_fit(store, record, read_statements(store, draft).values())
    store.write_bytes(f"{draft}/contract.odcs.yaml", dump_contract(run.contract).encode())
    manifest = {
        "model": model,
        "contract": run.contract.id,
        "generator": run.contract.generator.model_dump(mode="json"),
        "seed": run.contract.sampling.seed,
        "ingest": ingest.ingest,
        "rows": rows,
        "holdout": {split.table.name: split.mark.model_dump() for split in splits},
        "seconds": round(time.monotonic() - started, 3),
        "peak_mib": peak_mib(),
        "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "versions": versions(),
    }
    store.commit(draft, final, manifest)
    clear_checkpoints(store, final)
    return FittedModel(model=model, path=final, rows=rows, reused=False)


def model_id(contract: Contract, ingest: Ingest) -> str:
    """The name of the model that this data, contract and code make."""
    identity = contract.identity()
    parts: dict[str, Any] = {
        key: identity[key]
        for key in ("id", "tables", "holdout", "generator", "sampling", "privacy")
    }
    parts["sampling"] = {"seed": contract.sampling.seed}
    if contract.privacy is not None:
        # What all fits may cost changes none of them.
        parts["privacy"] = contract.privacy.model_dump(mode="json", exclude={"total_epsilon"})
    return content_id({**parts, "ingest": ingest.ingest, "code": code_version()})


def _fit_table(run: Run, split: Split, places: tuple[str, str]) -> int:
    from models.registry import REGISTRY, resolve

    store, (draft, final), choice = run.open_store(), places, run.contract.generator
    name = split.table.name
    supports = REGISTRY[choice.name].supports
    # Who counts the rows of each unit must have them together.
    sharded = "shards" in supports and run.contract.privacy is None
    data = _training_data(run.contract, split, sharded=sharded)
    extras: dict[str, Any] = {}
    if "resume" in supports:
        extras["checkpoints"] = StoredCheckpoints(store, final, name)
    if "refresh" in supports:
        extras["earlier"] = open_earlier(store, run.contract, name, split.mark)
    with ProgressReporter(f"fit {name}") as progress:
        generator = resolve(choice).fit(
            data, seed=run.contract.sampling.seed, progress=progress, **extras
        )
    with tempfile.TemporaryDirectory() as temporary:
        generator.save(Path(temporary))
        store.upload(Path(temporary), f"{draft}/{name}")
    return told_rows(run.contract, generator, data.rows)


def _training_data(contract: Contract, split: Split, *, sharded: bool) -> Dataset:
    """The training rows as one frame; of too many rows a choice, beside all of them in parts.

    Under `privacy` all of them: of a choice by rank, one unit more would put another one out.
    """
    most = MAX_SHARDED_FRAME_ROWS if sharded else MAX_FRAME_ROWS
    rows = split.training(None if contract.privacy is not None else most)
    tables = {split.table.name: to_frame(rows)}
    if not sharded or (total := split.count_training()) <= rows.num_rows:
        return Dataset(contract, tables)
    return LargeDataset(
        contract, tables, total_rows=total, read=lambda: map(to_frame, split.training_parts())
    )
