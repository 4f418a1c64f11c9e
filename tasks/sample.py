"""Draw rows from a trained model and write them as Parquet, part by part."""

import contextlib
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from prefect import task
from prefect.cache_policies import NO_CACHE
from pydantic import Field

from data_contracts.contract import Table
from data_contracts.errors import ModelError
from data_contracts.loading import load_contract
from data_contracts.manifest import ArtifactRef
from data_contracts.record import Record
from data_contracts.schema import to_arrow
from tasks.fit import FittedModel
from tasks.run import Run
from tasks.storage import MANIFEST, Store, store_errors
from tasks.threads import steady_threads
from tasks.wishes import typed_wishes

if TYPE_CHECKING:
    from models.base import Generator

PART_ROWS = 500_000
CONTRACT = "contract.odcs.yaml"
ROW_GROUP_ROWS = 131_072


@dataclass(frozen=True)
class Asked:
    """What rows are drawn under: given values and wishes, and how evenly."""

    given: Mapping[str, Any] | None = None
    temperature: float | None = None


class SampledPart(Record):
    """One part of a sampled table: which rows, from which model."""

    table: str
    index: int
    first_row: int
    rows: int


def plan_parts(run: Run, model: FittedModel) -> list[SampledPart]:
    """The parts of a release: as many rows as the contract asks, else as were trained on."""
    planned = []
    for table in run.contract.tables:
        total = run.contract.sampling.rows or model.rows[table.name]
        planned += parts_of(table, total)
    return planned


def parts_of(table: Table, total: int) -> list[SampledPart]:
    """`total` rows of a table in parts that fit into memory.

    Columns that are unique together need all rows in one part: no part knows of the others.
    """
    size = max(total, 1) if table.unique_together else PART_ROWS
    return [
        SampledPart(table=table.name, index=index, first_row=first, rows=min(size, total - first))
        for index, first in enumerate(range(0, total, size))
    ]


@task(name="sample_part", task_run_name="sample {part.table} {part.index}", cache_policy=NO_CACHE)
def sample_part(run: Run, model: FittedModel, part: SampledPart, content: str) -> ArtifactRef:
    """Writes one part of the release's data; the same run, part and seed give the same bytes."""
    store, table = run.open_store(), run.contract.table(part.table)
    with open_generator(store, model.path, table) as generator:
        rows = draw(generator, table, part, run.contract.sampling.seed)
    path = f"{run.work}/release/data/{table.name}/part-{part.index:05d}.parquet"
    store.make_folder(path.rsplit("/", 1)[0])
    metadata = {
        "release": content,
        "contract": f"{run.contract.id} {run.contract.version}",
        "synthetic": "true",
    }
    with store_errors(store.display(path)):
        pq.write_table(
            with_metadata(rows, metadata),
            path,
            filesystem=store.fs,
            compression="zstd",
            row_group_size=ROW_GROUP_ROWS,
        )
    return store.reference(path, rows=rows.num_rows)


def part_seed(seed: int, index: int) -> int:
    """An independent seed for each part, so that parts can be drawn in any order."""
    return int(np.random.SeedSequence([seed, index]).generate_state(1, dtype=np.uint32)[0])


@contextlib.contextmanager
def open_generator(store: Store, model: str, table: Table) -> Iterator["Generator"]:
    """The trained generator of one table of a stored model."""
    from models.registry import load_generator

    steady_threads()
    with store.local_copy(model) as folder:
        contract = load_contract(folder / CONTRACT)
        yield load_generator(contract, folder / table.name)


def draw(
    generator: "Generator",
    table: Table,
    part: SampledPart,
    seed: int,
    asked: "Asked | None" = None,
) -> pa.Table:
    """The rows of one part, in the contract's exact schema; the same arguments, the same rows."""
    asked = asked or Asked()
    more: dict[str, Any] = {} if asked.temperature is None else {"temperature": asked.temperature}
    data = generator.sample(
        part.rows,
        given=asked.given,
        seed=part_seed(seed, part.index),
        first_row=part.first_row,
        **more,
    )
    return to_arrow(data.frame, table)


def with_metadata(rows: pa.Table, metadata: dict[str, str]) -> pa.Table:
    """The rows with Understudy's key-value metadata beside what the schema already carries."""
    ours = {f"understudy.{key}".encode(): value.encode() for key, value in metadata.items()}
    return rows.replace_schema_metadata({**(rows.schema.metadata or {}), **ours})


