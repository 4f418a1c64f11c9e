"""Draw rows from a trained model and write them as Parquet, part by part."""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from prefect import task
from prefect.cache_policies import NO_CACHE

from data_contracts.contract import Table
from data_contracts.loading import load_contract
from data_contracts.manifest import ArtifactRef
from data_contracts.record import Record
from data_contracts.schema import to_arrow
from tasks.fit import FittedModel
from tasks.run import Run
from tasks.storage import Store, store_errors
from tasks.threads import steady_threads

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
