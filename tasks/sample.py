"""Draw rows from a trained model and write them as Parquet, part by part."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
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
    import pandas as pd

    from models.base import Generator
    from models.generators.kept_rules import EarlierKeys

PART_ROWS = 500_000
CONTRACT = "contract.odcs.yaml"
ROW_GROUP_ROWS = 131_072


@dataclass(frozen=True)
class Asked:
    """What rows are drawn under: given values and wishes, how evenly, beside which keys.

    `earlier` are those of the parts drawn before, which none may repeat; each part adds its own.
    """

    given: Mapping[str, Any] | None = None
    temperature: float | None = None
    earlier: "EarlierKeys | None" = None

    @property
    def shares(self) -> bool:
        """Whether shares are stated, which are those of all rows of a table together."""
        from models.conditions import Shares

        return any(isinstance(value, Shares) for value in (self.given or {}).values())

    def beside(self, table: Table) -> "Asked":
        """The same for a table in parts that know of each other's keys."""
        from models.generators.kept_rules import EarlierKeys

        return replace(self, earlier=EarlierKeys(table)) if table.unique_groups else self


class SampledPart(Record):
    """One part of a sampled table: which rows, from which model."""

    table: str
    index: int
    first_row: int
    rows: int


def plan_parts(run: Run, model: FittedModel) -> list[list[SampledPart]]:
    """The parts of a release: as many rows as the contract asks, else as were trained on.

    Parts of a table with columns that are unique together are drawn one after the other, since each
    has to know of those before it; all others stand alone.
    """
    planned = []
    for table in run.contract.tables:
        total = run.contract.sampling.rows or model.rows[table.name]
        parts = parts_of(table, total)
        planned += [parts] if table.unique_groups else [[part] for part in parts]
    return planned


def parts_of(table: Table, total: int, asked: Asked | None = None) -> list[SampledPart]:
    """`total` rows of a table in parts that fit into memory.

    Stated shares beside columns that are unique together need all rows in one part: where a row is
    drawn again, the others of its share have to be there.
    """
    alone = bool(table.unique_groups) and asked is not None and asked.shares
    size = max(total, 1) if alone else PART_ROWS
    return [
        SampledPart(table=table.name, index=index, first_row=first, rows=min(size, total - first))
        for index, first in enumerate(range(0, total, size))
    ]


@task(name="sample_parts", task_run_name="sample {parts[0].table} {parts[0].index}",
      cache_policy=NO_CACHE)  # fmt: skip
def sample_parts(
    run: Run, model: FittedModel, parts: Sequence[SampledPart], content: str
) -> list[ArtifactRef]:
    """Writes parts of one table; the same run, parts and seed give the same bytes."""
    store, table = run.open_store(), run.contract.table(parts[0].table)
    metadata = {
        "release": content,
        "contract": f"{run.contract.id} {run.contract.version}",
        "synthetic": "true",
    }
    asked, written = Asked().beside(table), []
    with open_generator(store, model.path, table) as generator:
        for part in parts:
            rows = draw(generator, table, part, run.contract.sampling.seed, asked)
            path = f"{run.work}/release/data/{table.name}/part-{part.index:05d}.parquet"
            _write(store, path, with_metadata(rows, metadata))
            written.append(store.reference(path, rows=rows.num_rows))
    return written


def _write(store: Store, path: str, rows: pa.Table) -> None:
    store.make_folder(path.rsplit("/", 1)[0])
    with store_errors(store.display(path)):
        pq.write_table(
            rows,
            path,
            filesystem=store.fs,
            compression="zstd",
            row_group_size=ROW_GROUP_ROWS,
        )


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
    own = part_seed(seed, part.index)
    data = generator.sample(
        part.rows, given=asked.given, seed=own, first_row=part.first_row, **more
    )
    if asked.earlier is None:
        return to_arrow(data.frame, table)
    from models.generators.parted import keep_apart

    def again(rows: int, attempt: int) -> "pd.DataFrame":
        return generator.sample(rows, given=asked.given, seed=part_seed(own, attempt), **more).frame

    return to_arrow(keep_apart(data.frame, table, asked.earlier, again), table)


def with_metadata(rows: pa.Table, metadata: dict[str, str]) -> pa.Table:
    """The rows with Understudy's key-value metadata beside what the schema already carries."""
    ours = {f"understudy.{key}".encode(): value.encode() for key, value in metadata.items()}
    return rows.replace_schema_metadata({**(rows.schema.metadata or {}), **ours})
