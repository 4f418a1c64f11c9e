"""What size costs: rate of sampling, ten million rows, a million rows to learn, 300 columns.

    python -m benchmarks.tabular_scale [--generators any_order] [--cases rate stream million wide]

`rate` samples 1,000,000 rows of Adult into memory and `stream` 10,000,000 to one Parquet file, both
from a saved model in a process of its own. `million` fits Adult blown up to 1,000,000 rows
(`benchmarks/blow_up.py`), and beside it 24,421 rows of the same file: the figures of both count
against a holdout blown up from held-out rows. `wide` fits 20,000 made-up rows of 300 columns.
Results go to --results as in `benchmarks.tabular`, whose `--render` makes the page of both.
`--small` divides all rows by 100, to try it out.
"""

import argparse
import functools
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from benchmarks.costs import RunFailedError, in_fresh_process, peak_mib, stop_when_told, stopwatch
from benchmarks.landing import CONTRACT, HOLDOUT, TRAIN, draft, land
from benchmarks.results import Results, Row
from benchmarks.tabular import RESULTS, ROOT, judged, new_row, summary

JOB = "scale"
ADULT_ROWS, JUDGED_ROWS = 24_421, 100_000
CASES: dict[str, tuple[str, ...]] = {
    "rate": ("sample 1,000,000 rows",),
    "stream": ("stream 10,000,000 rows",),
    "million": ("fit 1,000,000 rows x 15", "fit 24,421 of these rows"),
    "wide": ("fit 20,000 rows x 300",),
}


