"""What scripts rely on: exit codes, the last line as JSON, errors as sentences."""

import json
import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from flows.command_line import app
from tests.conftest import ROOT
from tests.flows.people import write_people

pytestmark = pytest.mark.usefixtures("server")

SAMPLE = ("sample", "people.odcs.yaml", "-n", "5", "-o", "x.parquet")


def in_a_process(*arguments: object, folder: Path) -> subprocess.CompletedProcess[str]:
    """The command as people type it, in a Python of its own."""
    return subprocess.run(
        [sys.executable, "-m", "flows.command_line", *map(str, arguments)],
        cwd=folder,
        env=None,
        capture_output=True,
        text=True,
        check=False,
    )


def understudy(*arguments: object, folder: Path) -> subprocess.CompletedProcess[str]:
    """The same command in this process, which has its libraries loaded already.

    What the command lets through is raised here: a process would print it as a traceback.
    """
    words = [str(word) for word in arguments]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        # The command sets what its process lacks; the next test must not find it.
        patch.setattr(os, "environ", os.environ.copy())
        # A process asks Prefect to be quiet before it is imported; here it is already.
        patch.setattr(logging.root.manager, "disable", logging.CRITICAL)
        ended = CliRunner().invoke(app, words)
    if ended.exception is not None and not isinstance(ended.exception, SystemExit):
        raise ended.exception
    return subprocess.CompletedProcess(words, ended.exit_code, ended.stdout, ended.stderr)


