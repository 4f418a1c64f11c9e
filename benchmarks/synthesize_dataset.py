"""The whole main job on a real table: a CSV and a drafted contract in, a judged release out.

    python -m benchmarks.synthesize_dataset [--table adult] [--target COLUMN] [--seeds 1 2 3]

Reads `tabular/<table>_train.csv.gz` and, as the holdout, `<table>_holdout.csv.gz` from
UNDERSTUDY_DATA (default ../shared/data). Each seed runs the command line in a fresh process with a
fresh store. Prints one JSON object: for each seed the wall-clock seconds by stage, the peak of
memory in MiB and every figure of the report, and the medians.
"""

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.landing import CONTRACT, land, understudy


def main() -> None:
    """Runs the benchmark that the arguments describe."""
    arguments = _arguments()
    with tempfile.TemporaryDirectory() as temporary:
        folder = land(arguments.table, Path(temporary), arguments.target)
        runs = [_run(folder, seed) for seed in arguments.seeds]
    print(json.dumps({"table": arguments.table, "runs": runs, "median": _medians(runs)}, indent=1))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Benchmark of the flow synthesize_dataset.")
    parser.add_argument("--table", default="adult")
    parser.add_argument("--target", help="default: the column that is known for the table")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    return parser.parse_args()


def _run(folder: Path, seed: int) -> dict[str, Any]:
    started = time.monotonic()
    ended = understudy(
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
