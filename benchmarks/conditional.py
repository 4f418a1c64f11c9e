"""Rows made under conditions against the held-out rows that fulfil them, on Adult.

    python -m benchmarks.conditional [--generator any_order] [--options JSON] [--seed 1]
        [--folder LANDED] [--model FOLDER]

Fits the training rows once, or takes the model saved in FOLDER. For each condition it makes as many
rows as held-out rows fulfil it, three times, and tells how well trees tell the two apart
(`detection_auc`, `models/evaluation/detection.py`). `real` is the same figure of the training rows
that fulfil the condition: what fresh real rows get. Prints one JSON object as its last line.
"""

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks.costs import stopwatch
from benchmarks.landing import land
from benchmarks.typed_rows import read_part
from data_contracts.choice import ModelChoice
from data_contracts.contract import Contract
from data_contracts.dataset import Dataset
from models.base import Generator
from models.conditions import OneOf, Range, Wish
from models.evaluation.coded import Side, code_table
from models.evaluation.detection import evaluate_detection
from models.registry import load_generator, resolve

Given = Mapping[str, Any]
DRAWS = 3
BAR = 0.56
CONDITIONS: dict[str, Given] = {
    "education": {"education": "Bachelors"},
    "age range": {"age": Range(30, 40)},
    "education and age range": {"education": "Bachelors", "age": Range(30, 40)},
    "marital status and hours range": {
        "marital-status": "Never-married",
        "hours-per-week": Range(35, 45),
    },
    "income": {"income": ">50K"},
    "one of two and two ranges": {
        "marital-status": OneOf(("Married-civ-spouse", "Divorced")),
        "age": Range(40, None),
        "hours-per-week": Range(40, None),
    },
}
"""Values, ranges and choices, alone and together; each leaves over a thousand rows."""


def main() -> None:
    """Measures every condition."""
    arguments = _arguments()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or land("adult", Path(temporary) / "landed")
        training, held_out = read_part(folder, "train"), read_part(folder, "holdout")
    with stopwatch() as fit:
        generator = _generator(arguments, training)
    told: dict[str, Any] = {"fit": fit, "bar": BAR, "conditions": {}}
    for name, given in CONDITIONS.items():
        told["conditions"][name] = measured(generator, given, (training, held_out), arguments.seed)
        print(name, told["conditions"][name], file=sys.stderr, flush=True)
    areas = [one["detection_auc"] for one in told["conditions"].values()]
    print(json.dumps({**told, "worst": max(areas), "kept": max(areas) <= BAR}))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Judges rows made under conditions.")
    parser.add_argument("--generator", default="any_order")
    parser.add_argument("--options", default="{}", help="the generator's options as JSON")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="a landing folder of Adult; default: its own")
    parser.add_argument("--model", type=Path, help="a model saved from that folder")
    return parser.parse_args()


def _generator(arguments: argparse.Namespace, training: Dataset) -> Generator:
    if arguments.model:
        return load_generator(training.contract, arguments.model)
    options = json.loads(arguments.options)
    generator = resolve(ModelChoice(name=arguments.generator, options=options))
    return generator.fit(training, seed=arguments.seed)


def measured(
    generator: Generator, given: Given, real: tuple[Dataset, Dataset], seed: int
) -> dict[str, Any]:
    """The figures of one condition; `real` are training and held-out rows."""
    training, held_out = (part.frame[fulfils(part.frame, given)] for part in real)
    contract = real[0].contract
    areas, seconds = [], 0.0
    for draw in range(DRAWS):
        with stopwatch() as spent:
            made = generator.sample(len(held_out), given=given, seed=seed + draw).frame
        seconds += spent["wall_s"]
        if not bool(fulfils(made, given).all()):
            raise SystemExit(f"{int((~fulfils(made, given)).sum())} rows do not fulfil {given}")
        areas.append(_area(contract, held_out, made, seed + draw))
    return {
        "rows": len(held_out),
        "detection_auc": round(statistics.median(areas), 4),
        "of_each_draw": [round(area, 4) for area in areas],
        "real": round(_area(contract, held_out, training, seed), 4),
        "rows_per_second": round(DRAWS * len(held_out) / seconds),
    }


def _area(contract: Contract, real: pd.DataFrame, other: pd.DataFrame, seed: int) -> float:
    real, other = real.reset_index(drop=True), other.reset_index(drop=True)
    frames: dict[Side, pd.DataFrame] = {"training": real, "synthetic": other, "holdout": real}
    coded = code_table(contract.tables[0], contract.bars, frames, seed)
    finding = next(one for one in evaluate_detection(coded).findings if one.name == "detection_auc")
    assert finding.value is not None
    return finding.value


def fulfils(frame: pd.DataFrame, given: Given) -> npt.NDArray[np.bool_]:
    """Which rows fulfil every part of a condition, `(rows,)`."""
    kept = np.ones(len(frame), dtype=np.bool_)
    for name, asked in given.items():
        kept &= _fulfils(frame[name], asked).to_numpy(dtype=bool)
    return kept


def _fulfils(values: pd.Series, asked: Any) -> "pd.Series[bool]":
    if isinstance(asked, OneOf):
        return values.isin(asked.of)
    if isinstance(asked, Range):
        inside = pd.Series(data=True, index=values.index)
        if asked.low is not None:
            inside &= values >= asked.low
        return inside & (values <= asked.high) if asked.high is not None else inside
    assert not isinstance(asked, Wish)
    return values.eq(asked)


if __name__ == "__main__":
    main()
