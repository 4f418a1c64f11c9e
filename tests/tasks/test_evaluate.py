"""Both sides of the split as the judges read them: no unit of one side is held against itself."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.evaluate import read_sides
from tasks.prove import Ingest
from tasks.storage import Store
from tests.tasks.test_split import contract

INGEST = Ingest(ingest="i", path="c/ingests/i", proof={})


def write(store: Store, folder: str, people: list[str]) -> None:
    store.make_folder(f"{folder}/visits")
    rows = pa.table({"person": people, "x": pa.array(range(len(people)), pa.int64())})
    pq.write_table(rows, f"{folder}/visits/part-00000.parquet", filesystem=store.fs)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Forty people in training, of whom ten have later rows in a holdout of its own."""
    store = Store(str(tmp_path))
    write(store, INGEST.path, [f"p{person % 40}" for person in range(120)])
    write(store, f"{INGEST.path}/holdout", [f"p{30 + person % 30}" for person in range(90)])
    return store


def test_units_that_a_model_has_learned_are_not_held_against_themselves(store: Store) -> None:
    """Their held-out rows would lie as near to a leak as their training rows do, and hide it."""
    real = read_sides(store, contract("person"), INGEST)
    seen = set(real.training.tables["visits"]["person"])
    assert len(real.holdout.tables["visits"]) == 90
    unseen = real.unseen.tables["visits"]["person"]
    assert len(unseen) == 60 and not seen & set(unseen)
    (told,) = real.shared
    assert (told.name, told.value, told.state) == ("shared_units", 10.0, "info")
    assert "p30" not in told.detail


def test_rows_without_a_unit_and_a_split_by_share_share_nobody(store: Store) -> None:
    rows = read_sides(store, contract(), INGEST)
    assert rows.shared == () and len(rows.unseen.tables["visits"]) == 90
    store.delete(f"{INGEST.path}/holdout")
    units = read_sides(store, contract("person"), INGEST)
    assert units.shared == () and units.unseen.tables == units.holdout.tables
