"""What a run costs: wall and CPU seconds, peak of memory; and runs in processes of their own."""

import contextlib
import json
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any


class RunFailedError(Exception):
    """A run that ended without a result; the text says why, without a traceback."""


@contextlib.contextmanager
def stopwatch() -> Iterator[dict[str, float]]:
    """Fills the dictionary with `wall_s` and `cpu_s` of what ran inside."""
    spent: dict[str, float] = {}
    started, cpu = time.monotonic(), cpu_seconds()
    yield spent
    spent["wall_s"] = round(time.monotonic() - started, 3)
    spent["cpu_s"] = round(cpu_seconds() - cpu, 3)


def cpu_seconds() -> float:
    """User and system seconds of this process and of its children that have ended."""
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(used.ru_utime + used.ru_stime for used in map(resource.getrusage, kinds))


def peak_mib() -> float:
    """The most memory that this process held.

    Linux counts in `getrusage` what the parent held when it started this process; its status file
    tells of this process alone.
    """
    status = Path("/proc/self/status")
    for line in status.read_text().splitlines() if status.exists() else ():
        if line.startswith("VmHWM:"):
            return round(int(line.split()[1]) / 1024, 1)
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


def stop_when_told() -> None:
    """Lets SIGTERM end this program like an interrupt: with its child, and without its files."""
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))


def in_fresh_process(command: Sequence[object], timeout_s: float | None = None) -> dict[str, Any]:
    """The JSON object in the last line that the command prints; RunFailedError without one."""
    try:
        ended = subprocess.run(
            [*map(str, command)], capture_output=True, text=True, check=False, timeout=timeout_s
        )
    except subprocess.TimeoutExpired:
        raise RunFailedError(f"not done within {timeout_s:,.0f} s") from None
    if ended.returncode:
        raise RunFailedError(reason_of(ended.stderr, ended.returncode))
    try:
        found = json.loads(ended.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        raise RunFailedError("it printed no result") from None
    if not isinstance(found, dict):
        raise RunFailedError("it printed no result")
    return found


def reason_of(errors: str, code: int) -> str:
    """One line that says why a process failed: its last words, without the machine's paths."""
    if code < 0:
        return f"ended by signal {-code}" + (" (out of memory?)" if code == -9 else "")
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    words = lines[-1] if lines else f"exit code {code}"
    return re.sub(r"(/[\w.@+-]+){2,}", lambda path: Path(path[0]).name, words)[:300]
