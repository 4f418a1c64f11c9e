"""Killed in the middle, started twice: the next run ends with one whole release all the same."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tasks.publish import verify_release
from tasks.storage import Store
from tests.flows.people import write_people

pytestmark = pytest.mark.usefixtures("server")
ROOT = Path(__file__).resolve().parent.parent.parent

# Runs the command line in a process that ends itself by SIGKILL on the nth call of a function.
KILLED = """
import importlib, os, signal, sys
target, count = sys.argv[1], int(sys.argv[2])
sys.argv = ["understudy", *sys.argv[3:]]
module, name = target.rsplit(":", 1)
owner = importlib.import_module(module)
*path, last = name.split(".")
for part in path:
    owner = getattr(owner, part)
original = getattr(owner, last)
calls = 0
def lethal(*arguments, **options):
    global calls
    calls += 1
    if calls == count:
        os.kill(os.getpid(), signal.SIGKILL)
    return original(*arguments, **options)
setattr(owner, last, lethal)
from flows.command_line import main
main()
"""

STAGES = {
    "ingest": ("tasks.storage:Store.reference", 1),
    "committing the ingest": ("tasks.storage:Store.commit", 1),
    "fit": ("tasks.announce:ProgressReporter.__exit__", 1),
    "saving the model": ("tasks.storage:Store.upload", 1),
    "sample": ("tasks.sample:with_metadata", 1),
    "evaluate": ("tasks.announce:ProgressReporter.__exit__", 2),
    "half-written release": ("tasks.publish:render_report", 1),
    "committing the release": ("tasks.storage:Store.commit", 3),
    "between release and pointer": ("tasks.publish:point_latest", 1),
}


# A network too small to be good: it is published under bars that nearly anything clears.
NETWORK = (
    "generator.name=any_order",
    "generator.options.epochs=1",
    "generator.options.width=16",
    "generator.options.blocks=1",
    "bars.detection_auc=1",
    "bars.shape_ratio=1000",
    "bars.trend_ratio=1000",
    "bars.leak_share=0.1",
)


def command(contract: Path, store: Path, settings: tuple[str, ...] = ()) -> list[str]:
    told = [word for setting in settings for word in ("--set", setting)]
    return ["run", "synthesize-dataset", str(contract), "--store", str(store), "--json", *told]


def run(contract: Path, store: Path, settings: tuple[str, ...] = ()) -> dict[str, Any]:
    ended = subprocess.run(
        [sys.executable, "-m", "flows.command_line", *command(contract, store, settings)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    answer = json.loads(ended.stdout.splitlines()[-1])
    assert isinstance(answer, dict)
    return answer


def data_of(release: str) -> dict[str, bytes]:
    folder = Path(release)
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*.parquet")}


def assert_whole(store: Path) -> list[str]:
    """Every release is whole, and the pointer names one of them; returns their names."""
    opened = Store(str(store))
    names = opened.list_folders("people/releases")
    for name in names:
        assert verify_release(opened, f"people/releases/{name}") == []
    if opened.exists("people/latest.json"):
        assert opened.read_json("people/latest.json")["release"] in names
    return names


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("faults")


@pytest.fixture(scope="module")
def undisturbed(server: str, folder: Path) -> dict[str, bytes]:
    return data_of(run(write_people(folder), folder / "undisturbed")["release"])


@pytest.mark.parametrize("stage", STAGES, ids=str)
def test_a_killed_run_is_made_good_by_the_next(
    stage: str, folder: Path, undisturbed: dict[str, bytes]
) -> None:
    contract, store = folder / "people.odcs.yaml", folder / stage.replace(" ", "-")
    target, count = STAGES[stage]
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, target, str(count), *command(contract, store)],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert_whole(store)
    answer = run(contract, store)
    assert answer["state"] == "published"
    names = assert_whole(store)
    assert [Path(answer["release"]).name] == names
    assert Store(str(store)).read_json("people/latest.json")["release"] == names[0]
    assert data_of(answer["release"]) == undisturbed
    assert os.listdir(store / "people/work") in ([], [".lock"])


def test_a_network_s_training_that_was_killed_ends_with_the_same_bytes_all_the_same(
    folder: Path,
) -> None:
    contract = write_people(folder)
    undisturbed = run(contract, folder / "network", NETWORK)
    store = folder / "network-killed"
    target, count = STAGES["saving the model"]
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, target, str(count), *command(contract, store, NETWORK)],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert Store(str(store)).list_folders("people/models") == []
    answer = run(contract, store, NETWORK)
    assert_whole(store)
    assert data_of(answer["release"]) == data_of(undisturbed["release"]) != {}
    weights = [
        {file.name: file.read_bytes() for file in Path(ended["model"], "people").iterdir()}
        for ended in (undisturbed, answer)
    ]
    assert weights[0] == weights[1]
    assert any(name.endswith(".safetensors") for name in weights[0])


def test_two_runs_at_once_both_end_with_a_whole_release(
    folder: Path, undisturbed: dict[str, bytes]
) -> None:
    contract, store = folder / "people.odcs.yaml", folder / "twice"
    runs = [
        subprocess.Popen(
            [sys.executable, "-m", "flows.command_line", *command(contract, store)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    answers = []
    for process in runs:
        out, errors = process.communicate(timeout=240)
        assert process.returncode == 0, errors
        answers.append(json.loads(out.splitlines()[-1]))
    names = assert_whole(store)
    assert {Path(answer["release"]).name for answer in answers} == set(names)
    assert all(data_of(answer["release"]) == undisturbed for answer in answers)
    assert Store(str(store)).read_json("people/latest.json")["release"] == max(names)
