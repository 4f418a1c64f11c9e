"""All figures of a sampled table against the rows it was learned from, and against the holdout.

    python -m benchmarks.judging --folder LANDED --sample ROWS [--seed 1] [--training-rows N]

ROWS is Parquet, or a CSV that a peer wrote: values that the contract's types can't read become
missing and are counted as `unread`. Prints one JSON object as its last line.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from benchmarks.costs import stopwatch
from benchmarks.typed_rows import read_part, read_typed
from data_contracts.dataset import Dataset
from data_contracts.report import Finding, judge
from models.evaluation.release import evaluate_release
from models.privacy.gate import Attempt, evaluate_privacy

# As in the flow: figures settle long before this many rows.
MOST_ROWS = 100_000


def main() -> None:
    """Judges what the arguments name."""
    parser = argparse.ArgumentParser(description="Judges a sampled table.")
    parser.add_argument("--folder", type=Path, required=True, help="a landing folder")
    parser.add_argument("--sample", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--training-rows", type=int, help="how many a fit has seen; default: all")
    arguments = parser.parse_args()
    training = read_part(arguments.folder, "train", arguments.training_rows)
    holdout = read_part(arguments.folder, "holdout")
    table = training.contract.tables[0]
    frame, unread = read_typed(arguments.sample, table)
    with stopwatch() as spent:
        sides = (
            _thinned(training),
            _thinned(Dataset(training.contract, {table.name: frame})),
            _thinned(holdout),
        )
        found = evaluate_release(
            *sides,
            seed=arguments.seed,
        ).findings
        found += evaluate_privacy(*sides, Attempt(arguments.seed)).findings
    verdict, _ = judge(found)
    told = {
        "rows": len(frame),
        "unread": unread,
        "figures": figures(found),
        "verdict": verdict,
        "refused_by": [finding.name for finding in found if finding.state == "refuse"],
        "judged": spent,
    }
    print(json.dumps(told))


def figures(findings: tuple[Finding, ...]) -> dict[str, dict[str, Any]]:
    """The figures of the whole table; those of a class carry its label in their name."""
    told = {}
    for finding in findings:
        if finding.column is not None:
            continue
        label = finding.detail.split(" of ")[0] if finding.detail.startswith("Class ") else ""
        told[f"{finding.name} {label}".strip()] = {
            "value": finding.value,
            "reference": finding.reference,
            "low": finding.low,
            "high": finding.high,
            "state": finding.state,
        }
    return told


def _thinned(data: Dataset) -> Dataset:
    step = max(1, -(-len(data.frame) // MOST_ROWS))
    tables = {name: frame.iloc[::step] for name, frame in data.tables.items()}
    return Dataset(data.contract, tables)


if __name__ == "__main__":
    main()
