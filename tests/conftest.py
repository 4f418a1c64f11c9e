"""One Prefect server for a whole test session (for each of its processes, where it has several)."""

import os
import re
import shlex
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

import tasks  # noqa: F401  (sets how OpenMP's threads wait, before torch is loaded)

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = Path(sys.executable).parent
_SECONDS_TO_START = 120

# No test is timed: on a busy machine an example takes many times as long as on an idle one.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The API URL of a Prefect server started by the README's own command, on a free port.

    Flows in this process and in child processes use it until the session ends.
    """
    home = tmp_path_factory.mktemp("prefect")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}/api"
    quiet = {
        "PREFECT_HOME": str(home),
        "PREFECT_API_URL": url,
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "UNDERSTUDY_ROOT": str(ROOT),
        "PATH": f"{SCRIPTS}:{os.environ['PATH']}",
    }
    with pytest.MonkeyPatch.context() as patch, (home / "server.log").open("w") as log:
        for name, value in quiet.items():
            patch.setenv(name, value)
        command = [*shlex.split(_server_command()), "--port", str(port)]
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
        try:
            _wait_until_healthy(url, process)
            from prefect.settings import PREFECT_API_URL, PREFECT_HOME, temporary_settings

            with temporary_settings({PREFECT_API_URL: url, PREFECT_HOME: str(home)}):
                yield url
        finally:
            process.terminate()
            process.wait(30)


def _server_command() -> str:
    """The command that the README gives an operator, without port and ampersand."""
    found = re.search(r"^(?:\.venv/bin/)?(prefect server start.*?)( &)?$", _readme(), re.MULTILINE)
    assert found, "README.md: no `prefect server start`"
    return re.sub(r" --port \d+", "", found[1])


def _readme() -> str:
    return (ROOT / "README.md").read_text()


def _wait_until_healthy(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _SECONDS_TO_START
    while time.monotonic() < deadline:
        assert process.poll() is None, "the server ended"
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=5):
                return
        except OSError:
            time.sleep(0.3)
    raise AssertionError("the server did not start")
