"""The privacy gate on leaks that are known, on clean rows, and on what other tools made.

    python -m benchmarks.gate [--rows 50000] [--holdout-share 0.2] [--seeds 20] [--cases CASE ...]
    python -m benchmarks.gate --peers [--names adult_mostlyai ...]

The rows are Adult-like: three independent samples (training, release, holdout) of a Gaussian copula
that was fitted to the whole Adult census, 15 columns. A bootstrap of the census with noise would
not do: one real row would have copies on all sides, beside which a leak is none. Each case plants
one leak in the release. Prints a line for each run and one JSON object as its last line: how many
seeds refused each case, by which findings, seconds and peak memory of a run.
"""

import argparse
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.costs import peak_mib, stopwatch
from benchmarks.landing import DATA, land
from benchmarks.typed_rows import read_part, read_typed
from data_contracts.dataset import Dataset
from data_contracts.report import judge
from models.evaluation.coded import code_table
from models.evaluation.mixed_space import MixedSpace
from models.generators.gaussian_copula import GaussianCopulaGenerator
from models.privacy.gate import Attempt, evaluate_privacy

# Share of the release that is copied, whether of the most isolated rows, whether with noise.
CASES: dict[str, tuple[float, bool, bool]] = {
    "clean": (0.0, False, False),
    "0.2 % verbatim": (0.002, False, False),
    "1 % with noise": (0.01, False, True),
    "1 % isolated verbatim": (0.01, True, False),
    "1 % isolated with noise": (0.01, True, True),
    "10 % verbatim": (0.1, False, False),
}
NOISE, FLIPS = 0.1, 0.05
Sides = tuple[Dataset, Dataset, Dataset]


def main() -> None:
    """Runs what the arguments name."""
    parser = argparse.ArgumentParser(description="Measures the privacy gate.")
    parser.add_argument("--rows", type=int, default=50_000, help="training and held-out rows")
    parser.add_argument("--holdout-share", type=float, default=0.2)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--cases", nargs="*", default=list(CASES), choices=list(CASES))
    parser.add_argument("--peers", action="store_true", help="judge tabular/peer_outputs instead")
    parser.add_argument("--names", nargs="*", help="of these peers only")
    arguments = parser.parse_args()
    told = _peers(arguments.names) if arguments.peers else _leaks(arguments)
    print(json.dumps(told))


def _leaks(arguments: argparse.Namespace) -> dict[str, Any]:
    draw = population()
    runs: list[dict[str, Any]] = []
    for seed in range(arguments.first_seed, arguments.first_seed + arguments.seeds):
        held_out = round(arguments.rows * arguments.holdout_share)
        sides = tuple(
            draw(rows, 10 * seed + at)
            for at, rows in enumerate((arguments.rows - held_out,) * 2 + (held_out,))
        )
        for case in arguments.cases:
            random = np.random.default_rng([seed, list(CASES).index(case)])
            leaking = with_leak(CASES[case], sides, random)
            run = _judged((sides[0], leaking, sides[2]), seed)
            runs.append({"case": case, "seed": seed, **run})
            print(json.dumps(runs[-1]), flush=True)
    return {
        "rows": arguments.rows,
        "holdout_share": arguments.holdout_share,
        "cases": {case: _summary([r for r in runs if r["case"] == case])
                  for case in arguments.cases},
        "peak_mib": peak_mib(),
    }  # fmt: skip


def _summary(runs: list[dict[str, Any]]) -> dict[str, Any]:
    by = [name for run in runs for name in run["refused_by"]]
    return {
        "seeds": len(runs),
        "refused": sum(run["verdict"] == "refused" for run in runs),
        "inconclusive": sum(run["verdict"] == "inconclusive" for run in runs),
        "refused_by": {name: by.count(name) for name in sorted(set(by))},
        "median_cpu_s": float(np.median([run["cpu_s"] for run in runs])),
    }


def _judged(sides: Sides, seed: int) -> dict[str, Any]:
    with stopwatch() as spent:
        gated = evaluate_privacy(*sides, Attempt(seed))
    verdict, _ = judge(gated.findings)
    return {
        "verdict": verdict,
        "refused_by": [found.name for found in gated.findings if found.state == "refuse"],
        "undecided": [found.name for found in gated.findings if found.state == "inconclusive"],
        **spent,
    }


