"""Any tool's table: restored to the contract's types, or refused in a sentence that names why."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data_contracts.errors import ContractError
from data_contracts.loading import dump_contract, load_contract
from data_contracts.schema import arrow_schema
from flows.prove_dataset import prove_here
from tasks import candidate, evaluate
from tasks.candidate import GateClosedError, judge_candidate, read_candidate
from tasks.prove import Ingest
from tasks.split import Split
from tasks.storage import Store
from tests.flows.people import write_people

ROWS = {
    "id": [1, 2], "age": [30.0, None], "income": [10.5, 11.25], "region": ["north", "west"],
    "member": [True, False], "joined": ["2020-01-01", "2021-05-05"],
    "seen": ["2023-01-01T00:00:00", "2023-03-03T10:00:00"], "unnamed": [0, 1],
}  # fmt: skip


def write(folder: Path, **changes: Any) -> Path:
    columns = {name: values for name, values in {**ROWS, **changes}.items() if values is not None}
    pq.write_table(pa.table(columns), folder / "made.parquet")
    return folder / "made.parquet"


def test_types_are_restored_to_the_contract_s(tmp_path: Path) -> None:
    contract = load_contract(write_people(tmp_path))
    rows = read_candidate(contract, write(tmp_path))["people"]
    assert rows.schema.types == arrow_schema(contract.tables[0]).types
    assert rows.column_names == list(contract.tables[0].column_names)
    assert rows["age"].to_pylist() == [30, None]
    assert str(rows["income"][1].as_py()) == "11.25"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"age": None, "income": None}, "no column 'age', 'income'"),
        ({"age": [30.5, 31.0]}, "column 'age'"),
        ({"income": ["much", "little"]}, "column 'income'"),
        ({"income": ["1.50", "little"]}, "row 2 is the first"),
        ({"age": [[30], [31]]}, "column 'age' holds list"),
        ({"age": [30.0, float("inf")]}, "row 2 is the first"),
        ({"joined": ["soon", "later"]}, "column 'joined'"),
    ],
)
def test_what_does_not_fit_is_named_without_its_value(
    tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    contract = load_contract(write_people(tmp_path))
    with pytest.raises(ContractError) as caught:
        read_candidate(contract, write(tmp_path, **changes))
    assert words in str(caught.value) and "made.parquet" in str(caught.value)
    assert not {"soon", "much", "little"} & set(str(caught.value).replace("'", " ").split())


def test_not_a_number_is_a_missing_value(tmp_path: Path) -> None:
    contract = load_contract(write_people(tmp_path))
    rows = read_candidate(contract, write(tmp_path, age=[float("nan"), 31.0]))["people"]
    assert rows["age"].to_pylist() == [None, 31]


def test_files_that_no_table_can_be_read_from_are_said_to_be(tmp_path: Path) -> None:
    contract, made = load_contract(write_people(tmp_path)), tmp_path / "made"
    made.mkdir()
    with pytest.raises(ContractError, match=r"no file in this folder ends in .parquet"):
        read_candidate(contract, made)
    twice = pa.table([[1], [2]], names=["age", "age"])
    pq.write_table(twice, made / "twice.parquet")
    with pytest.raises(ContractError, match="each column once"):
        read_candidate(contract, made)
    whole = write(tmp_path).read_bytes()
    zeros = whole[:30] + bytes(30) + whole[60:]
    for name, content in (("torn", whole[: len(whole) // 2]), ("zeros", zeros), ("empty", b"")):
        (tmp_path / f"{name}.parquet").write_bytes(content)
        with pytest.raises(ContractError, match="not a Parquet file that can be read"):
            read_candidate(contract, tmp_path / f"{name}.parquet")


def test_a_file_that_is_no_parquet_or_not_there_is_said_to_be(tmp_path: Path) -> None:
    contract = load_contract(write_people(tmp_path))
    (tmp_path / "text.parquet").write_text("id,age\n")
    for name, words in (("text.parquet", "not a Parquet file"), ("none.parquet", "no such file")):
        with pytest.raises(ContractError, match=words):
            read_candidate(contract, tmp_path / name)


@pytest.mark.parametrize("name", ["../../../elsewhere", "a/b", ".hidden", ""])
def test_a_model_s_name_cannot_leave_its_folder(tmp_path: Path, name: str) -> None:
    contract = load_contract(write_people(tmp_path))
    ingest = Ingest(ingest="i", path="people/ingests/i", proof={})
    with pytest.raises(ContractError, match="--model"):
        judge_candidate(contract, ingest, str(tmp_path / "store"), write(tmp_path), name)
    assert not (tmp_path / "store").exists()


@pytest.fixture(scope="module")
def proven(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ingest]:
    folder = tmp_path_factory.mktemp("gate")
    return folder, prove_here(write_people(folder), str(folder / "store"))


def test_a_copy_of_the_training_rows_is_refused_with_exit_code_3(
    proven: tuple[Path, Ingest],
) -> None:
    folder, ingest = proven
    contract = load_contract(folder / "people.odcs.yaml")
    split = Split(Store(str(folder / "store")), contract, contract.tables[0], ingest.path)
    pq.write_table(split.training(), folder / "copy.parquet")
    with pytest.raises(GateClosedError) as caught:
        judge_candidate(contract, ingest, str(folder / "store"), folder / "copy.parquet")
    outcome = caught.value.outcome
    assert (caught.value.exit_code, outcome.state) == (3, "refused")
    assert outcome.tests["exact_copies"] == outcome.tests["hygiene"] == "refuse"
    assert list(Path(outcome.record).glob("run-0001.json"))


def test_other_words_in_the_contract_lift_no_refusal(proven: tuple[Path, Ingest]) -> None:
    folder, first = proven
    path, store = folder / "people.odcs.yaml", str(folder / "store")
    contract = load_contract(path)
    split = Split(Store(store), contract, contract.tables[0], first.path)
    pq.write_table(split.training(), folder / "leak.parquet")
    pq.write_table(split.holdout(), folder / "again.parquet")
    table = contract.tables[0].model_copy(update={"min_rows": 11})
    other = folder / "other.odcs.yaml"
    other.write_text(dump_contract(contract.model_copy(update={"tables": (table,)})))
    second = prove_here(other, store)
    assert second.ingest != first.ingest
    with pytest.raises(GateClosedError):
        judge_candidate(contract, first, store, folder / "leak.parquet", "maker")
    with pytest.raises(GateClosedError) as caught:
        judge_candidate(load_contract(other), second, store, folder / "again.parquet", "maker")
    assert (caught.value.exit_code, caught.value.outcome.tests["gate_runs"]) == (3, "refuse")
    assert len(list(Path(caught.value.outcome.record).glob("run-*.json"))) == 2
    # The same rows again are judged anew: the contract tells other things of what they leave out.
    with pytest.raises(GateClosedError) as caught:
        judge_candidate(load_contract(other), second, store, folder / "leak.parquet", "maker")
    assert len(list(Path(caught.value.outcome.record).glob("run-*.json"))) == 3


def test_a_value_of_one_person_is_found_beyond_the_rows_that_are_compared(
    proven: tuple[Path, Ingest], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, ingest = proven
    for module in (candidate, evaluate):
        monkeypatch.setattr(module, "MAX_EVALUATED_ROWS", 100)
    contract = load_contract(folder / "people.odcs.yaml")
    split = Split(Store(str(folder / "store")), contract, contract.tables[0], ingest.path)
    rows = split.training()
    incomes = sorted(rows["income"].drop_null().to_pylist())
    middle, largest = incomes[len(incomes) // 2], incomes[-1]
    place = rows.schema.get_field_index("income")
    usual = [min(value, middle) for value in rows["income"].to_pylist()]
    made = pa.array([largest, *usual[1:]], rows.schema.field("income").type)
    pq.write_table(rows.set_column(place, "income", made), folder / "one.parquet")
    with pytest.raises(GateClosedError) as caught:
        judge_candidate(contract, ingest, str(folder / "store"), folder / "one.parquet", "one")
    (record,) = Path(caught.value.outcome.record).glob("run-*.json")
    found = next(f for f in json.loads(record.read_text())["findings"] if f["name"] == "hygiene")
    assert "beyond" in found["detail"] and "income" in found["detail"]
    made = read_candidate(contract, folder / "one.parquet")["people"]
    sample = candidate._looked_at(
        contract.tables[0], made, candidate._content(contract, folder / "one.parquet")
    )
    assert largest not in sample["income"].to_pylist()


def test_held_out_rows_are_not_refused(proven: tuple[Path, Ingest]) -> None:
    folder, ingest = proven
    contract = load_contract(folder / "people.odcs.yaml")
    split = Split(Store(str(folder / "store")), contract, contract.tables[0], ingest.path)
    pq.write_table(split.holdout(), folder / "fresh.parquet")
    try:
        outcome = judge_candidate(contract, ingest, str(folder / "store"), folder / "fresh.parquet")
    except GateClosedError as closed:
        outcome = closed.outcome
        assert closed.exit_code == 4
    assert "refuse" not in outcome.tests.values()


def test_of_several_tables_a_folder_is_asked_for(tmp_path: Path) -> None:
    contract = load_contract(write_people(tmp_path))
    table = contract.tables[0]
    both = contract.model_copy(
        update={"tables": (table, table.model_copy(update={"name": "pets"}))}
    )
    with pytest.raises(ContractError, match=r"folder with people\.parquet, pets\.parquet"):
        read_candidate(both, write(tmp_path))
