"""What a sender and a recipient type: make a key, open a parcel, change its key."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flows.command_line import app
from tasks.sealing import Parcel, seal_tables, write_parcel
from tasks.sealing_keys import key_from, new_age_key, read_by_others

ROWS = pa.table({"code_00": [1.0, 2.0, 3.0]})


def typed(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        app(list(words))
    return int(ended.value.code or 0)


def test_from_key_to_opened_parcel_and_a_new_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert typed("key", "new", "-o", "clinic.key") == 0
    assert (tmp_path / "clinic.key").stat().st_mode & 0o077 == 0
    secret = (tmp_path / "clinic.key").read_text().strip()
    assert typed("key", "new", "-o", "clinic.key") == 1
    assert (tmp_path / "clinic.key").read_text().strip() == secret
    parcel = Parcel(release="r1", recipient="clinic")
    sealed = seal_tables(parcel, {"people": ROWS}, key_from("clinic.key"))
    write_parcel(tmp_path / "parcel", sealed)
    assert typed("open", "parcel", "--key", "clinic.key", "-o", "rows.parquet", "--json") == 0
    answer = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (answer["state"], answer["rows"], answer["recipient"]) == ("opened", 3, "clinic")
    assert pq.read_table("rows.parquet").equals(ROWS)
    (tmp_path / "folder").mkdir()
    assert typed("open", "parcel", "--key", "clinic.key", "-o", "folder") == 2
    assert "understudy: -o folder: a folder" in capsys.readouterr().err
    assert [path.name for path in tmp_path.glob(".*")] == []
    assert typed("key", "new", "-o", "later.key") == 0
    assert typed("key", "rewrap", "parcel", "--key", "clinic.key", "--to", "later.key") == 0
    assert typed("open", "parcel", "--key", "clinic.key", "-o", "no.parquet") == 1
    monkeypatch.setenv("LATER", (tmp_path / "later.key").read_text())
    assert typed("open", "parcel", "--key", "env:LATER", "-o", "again.parquet") == 0
    assert typed("key", "rekey", "parcel", "--key", "env:LATER", "--to", "clinic.key") == 0
    assert typed("open", "parcel", "--key", "clinic.key", "-o", "third.parquet") == 0
    shown = capsys.readouterr()
    assert secret.split(":")[1] not in shown.out + shown.err
    assert not (tmp_path / "no.parquet").exists()


def test_an_age_key_shows_its_public_half_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert typed("key", "new", "--age", "-o", str(tmp_path / "age.key"), "--json") == 0
    out = capsys.readouterr().out
    public = json.loads(out.splitlines()[-1])["public"]
    assert public.startswith("age1")
    for name, text, noted in (("age.pub", public, False), ("open.key", new_age_key()[0], True)):
        (tmp_path / name).write_text(f"{text}\n")
        (tmp_path / name).chmod(0o644)
        path = read_by_others(str(tmp_path / name))
        assert (path is not None) is noted
    assert "AGE-SECRET" not in out


@pytest.mark.parametrize(
    "secret", ["understudy-key-1:" + "A" * 43 + "=", "age-secret-key-1" + "a" * 58]
)
def test_a_key_that_is_typed_in_the_place_of_its_name_is_refused_and_not_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], secret: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for setting in (
        f"share.holder={secret}", f"share.holder=env:{secret}", f"share.holder=[{{'{secret}': 1}}]",
        f"share.holder: {secret}", secret, f"share.{secret}=x", f"share.holder=[{secret}",
    ):  # fmt: skip
        words = ("run", "synthesize-dataset", "people.odcs.yaml", "--set", setting, "--json")
        assert typed(*words) == 2
        shown = capsys.readouterr()
        assert "a key is written out" in shown.err
        assert "aaaa" not in (shown.out + shown.err).lower()
    assert typed("open", "parcel", "--key", f"file:{secret}", "-o", "rows.parquet") == 1
    shown = capsys.readouterr()
    assert "a key itself stands where one is named" in shown.err
    assert "aaaa" not in (shown.out + shown.err).lower()
    assert list(tmp_path.iterdir()) == []
