"""The demo's landing files: the same bytes each time, whole, as its contracts promise them."""

import os
import stat
from pathlib import Path

import pandas as pd
import pytest

from data_contracts.errors import StoreError
from data_contracts.loading import load_contract
from tasks.demo_landing import write_demo_landing

CONTRACTS = Path(__file__).resolve().parents[2] / "data_contracts"


@pytest.fixture(scope="module")
def landing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo") / "landing"
    write_demo_landing(folder)
    return folder


def test_both_files_lie_where_their_contracts_look(landing: Path) -> None:
    for name in ("fair", "co2"):
        (table,) = load_contract(CONTRACTS / f"{name}.odcs.yaml").tables
        assert table.source.path == f"../landing/{name}.csv"
        frame = pd.read_csv(landing / f"{name}.csv")
        assert tuple(frame.columns) == table.column_names


def test_a_second_call_leaves_the_files_untouched(landing: Path) -> None:
    before = {path.name: path.stat().st_mtime_ns for path in landing.iterdir()}
    assert set(before) == {"fair.csv", "co2.csv"}
    write_demo_landing(landing)
    assert {path.name: path.stat().st_mtime_ns for path in landing.iterdir()} == before


def test_a_changed_file_is_mended_with_the_same_bytes(tmp_path: Path, landing: Path) -> None:
    (tmp_path / "fair.csv").write_text("half a fi")
    written = write_demo_landing(tmp_path)
    for path in written:
        assert path.read_bytes() == (landing / path.name).read_bytes()
        assert stat.S_IMODE(path.stat().st_mode) & 0o444 == 0o444
    assert sorted(tmp_path.iterdir()) == sorted(written)


def test_gaps_are_empty_fields_and_weeks_are_complete(landing: Path) -> None:
    series = pd.read_csv(landing / "co2.csv", parse_dates=["week"])
    assert series["co2"].isna().sum() == 59
    assert (series["week"].diff().dropna() == pd.Timedelta(days=7)).all()


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "landing").write_text("a file stands in the way")
    with pytest.raises(StoreError, match=r"fair\.csv: cannot be written"):
        write_demo_landing(tmp_path / "landing")


def test_a_failed_write_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_source: str, _target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(StoreError, match="No space left"):
        write_demo_landing(tmp_path)
    assert list(tmp_path.iterdir()) == []
