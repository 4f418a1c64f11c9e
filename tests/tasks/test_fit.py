"""Fitting in the store: parts of large data, checkpoints that outlive a kill, refreshed models."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from data_contracts.choice import ModelChoice
from data_contracts.contract import Column, Contract, ForeignKey, Privacy, Source, Table
from data_contracts.dataset import LargeDataset
from data_contracts.errors import ContractError, ModelError
from data_contracts.schema import arrow_schema
from tasks import fit
from tasks.checkpoints import StoredCheckpoints, clear_checkpoints
from tasks.fit import FittedModel, fit_generator
from tasks.prove import Ingest
from tasks.run import Run
from tasks.split import Split
from tasks.storage import Store

ROWS = 2000
INGEST = Ingest(ingest="i", path="c/ingests/i", proof={})
OPTIONS = {"width": 16, "blocks": 1, "epochs": 30, "batch_rows": 64}
LIMITED = {"epochs": 60, "max_seconds": 3600}
KILLED_FIT = """
    import sys
    from models.training import loop
    from tests.tasks.test_fit import LIMITED, fitted
    loop.CHECKPOINT_SECONDS = 0.0
    fitted(sys.argv[1], LIMITED)
"""


def contract(**options: object) -> Contract:
    columns = (
        Column(
            name="person", logical_type="integer", physical_type="int64", required=True,
            role="identifier",
        ),
        Column(name="kind", logical_type="string", physical_type="string"),
        Column(name="x", logical_type="number", physical_type="float64"),
    )  # fmt: skip
    source = Source(format="csv", path="x.csv")
    table = Table(name="visits", columns=columns, source=source, unit="person")
    choice = ModelChoice(name="any_order", options={**OPTIONS, **options})
    return Contract(id="c", version="1.0.0", tables=(table,), generator=choice)


def write_rows(root: Path) -> None:
    random = np.random.default_rng(0)
    folder = root / "c/ingests/i/visits"
    folder.mkdir(parents=True)
    kinds = random.choice(["a", "b"], ROWS)
    numbers = random.normal(0, 1, ROWS) + (kinds == "a")
    rows = pa.table(
        {"person": np.arange(ROWS), "kind": kinds, "x": numbers},
        schema=arrow_schema(contract().tables[0]),
    )
    pq.write_table(rows, folder / "part-00000.parquet", row_group_size=600)


def fitted(root: str, options: dict[str, object]) -> FittedModel:
    run = Run(contract=contract(**options), store=root, work="c/work/w")
    return fit_generator.fn(run, INGEST)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_rows(tmp_path)
    return tmp_path


def stored(root: Path, model: FittedModel) -> dict[str, bytes]:
    folder = root / model.path / "visits"
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_large_data_are_read_in_parts_and_all_rows_count(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fit, "MAX_SHARDED_FRAME_ROWS", 500)
    made = contract()
    split = Split(Store(str(root)), made, made.tables[0], INGEST.path)
    data = fit._training_data(made, split, sharded=True)
    assert isinstance(data, LargeDataset)
    assert (len(data.frame), data.rows) == (500, split.count_training())
    parts = list(data.parts())
    assert len(parts) == 4 and max(map(len, parts)) <= 600
    assert sum(map(len, parts)) == data.rows
    everything = split.training()
    assert sorted(x for part in parts for x in part["x"]) == sorted(everything["x"].to_pylist())
    model = fitted(str(root), {"epochs": 1})
    assert model.rows == {"visits": data.rows}


def test_under_privacy_no_choice_of_rows_is_made_by_rank(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fit, "MAX_FRAME_ROWS", 500)
    made = contract()
    split = Split(Store(str(root)), made, made.tables[0], INGEST.path)
    assert len(fit._training_data(made, split, sharded=False).frame) == 500
    private = made.model_copy(update={"privacy": Privacy(epsilon=1, delta=1e-6)})
    split = Split(Store(str(root)), private, private.tables[0], INGEST.path)
    data = fit._training_data(private, split, sharded=False)
    assert len(data.frame) == split.count_training() > 500


def test_a_killed_fit_goes_on_to_the_same_bytes(root: Path, tmp_path_factory) -> None:
    other = tmp_path_factory.mktemp("undisturbed")
    write_rows(other)
    command = [sys.executable, "-c", textwrap.dedent(KILLED_FIT), str(root)]
    process = subprocess.Popen(command, cwd=Path(__file__).parents[2])
    try:
        while not list(root.glob("c/checkpoints/*/visits.safetensors")):
            assert process.poll() is None
            time.sleep(0.01)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert not list(root.glob("c/models/*/manifest.json"))
    resumed = fitted(str(root), LIMITED)
    undisturbed = fitted(str(other), LIMITED)
    assert resumed.model == undisturbed.model and not resumed.reused
    assert stored(root, resumed) == stored(other, undisturbed)
    assert not list(root.glob("c/checkpoints/*"))


def test_a_fit_gives_the_same_bytes_whatever_threads_the_process_had(
    root: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.mktemp("threads")
    write_rows(other)
    wide = {"width": 256, "blocks": 2, "epochs": 1, "batch_rows": 512}
    before, weights = torch.get_num_threads(), []
    try:
        for place, threads in ((root, 1), (other, 3)):
            torch.set_num_threads(threads)
            weights.append(stored(place, fitted(str(place), wide)))
    finally:
        torch.set_num_threads(before)
    assert weights[0] == weights[1]


def test_a_series_is_refused_with_the_way_out() -> None:
    table = contract().tables[0].model_copy(update={"kind": "series", "time": "x"})
    series = contract().model_copy(update={"tables": (table,)})
    told = r"makes kind table only, not series.*`kind: table`.* No generator does as yet; `under"
    with pytest.raises(ContractError, match=told):
        fit.check_generator(series)
    bound = table.model_copy(
        update={
            "kind": "table",
            "foreign_keys": (ForeignKey(columns=("x",), parent="y", parent_columns=("x",)),),
        }
    )
    told = r"can't keep foreign keys\..* a contract for each.* No generator does as yet"
    with pytest.raises(ContractError, match=told):
        fit.check_generator(contract().model_copy(update={"tables": (bound,)}))
    fit.check_generator(contract())


def test_checkpoints_that_nobody_will_ask_for_go(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    old, new = (StoredCheckpoints(store, f"c/models/{name}", "t") for name in ("old", "new"))
    assert old.read() is None
    for one in (old, new):
        one.write(b"content")
    assert old.read() == b"content"
    long_ago = time.time() - 100 * 3600
    os.utime(tmp_path / old.path, (long_ago, long_ago))
    clear_checkpoints(store, "c/models/done")
    assert (old.read(), new.read()) == (None, b"content")
    clear_checkpoints(store, "c/models/new")
    assert new.read() is None


def test_a_model_is_refreshed_by_its_id(root: Path) -> None:
    first = fitted(str(root), {"epochs": 5})
    second = fitted(str(root), {"epochs": 5, "refresh": first.model})
    assert second.model != first.model
    assert stored(root, first) != stored(root, second)
    with pytest.raises(ModelError, match=f"no model 'nothing'.*{first.model}"):
        fitted(str(root), {"refresh": "nothing"})
