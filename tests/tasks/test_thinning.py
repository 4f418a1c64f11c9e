"""Of large tables some rows: whole units, no pattern that a candidate could hide in."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pytest

from data_contracts.contract import Table
from tasks.thinning import Read, thinned
from tests.models.evaluation.tables import contract_for

ROWS = pa.table({"unit": np.repeat(np.arange(500), 8), "event": np.tile(np.arange(8), 500)})


def reader(rows: pa.Table, parts: int) -> Read:
    length = -(-rows.num_rows // parts)

    def read(columns: list[str] | None) -> Iterator[pa.Table]:
        for part in range(parts):
            chosen = rows.slice(part * length, length)
            yield chosen if columns is None else chosen.select(columns)

    return read


def table(unit: str | None) -> Table:
    return contract_for(ROWS, unit=unit).tables[0]


@pytest.mark.parametrize("parts", [1, 3])
def test_units_stay_whole_and_the_parts_make_no_difference(parts: int) -> None:
    kept = pa.concat_tables(thinned(reader(ROWS, parts), table("unit"), 1_000, 1))
    _, counts = np.unique(kept["unit"].to_numpy(), return_counts=True)
    assert set(counts) == {8} and kept.num_rows == 1_000
    assert kept.equals(pa.concat_tables(thinned(reader(ROWS, 1), table("unit"), 1_000, 1)))


def test_rows_without_a_unit_are_no_every_n_th_row() -> None:
    """Else each unit would keep the same event, and copies in odd rows would not be looked at."""
    kept = pa.concat_tables(thinned(reader(ROWS, 3), table(None), 2_000, 1))
    assert kept.num_rows == 2_000
    assert set(np.unique(kept["event"].to_numpy())) == set(range(8))
    other = pa.concat_tables(thinned(reader(ROWS, 3), table(None), 2_000, 2))
    assert not kept.equals(other)


def test_a_table_of_no_more_rows_is_whole() -> None:
    assert pa.concat_tables(thinned(reader(ROWS, 3), table("unit"), 4_000, 1)).equals(ROWS)