def answer(ended: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    found = json.loads(ended.stdout.splitlines()[-1])
    assert isinstance(found, dict)
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("commands")
    write_people(folder)
    return folder


@pytest.fixture(scope="module")
def published(server: str, folder: Path) -> dict[str, Any]:
    ended = in_a_process("run", "synthesize-dataset", "people.odcs.yaml", "--json", folder=folder)
    assert ended.returncode == 0, ended.stderr
    return answer(ended)


def test_a_run_answers_what_scripts_need(published: dict[str, Any]) -> None:
    assert published["state"] == "published"
    assert Path(published["release"]).is_dir()
    assert Path(published["report"]).is_file()
    assert Path(published["model"]).is_dir()
    assert set(published["seconds"]) >= {"prove", "fit", "sample", "evaluate", "publish"}
    assert 50 < published["peak_mib"] < 4096


def test_releases_are_listed(published: dict[str, Any], folder: Path) -> None:
    ended = understudy("releases", "people.odcs.yaml", "--json", folder=folder)
    (listed,) = answer(ended)["releases"]
    assert listed["path"] == published["release"]
    assert listed["latest"]
    assert listed["verdict"] == "published"


def test_a_reader_verifies_a_release_that_was_copied(
    published: dict[str, Any], folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(published["release"], tmp_path / "copy")
    whole = understudy("verify", "copy", "--json", folder=tmp_path)
    assert whole.returncode == 0, whole.stderr
    told = answer(whole)
    assert (told["state"], told["verdict"], told["wrong"]) == ("verified", "published", [])
    (part,) = (tmp_path / "copy/data/people").glob("*.parquet")
    content = bytearray(part.read_bytes())
    content[len(content) // 2] ^= 1
    part.write_bytes(content)
    (tmp_path / "copy/notes.txt").write_text("mine")
    changed = understudy("verify", "copy", "--json", folder=tmp_path)
    assert changed.returncode == 1
    assert f"data/people/{part.name}: changed since publication" in changed.stderr
    assert "notes.txt: not in the manifest" in changed.stderr
    told = answer(changed)
    assert (told["state"], len(told["wrong"])) == ("changed", 2)
    absent = understudy("verify", "absent", folder=tmp_path)
    assert absent.returncode == 1 and "no manifest.json" in absent.stderr
    assert not (tmp_path / "absent").exists()


@pytest.mark.parametrize("by", ["contract", "model"])
def test_samples_are_exact_seeded_and_marked(
    by: str, published: dict[str, Any], folder: Path
) -> None:
    source = "people.odcs.yaml" if by == "contract" else published["model"]
    given = ["--given", "region=west", "--given", "age=40", "--given", "member=true"]
    for name in ("one", "two"):
        ended = understudy(
            "sample", source, "-n", 70, *given, "--seed", 3, "-o", f"{by}-{name}.parquet",
            folder=folder,
        )  # fmt: skip
        assert ended.returncode == 0, ended.stderr
    rows = pq.read_table(folder / f"{by}-one.parquet")
    assert rows.num_rows == 70
    assert set(rows["region"].to_pylist()) == {"west"}
    assert set(rows["age"].to_pylist()) == {40}
    assert set(rows["member"].to_pylist()) == {True}
    assert f"model {Path(published['model']).name} (independent)" in ended.stdout
    assert rows.schema.metadata[b"understudy.release"] == b"unreleased"
    first, second = (folder / f"{by}-{name}.parquet" for name in ("one", "two"))
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["run", "no-such-flow", "people.odcs.yaml"], 2, "synthesize-dataset"),
        (["run", "synthesize-dataset", "absent.odcs.yaml"], 2, "absent.odcs.yaml"),
        (["run", "synthesize-dataset", "people.odcs.yaml", "--set", "x"], 2, "NAME=VALUE"),
        ([*SAMPLE, "--given", "nose=1"], 2, "nose"),
        ([*SAMPLE, "--given", "age=old"], 2, "int16"),
        ([*SAMPLE, "--given", "region=z"], 2, "--given region=z: given region"),
        ([*SAMPLE, "--given", "age=2000"], 2, "--given age=2000: given age"),
        ([*SAMPLE, "--given", "region=north", "--given",
          "region=south"], 2, "region: given more than once"),
        ([*SAMPLE, "--given", "age=30..40"], 2, "'independent' does not take ranges"),
        ([*SAMPLE, "--temperature", "0.5"], 2, "--temperature"),
        ([*SAMPLE, "--given", "seen=2023-01-01T08:00"],
         2, "offset"),
        (["sample", "no/such/model", "-n", "5", "-o", "x.parquet"], 1, "no/such/model"),
        (["impute", "people.odcs.yaml", "absent.parquet", "-o", "x.parquet"], 2,
         "absent.parquet: there is no such file"),
        (["run", "synthesize-dataset", "people.odcs.yaml", "--set", "bars.alpha=["], 2,
         "--set bars.alpha"),
        (["run", "synthesize-dataset", "people.odcs.yaml", "--set", "sampling.rows="], 2, "null"),
        (["run", "synthesize-dataset", "people.odcs.yaml", "--set", "sampling.rows=abc"], 2,
         '--set sampling.rows: found "abc"'),
        ([*SAMPLE[:-1], "people.csv"], 2, ".parquet"),
        (["check", "people.odcs.yaml", "--store", "foo://bucket"], 1, "foo://bucket"),
        (["check", "strange.odcs.yaml"], 2,
         "strange.odcs.yaml: customProperties.understudy.generator: generator 'vea'"),
        (["releases", "absent.odcs.yaml"], 2, "absent"),
        (["check", "absent.odcs.yaml"], 2, "absent"),
    ],
)  # fmt: skip
def test_errors_are_sentences_with_an_exit_code(
    arguments: list[str], code: int, said: str, published: dict[str, Any], folder: Path
) -> None:
    text = (folder / "people.odcs.yaml").read_text()
    (folder / "strange.odcs.yaml").write_text(text.replace("name: independent", "name: vea"))
    ended = understudy(*arguments, "--json", folder=folder)
    assert ended.returncode == code, ended.stderr
    assert said in ended.stderr
    assert "defect" not in ended.stderr
    assert "Traceback" not in ended.stderr
    assert answer(ended)["state"] == "failed"
    assert said in answer(ended)["error"]


def test_a_process_ends_with_the_code_and_the_sentence_alone(
    published: dict[str, Any], folder: Path
) -> None:
    ended = in_a_process(*SAMPLE, "--given", "region=z", "--json", folder=folder)
    assert ended.returncode == 2
    assert ended.stderr.startswith("understudy: ") and ended.stderr.count("\n") == 1
    assert "region" in answer(ended)["error"]


def test_a_refusal_says_so_in_code_and_answer(tmp_path: Path) -> None:
    write_people(tmp_path, generator="bootstrap")
    ended = understudy("run", "synthesize-dataset", "people.odcs.yaml", "--json", folder=tmp_path)
    assert ended.returncode == 3, ended.stderr
    assert answer(ended)["state"] == "refused"
    assert Path(answer(ended)["report"]).is_file()
    sampled = understudy(*SAMPLE, folder=tmp_path)
    assert sampled.returncode == 1
    assert "refused" in sampled.stderr
    assert not (tmp_path / "x.parquet").exists()