def main() -> None:
    """Runs what is missing in the results, then re-makes the page."""
    arguments = _arguments()
    if arguments.job:
        print(json.dumps(_JOBS[arguments.job](arguments)))
        return
    stop_when_told()
    results = Results(arguments.results)
    for generator in arguments.generators:
        for seed in arguments.seeds:
            for case in arguments.cases:
                _Bench(results, arguments, generator, seed).run(case)
    results.tidy()
    if arguments.page:
        from benchmarks.page import write_page

        write_page(results.rows, arguments.page)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Benchmark of large tables.")
    parser.add_argument("--generators", nargs="+", default=["any_order"], metavar="NAME")
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=CASES)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--page", type=Path, help="default: docs/benchmarks.md for own results")
    parser.add_argument("--timeout", type=float, default=7200, help="seconds for one process")
    parser.add_argument("--retry", action="store_true", help="run again what has failed")
    parser.add_argument("--small", action="store_true", help="a hundredth of the rows")
    parser.add_argument("--job", choices=_JOBS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--rows", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.page is None and arguments.results.resolve() == RESULTS:
        arguments.page = ROOT / "docs/benchmarks.md"
    return arguments


class _Bench:
    """Runs the cases of one generator and seed; each adds rows to the results."""

    def __init__(
        self, results: Results, arguments: argparse.Namespace, generator: str, seed: int
    ) -> None:
        self.results, self.arguments = results, arguments
        self.generator, self.seed = generator, seed
        self.part = 100 if arguments.small else 1

    def run(self, case: str) -> None:
        """Adds the rows of a case that are missing; a failure is a row too."""
        missing = [what for what in CASES[case] if not self._holds(what)]
        if not missing:
            return
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            run: dict[str, Callable[[Path, list[str]], None]] = {
                "rate": self._draw,
                "stream": self._draw,
                "million": self._million,
                "wide": self._wide,
            }
            run[case](folder, missing)

    def _told(self, what: str) -> str:
        return f"{what} (a hundredth)" if self.part > 1 else what

    def _holds(self, what: str) -> bool:
        key = (JOB, self.generator, self._told(what), self.seed)
        return self.results.holds(key, failed_too=not self.arguments.retry)

    def _draw(self, folder: Path, missing: list[str]) -> None:
        what = missing[0]
        job, rows = ("rate", 1_000_000) if what in CASES["rate"] else ("stream", 10_000_000)

        def costs() -> dict[str, Any]:
            landed = land("adult", folder / "landed")
            self._fit(landed, "--rows", 1000, "--model", folder / "model")
            return {"costs": self._job(job, folder, rows // self.part)}

        self._add(what, costs)

    def _million(self, folder: Path, missing: list[str]) -> None:
        self._job("blow-up", folder, 1_000_000 // self.part)
        draft(folder, "adult", "income")
        few = ("--training-rows", ADULT_ROWS // self.part)
        for what in missing:
            more = () if "1,000,000" in what else few
            self._add(what, functools.partial(self._judged, folder, *more))

    def _wide(self, folder: Path, missing: list[str]) -> None:
        self._job("wide", folder, 20_000 // self.part)
        draft(folder, "wide", "target")
        self._add(missing[0], lambda: self._judged(folder))

    def _judged(self, folder: Path, *more: object) -> dict[str, Any]:
        """Fits a landing folder, samples for the judge, and tells costs and figures."""
        rows = len((folder / HOLDOUT).read_bytes().splitlines()) - 1
        costs = self._fit(folder, "--rows", rows, *more)
        return {"costs": costs, **judged(folder, folder / "made.parquet", self.seed, *more)}

    def _fit(self, folder: Path, *more: object) -> dict[str, Any]:
        command = (
            sys.executable, "-m", "benchmarks.generator_runner", self.generator,
            "--folder", folder, "--output", folder / "made.parquet", "--seed", self.seed, *more,
        )  # fmt: skip
        return in_fresh_process(command, self.arguments.timeout)

    def _job(self, job: str, folder: Path, rows: int) -> dict[str, Any]:
        command = (
            sys.executable, "-m", "benchmarks.tabular_scale", "--job", job, "--folder", folder,
            "--rows", rows, "--seeds", self.seed,
        )  # fmt: skip
        return in_fresh_process(command, self.arguments.timeout)

    def _add(self, what: str, measure: Callable[[], dict[str, Any]]) -> None:
        row: Row = new_row(JOB, self.generator, "ours", (self._told(what), self.seed))
        try:
            row |= {**measure(), "state": "done"}
        except RunFailedError as error:
            row |= {"state": "failed", "reason": str(error)}
        self.results.add(row)
        print(summary(row), flush=True)


# Jobs in a process of their own


def _rate(arguments: argparse.Namespace) -> dict[str, Any]:
    """Rows drawn into memory, part by part as the flow does; no file is written."""
    from tasks.sample import draw, parts_of

    generator, table = _saved(arguments.folder)
    with stopwatch() as spent:
        for part in parts_of(table, arguments.rows):
            draw(generator, table, part, arguments.seeds[0])
    return {"rows": arguments.rows, "sample": spent, "peak_mib": peak_mib()}


def _stream(arguments: argparse.Namespace) -> dict[str, Any]:
    """Rows drawn part by part, each written to one Parquet file before the next is drawn."""
    from data_contracts.schema import arrow_schema
    from tasks.sample import ROW_GROUP_ROWS, draw, parts_of

    generator, table = _saved(arguments.folder)
    target = arguments.folder / "rows.parquet"
    with (
        stopwatch() as spent,
        pq.ParquetWriter(target, arrow_schema(table), compression="zstd") as writer,
    ):
        for part in parts_of(table, arguments.rows):
            rows = draw(generator, table, part, arguments.seeds[0])
            writer.write_table(rows, row_group_size=ROW_GROUP_ROWS)
    return {
        "rows": pq.read_metadata(target).num_rows,
        "sample": spent,
        "peak_mib": peak_mib(),
        "bytes_written": target.stat().st_size,
    }


def _saved(folder: Path) -> tuple[Any, Any]:
    from data_contracts.loading import load_contract
    from models.registry import load_generator

    contract = load_contract(folder / "landed" / CONTRACT)
    return load_generator(contract, folder / "model"), contract.tables[0]


def _write_blown_up(arguments: argparse.Namespace) -> dict[str, Any]:
    from benchmarks.blow_up import read_adult, write_blown_up

    write_blown_up(read_adult("train"), arguments.rows, arguments.folder / TRAIN)
    judged_rows = min(JUDGED_ROWS, arguments.rows)
    write_blown_up(read_adult("holdout"), judged_rows, arguments.folder / HOLDOUT, seed=8)
    return {}


def _write_wide(arguments: argparse.Namespace) -> dict[str, Any]:
    from benchmarks.blow_up import wide_table

    for seed, name in ((1, TRAIN), (2, HOLDOUT)):
        wide_table(arguments.rows, 300, seed).to_csv(arguments.folder / name, index=False)
    return {}


_JOBS: dict[str, Callable[[argparse.Namespace], dict[str, Any]]] = {
    "rate": _rate,
    "stream": _stream,
    "blow-up": _write_blown_up,
    "wide": _write_wide,
}


if __name__ == "__main__":
    main()
