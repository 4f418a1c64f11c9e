"""Codes end to end: a contract in, a sealed parcel out that its recipient opens, or a refusal."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from data_contracts.contract import Source
from data_contracts.errors import ContractError
from data_contracts.loading import dump_contract, load_contract
from data_contracts.report import Finding
from data_contracts.schema import to_arrow
from flows.share_representation import share_representation
from models.representation import evidence
from models.representation.exposure import Exposure
from tasks.changing_keys import rewrap
from tasks.decode_codes import decode_codes
from tasks.run import NotPublishedError
from tasks.sealing_keys import SealError, key_from, new_symmetric_key
from tasks.storage import Store
from tasks.unsealing import open_parcel
from tasks.verify import verify_release
from tests.models.representation.people import TABLE, contract, people

pytestmark = pytest.mark.usefixtures("server")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("share")
    rows = to_arrow(people(1200, seed=3), TABLE)
    text = rows.set_column(3, "group", rows["group"].cast(pa.string()))
    text = text.set_column(4, "sign", rows["sign"].cast(pa.string()))
    text = text.set_column(5, "outcome", rows["outcome"].cast(pa.string()))
    pa.csv.write_csv(text, folder / "people.csv")
    for name in ("clinic", "holder"):
        (folder / f"{name}.key").write_text(new_symmetric_key())
    return folder


def written(folder: Path, *, noise: float = 0.2, **changes: object) -> Path:
    loose = {"task_kept": 0.5, "inversion": 0.9, "attribute": 0.4, "membership": 0.4,
             "relinkage": 1000.0}  # fmt: skip
    agreed = contract(
        recipients=({"name": "clinic", "key": "file:clinic.key"},), holder="file:holder.key",
        public=("size",), epochs=2, hidden=2, known_pairs=20, noise=noise,
        bars={**loose, **changes},
    )  # fmt: skip
    table = TABLE.model_copy(update={"source": Source(format="csv", path="people.csv")})
    path = folder / "people.odcs.yaml"
    path.write_text(dump_contract(agreed.model_copy(update={"tables": (table,)})))
    return path


def retold(path: Path, words: str) -> Path:
    """The same contract with a column described in other words."""
    agreed = load_contract(path)
    (table,) = agreed.tables
    first, *others = table.columns
    columns = (first.model_copy(update={"description": words}), *others)
    table = table.model_copy(update={"columns": columns})
    path.write_text(dump_contract(agreed.model_copy(update={"tables": (table,)})))
    return path


def test_a_recipient_opens_what_was_published_and_no_key_is_anywhere(folder: Path) -> None:
    outcome = share_representation(written(folder), str(folder / "store"))
    assert outcome.state == "published"
    assert outcome.release is not None
    release = Path(outcome.release)
    store = Store(str(folder / "store"))
    assert verify_release(store, release.relative_to(folder / "store").as_posix()) == []
    key = key_from("file:clinic.key", folder)
    opened = open_parcel(release / "parcels/clinic", key, folder / "codes.parquet")
    codes = pq.read_table(folder / "codes.parquet")
    assert opened.rows == codes.num_rows > 800
    names = {"row", "code_00", "hidden_00", "hidden_01", "answer_outcome=n", "answer_outcome=y"}
    assert set(codes.column_names) == names
    agreed = load_contract(folder / "people.odcs.yaml")
    place = (folder / "codes.parquet", agreed, str(folder / "store"), folder / "read.parquet")
    assert decode_codes(*place) == opened.rows
    read = pq.read_table(folder / "read.parquet")
    assert read.column_names == ["row", "size", "weight", "group", "sign", "bill"]
    assert read["row"].equals(codes["row"])
    for wrong, why in (
        (codes.drop_columns(["code_00"]), "lacks the columns code_00"),
        (codes.replace_schema_metadata({}), "no codes that can be decoded"),
    ):
        pq.write_table(wrong, folder / "wrong.parquet")
        with pytest.raises(SealError, match=why):
            decode_codes(folder / "wrong.parquet", *place[1:])
    with pytest.raises(SealError, match="no Parquet file"):
        decode_codes(folder / "people.csv", *place[1:])
    with pytest.raises(SealError):
        open_parcel(release / "parcels/clinic", key_from("file:holder.key", folder), folder / "x")
    secrets = [(folder / f"{name}.key").read_text().split(":")[1] for name in ("clinic", "holder")]
    for path in (folder / "store").rglob("*"):
        if path.is_file():
            assert not any(secret.encode() in path.read_bytes() for secret in secrets), path
    report = json.loads((release / "report.json").read_text())
    assert {"inversion_gain_20", "attribute_gain", "relinkage", "membership_gain"} <= {
        finding["name"] for finding in report["findings"]
    }
    html = (release / "report.html").read_text()
    assert "Codes are not encryption" in html
    assert share_representation(written(folder), str(folder / "store")).reused
    (folder / "next.key").write_text(new_symmetric_key())
    rewrap(release / "parcels/clinic", key, key_from("file:next.key", folder))
    assert verify_release(store, release.relative_to(folder / "store").as_posix()) == []


def test_a_new_key_behind_the_same_name_is_sealed_for(folder: Path) -> None:
    """The parcel sealed for the old key, which may be known by now, is not handed out again."""
    first = share_representation(written(folder), str(folder / "store"))
    (folder / "clinic.key").write_text(new_symmetric_key())
    second = share_representation(written(folder), str(folder / "store"))
    assert (second.state, second.reused) == ("published", False)
    assert second.release != first.release
    key = key_from("file:clinic.key", folder)
    assert open_parcel(Path(str(second.release)) / "parcels/clinic", key, folder / "new").rows
    assert share_representation(written(folder), str(folder / "store")).reused


def test_refused_codes_keep_only_their_report_and_stay_refused_by_another_seed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else codes would be drawn until some pass. The second run is on record and pays.

    So it does where a column is told otherwise, which is another ingest of the same rows. Another
    name of a recipient is no run at all: the attacks see nothing of it.
    """
    paid: list[int] = []

    def withstood(exposure: Exposure, *, progress: object = None) -> tuple[Finding, ...]:
        paid.append(exposure.runs)
        return (Finding(name="relinkage", group="attacks", value=1.0, bar=5.0, state="pass",
                        table=exposure.table),)  # fmt: skip

    store = str(folder / "again")
    # Keys are drawn anew each time: with hardly any noise rows are found again whatever they are.
    with pytest.raises(NotPublishedError) as told:
        share_representation(written(folder, noise=0.001, relinkage=1.0), store)
    assert told.value.exit_code == 3
    release = Path(str(told.value.outcome.release))
    assert {path.name for path in release.iterdir()} == {
        "contract.odcs.yaml", "manifest.json", "report.html", "report.json"
    }  # fmt: skip
    monkeypatch.setattr(evidence, "evaluate_codes", withstood)
    with pytest.raises(NotPublishedError) as told:
        share_representation(
            retold(written(folder, noise=0.001), "other words"),
            store,
            settings={"sampling.seed": 2},
        )
    assert (told.value.exit_code, paid) == (3, [2])
    report = json.loads((Path(str(told.value.outcome.release)) / "report.json").read_text())
    refused = [found for found in report["findings"] if found["state"] == "refuse"]
    assert [(found["name"], found["value"]) for found in refused] == [("attack_runs", 2.0)]
    renamed = [{"name": "hospital", "key": "file:clinic.key"}]
    with pytest.raises(NotPublishedError) as told:
        share_representation(
            folder / "people.odcs.yaml", store,
            settings={"sampling.seed": 2, "share.recipients": renamed},
        )  # fmt: skip
    assert (told.value.exit_code, paid) == (3, [2])
    assert len(list((folder / "again/people/shares").iterdir())) == 3
    assert len(list((folder / "again/people/ingests").glob("*/manifest.json"))) == 2
    (rows,) = (folder / "again/people/attacks").iterdir()
    kept = [json.loads(file.read_text()) for file in sorted(rows.glob("run-*.json"))]
    assert [run["state"] for run in kept] == ["refused", "pass"]


def test_what_cannot_be_shared_is_told_before_any_work(folder: Path) -> None:
    path = written(folder)
    (folder / "clinic.key").rename(folder / "hidden.key")
    with pytest.raises(SealError, match=r"clinic\.key"):
        share_representation(path, str(folder / "none"))
    (folder / "hidden.key").rename(folder / "clinic.key")
    bare = contract().model_copy(update={"share": None})
    path.write_text(dump_contract(bare))
    with pytest.raises(ContractError, match="no `share`"):
        share_representation(path, str(folder / "none"))
