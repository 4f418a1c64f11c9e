"""Generators under differential privacy on real tables, and what peers have published.

    python -m benchmarks.dp --table adult [--epsilons 1 3] [--delta 1e-5] [--seeds 1 2 3]
        [--generator dp_marginals|any_order] [--published] [--audit]

For each epsilon and seed: fit on the whole train split, as many rows, judged as releases are.
Prints one JSON object a line: seconds, what both accountants say, the figures, and `two_way`, the
mean total variation to the holdout over all pairs of columns (numbers in ten bins of equal mass of
the training rows). `--published` judges the peers' files of the table too. `--audit` adds an audit
by canaries of another fit like this one, on rows that it made: `lower_bound` must not be above
epsilon.

Bounds count as public here: the training rows' own, rounded outwards to two digits. So do the
categories of the training rows. A contract for people's data has to know them otherwise.
"""

import argparse
import json
import math
import tempfile
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.costs import stopwatch
from benchmarks.landing import DATA, land
from benchmarks.typed_rows import read_part, read_typed
from data_contracts.choice import ModelChoice
from data_contracts.contract import Column, Contract, Privacy, Table
from data_contracts.dataset import Dataset
from models.registry import resolve

MOST_AUDITED = 20_000
"""Rows of the audited fit, as at a release."""
TOLD = ("detection_auc", "shape_error", "trend_error", "trtr", "tstr", "utility_gap")


def main() -> None:
    """Runs what the arguments describe."""
    arguments = _arguments()
    with tempfile.TemporaryDirectory() as temporary:
        folder = land(arguments.table, Path(temporary) / "landed")
        training, holdout = read_part(folder, "train"), read_part(folder, "holdout")
    public = public_contract(training)
    for epsilon in arguments.epsilons:
        for seed in arguments.seeds:
            privacy = Privacy(epsilon=epsilon, delta=arguments.delta)
            contract = public.model_copy(update={"privacy": privacy})
            data = Dataset(contract, training.tables)
            generator = resolve(ModelChoice(name=arguments.generator))
            with stopwatch() as fit:
                generator.fit(data, seed=seed)
            made = generator.sample(len(data.frame), seed=seed).frame
            statement = generator.statement_  # type: ignore[attr-defined]
            told = {
                "generator": arguments.generator,
                "epsilon": epsilon,
                "delta": arguments.delta,
                "spent": statement.spent_epsilon,
                "second": statement.spent_epsilon_by_second_accountant,
                "purchases": len(statement.spendings),
                "fit": fit,
            }
            if arguments.audit:
                told["audit"] = _audit(arguments.generator, contract, made)
            _tell(told, data, made, (holdout.frame, seed, not arguments.quick))
    for path in _published(arguments):
        frame, _ = read_typed(path, training.contract.tables[0])
        name = path.name.removesuffix(".csv.gz")
        _tell({"generator": name}, training, frame, (holdout.frame, 1, not arguments.quick))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Benchmark under differential privacy.")
    parser.add_argument("--table", default="adult")
    parser.add_argument(
        "--generator", default="dp_marginals", choices=["dp_marginals", "any_order"]
    )
    parser.add_argument("--epsilons", type=float, nargs="*", default=[1.0, 3.0])
    parser.add_argument("--delta", type=float, default=1e-5)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--published", action="store_true")
    parser.add_argument("--audit", action="store_true")
    parser.add_argument("--quick", action="store_true", help="only two_way and the AUC of tstr")
    return parser.parse_args()


def _audit(generator: str, contract: Contract, made: pd.DataFrame) -> dict[str, Any]:
    """What canaries tell of a fit under the contract's budget, as at a release."""
    from models.evaluation.canary_audit import Auditable, audit_generator

    unfitted = resolve(ModelChoice(name=generator))
    assert isinstance(unfitted, Auditable)
    audit = audit_generator(unfitted, contract, made.head(MOST_AUDITED))
    return {"correct": audit.correct, "of": audit.guesses, "lower_bound": audit.lower_bound}


def _published(arguments: argparse.Namespace) -> Iterator[Path]:
    if arguments.published:
        found = (DATA / "tabular/peer_outputs").glob(f"{arguments.table}_*DP*.csv.gz")
        yield from sorted(found)