def population() -> Callable[[int, int], Dataset]:
    """Draws of any size from one distribution that looks like the census."""
    with tempfile.TemporaryDirectory() as folder:
        landed = land("adult", Path(folder))
        train, holdout = read_part(landed, "train"), read_part(landed, "holdout")
    table = train.contract.tables[0]
    whole = Dataset(
        train.contract,
        {table.name: pd.concat([train.frame, holdout.frame], ignore_index=True)},
    )
    generator = GaussianCopulaGenerator().fit(whole, seed=1)
    return lambda rows, seed: generator.sample(rows, seed=seed)


def with_leak(
    leak: tuple[float, bool, bool], sides: tuple[Dataset, ...], random: np.random.Generator
) -> Dataset:
    """The release with some of its rows replaced by copies of training rows."""
    share, isolated, noisy = leak
    training, release, holdout = sides
    count = round(share * len(release.frame))
    if not count:
        return release
    if isolated:
        rows = _most_isolated(training, holdout)[:count]
    else:
        rows = random.choice(len(training.frame), count, replace=False)
    copies = training.frame.iloc[rows].reset_index(drop=True)
    if noisy:
        copies = _with_noise(copies, training, random)
    places = random.choice(len(release.frame), count, replace=False)
    kept = np.setdiff1d(np.arange(len(release.frame)), places)
    joined = pd.concat([release.frame.iloc[kept], copies.astype(release.frame.dtypes)])
    order = random.permutation(len(joined))
    frame = joined.iloc[order].reset_index(drop=True)
    return Dataset(release.contract, {release.contract.tables[0].name: frame})


def _most_isolated(training: Dataset, holdout: Dataset) -> np.ndarray:
    """Training rows by their mean distance to the nearest held-out rows, the furthest first."""
    contract = training.contract
    coded = code_table(
        contract.tables[0],
        contract.bars,
        {"training": training.frame, "synthetic": training.frame, "holdout": holdout.frame},
        1,
    )
    space = MixedSpace.of(coded)
    near = space.nearest(space.rows["training"], space.rows["holdout"])
    return np.argsort(-np.sqrt(near.parts.clip(0)).mean(axis=1), kind="stable")


def _with_noise(
    copies: pd.DataFrame, training: Dataset, random: np.random.Generator
) -> pd.DataFrame:
    """Numbers moved by a tenth of a standard deviation, 5 % of the categories drawn anew."""
    moved = copies.copy()
    for column in training.contract.tables[0].columns:
        real = training.frame[column.name]
        if column.kind != "number":
            anew = real.iloc[random.integers(0, len(real), len(copies))].reset_index(drop=True)
            moved[column.name] = copies[column.name].where(
                random.random(len(copies)) >= FLIPS, anew
            )
            continue
        spread = NOISE * float(real.astype(float).std())
        values = copies[column.name].astype(float) + random.normal(0.0, spread, len(copies))
        whole = np.round(values).clip(real.min(), real.max())
        moved[column.name] = whole.astype(real.dtype)
    return moved


def _peers(names: list[str] | None) -> dict[str, Any]:
    """What the gate says of every stored output of other tools, by its own table's rows."""
    told: dict[str, Any] = {}
    for path in sorted((DATA / "tabular" / "peer_outputs").glob("*.csv.gz")):
        name = path.name.removesuffix(".csv.gz")
        if names and name not in names:
            continue
        with tempfile.TemporaryDirectory() as folder:
            landed = land(name.split("_")[0], Path(folder))
            training, holdout = read_part(landed, "train"), read_part(landed, "holdout")
        table = training.contract.tables[0]
        frame, unread = read_typed(path, table)
        release = Dataset(training.contract, {table.name: frame})
        told[name] = {"unread": unread, **_judged((training, release, holdout), 1)}
        print(json.dumps({name: told[name]}), flush=True)
    return told


if __name__ == "__main__":
    main()
