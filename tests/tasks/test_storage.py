import os
import signal
import subprocess
import sys
from pathlib import Path

import fsspec
import pytest

from data_contracts.errors import StoreError
from tasks.storage import Store

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(params=["local", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """A local folder and an object store: the same rules hold on both."""
    if request.param == "local":
        return Store(str(tmp_path / "store"))
    fsspec.filesystem("memory").store.clear()
    fsspec.filesystem("memory").makedirs("/bucket", exist_ok=True)
    return Store("memory://bucket/store")


def test_bytes_and_json_come_back(store: Store) -> None:
    store.make_folder("a")
    store.write_json("a/x.json", {"é": [1, None]})
    assert store.read_json("a/x.json") == {"é": [1, None]}
    assert store.list_files("a") == ["a/x.json"]
    assert store.reference("a/x.json").sha256 == store.sha256("a/x.json")
    store.delete("a")
    assert not store.exists("a/x.json")


def test_json_that_somebody_cut_is_told_by_its_place(store: Store) -> None:
    store.make_folder("a")
    store.write_bytes("a/manifest.json", b'{"rele')
    with pytest.raises(StoreError, match=r"a/manifest\.json: damaged"):
        store.read_json("a/manifest.json")


def test_a_commit_is_whole_and_the_second_one_loses(store: Store) -> None:
    for number in (1, 2):
        store.make_folder(f"draft{number}/data")
        store.write_bytes(f"draft{number}/data/part", bytes([number]))
    assert not store.is_committed("final")
    assert store.commit("draft1", "final", {"number": 1})
    assert not store.commit("draft2", "final", {"number": 2})
    assert store.read_json("final/manifest.json") == {"number": 1}
    assert store.read_bytes("final/data/part") == b"\x01"
    assert not store.exists("draft1") and not store.exists("draft2")


def test_a_model_goes_up_and_comes_down(store: Store, tmp_path: Path) -> None:
    (tmp_path / "model/inner").mkdir(parents=True)
    (tmp_path / "model/inner/weights").write_bytes(b"123")
    store.upload(tmp_path / "model", "models/m")
    with store.local_copy("models/m") as folder:
        assert (folder / "inner/weights").read_bytes() == b"123"


def test_work_goes_when_the_run_ends(store: Store) -> None:
    with pytest.raises(RuntimeError), store.work_folder("c") as work:
        store.write_bytes(f"{work}/x", b"1")
        raise RuntimeError
    assert store.list_folders("c/work") == []


def test_leavings_of_a_killed_run_are_cleared_and_a_living_one_is_left_alone(
    tmp_path: Path,
) -> None:
    program = (
        "import sys, time\n"
        "from tasks.storage import Store\n"
        f"with Store({str(tmp_path)!r}).work_folder('c') as work:\n"
        "    print(work, flush=True); time.sleep(60)\n"
    )
    started = subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert started.stdout is not None
    neighbour = started.stdout.readline().strip()
    store = Store(str(tmp_path))
    with store.work_folder("c") as work:
        assert store.exists(neighbour) and store.exists(work)
    os.kill(started.pid, signal.SIGKILL)
    started.wait()
    started.stdout.close()
    assert store.exists(neighbour)
    with store.work_folder("c"):
        assert not store.exists(neighbour)


def test_a_store_that_cannot_be_made_says_where(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="file/store"):
        Store(str(tmp_path / "file/store"))


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    store.write_bytes("x", b"old")
    program = (
        "import resource, signal\n"
        "from tasks.storage import Store\n"
        "from data_contracts.errors import StoreError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try:\n"
        f"    Store({str(tmp_path)!r}).write_bytes('x', b'n' * 5000)\n"
        "except StoreError as error:\n"
        "    assert 'free space' in str(error)\n"
        "else:\n"
        "    raise SystemExit('no error')\n"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)
    assert store.read_bytes("x") == b"old"
    assert store.list_files("") == ["x"]


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("foo://bucket", "foo"),
        ("s3://bucket/store?endpoint_override=127.0.0.1:1&scheme=http&region=x", "network"),
    ],
)
def test_a_store_that_is_not_reached_is_no_defect_of_ours(uri: str, said: str) -> None:
    with pytest.raises(StoreError, match=said) as caught:
        Store(uri).list_folders("people")
    assert uri.split("?")[0] in str(caught.value)


def test_reading_makes_no_folder(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "mistyped"), for_reading=True)
    assert store.list_folders("people/releases") == []
    assert not store.exists("people/latest.json")
    assert not (tmp_path / "mistyped").exists()
