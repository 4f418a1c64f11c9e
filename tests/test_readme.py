"""The README's commands, run as they stand there, in the order in which they stand there."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT, SCRIPTS
from tests.flows.people import write_rows

README = (ROOT / "README.md").read_text()
BLOCK = re.compile(r"^```(\w+)( server)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = [(match[1], bool(match[2]), match[3]) for match in BLOCK.finditer(README)]
COMMANDS = [body for language, server, body in BLOCKS if language == "sh" and not server]
OPERATION = [body for language, server, body in BLOCKS if language == "sh" and server]
PROGRAMS = [body for language, _, body in BLOCKS if language == "python"]
_SECONDS_FOR_THE_WORKER = 240


@pytest.fixture(scope="module")
def clone(server: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project in a folder of its own, set up with the environment that runs this test."""
    folder = tmp_path_factory.mktemp("clone")
    for name in ("flows", "tasks", "models", "data_contracts"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("Makefile", "constraints.txt", "pyproject.toml", "prefect.yaml", "README.md"):
        shutil.copy2(ROOT / name, folder / name)
    (folder / ".venv").mkdir()
    (folder / ".venv/bin").symlink_to(SCRIPTS)
    for marker in (".installed", ".installed-development"):
        (folder / ".venv" / marker).touch()
    write_rows(folder / "people.csv")
    return folder


def run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    # `make test` runs these tests: what it tells its own children is not for a reader's `make`.
    outer = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    environment = {**outer, "PYTHONPATH": str(folder), "UNDERSTUDY_ROOT": str(folder)}
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_blocks_are_found() -> None:
    assert COMMANDS[:2] == ["make demo\n", "make test\n"]
    assert len(OPERATION) == 3
    assert len(PROGRAMS) == 5


@pytest.fixture(scope="module")
def demo(clone: Path) -> subprocess.CompletedProcess[str]:
    return run(COMMANDS[0], clone)


def test_the_demo_ends_with_a_report(demo: subprocess.CompletedProcess[str], clone: Path) -> None:
    assert demo.returncode == 0, demo.stderr + demo.stdout
    report = Path(demo.stdout.splitlines()[-1].removeprefix("report ").strip())
    assert report.is_relative_to(clone / "store/fair/releases")
    assert report.stat().st_size > 10_000


@pytest.fixture(scope="module")
def followed(clone: Path) -> Path:
    """The clone after the commands for one's own data."""
    for command in COMMANDS[2:]:
        ended = run(command, clone)
        assert ended.returncode == 0, command + ended.stderr + ended.stdout
    return clone


def test_ones_own_data_become_a_release(followed: Path) -> None:
    import pyarrow.parquet as pq

    north = pq.read_table(followed / "north.parquet")
    assert north.num_rows == 1000
    assert set(north["region"].to_pylist()) == {"north"}
    assert north.schema.metadata[b"understudy.release"] == b"unreleased"
    assert (followed / "store/people/latest.json").exists()


@pytest.mark.parametrize("program", PROGRAMS[1:], ids=["pandas", "duckdb", "polars", "spark"])
def test_a_release_can_be_read(
    program: str, followed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "pyspark" in program:
        pytest.importorskip("pyspark", reason="Spark needs Java and is not installed for tests")
    monkeypatch.chdir(followed)
    names: dict[str, object] = {}
    for text in (PROGRAMS[0], program):
        exec(compile(text, "README.md", "exec"), names)
    read = names.get("frame", names.get("relation"))
    assert len(read) > 1000  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def worker(clone: Path, demo: subprocess.CompletedProcess[str]) -> Iterator[None]:
    """Work pool, deployments and worker, by the commands of the README."""
    *setup, start = OPERATION[1].splitlines()
    for command in setup:
        ended = run(command, clone)
        assert ended.returncode == 0, command + ended.stderr + ended.stdout
    environment = {**os.environ, "PYTHONPATH": str(clone), "UNDERSTUDY_ROOT": str(clone)}
    log = (clone / "worker.log").open("w")
    process = subprocess.Popen(
        ["bash", "-c", f"exec {start.removesuffix('&')}"],
        cwd=clone, env=environment, stdout=log, stderr=log,
    )  # fmt: skip
    yield
    process.terminate()
    process.wait(60)
    log.close()


def test_a_deployment_runs_on_a_worker(clone: Path, worker: None) -> None:
    before = {path.name for path in (clone / "store/fair/releases").iterdir()}
    settings = " --param 'settings={\"sampling.seed\": 2}'"
    ended = run(f"timeout {_SECONDS_FOR_THE_WORKER} {OPERATION[2].strip()}{settings}", clone)
    log = (clone / "worker.log").read_text()
    assert ended.returncode == 0, ended.stdout + ended.stderr + log
    after = {path.name for path in (clone / "store/fair/releases").iterdir()}
    (new,) = after - before
    assert (clone / "store/fair/releases" / new / "data/respondents").is_dir()
