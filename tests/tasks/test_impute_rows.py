"""What `understudy impute` fills in, what it leaves alone, and which files it refuses."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data_contracts.choice import ModelChoice
from data_contracts.contract import Column, Contract, Source, Table
from data_contracts.dataset import Dataset
from data_contracts.errors import ContractError, StoreError
from data_contracts.loading import dump_contract
from data_contracts.schema import arrow_schema, to_frame
from models.registry import resolve
from tasks.impute_rows import impute_rows
from tasks.storage import Store
from tasks.unreleased import TrainedModel, open_model

TABLE = Table(
    name="people",
    columns=(
        Column(name="no", logical_type="integer", physical_type="int64", primary_key=True),
        Column(name="age", logical_type="integer", physical_type="int16"),
        Column(name="town", logical_type="string", physical_type="string"),
    ),
    source=Source(format="parquet", path="rows.parquet"),
)


def people(rows: int = 600) -> pa.Table:
    """Nobody of the south is under 50, and nobody of the north over 49; some cells are missing."""
    random = np.random.default_rng(1)
    south = random.random(rows) < 0.5
    age = np.where(south, random.integers(50, 90, rows), random.integers(10, 50, rows))
    gaps = random.random((2, rows)) < 0.1
    columns = {
        "no": pa.array(np.arange(rows)),
        "age": pa.array(age, mask=gaps[0]),
        "town": pa.array(np.where(south, "south", "north"), mask=gaps[1]),
    }
    return pa.table(columns).cast(arrow_schema(TABLE))


def trained(folder: Path, choice: ModelChoice) -> TrainedModel:
    contract = Contract(id="people", version="1.0.0", tables=(TABLE,), generator=choice)
    store, place = Store(str(folder / "store")), "people/models/first"
    store.make_folder(f"{place}/people")
    store.write_bytes(f"{place}/contract.odcs.yaml", dump_contract(contract).encode())
    data = Dataset(contract, {"people": to_frame(people())})
    resolve(choice).fit(data, seed=1).save(folder / "store" / place / "people")
    manifest: dict[str, Any] = {
        "model": "first", "contract": "people", "created": "2026-01-01T00:00:00Z",
        "generator": choice.model_dump(mode="json"),
    }  # fmt: skip
    store.write_json(f"{place}/manifest.json", manifest)
    return open_model(str(folder / "store" / place), str(folder / "store"))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> TrainedModel:
    folder = tmp_path_factory.mktemp("model")
    return trained(folder, ModelChoice(name="any_order", options={"epochs": 12}))


def test_gaps_are_filled_and_everything_else_stays(model: TrainedModel, tmp_path: Path) -> None:
    source, output = tmp_path / "in.parquet", tmp_path / "whole.parquet"
    rows = people()
    pq.write_table(rows.append_column("note", pa.array(["x"] * len(rows))), source)
    done = impute_rows(model, source, output, seed=1)
    whole = pq.read_table(output)
    assert whole.schema.equals(arrow_schema(TABLE))
    assert whole.schema.metadata[b"understudy.release"] == b"unreleased"
    assert output.stat().st_mode & 0o777 == 0o600
    gaps = {name: rows[name].null_count for name in ("age", "town")}
    assert (done.rows, done.filled, done.left) == (600, gaps, {})
    for name in TABLE.column_names:
        known = rows[name].is_valid()
        assert whole[name].null_count == 0
        assert whole[name].filter(known).equals(rows[name].filter(known))
    frame = whole.to_pandas()
    filled = frame[rows["town"].is_null().to_numpy()]
    assert ((filled["age"] >= 50) == (filled["town"] == "south")).mean() > 0.8


def test_another_seed_is_another_draw_and_a_point_is_not(
    model: TrainedModel, tmp_path: Path
) -> None:
    source, output = tmp_path / "in.parquet", tmp_path / "whole.parquet"
    pq.write_table(people(), source)

    def drawn(seed: int, *, point: bool = False) -> pa.ChunkedArray:
        impute_rows(model, source, output, seed=seed, point=point)
        return pq.read_table(output)["age"]

    assert drawn(1).equals(drawn(1))
    assert not drawn(1).equals(drawn(2))
    spread = [drawn(1, point=point).filter(people()["age"].is_null()) for point in (False, True)]
    assert np.std(spread[1].to_numpy()) < np.std(spread[0].to_numpy())


def test_what_cannot_be_filled_in_is_told(model: TrainedModel, tmp_path: Path) -> None:
    source, output = tmp_path / "in.parquet", tmp_path / "whole.parquet"
    with pytest.raises(ContractError, match=r"in\.parquet: there is no such file"):
        impute_rows(model, source, output, seed=1)
    pq.write_table(people().drop_columns("town"), source)
    with pytest.raises(ContractError, match=r"no column 'town'"):
        impute_rows(model, source, output, seed=1)
    no = people()["no"].to_pylist()
    nobody = pa.array([None, None, *no[2:]], pa.int64())
    pq.write_table(people().set_column(0, "no", nobody), source)
    with pytest.raises(ContractError, match=r"'no' is missing in 2 of 600 rows.*leave these rows"):
        impute_rows(model, source, output, seed=1)
    output.write_text("mine")
    pq.write_table(people(), source)
    with pytest.raises(StoreError, match=r"left as it is"):
        impute_rows(model, source, output, seed=1)
    assert output.read_text() == "mine"


def test_a_generator_that_cannot_names_those_that_can(tmp_path: Path) -> None:
    other = trained(tmp_path, ModelChoice(name="independent"))
    pq.write_table(people(), tmp_path / "in.parquet")
    with pytest.raises(ContractError, match=r"fills in no missing cells.*any_order"):
        impute_rows(other, tmp_path / "in.parquet", tmp_path / "whole.parquet", seed=1)
    assert not (tmp_path / "whole.parquet").exists()
