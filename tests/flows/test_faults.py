"""Killed in the middle, started twice: the next run ends with one whole release all the same."""

import importlib
import itertools
import json
import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import pytest

from tasks.storage import Store
from tasks.verify import verify_release
from tests.flows.people import write_people

pytestmark = pytest.mark.usefixtures("server")
ROOT = Path(__file__).resolve().parent.parent.parent
SECONDS = 240
QUIET = {
    "DO_NOT_TRACK": "1",
    "PREFECT_LOGGING_LEVEL": "CRITICAL",
    "GX_ANALYTICS_ENABLED": "false",
}

# What a run imports, once for all runs: each process is a fork of one that has done so.
LIBRARIES = (
    "flows.command_line", "flows.synthesize_dataset", "data_contracts.expectations",
    "models.generators.any_order", "models.generators.independent", "models.evaluation.release",
)  # fmt: skip

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


def in_a_process(words: list[str]) -> dict[str, Any]:
    """The answer of a run in a Python of its own, with its own seed of hashes."""
    ended = subprocess.run(
        [sys.executable, "-m", "flows.command_line", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    answer = json.loads(ended.stdout.splitlines()[-1])
    assert isinstance(answer, dict)
    return answer


def obey(words: list[str], output: Path, lethal: tuple[str, int] | None) -> None:
    """The command line in a fork; it ends itself by SIGKILL on the nth call of a function."""
    from flows.command_line import main

    sys.argv = ["understudy", *words]
    if lethal is not None:
        _arm(*lethal)
    with output.open("w") as stream:
        sys.stdout = sys.stderr = stream
        main()


def _arm(target: str, count: int) -> None:
    module, name = target.rsplit(":", 1)
    owner = importlib.import_module(module)
    *path, last = name.split(".")
    for part in path:
        owner = getattr(owner, part)
    original, calls = getattr(owner, last), itertools.count(1)

    def lethal(*arguments: Any, **options: Any) -> Any:
        if next(calls) == count:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*arguments, **options)

    setattr(owner, last, lethal)


class Forks:
    """Starts runs in forks of one process that has the libraries, and waits for them."""

    def __init__(self, folder: Path) -> None:
        self.context = multiprocessing.get_context("forkserver")
        self.context.set_forkserver_preload(list(LIBRARIES))
        self.folder, self.started = folder, 0

    def start(
        self, words: list[str], lethal: tuple[str, int] | None = None
    ) -> tuple[ForkServerProcess, Path]:
        self.started += 1
        output = self.folder / f"output-{self.started}.txt"
        process = self.context.Process(target=obey, args=(words, output, lethal))
        process.start()
        return process, output

    def killed(self, words: list[str], lethal: tuple[str, int]) -> None:
        """A run that must end by its own SIGKILL."""
        process, output = self.start(words, lethal)
        process.join(SECONDS)
        assert process.exitcode == -signal.SIGKILL, output.read_text()

    def answer(self, started: tuple[ForkServerProcess, Path]) -> dict[str, Any]:
        """What a run answers that must end well."""
        process, output = started
        process.join(SECONDS)
        assert process.exitcode == 0, output.read_text()
        answer = json.loads(output.read_text().splitlines()[-1])
        assert isinstance(answer, dict)
        return answer


@pytest.fixture(scope="module")
def forks(server: str, folder: Path) -> Iterator[Forks]:
    """Set up as the command line sets itself up before it imports anything."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in QUIET.items():
            patch.setenv(name, value)
        patch.chdir(ROOT)
        yield Forks(folder)


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
    words = command(write_people(folder), folder / "undisturbed")
    return data_of(in_a_process(words)["release"])


@pytest.mark.parametrize("stage", STAGES, ids=str)
def test_a_killed_run_is_made_good_by_the_next(
    stage: str, folder: Path, undisturbed: dict[str, bytes], forks: Forks
) -> None:
    store = folder / stage.replace(" ", "-")
    words = command(folder / "people.odcs.yaml", store)
    forks.killed(words, STAGES[stage])
    assert_whole(store)
    answer = forks.answer(forks.start(words))
    assert answer["state"] == "published"
    names = assert_whole(store)
    assert [Path(answer["release"]).name] == names
    assert Store(str(store)).read_json("people/latest.json")["release"] == names[0]
    assert data_of(answer["release"]) == undisturbed
    assert os.listdir(store / "people/work") in ([], [".lock"])


def test_a_network_s_training_that_was_killed_ends_with_the_same_bytes_all_the_same(
    folder: Path, forks: Forks
) -> None:
    contract, store = write_people(folder), folder / "network-killed"
    undisturbed = in_a_process(command(contract, folder / "network", NETWORK))
    words = command(contract, store, NETWORK)
    forks.killed(words, STAGES["saving the model"])
    assert Store(str(store)).list_folders("people/models") == []
    answer = forks.answer(forks.start(words))
    assert_whole(store)
    assert data_of(answer["release"]) == data_of(undisturbed["release"]) != {}
    weights = [
        {file.name: file.read_bytes() for file in Path(ended["model"], "people").iterdir()}
        for ended in (undisturbed, answer)
    ]
    assert weights[0] == weights[1]
    assert any(name.endswith(".safetensors") for name in weights[0])


def test_two_runs_at_once_both_end_with_a_whole_release(
    folder: Path, undisturbed: dict[str, bytes], forks: Forks
) -> None:
    store = folder / "twice"
    words = command(folder / "people.odcs.yaml", store)
    answers = [forks.answer(one) for one in [forks.start(words), forks.start(words)]]
    names = assert_whole(store)
    assert {Path(answer["release"]).name for answer in answers} == set(names)
    assert all(data_of(answer["release"]) == undisturbed for answer in answers)
    assert Store(str(store)).read_json("people/latest.json")["release"] == max(names)
