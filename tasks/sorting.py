"""Sorts a table that does not fit into memory: sorted runs, then one merge over all of them."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from data_contracts.manifest import ArtifactRef
from tasks.part_files import PartWriter
from tasks.storage import Store

_ROWS_IN_MEMORY = 1_000_000
_FEWEST_ROWS = 4_096


def sorted_batches(
    store: Store, parts: tuple[ArtifactRef, ...], keys: tuple[str, ...], folder: str
) -> Iterator[pa.Table]:
    """The rows of all parts, ordered by `keys`, missing last; equal keys stay in their order.

    Each part must fit into memory; of all parts together about a million rows do at once. Sorted
    runs wait in `folder`, which the caller clears.
    """
    runs = [_sorted_run(store, part, keys, f"{folder}/{i:05d}") for i, part in enumerate(parts)]
    batch = max(_FEWEST_ROWS, _ROWS_IN_MEMORY // max(1, len(runs)))
    yield from _merged([_read(store, run, batch) for run in runs], keys)


def _sorted_run(
    store: Store, part: ArtifactRef, keys: tuple[str, ...], folder: str
) -> tuple[ArtifactRef, ...]:
    rows = pq.read_table(part.uri, filesystem=store.fs)
    order = sort_order(rows, keys)
    if bool(pc.all(pc.equal(order, pa.array(np.arange(len(order)), order.type))).as_py()):
        return (part,)
    with PartWriter(store, folder, rows.schema, packing="lz4") as writer:
        writer.write(rows.take(order))
    return tuple(writer.parts)


def sort_order(rows: pa.Table, keys: tuple[str, ...]) -> pa.Array:
    """The positions of the rows in the order of their keys; Arrow's sort is stable."""
    columns = [_sortable(rows[key]) for key in keys]
    table = pa.table(columns, names=[str(place) for place in range(len(keys))])
    return pc.sort_indices(
        table, sort_keys=[(str(place), "ascending", "at_end") for place in range(len(keys))]
    )


def _sortable(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def _read(store: Store, run: tuple[ArtifactRef, ...], rows: int) -> Iterator[pa.Table]:
    for part in run:
        with (
            store.fs.open_input_file(part.uri) as stream,
            pq.ParquetFile(stream, pre_buffer=False) as parquet,
        ):
            for batch in parquet.iter_batches(rows):
                yield pa.Table.from_batches([batch])


def _merged(runs: list[Iterator[pa.Table]], keys: tuple[str, ...]) -> Iterator[pa.Table]:
    """Merges sorted runs block by block.

    Of the blocks at hand, every row up to the first block's end in the common order is final: no
    later block of any run can hold a smaller one.
    """
    blocks: list[pa.Table | None] = [next(run, None) for run in runs]
    while any(block is not None for block in blocks):
        held = [(place, block) for place, block in enumerate(blocks) if block is not None]
        pool = pa.concat_tables([block for _, block in held])
        order = sort_order(pool, keys).to_numpy()
        ends = np.cumsum([block.num_rows for _, block in held])
        rank = np.empty(len(order), dtype=np.int64)
        rank[order] = np.arange(len(order))
        final = int(rank[ends - 1].min()) + 1
        yield pool.take(pa.array(order[:final]))
        used = np.bincount(np.searchsorted(ends, order[:final], side="right"), minlength=len(held))
        for (place, block), count in zip(held, used, strict=True):
            rest = block.slice(int(count))
            blocks[place] = rest if rest.num_rows else next(runs[place], None)
