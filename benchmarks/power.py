"""How large a leak each attack on known records finds by itself: its power.

    python -m benchmarks.power --attack linkability --shares 0.01 0.02 [--noise] [--isolated]
        [--rows 50000] [--holdout-share 0.2] [--seeds 20]

Training rows, release and holdout are made as `benchmarks.gate` makes them. A share of the release
is replaced by copies of training rows, drawn at random or the most isolated ones, verbatim or with
noise. An attack finds the leak where it would refuse as the first of all tests, at its part of the
default alpha. Prints one JSON object as its last line: for each share in how many seeds it did.
"""

import argparse
import json

import numpy as np

from benchmarks.costs import stopwatch
from benchmarks.gate import Sides, population, with_leak
from models.evaluation.coded import CodedTable, code_table
from models.privacy.gate import RECORD_ATTACKS, TRIALS
from models.privacy.linkage_space import LinkageSpace
from models.privacy.membership import Attacked, AttackedTable

ATTACKS = {type(attack).__name__: attack for attack in RECORD_ATTACKS}
# A category and a number: nobody's secret, but made to be one.
SENSITIVE = ("marital-status", "hours-per-week")


def main() -> None:
    """Runs one attack on leaks of each share that the arguments name."""
    parser = argparse.ArgumentParser(description="Measures the power of an attack of the gate.")
    parser.add_argument("--attack", required=True, choices=list(ATTACKS))
    parser.add_argument("--shares", nargs="+", type=float, required=True)
    parser.add_argument("--noise", action="store_true", help="copies with noise, not verbatim")
    parser.add_argument("--isolated", action="store_true", help="copies of the most isolated rows")
    parser.add_argument("--rows", type=int, default=50_000, help="training and held-out rows")
    parser.add_argument("--holdout-share", type=float, default=0.2)
    parser.add_argument("--seeds", type=int, default=20)
    print(json.dumps(_measured(parser.parse_args())))


def _measured(arguments: argparse.Namespace) -> dict[str, object]:
    draw, held_out = population(), round(arguments.rows * arguments.holdout_share)
    found: dict[str, int] = {}
    with stopwatch() as spent:
        for seed in range(1, arguments.seeds + 1):
            sizes = (arguments.rows - held_out, arguments.rows - held_out, held_out)
            sides = tuple(draw(rows, 10 * seed + at) for at, rows in enumerate(sizes))
            for share in arguments.shares:
                random = np.random.default_rng([seed, round(1e6 * share)])
                leak = (share, arguments.isolated, arguments.noise)
                release = with_leak(leak, sides, random)
                caught = _caught(arguments.attack, (sides[0], release, sides[2]), seed)
                for name, refused in caught.items():
                    key = f"{name} {100 * share:g} %"
                    found[key] = found.get(key, 0) + refused
            print(json.dumps({"seed": seed, "found": found}), flush=True)
    return {**vars(arguments), "found": found, **spent}


def _caught(attack: str, sides: Sides, seed: int) -> dict[str, bool]:
    """By the attack's name and column, whether it alone refuses the release."""
    coded = _coded(sides, seed)
    attacked = AttackedTable(coded, Attacked.of(coded, LinkageSpace.of(coded)))
    level = coded.bars.alpha / (len(TRIALS) + len(SENSITIVE))
    told = {}
    for trial in ATTACKS[attack].evaluate(attacked):
        (finding,) = trial.findings(trial.p_value <= level)
        told[f"{trial.name} {trial.column or ''}".strip()] = finding.state == "refuse"
    return told


def _coded(sides: Sides, seed: int) -> CodedTable:
    table, bars = sides[0].contract.tables[0], sides[0].contract.bars
    columns = tuple(
        column.model_copy(update={"role": "sensitive"}) if column.name in SENSITIVE else column
        for column in table.columns
    )
    training, synthetic, holdout = (side.frame for side in sides)
    frames = {"training": training, "synthetic": synthetic, "holdout": holdout}
    return code_table(table.model_copy(update={"columns": columns}), bars, frames, seed)


if __name__ == "__main__":
    main()
