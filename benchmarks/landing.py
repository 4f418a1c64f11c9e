"""Lands a real table for a benchmark: its rows as CSV, and the contract that `init` drafts.

A landing folder holds `train.csv`, `holdout.csv` and `table.odcs.yaml`.
"""

import gzip
import os
import shutil
import subprocess
import sys
from pathlib import Path

CONTRACT = "table.odcs.yaml"
TRAIN = "train.csv"
HOLDOUT = "holdout.csv"
DATA = Path(os.environ.get("UNDERSTUDY_DATA", "../shared/data"))
TARGETS = {
    "adult": "income",
    "credit-default": "default payment next month",
    "online-shoppers": "Revenue",
}


def land(table: str, folder: Path, target: str | None = None) -> Path:
    """Writes the landing folder of a table of `tabular/` in UNDERSTUDY_DATA; returns `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for part, name in (("train", TRAIN), ("holdout", HOLDOUT)):
        packed = DATA / "tabular" / f"{table}_{part}.csv.gz"
        with gzip.open(packed) as source, (folder / name).open("wb") as file:
            shutil.copyfileobj(source, file)
    return draft(folder, table, target or TARGETS.get(table))


def draft(folder: Path, contract_id: str, target: str | None) -> Path:
    """Drafts the contract of a folder in which the two files lie; returns `folder`."""
    wishes = ("--target", target) if target else ()
    understudy(
        "init", folder / TRAIN, "--holdout", folder / HOLDOUT, *wishes,
        "-o", folder / CONTRACT, "--id", contract_id,
    )  # fmt: skip
    return folder


def understudy(*arguments: object) -> subprocess.CompletedProcess[str]:
    """The command line in a fresh process; ends this program if it fails."""
    command = [sys.executable, "-m", "flows.command_line", *map(str, arguments)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode not in (0, 3, 4):
        raise SystemExit(ended.stderr)
    return ended
