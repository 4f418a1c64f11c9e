"""One of our generators on one table, alone in its process: fit, sample, and what they cost.

    python -m benchmarks.generator_runner any_order --folder LANDED --output ROWS.parquet
        [--seed 1] [--rows N] [--training-rows N] [--options JSON] [--model FOLDER]

LANDED is a landing folder (`benchmarks/landing.py`); its holdout is not opened. Prints one JSON
object as its last line.
"""

import argparse
import json
from pathlib import Path

import pyarrow.parquet as pq

from benchmarks.costs import peak_mib, stopwatch
from benchmarks.typed_rows import read_part
from data_contracts.choice import ModelChoice
from data_contracts.schema import to_arrow
from models.registry import resolve
from tasks.threads import steady_threads


def main() -> None:
    """Runs what the arguments describe."""
    arguments = _arguments()
    steady_threads()
    training = read_part(arguments.folder, "train", arguments.training_rows)
    options = json.loads(arguments.options)
    generator = resolve(ModelChoice(name=arguments.generator, options=options))
    rows = arguments.rows or len(training.frame)
    read_peak = peak_mib()
    with stopwatch() as fit:
        generator.fit(training, seed=arguments.seed)
    fit_peak = peak_mib()
    with stopwatch() as sampling:
        made = generator.sample(rows, seed=arguments.seed)
    costs = {
        "training_rows": len(training.frame),
        "columns": len(training.frame.columns),
        "rows": rows,
        "fit": fit,
        "sample": sampling,
        "read_peak_mib": read_peak,
        "fit_peak_mib": fit_peak,
        "peak_mib": peak_mib(),
    }
    pq.write_table(to_arrow(made.frame, training.contract.tables[0]), arguments.output)
    if arguments.model:
        arguments.model.mkdir(parents=True)
        generator.save(arguments.model)
    print(json.dumps(costs))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Fits and samples one generator.")
    parser.add_argument("generator")
    parser.add_argument("--folder", type=Path, required=True, help="a landing folder")
    parser.add_argument("--output", type=Path, required=True, help="Parquet of the sampled rows")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rows", type=int, help="default: as many as the training rows")
    parser.add_argument("--training-rows", type=int, help="default: all")
    parser.add_argument("--options", default="{}", help="the generator's options as JSON")
    parser.add_argument("--model", type=Path, help="where to save the fitted model")
    return parser.parse_args()


if __name__ == "__main__":
    main()
