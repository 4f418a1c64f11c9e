from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data_contracts.contract import Column, Contract, Holdout, Privacy, Source, Table
from data_contracts.errors import ProofError
from tasks.split import Split
from tasks.storage import Store


def contract(unit: str | None = None, share: float = 0.25) -> Contract:
    columns = (
        Column(name="person", logical_type="string", physical_type="string"),
        Column(name="x", logical_type="integer", physical_type="int64"),
    )
    source = Source(format="csv", path="x.csv")
    table = Table(name="visits", columns=columns, source=source, unit=unit)
    return Contract(id="c", version="1.0.0", tables=(table,), holdout=Holdout(share=share))


def ingest(tmp_path: Path, rows: int, people: int, parts: int = 3) -> Store:
    store = Store(str(tmp_path))
    random = np.random.default_rng(0)
    for part, index in enumerate(np.array_split(np.arange(rows), parts)):
        table = pa.table(
            {
                "person": [f"p{number}" for number in random.integers(0, people, len(index))],
                "x": pa.array(index, pa.int64()),
            }
        )
        store.make_folder("c/ingests/i/visits")
        pq.write_table(table, f"c/ingests/i/visits/part-{part:05d}.parquet", filesystem=store.fs)
    return store


def split(store: Store, made: Contract) -> Split:
    return Split(store, made, made.tables[0], "c/ingests/i")


def test_every_row_is_on_one_side_and_the_share_is_exact(tmp_path: Path) -> None:
    sides = split(ingest(tmp_path, 400, 50), contract())
    training, holdout = sides.training(), sides.holdout()
    assert sorted(training["x"].to_pylist() + holdout["x"].to_pylist()) == list(range(400))
    assert holdout.num_rows == 100 == sides.count_holdout()
    assert training.num_rows == sides.count_training()


def test_all_rows_of_a_unit_are_on_one_side(tmp_path: Path) -> None:
    sides = split(ingest(tmp_path, 400, 50), contract(unit="person"))
    training = set(sides.training()["person"].to_pylist())
    holdout = set(sides.holdout()["person"].to_pylist())
    assert not training & holdout
    assert len(holdout) == round(0.25 * len(training | holdout))


def test_a_person_in_several_tables_falls_on_one_side_of_all(tmp_path: Path) -> None:
    """Fewer people have visits than have calls: each table alone would be cut elsewhere."""
    store, made = ingest(tmp_path, 400, 50), contract(unit="person")
    calls = pa.table({"person": [f"p{number}" for number in range(300)], "x": list(range(300))})
    store.make_folder("c/ingests/i/calls")
    pq.write_table(calls, "c/ingests/i/calls/part-00000.parquet", filesystem=store.fs)
    visits = made.tables[0]
    made = made.model_copy(update={"tables": (visits, visits.model_copy(update={"name": "calls"}))})
    sides = [Split(store, made, table, "c/ingests/i") for table in made.tables]
    training = {name for side in sides for name in side.training()["person"].to_pylist()}
    holdout = {name for side in sides for name in side.holdout()["person"].to_pylist()}
    assert not training & holdout
    assert len(holdout) == round(0.25 * 300)
    alone = split(store, contract(unit="person")).holdout()["person"].to_pylist()
    assert set(alone) != set(sides[0].holdout()["person"].to_pylist())


def test_rows_without_a_person_tie_no_tables_together(tmp_path: Path) -> None:
    """Such a row is known by its number, and every table has a first row."""
    store, made = Store(str(tmp_path)), contract(unit="person")
    visits = made.tables[0]
    tables = tuple(visits.model_copy(update={"name": name}) for name in ("visits", "calls"))
    both = made.model_copy(update={"tables": tables})
    for table, people in zip(tables, (300, 20), strict=True):
        names = [None, *(f"{table.name} {number}" for number in range(people - 1))]
        store.make_folder(f"c/ingests/i/{table.name}")
        rows = pa.table({"person": names, "x": list(range(people))})
        path = f"c/ingests/i/{table.name}/part-00000.parquet"
        pq.write_table(rows, path, filesystem=store.fs)
    for table in tables:
        alone = made.model_copy(update={"tables": (table,)})
        marks = [Split(store, one, table, "c/ingests/i").mark for one in (both, alone)]
        assert marks[0] == marks[1]


