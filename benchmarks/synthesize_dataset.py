"""The whole main job on a real table: a CSV and a drafted contract in, a judged release out.

    python -m benchmarks.synthesize_dataset [--table adult] [--target income] [--seeds 1 2 3]

Reads `tabular/<table>_train.csv.gz` and, as the holdout, `<table>_holdout.csv.gz` from
UNDERSTUDY_DATA (default ../shared/data). Each seed runs the command line in a fresh process with a
fresh store. Prints one JSON object: for each seed the wall-clock seconds by stage, the peak of
memory in MiB and every figure of the report, and the medians.
"""

import argparse
import gzip
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

CONTRACT = "table.odcs.yaml"
DATA = Path(os.environ.get("UNDERSTUDY_DATA", "../shared/data"))


def main() -> None:
    """Runs the benchmark that the arguments describe."""
    arguments = _arguments()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for part in ("train", "holdout"):
            packed = DATA / "tabular" / f"{arguments.table}_{part}.csv.gz"
            with gzip.open(packed) as source, (folder / f"{part}.csv").open("wb") as target:
                shutil.copyfileobj(source, target)
        _understudy(
            "init", folder / "train.csv", "--holdout", folder / "holdout.csv",
            "--target", arguments.target, "-o", folder / CONTRACT, "--id", arguments.table,
        )  # fmt: skip
        runs = [_run(folder, seed) for seed in arguments.seeds]
    print(json.dumps({"table": arguments.table, "runs": runs, "median": _medians(runs)}, indent=1))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Benchmark of the flow synthesize_dataset.")
    parser.add_argument("--table", default="adult")
    parser.add_argument("--target", default="income")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    return parser.parse_args()


def _understudy(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "flows.command_line", *map(str, arguments)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode not in (0, 3, 4):
        raise SystemExit(ended.stderr)
    return ended


def _run(folder: Path, seed: int) -> dict[str, Any]:
    started = time.monotonic()
    ended = _understudy(
        "run", "synthesize-dataset", folder / CONTRACT, "--store", folder / f"store-{seed}",
        "--set", f"sampling.seed={seed}", "--json",
    )  # fmt: skip
    answer = json.loads(ended.stdout.splitlines()[-1])
    report = json.loads(Path(answer["report"]).with_suffix(".json").read_text())
    findings = {
        finding["name"]: {
            key: finding[key] for key in ("value", "low", "high", "reference", "state")
        }
        for finding in report["findings"]
        if finding["column"] is None
    }
    return {
        "seed": seed,
        "state": answer["state"],
        "wall_seconds": round(time.monotonic() - started, 1),
        "seconds": answer["seconds"],
        "peak_mib": answer["peak_mib"],
        "findings": findings,
    }


def _medians(runs: list[dict[str, Any]]) -> dict[str, float]:
    medians = {
        "wall_seconds": statistics.median(run["wall_seconds"] for run in runs),
        "fit_seconds": statistics.median(run["seconds"]["fit"] for run in runs),
        "peak_mib": statistics.median(run["peak_mib"] for run in runs),
    }
    for name in sorted({name for run in runs for name in run["findings"]}):
        values = [run["findings"].get(name, {}).get("value") for run in runs]
        known = [value for value in values if value is not None]
        if known:
            medians[name] = statistics.median(known)
    return medians


if __name__ == "__main__":
    main()
