"""Generators of tables side by side: ours, the peers, and what peers have published.

    make peers                          # once: the peers, in an environment of their own
    python -m benchmarks.tabular        # everything; go on after a kill with the same command
    python -m benchmarks.tabular --render    # only re-make docs/benchmarks.md and its chart

Every (table, seed, generator) is fitted, sampled and judged in fresh processes, one after the
other; all generators of a seed follow each other, so that ratios of their times come from the same
minutes. Times of other days or other code are not compared. A row of JSON for each goes to
--results; rows that are there already are not run again (published outputs are judged again when
our code has changed). The holdout is opened by the judge alone. `--set sdv-tvae.epochs=2` replaces
an option; such rows carry it in their name. Tables come from UNDERSTUDY_DATA (default
../shared/data).
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.costs import RunFailedError, in_fresh_process, stop_when_told
from benchmarks.landing import CONTRACT, DATA, TARGETS, TRAIN, land
from benchmarks.results import Results, Row, key_of

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks/results/tabular.jsonl"
PEERS = ("mostlyai-engine", "sdv-tvae", "sdv-ctgan", "sdv-gaussian-copula")
PUBLISHED = "published"
JOB = "tabular"


@dataclass(frozen=True)
class Choice:
    """A generator and the options that differ from its defaults."""

    name: str
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def label(self) -> str:
        told = ", ".join(f"{key}={value}" for key, value in sorted(self.options.items()))
        return f"{self.name} ({told})" if told else self.name


def main() -> None:
    """Runs what is missing in the results, then re-makes the page."""
    arguments = _arguments()
    stop_when_told()
    results = Results(arguments.results)
    if not arguments.render:
        bench = _Bench(results, arguments)
        for table in arguments.tables:
            bench.run_table(table)
        results.tidy()
    if arguments.page:
        from benchmarks.page import write_page

        write_page(results.rows, arguments.page)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Benchmark of the generators of tables.")
    parser.add_argument("--tables", nargs="+", default=list(TARGETS), metavar="TABLE")
    parser.add_argument(
        "--generators", nargs="+", metavar="NAME",
        help=f"default: all of ours, {', '.join(PEERS)} and {PUBLISHED}",
    )  # fmt: skip
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME.OPTION=VALUE")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--page", type=Path, help="default: docs/benchmarks.md for own results")
    parser.add_argument("--peers", type=Path, default=ROOT / ".venv-peers/bin/python")
    parser.add_argument("--timeout", type=float, default=7200, help="seconds for one fit")
    parser.add_argument("--remark", help="what the page is to say of these runs")
    parser.add_argument("--retry", action="store_true", help="run again what has failed")
    parser.add_argument(
        "--render", "--table-only", action="store_true", help="only re-make the page"
    )
    arguments = parser.parse_args()
    if arguments.page is None and arguments.results.resolve() == RESULTS:
        arguments.page = ROOT / "docs/benchmarks.md"
    return arguments


def chosen_options(settings: Sequence[str]) -> dict[str, dict[str, Any]]:
    """`NAME.OPTION=VALUE` by generator; values are JSON where they can be read as such."""
    options: dict[str, dict[str, Any]] = {}
    for setting in settings:
        place, _, text = setting.partition("=")
        name, _, option = place.rpartition(".")
        if not name or not text:
            raise SystemExit(f"--set {setting}: write it as NAME.OPTION=VALUE")
        try:
            value = json.loads(text)
        except ValueError:
            value = text
        options.setdefault(name, {})[option] = value
    return options


def ours() -> list[str]:
    """The registered generators of single tables."""
    from models.registry import REGISTRY

    return [name for name, entry in REGISTRY.items() if "table" in entry.kinds]


class _Bench:
    """Runs generators on tables and adds a row for each to the results."""

    def __init__(self, results: Results, arguments: argparse.Namespace) -> None:
        self.results, self.arguments = results, arguments
        options = chosen_options(arguments.set)
        names = arguments.generators or [*ours(), *PEERS, PUBLISHED]
        self.choices = [Choice(n, options.get(n, {})) for n in names if n != PUBLISHED]
        self.with_published = PUBLISHED in names

    def run_table(self, table: str) -> None:
        """All seeds of all generators, then the published outputs."""
        runs = [(choice, seed) for seed in self.arguments.seeds for choice in self.choices]
        open_runs = [run for run in runs if not self._done(run[0].label, table, run[1])]
        published = [p for p in self._published(table) if not self._judged_alike(p[0], table)]
        if not open_runs and not published:
            return
        with tempfile.TemporaryDirectory() as temporary:
            folder = land(table, Path(temporary) / "landed")
            _write_kinds(folder)
            for choice, seed in open_runs:
                self._add(self._run(choice, table, seed, folder))
            for label, path in published:
                row = new_row(JOB, label, "published", (table, 1))
                self._add(self._judged(row, folder, path))

    def _done(self, label: str, table: str, seed: int) -> bool:
        return self.results.holds((JOB, label, table, seed), failed_too=not self.arguments.retry)

    def _judged_alike(self, label: str, table: str) -> bool:
        """Done, and by the measures of today: judging again costs little without a fit."""
        from tasks.identity import code_version

        same = self.results.code_of((JOB, label, table, 1)) == code_version()
        return same and self._done(label, table, 1)

    def _published(self, table: str) -> Iterator[tuple[str, Path]]:
        if self.with_published:
            for path in sorted((DATA / "tabular/peer_outputs").glob(f"{table}_*.csv.gz")):
                name = path.name.removesuffix(".csv.gz").removeprefix(f"{table}_")
                yield f"{name} (published)", path

    def _run(self, choice: Choice, table: str, seed: int, folder: Path) -> Row:
        is_peer = choice.name in PEERS
        row = new_row(JOB, choice.label, "peer" if is_peer else "ours", (table, seed))
        if is_peer and not self.arguments.peers.exists():
            return {**row, "state": "skipped", "reason": "no peers' environment: make peers"}
        made = folder / ("made.csv" if is_peer else "made.parquet")
        options = ("--seed", seed, "--options", json.dumps(choice.options), "--output", made)
        command: tuple[object, ...]
        if is_peer:
            command = (
                self.arguments.peers, ROOT / "benchmarks/peer_runner.py", choice.name,
                "--training", folder / TRAIN, "--kinds", folder / "kinds.json", *options,
            )  # fmt: skip
        else:
            command = (
                sys.executable, "-m", "benchmarks.generator_runner", choice.name,
                "--folder", folder, *options,
            )  # fmt: skip
        try:
            row["costs"] = in_fresh_process(command, self.arguments.timeout)
        except RunFailedError as error:
            return {**row, "state": "failed", "reason": str(error)}
        return self._judged(row, folder, made)

    def _judged(self, row: Row, folder: Path, sample: Path) -> Row:
        try:
            return {**row, **judged(folder, sample, row["seed"]), "state": "done"}
        except RunFailedError as error:
            return {**row, "state": "failed", "reason": f"the judge: {error}"}

    def _add(self, row: Row) -> None:
        if self.arguments.remark:
            row["remark"] = self.arguments.remark
        self.results.add(row)
        print(summary(row), flush=True)


def judged(folder: Path, sample: Path, seed: int, *more: object) -> dict[str, Any]:
    """What the judge says of a sample, in a fresh process too: its failure is a row, no crash."""
    command = (
        sys.executable, "-m", "benchmarks.judging",
        "--folder", folder, "--sample", sample, "--seed", seed, *more,
    )  # fmt: skip
    return in_fresh_process(command)


def new_row(job: str, label: str, origin: str, what: tuple[str, int]) -> Row:
    """A row without a result yet, for a table and a seed."""
    from tasks.identity import code_version

    table, seed = what
    return {
        "job": job,
        "generator": label,
        "origin": origin,
        "table": table,
        "seed": seed,
        "cpus": len(os.sched_getaffinity(0)),
        "code": code_version(),
        "when": time.strftime("%Y-%m-%d", time.gmtime()),
    }


def summary(row: Row) -> str:
    """One line about a result, for whoever watches."""
    place = " ".join(map(str, key_of(row)[1:]))
    if row["state"] != "done":
        return f"{place}: {row['state']}, {row['reason']}"
    figures = row.get("figures", {})
    told = [f"{name} {figure['value']:.4g}" for name, figure in figures.items()
            if name in ("detection_auc", "shape_error", "trend_error", "utility_gap", "dcr_share")
            and figure["value"] is not None]  # fmt: skip
    costs = row.get("costs", {})
    if "fit" in costs:
        told.insert(0, f"fit {costs['fit']['wall_s']:.1f} s")
    if "peak_mib" in costs:
        told.append(f"sampling {costs['sample']['wall_s']:.1f} s, {costs['peak_mib']:,.0f} MiB")
    return f"{place}: {', '.join(told)}"


def _write_kinds(folder: Path) -> None:
    from data_contracts.loading import load_contract

    columns = load_contract(folder / CONTRACT).tables[0].columns
    (folder / "kinds.json").write_text(json.dumps({column.name: column.kind for column in columns}))


if __name__ == "__main__":
    main()
