"""One peer on one table, alone in its process, run by the peers' own Python (`make peers`).

    .venv-peers/bin/python benchmarks/peer_runner.py mostlyai-engine --training train.csv
        --kinds KINDS.json --output ROWS.csv [--seed 1] [--rows N] [--options JSON]

KINDS says for each column whether it holds a number, category, boolean or datetime. Each peer runs
with its own defaults. Prints one JSON object as its last line. Nothing of ours is imported.
"""

import argparse
import json
import random
import resource
import tempfile
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

SDTYPES = {
    "number": "numerical",
    "category": "categorical",
    "boolean": "boolean",
    "datetime": "datetime",
}
Sampler = Callable[[int], pd.DataFrame]


def main() -> None:
    """Runs what the arguments describe."""
    arguments = _arguments()
    _seed_everything(arguments.seed)
    training = pd.read_csv(arguments.training, keep_default_na=False, na_values=[""])
    kinds = json.loads(arguments.kinds.read_text())
    rows = arguments.rows or len(training)
    options = json.loads(arguments.options)
    _import_peer(arguments.peer)
    with tempfile.TemporaryDirectory() as workspace:
        marks = [_mark()]
        if arguments.peer == "mostlyai-engine":
            sample = _fit_mostlyai(training, Path(workspace), arguments.seed, options)
        else:
            sample = _fit_sdv(arguments.peer, training, kinds, options)
        marks.append(_mark())
        fit_peak = _peak_mib()
        made = sample(rows)
        marks.append(_mark())
    costs = {
        "training_rows": len(training),
        "columns": len(training.columns),
        "rows": rows,
        "fit": _spent(marks[0], marks[1]),
        "sample": _spent(marks[1], marks[2]),
        "fit_peak_mib": fit_peak,
        "peak_mib": _peak_mib(),
        "version": metadata.version("mostlyai-engine" if "mostly" in arguments.peer else "sdv"),
    }
    made[list(training.columns)].to_csv(arguments.output, index=False)
    print()
    print(json.dumps(costs))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Fits and samples one peer.")
    parser.add_argument(
        "peer", choices=("mostlyai-engine", "sdv-gaussian-copula", "sdv-ctgan", "sdv-tvae")
    )
    parser.add_argument("--training", type=Path, required=True)
    parser.add_argument("--kinds", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rows", type=int)
    parser.add_argument("--options", default="{}", help="arguments of the peer's fit, as JSON")
    return parser.parse_args()


def _import_peer(name: str) -> None:
    """Loads the peer's code before the clock starts, as ours is."""
    if name == "mostlyai-engine":
        from mostlyai import engine  # noqa: F401
    else:
        from sdv import metadata, single_table  # noqa: F401


def _seed_everything(seed: int) -> None:
    import torch

    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - the peers draw from numpy's global state
    torch.manual_seed(seed)


def _fit_mostlyai(
    training: pd.DataFrame, workspace: Path, seed: int, options: dict[str, Any]
) -> Sampler:
    """Everything from a frame to a model: split, analyze, encode, train."""
    from mostlyai import engine

    engine.set_random_state(seed)
    engine.split(tgt_data=training, model_type="TABULAR", workspace_dir=workspace)
    engine.analyze(workspace_dir=workspace)
    engine.encode(workspace_dir=workspace)
    engine.train(workspace_dir=workspace, **options)

    def sample(rows: int) -> pd.DataFrame:
        engine.generate(workspace_dir=workspace, sample_size=rows)
        return pd.read_parquet(workspace / "SyntheticData")

    return sample


def _fit_sdv(
    name: str, training: pd.DataFrame, kinds: dict[str, str], options: dict[str, Any]
) -> Sampler:
    """SDV's own reading of the columns stands, but for those that it takes for personal data.

    It would replace these by made-up values, which no user who wants them synthesised would let
    happen.
    """
    from sdv import single_table
    from sdv.metadata import Metadata

    found = Metadata.detect_from_dataframes({"table": training}, infer_keys=None)
    for column, described in found.tables["table"].columns.items():
        if described["sdtype"] not in SDTYPES.values():
            found.update_column(
                column_name=column, table_name="table", sdtype=SDTYPES[kinds[column]]
            )
    synthesizers = {
        "sdv-gaussian-copula": "GaussianCopulaSynthesizer",
        "sdv-ctgan": "CTGANSynthesizer",
        "sdv-tvae": "TVAESynthesizer",
    }
    synthesizer = getattr(single_table, synthesizers[name])(found, **options)
    synthesizer.fit({"table": training})

    def sample(rows: int) -> pd.DataFrame:
        made: pd.DataFrame = synthesizer.sample(rows)["table"]
        return made

    return sample


def _mark() -> tuple[float, float]:
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    cpu = sum(used.ru_utime + used.ru_stime for used in map(resource.getrusage, kinds))
    return time.monotonic(), cpu


def _spent(first: tuple[float, float], last: tuple[float, float]) -> dict[str, float]:
    return {"wall_s": round(last[0] - first[0], 3), "cpu_s": round(last[1] - first[1], 3)}


def _peak_mib() -> float:
    """The larger of this process and the largest of those that the peer has started.

    As in `benchmarks/costs.py`, which this program can't import.
    """
    peaks = [resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss]
    status = Path("/proc/self/status")
    for line in status.read_text().splitlines() if status.exists() else ():
        if line.startswith("VmHWM:"):
            peaks.append(int(line.split()[1]))
    if len(peaks) == 1:
        peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    return round(max(peaks) / 1024, 1)


if __name__ == "__main__":
    main()
