import gzip
from pathlib import Path

import pytest

from benchmarks.costs import reason_of
from benchmarks.tabular import Choice, chosen_options
from benchmarks.typed_rows import read_typed
from data_contracts.contract import Column, Source, Table

TABLE = Table(
    name="people",
    columns=(
        Column(name="age", logical_type="integer", physical_type="int64", required=True),
        Column(name="pay", logical_type="number", physical_type="float64"),
        Column(name="ill", logical_type="boolean", physical_type="bool"),
        Column(name="sex", logical_type="string", physical_type="dictionary<string>"),
    ),
    source=Source(format="csv", path="people.csv"),
)


def test_a_peers_values_become_the_contracts_types_and_lost_ones_are_counted(
    tmp_path: Path,
) -> None:
    text = "sex,age,pay,ill\nf,31.0,1.5,True\n,abc,,maybe\nm,,inf,False\n"
    path = tmp_path / "made.csv.gz"
    path.write_bytes(gzip.compress(text.encode()))
    frame, lost = read_typed(path, TABLE)
    assert list(frame.columns) == ["age", "pay", "ill", "sex"]
    assert list(map(str, frame.dtypes)) == ["Int64", "float64", "boolean", "category"]
    assert frame["age"].tolist()[0] == 31
    assert frame.isna().sum().to_dict() == {"age": 2, "pay": 2, "ill": 1, "sex": 1}
    # An empty field was missing before anyone read it.
    assert lost == {"age": 1, "pay": 1, "ill": 1}


def test_options_are_read_by_generator_and_told_in_the_label() -> None:
    options = chosen_options(["sdv-tvae.epochs=2", "any_order.note=quick"])
    assert options == {"sdv-tvae": {"epochs": 2}, "any_order": {"note": "quick"}}
    assert Choice("sdv-tvae", options["sdv-tvae"]).label == "sdv-tvae (epochs=2)"
    assert Choice("any_order").label == "any_order"
    with pytest.raises(SystemExit):
        chosen_options(["epochs=2"])


def test_the_reason_of_a_failure_is_one_line_without_the_machines_paths() -> None:
    text = "Traceback\n  File ...\nValueError: /home/someone/folder/train.csv: no rows\n\n"
    assert reason_of(text, 1) == "ValueError: train.csv: no rows"
    assert reason_of("", -9) == "ended by signal 9 (out of memory?)"
