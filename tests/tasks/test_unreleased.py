"""Which model `sample` draws from, and which files it may write."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data_contracts.choice import ModelChoice
from data_contracts.contract import Column, Contract, Source, Table
from data_contracts.errors import ContractError, ModelError, StoreError, UnderstudyError
from data_contracts.loading import dump_contract
from tasks.sample import with_metadata
from tasks.storage import Store
from tasks.unreleased import check_output, open_model

COLUMN = Column(name="age", logical_type="integer", physical_type="int64")
CONTRACT = Contract(
    id="people",
    version="1.0.0",
    tables=(
        Table(
            name="people", columns=(COLUMN,), source=Source(format="parquet", path="rows.parquet")
        ),
    ),
    generator=ModelChoice(name="any_order", options={"epochs": 2}),
)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    (tmp_path / "people.odcs.yaml").write_text(dump_contract(CONTRACT))
    return Store(str(tmp_path / "store"))


def add_model(store: Store, model: str, second: int, generator: dict[str, Any]) -> Path:
    folder = f"people/models/{model}"
    manifest = {
        "model": model, "contract": "people", "generator": generator,
        "created": f"2026-01-01T00:00:{second:02d}Z",
    }  # fmt: skip
    store.make_folder(folder)
    store.write_bytes(f"{folder}/contract.odcs.yaml", dump_contract(CONTRACT).encode())
    store.write_json(f"{folder}/manifest.json", manifest)
    return Path(store.display(folder))


def add_release(store: Store, model: str, verdict: str) -> None:
    folder = f"people/releases/20260101T000000Z-{model}-{verdict}"
    store.make_folder(folder)
    manifest = {"release": folder.rsplit("/", 1)[1], "model": model, "verdict": verdict}
    store.write_json(f"{folder}/manifest.json", manifest)


CONTRACTED = CONTRACT.generator.model_dump(mode="json")


def opened(store: Store) -> Any:
    root = Path(store.root)
    return open_model(str(root.parent / "people.odcs.yaml"), str(root))


def test_a_contract_means_the_newest_model_of_its_own_generator(store: Store) -> None:
    add_model(store, "older", 1, CONTRACTED)
    add_model(store, "newer", 2, CONTRACTED)
    add_model(store, "copies", 3, {"name": "bootstrap", "options": {}})
    add_model(store, "longer", 4, {"name": "any_order", "options": {"epochs": 9}})
    add_release(store, "copies", "refused")
    model = opened(store)
    assert model.path == "people/models/newer"
    assert model.name == "newer (any_order, epochs 2)"


def test_without_a_model_of_the_contract_s_generator_the_others_are_named(store: Store) -> None:
    with pytest.raises(ModelError, match=r"any_order, epochs 2\)\. Train one first"):
        opened(store)
    add_model(store, "longer", 4, {"name": "any_order", "options": {"epochs": 9}})
    with pytest.raises(ModelError, match=r"models/longer \(any_order, epochs 9\)"):
        opened(store)


def test_an_encoder_of_shared_codes_is_no_model_to_draw_from(store: Store) -> None:
    folder = "people/models/encoder"
    store.make_folder(folder)
    encoder = {"model": "encoder", "kind": "keyed_encoder", "created": "2026-01-01T00:00:09Z"}
    store.write_json(f"{folder}/manifest.json", encoder)
    with pytest.raises(ModelError, match=r"CONTRACT\.$"):
        opened(store)
    add_model(store, "made", 1, CONTRACTED)
    assert opened(store).path == "people/models/made"


@pytest.mark.parametrize("by", ["contract", "folder"])
def test_what_was_refused_hands_out_no_rows(by: str, store: Store) -> None:
    folder = add_model(store, "refused", 1, CONTRACTED)
    add_release(store, "refused", "inconclusive")
    find = (lambda: opened(store)) if by == "contract" else lambda: open_model(str(folder), "x")
    assert find().path == "people/models/refused"
    add_release(store, "refused", "refused")
    with pytest.raises(ModelError, match=r"refused, so no rows .*report\.html"):
        find()


def test_looking_for_a_model_makes_no_store(store: Store, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="mistyped"):
        open_model(str(tmp_path / "people.odcs.yaml"), str(tmp_path / "mistyped"))
    assert not (tmp_path / "mistyped").exists()


def contract_of(path: str, folder: Path) -> Contract:
    table = CONTRACT.tables[0]
    moved = table.model_copy(update={"source": Source(format="parquet", path=path)})
    return CONTRACT.model_copy(update={"tables": (moved,), "folder": folder})


@pytest.mark.parametrize(
    ("source", "output"),
    [
        ("rows.parquet", "rows.parquet"),
        ("rows.parquet", "inner/../rows.parquet"),
        ("landing", "landing/sample.parquet"),
        ("landing/*.parquet", "landing/sample.parquet"),
    ],
)
def test_a_contract_s_own_data_are_never_written(source: str, output: str, tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "landing").mkdir()
    contract = contract_of(source, tmp_path)
    with pytest.raises(ContractError, match="own data"):
        check_output(tmp_path / output, contract)
    check_output(tmp_path / "elsewhere.parquet", contract)


def test_only_a_file_that_sample_wrote_is_replaced(tmp_path: Path) -> None:
    contract, output = contract_of("rows.parquet", tmp_path), tmp_path / "sample.parquet"
    rows = pa.table({"age": [1]})
    output.write_text("notes")
    refused: list[Any] = [None, {"release": "4f0c"}]
    for metadata in refused:
        if metadata is not None:
            pq.write_table(with_metadata(rows, metadata), output)
        with pytest.raises(StoreError, match="exists"):
            check_output(output, contract)
    pq.write_table(with_metadata(rows, {"release": "unreleased"}), output)
    check_output(output, contract)


@pytest.mark.parametrize(
    ("output", "error", "said"),
    [
        ("rows.csv", ContractError, r"\.parquet"),
        ("x", ContractError, r"\.parquet"),
        ("no/such/x.parquet", StoreError, "no folder"),
        ("folder.parquet", StoreError, "exists"),
    ],
)
def test_an_unfit_output_is_refused_before_any_draw(
    output: str, error: type[UnderstudyError], said: str, tmp_path: Path
) -> None:
    (tmp_path / "folder.parquet").mkdir()
    with pytest.raises(error, match=said):
        check_output(tmp_path / output, contract_of("rows.parquet", tmp_path))
    check_output(tmp_path / "new/x.parquet", contract_of("rows.parquet", tmp_path))
    assert not (tmp_path / "new").exists()