def test_a_numbered_unit_stays_whole_where_some_rows_have_none(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    store.make_folder("c/ingests/i/visits")
    numbers = list(range(200))
    for part, people in enumerate([numbers, [*numbers[:-1], None]]):
        rows = pa.table({"person": pa.array(people, pa.int64()), "x": pa.array(numbers)})
        path = f"c/ingests/i/visits/part-{part:05d}.parquet"
        pq.write_table(rows, path, filesystem=store.fs)
    made = contract(unit="person")
    integer = {"logical_type": "integer", "physical_type": "int64"}
    person = made.tables[0].columns[0].model_copy(update=integer)
    table = made.tables[0].model_copy(update={"columns": (person, made.tables[0].columns[1])})
    sides = split(store, made.model_copy(update={"tables": (table,)}))
    training, holdout = sides.training()["person"], sides.holdout()["person"]
    assert not set(training.to_pylist()) & set(holdout.to_pylist())


def test_the_split_is_the_same_again_and_the_seed_moves_it(tmp_path: Path) -> None:
    store = ingest(tmp_path, 400, 50)
    made = contract()
    assert split(store, made).holdout().equals(split(store, made).holdout())
    sampling = made.sampling.model_copy(update={"seed": 2})
    other = made.model_copy(update={"sampling": sampling})
    assert not split(store, made).holdout().equals(split(store, other).holdout())


def test_a_cap_takes_a_part_of_one_side_only(tmp_path: Path) -> None:
    sides = split(ingest(tmp_path, 400, 50), contract())
    capped = sides.training(max_rows=60)
    assert capped.num_rows == 60
    assert not set(capped["x"].to_pylist()) & set(sides.holdout()["x"].to_pylist())


def test_too_few_units_is_an_error_that_counts_them(tmp_path: Path) -> None:
    with pytest.raises(ProofError, match="5 rows; a holdout and a model need at least 10"):
        split(ingest(tmp_path, 5, 5, parts=1), contract())
    with pytest.raises(ProofError, match="3 units in column 'person'"):
        split(ingest(tmp_path, 100, 3, parts=1), contract(unit="person"))


def test_a_holdout_table_leaves_all_rows_for_training(tmp_path: Path) -> None:
    store = ingest(tmp_path, 40, 50)
    store.make_folder("c/ingests/i/holdout/visits")
    extra = pa.table({"person": ["q"], "x": pa.array([-1], pa.int64())})
    pq.write_table(extra, "c/ingests/i/holdout/visits/part-00000.parquet", filesystem=store.fs)
    sides = split(store, contract())
    assert sides.count_training() == 40
    assert sides.holdout()["x"].to_pylist() == [-1]


def test_rows_without_a_person_are_nobody_s_on_the_other_side(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    for folder, name in (("visits", "here"), ("holdout/visits", "there")):
        store.make_folder(f"c/ingests/i/{folder}")
        people = [None if row % 2 else f"{name} {row}" for row in range(40)]
        rows = pa.table({"person": [*people, "both"], "x": list(range(41))})
        path = f"c/ingests/i/{folder}/part-00000.parquet"
        pq.write_table(rows, path, filesystem=store.fs)
    sides = split(store, contract(unit="person"))
    shared = sides.shared_units()
    assert len(shared) == 1
    assert sides.unseen(shared).num_rows == 40


def private(unit: str | None = None) -> Contract:
    budget = Privacy(epsilon=1, delta=1e-5, rows_per_unit=1 if unit else None)
    return contract(unit).model_copy(update={"privacy": budget})


def write_people(store: Store, folder: str, people: list[str]) -> Store:
    table = pa.table({"person": people, "x": pa.array(range(len(people)), pa.int64())})
    store.make_folder(f"{folder}/visits")
    pq.write_table(table, f"{folder}/visits/part-00000.parquet", filesystem=store.fs)
    return store


def test_under_privacy_one_person_more_moves_nobody_else(tmp_path: Path) -> None:
    """Neighbours in the source are neighbours in training: one unit differs, never two."""
    people = [f"p{number}" for number in range(300)]
    sides = {}
    for name, present in (("all", people), *((gone, people) for gone in people[:40])):
        left = [person for person in present if person != name]
        store = write_people(Store(str(tmp_path)), f"c/ingests/{name}", left)
        made = private("person")
        one = Split(store, made, made.tables[0], f"c/ingests/{name}")
        sides[name] = set(one.training()["person"].to_pylist())
    for gone in people[:40]:
        assert sides["all"] - sides[gone] <= {gone}
        assert not sides[gone] - sides["all"]


def test_under_privacy_rows_fall_by_coins_of_their_own_that_nobody_knows(tmp_path: Path) -> None:
    marks, held = set(), []
    for place, rows in (("a", 4000), ("a", 4001), ("b", 4000)):
        store = Store(str(tmp_path / place))
        write_people(store, f"c/ingests/{rows}", [f"p{number}" for number in range(rows)])
        made = private()
        one = Split(store, made, made.tables[0], f"c/ingests/{rows}")
        marks.add(one.mark.threshold)
        held.append(set(one.holdout()["x"].to_pylist()))
    assert len(marks) == 1
    assert held[0] == held[1] - {4000}
    assert held[0] != held[2]
    assert len(held[0]) == pytest.approx(1000, abs=140)


def test_under_privacy_a_holdout_of_nobody_is_told(tmp_path: Path) -> None:
    store = write_people(Store(str(tmp_path)), "c/ingests/i", [f"p{n}" for n in range(12)])
    made = private("person").model_copy(update={"holdout": Holdout(share=1e-9)})
    with pytest.raises(ProofError, match="all units fell on one side"):
        split(store, made)