def find_model(store: Store, contract_id: str) -> str:
    """The newest model of a contract; ModelError when it has none."""
    folder = f"{contract_id}/models"
    found = [
        (store.read_json(f"{folder}/{name}/manifest.json")["created"], name)
        for name in store.list_folders(folder)
        if store.is_committed(f"{folder}/{name}")
    ]
    if not found:
        raise ModelError(
            f"store {store.root}: no model of contract {contract_id!r}. Train one first: "
            "understudy run synthesize-dataset CONTRACT."
        )
    return f"{folder}/{max(found)[1]}"


class Draw(Record):
    """What `understudy sample` was asked for; `given` and `shares` as they were typed."""

    rows: int
    given: dict[str, str] = Field(default_factory=dict)
    shares: tuple[str, ...] = ()
    temperature: float | None = None
    seed: int


def open_model(source: str, store: str) -> tuple[Store, str]:
    """The store and the path in it of a model: a model's own folder, or a contract's newest.

    Raises ModelError when there is none.
    """
    if source.endswith((".yaml", ".yml")):
        opened = Store(store)
        return opened, find_model(opened, load_contract(Path(source)).id)
    prefix = f"{store.rstrip('/')}/"
    if "://" in source and source.startswith(prefix):
        opened, path = Store(store), source.removeprefix(prefix).rstrip("/")
    else:
        folder = Path(source).resolve()
        root = folder.parents[2] if len(folder.parents) > 2 else folder.parent
        if not (folder / MANIFEST).is_file():
            raise ModelError(
                f"{source}: no contract file (*.odcs.yaml) and no folder of a trained model. Name "
                "one of them; `understudy run` prints the model's folder with --json."
            )
        opened, path = Store(str(root)), folder.relative_to(root).as_posix()
    if not opened.is_committed(path) or "generator" not in opened.read_json(f"{path}/{MANIFEST}"):
        raise ModelError(f"{source}: not a trained model. Name a folder below `models`.")
    return opened, path


def sample_unreleased(store: Store, model: str, wanted: Draw, output: Path) -> int:
    """Writes rows straight from a model to one Parquet file, marked as not released.

    No gate has judged them: they are for looking, not for sharing. `given` fixes columns to
    values exactly. The file appears whole or not at all. Returns the number of rows written.
    """
    manifest = store.read_json(f"{model}/{MANIFEST}")
    metadata = {
        "release": "unreleased",
        "model": manifest["model"],
        "contract": manifest["contract"],
        "synthetic": "true",
    }
    with store.local_copy(model) as folder:
        contract = load_contract(folder / CONTRACT)
    if len(contract.tables) != 1:
        names = ", ".join(table.name for table in contract.tables)
        raise ModelError(f"model {model}: {len(contract.tables)} tables ({names}); one is needed.")
    table = contract.tables[0]
    asked = Asked(
        given=typed_wishes(table, wanted.given, wanted.shares) or None,
        temperature=wanted.temperature,
    )
    draft = output.with_name(f".{output.name}.{secrets.token_hex(4)}.tmp")
    with store_errors(str(output)), open_generator(store, model, table) as generator:
        _check_temperature(generator, wanted)
        output.parent.mkdir(parents=True, exist_ok=True)
        try:
            _write_parts((generator, table), wanted, asked, (draft, metadata))
            draft.replace(output)
        finally:
            draft.unlink(missing_ok=True)
    return wanted.rows


def _check_temperature(generator: "Generator", wanted: Draw) -> None:
    from models.registry import REGISTRY

    name = getattr(generator, "name", "")
    if wanted.temperature is not None and "temperature" not in REGISTRY[name].supports:
        raise ModelError(f"--temperature: generator {name!r} has none. Use any_order.")


def _write_parts(
    source: tuple["Generator", Table],
    wanted: Draw,
    asked: "Asked",
    target: tuple[Path, dict[str, str]],
) -> None:
    (generator, table), (path, metadata) = source, target
    with contextlib.ExitStack() as stack:
        writer: pq.ParquetWriter | None = None
        for part in parts_of(table, wanted.rows):
            rows = with_metadata(draw(generator, table, part, wanted.seed, asked), metadata)
            if writer is None:
                writer = stack.enter_context(
                    pq.ParquetWriter(path, rows.schema, compression="zstd")
                )
            writer.write_table(rows, row_group_size=ROW_GROUP_ROWS)
