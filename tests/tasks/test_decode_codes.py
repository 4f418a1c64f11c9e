"""Decoded rows are real ones: they appear whole or not at all, and only for their owner."""

import errno
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data_contracts.contract import Contract
from data_contracts.errors import ContractError, StoreError
from models.representation.keyed_encoder import KeyedEncoder
from tasks.decode_codes import decode_codes
from tasks.fit_encoder import ENCODER
from tasks.publish_share import HOLDER_KEY, MODEL_KEY, RECIPIENT_KEY, holder_mark
from tasks.sealing import RELEASE_KEY
from tasks.sealing_keys import SealError, new_symmetric_key
from tasks.storage import Store
from tests.models.representation.people import contract


class Encoder:
    """Decodes every code as one row of one number."""

    column_names = ("code_00",)

    @classmethod
    def load(cls, folder: Path, agreed: Contract) -> "Encoder":
        return cls()

    def decode(self, codes: np.ndarray, key: bytes, marks: object, *, seed: int) -> pd.DataFrame:
        return pd.DataFrame({"size": codes[:, 0]})


@pytest.fixture
def agreed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Contract:
    """A contract whose holder's key, stored encoder and opened codes lie in the same folder."""
    (tmp_path / "holder.key").write_text(new_symmetric_key())
    made = contract(holder="file:holder.key").model_copy(update={"folder": tmp_path})
    store = Store(str(tmp_path / "store"))
    store.write_bytes(f"people/work/{ENCODER}/encoder.json", b"{}")
    assert store.commit("people/work", "people/models/m1", {})
    monkeypatch.setattr(KeyedEncoder, "load", Encoder.load)
    marks = {HOLDER_KEY: holder_mark(made), MODEL_KEY: b"m1", RECIPIENT_KEY: b"clinic",
             RELEASE_KEY: b"r1"}  # fmt: skip
    rows = pa.table({"row": [1, 2, 3], "code_00": [0.1, 0.2, 0.3]})
    pq.write_table(rows.replace_schema_metadata(marks), tmp_path / "codes.parquet")
    return made


def decoded(agreed: Contract, output: Path) -> int:
    folder = agreed.folder
    return decode_codes(folder / "codes.parquet", agreed, str(folder / "store"), output)


def test_only_its_owner_may_read_what_was_decoded(agreed: Contract, tmp_path: Path) -> None:
    output = tmp_path / "read" / "rows.parquet"
    output.parent.mkdir()
    output.write_text("old")
    output.chmod(0o644)
    assert decoded(agreed, output) == 3
    assert output.stat().st_mode & 0o777 == 0o600
    assert pq.read_table(output).to_pydict() == {"row": [1, 2, 3], "size": [0.1, 0.2, 0.3]}
    assert [path.name for path in output.parent.iterdir()] == ["rows.parquet"]


def test_a_writing_that_stops_midway_leaves_what_was_there(
    agreed: Contract, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "read" / "rows.parquet"
    output.parent.mkdir()
    output.write_text("old")
    whole = pq.write_table

    def stops(rows: pa.Table, target: object) -> None:
        whole(rows, target)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pq, "write_table", stops)
    with pytest.raises(StoreError, match=r"rows.parquet: .*No space left on device.* as it was"):
        decoded(agreed, output)
    assert [path.read_text() for path in output.parent.iterdir()] == ["old"]


@pytest.mark.parametrize("place", ["folder", "file/rows.parquet"])
def test_a_place_where_no_file_can_be_is_refused_before_anything_is_decoded(
    agreed: Contract, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    monkeypatch.setattr(Encoder, "decode", lambda *_, **__: pytest.fail("decoded"))
    with pytest.raises(ContractError, match=f"-o {tmp_path / place}: .* Name a file in a folder"):
        decoded(agreed, tmp_path / place)
    assert sorted(tmp_path.rglob("*")) == before


def changed(agreed: Contract, name: str, values: pa.Array) -> None:
    """Puts other values in a column of the opened codes."""
    path = agreed.folder / "codes.parquet"
    rows = pq.read_table(path)
    place = rows.column_names.index(name)
    pq.write_table(rows.set_column(place, name, values), path)


@pytest.mark.parametrize(
    ("name", "values", "why"),
    [
        ("row", pa.array([1, None, 3]), r"has missing values \(1\)"),
        ("row", pa.array([1, -776655, 3]), r"has negative values \(1\)"),
        ("row", pa.array([1.0, 776655.0, 3.0]), "is not of type int64"),
        ("row", pa.array(["1", "776655", "3"]), "is not of type int64"),
        ("row", pa.array([1, 776655, 3], pa.uint64()), "is not of type int64"),
        ("code_00", pa.array(["0.1", "0.776655", "0.3"]), "holds no floating-point"),
        ("code_00", pa.array([1, 776655, 3]), "holds no floating-point"),
        ("code_00", pa.array([0.1, None, None]), r"has missing values \(2\)"),
        ("code_00", pa.array([0.1, float("nan"), 0.3]), r"has infinite or undefined values \(1\)"),
        (
            "code_00",
            pa.array([0.1, float("-inf"), 0.3], pa.float32()),
            r"has infinite or undefined values \(1\)",
        ),
    ],
)
def test_damaged_codes_are_told_by_their_column_and_never_decoded(
    agreed: Contract, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    name: str, values: pa.Array, why: str,
) -> None:  # fmt: skip
    changed(agreed, name, values)
    monkeypatch.setattr(Encoder, "decode", lambda *_, **__: pytest.fail("decoded"))
    with pytest.raises(SealError, match=rf"codes\.parquet: column '{name}' {why}") as told:
        decoded(agreed, tmp_path / "rows.parquet")
    assert "776655" not in str(told.value)
    assert not (tmp_path / "rows.parquet").exists()


@pytest.mark.parametrize("mark", [MODEL_KEY, RECIPIENT_KEY, RELEASE_KEY])
def test_marks_that_are_no_text_are_told(agreed: Contract, tmp_path: Path, mark: bytes) -> None:
    path = agreed.folder / "codes.parquet"
    rows = pq.read_table(path)
    marks = {**rows.schema.metadata, mark: b"\xff\xfe"}
    pq.write_table(rows.replace_schema_metadata(marks), path)
    with pytest.raises(SealError, match="damaged marks"):
        decoded(agreed, tmp_path / "rows.parquet")


@pytest.mark.parametrize("model", [b"", b"../models/m1", b"\x1b[2Jm1"])
def test_a_model_s_name_leads_nowhere_else_in_the_store(
    agreed: Contract, tmp_path: Path, model: bytes
) -> None:
    path = agreed.folder / "codes.parquet"
    rows = pq.read_table(path)
    pq.write_table(rows.replace_schema_metadata({**rows.schema.metadata, MODEL_KEY: model}), path)
    with pytest.raises(SealError, match="damaged marks"):
        decoded(agreed, tmp_path / "rows.parquet")