def public_contract(training: Dataset) -> Contract:
    """The drafted contract with bounds and categories written out, as if they were known."""
    table = training.contract.tables[0]
    columns = tuple(_public(column, table, training.frame) for column in table.columns)
    named = table.model_copy(update={"columns": columns})
    return training.contract.model_copy(update={"tables": (named,)})


def _public(column: Column, table: Table, frame: pd.DataFrame) -> Column:
    values = frame[column.name].dropna()
    if table.issues(column):
        return column
    if column.kind == "category":
        known = sorted(values.astype(str).unique()) if column.logical_type == "string" else None
        listed = column.categories or tuple(known or sorted(values.unique().tolist()))
        return column.model_copy(update={"categories": listed})
    if column.kind != "number":
        return column
    low, high = (
        _outwards(float(end), up) for end, up in ((values.min(), False), (values.max(), True))
    )
    whole = column.logical_type == "integer"
    bounds = (math.floor(low), math.ceil(high)) if whole else (low, high)
    return column.model_copy(update={"minimum": bounds[0], "maximum": bounds[1]})


def _outwards(value: float, up: bool) -> float:
    if value == 0:
        return 0.0
    step = 10.0 ** (math.floor(math.log10(abs(value))) - 1)
    return float(f"{(math.ceil(value / step) if up else math.floor(value / step)) * step:.12g}")


def _tell(
    told: dict[str, Any], data: Dataset, made: pd.DataFrame, judged: tuple[pd.DataFrame, int, bool]
) -> None:
    holdout, seed, whole = judged
    contract = data.contract.model_copy(update={"privacy": None})
    name = contract.tables[0].name
    told = {**told, "seed": seed, "two_way": two_way(data.frame, made, holdout)}
    sides = [Dataset(contract, {name: frame}) for frame in (data.frame, made, holdout)]
    if whole:
        from benchmarks.judging import figures
        from models.evaluation.release import evaluate_release

        found = figures(evaluate_release(*sides, seed=seed).findings)
        told["figures"] = {key: found[key]["value"] for key in TOLD if key in found}
    else:
        told["figures"] = {"tstr": _tstr(sides, seed)}
    print(json.dumps(told), flush=True)


def _tstr(sides: list[Dataset], seed: int) -> float | None:
    from models.evaluation.coded import code_table
    from models.evaluation.utility import evaluate_utility

    contract = sides[0].contract
    table = contract.tables[0]
    names = ("training", "synthetic", "holdout")
    frames = {name: side.frame for name, side in zip(names, sides, strict=True)}
    found = evaluate_utility(code_table(table, contract.bars, frames, seed))  # type: ignore[arg-type]
    return next(finding.value for finding in found if finding.name == "tstr")


def two_way(training: pd.DataFrame, made: pd.DataFrame, holdout: pd.DataFrame) -> float:
    """The mean total variation of all pairs of columns between made and held-out rows."""
    codes = [_coded(training[name], made[name], holdout[name]) for name in training.columns]
    gaps = []
    for one, other in combinations(codes, 2):
        size = one[2] * other[2]
        shares = [
            np.bincount(one[side] * other[2] + other[side], minlength=size) / len(one[side])
            for side in (0, 1)
        ]
        gaps.append(0.5 * float(np.abs(shares[0] - shares[1]).sum()))
    return float(np.mean(gaps))


def _coded(training: pd.Series, made: pd.Series, holdout: pd.Series) -> tuple[Any, Any, int]:
    if pd.api.types.is_numeric_dtype(training.dtype) and training.nunique() > 10:
        numbers = [
            side.to_numpy(dtype=float, na_value=np.nan) for side in (training, made, holdout)
        ]
        edges = np.unique(np.nanquantile(numbers[0], np.linspace(0, 1, 11)[1:-1]))
        found = [np.where(np.isnan(side), len(edges) + 1, np.searchsorted(edges, side, "left"))
                 for side in numbers[1:]]  # fmt: skip
        return found[0], found[1], len(edges) + 2
    both = pd.concat([made.astype(str), holdout.astype(str)], ignore_index=True)
    codes, known = pd.factorize(both)
    return codes[: len(made)], codes[len(made) :], len(known)


if __name__ == "__main__":
    main()