def test_the_gate_answers_for_any_table(published: dict[str, Any], folder: Path) -> None:
    """One line of JSON and an exit code for a release of ours, for the source, for no table."""
    ours = next(Path(published["release"]).glob("data/people/*.parquet"))
    ended = understudy("gate", "people.odcs.yaml", ours, "--model", "ours", "--json", folder=folder)
    told = answer(ended)
    assert ended.returncode == {"pass": 0, "inconclusive": 4}[told["state"]], ended.stderr
    assert {"hygiene", "exact_copies", "membership_inference", "gate_runs"} <= set(told["tests"])
    assert set(told["tests"].values()) <= {"pass", "info", "inconclusive"}

    source = next((folder / "store").glob("people/ingests/*/people/*.parquet"))
    ended = understudy("gate", "people.odcs.yaml", source, "--json", folder=folder)
    told = answer(ended)
    assert (ended.returncode, told["state"], told["tests"]["exact_copies"]) == (
        3,
        "refused",
        "refuse",
    )
    assert "\n  " in ended.stderr and "exact_copies" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert list(Path(told["record"]).glob("run-0001.json"))

    ended = understudy("gate", "people.odcs.yaml", "people.csv", "--json", folder=folder)
    assert (ended.returncode, answer(ended)["state"]) == (2, "failed")
    assert "people.csv" in answer(ended)["error"] and "Parquet" in answer(ended)["error"]


def test_a_failed_run_tells_what_it_cost(tmp_path: Path) -> None:
    write_people(tmp_path, rows=5)
    ended = understudy("run", "synthesize-dataset", "people.odcs.yaml", "--json", folder=tmp_path)
    assert ended.returncode == 1, ended.stderr
    assert answer(ended)["state"] == "failed"
    assert answer(ended)["seconds"]["prove"] > 0
    assert 50 < answer(ended)["peak_mib"] < 4096


def test_a_store_without_releases_is_said_to_have_none(folder: Path) -> None:
    ended = understudy("releases", "people.odcs.yaml", "--store", "typo", "--json", folder=folder)
    assert ended.returncode == 0, ended.stderr
    assert "no release of contract 'people'" in ended.stdout
    assert answer(ended)["releases"] == []
    assert not (folder / "typo").exists()


def test_check_proves_without_training(folder: Path) -> None:
    ended = understudy("check", "people.odcs.yaml", "--store", "checked", "--json", folder=folder)
    assert ended.returncode == 0, ended.stderr
    assert answer(ended)["state"] == "proven"
    assert "1,499 of 1,500 rows" in ended.stdout
    assert "1 rejected: age" in ended.stdout
    (rejects,) = [line for line in ended.stdout.splitlines() if line.startswith("  rejects ")]
    assert pq.read_table(rejects.removeprefix("  rejects ")).num_rows == 1
    assert not (folder / "checked/people/models").exists()


def test_changes_that_break_readers_are_told(tmp_path: Path) -> None:
    contract = write_people(tmp_path, rows=20)
    text = contract.read_text()
    (tmp_path / "new.odcs.yaml").write_text(text.replace("name: income", "name: earnings"))
    ended = understudy("check", "new.odcs.yaml", "--against", contract, "--json", folder=tmp_path)
    assert ended.returncode == 1
    assert answer(ended)["state"] == "breaking"
    assert "income" in ended.stdout
    same = understudy("check", contract, "--against", contract, "--json", folder=tmp_path)
    assert same.returncode == 0
    assert answer(same)["state"] == "compatible"


def test_help_needs_no_heavy_import() -> None:
    program = (
        "import sys\nfrom typer.testing import CliRunner\nfrom flows.command_line import app\n"
        "assert CliRunner().invoke(app, ['--help']).exit_code == 0\n"
        "sys.exit(', '.join({'torch', 'prefect', 'pandas', 'pyarrow'} & set(sys.modules)) or 0)"
    )
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True)
    assert ended.returncode == 0, ended.stderr
