"""Ingest and proof of a large CSV, beside what pyarrow needs to turn the same CSV into Parquet.

    python -m benchmarks.ingest [--rows 10000000] [--folder FOLDER]

Blows up the Adult census (`tabular/adult_train.csv.gz` in UNDERSTUDY_DATA, default
../shared/data): rows drawn with replacement, numbers with noise. Each job runs in a fresh process.
Prints one JSON object with wall and CPU seconds, the peak of memory, and the ratios of the times.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from benchmarks.blow_up import read_adult, write_blown_up
from benchmarks.costs import RunFailedError, in_fresh_process, peak_mib, stopwatch
from data_contracts.contract import Column, Comparison, Source, Table
from data_contracts.schema import arrow_schema

FILE = "adult.csv"


def main() -> None:
    """Makes the file, runs both jobs, prints what they cost."""
    parser = argparse.ArgumentParser(description="Benchmark of ingest and proof.")
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--folder", type=Path, help="where the files go; default: a temporary one")
    parser.add_argument("--job", choices=("ours", "bare"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.job:
        print(json.dumps(_run_job(arguments.job, arguments.folder)))
        return
    with tempfile.TemporaryDirectory(dir=arguments.folder) as temporary:
        folder = Path(temporary)
        write_blown_up(read_adult("train"), arguments.rows, folder / FILE)
        found: dict[str, Any] = {"rows": arguments.rows, "columns": 15, "cpus": os.cpu_count()}
        found["csv_mib"] = round((folder / FILE).stat().st_size / 2**20, 1)
        for job in ("bare", "ours"):
            found[job] = _run(job, folder)
        found["wall_ratio"] = round(found["ours"]["wall_s"] / found["bare"]["wall_s"], 2)
        found["cpu_ratio"] = round(found["ours"]["cpu_s"] / found["bare"]["cpu_s"], 2)
    print(json.dumps(found, indent=1))


def table() -> Table:
    """The contract of the blown-up census: exact types, ranges, categories, a rule, row counts."""
    adult = read_adult("train")
    columns = []
    for name in adult.columns:
        if name == "fnlwgt" or pd.api.types.is_integer_dtype(adult[name]):
            columns.append(
                Column(
                    name=name,
                    logical_type="integer",
                    physical_type="int64",
                    required=True,
                    minimum=0,
                    maximum=2_000_000,
                )
            )
            continue
        levels = tuple(sorted(map(str, adult[name].dropna().unique())))
        columns.append(
            Column(
                name=name,
                logical_type="string",
                physical_type="dictionary<string>",
                categories=levels,
            )
        )
    return Table(
        name="adult",
        columns=tuple(columns),
        source=Source(format="csv", path=FILE),
        min_rows=1,
        row_rules=(Comparison(left="capital-loss", operator="<=", right="fnlwgt"),),
    )


def _run(job: str, folder: Path) -> dict[str, Any]:
    command = (sys.executable, "-m", "benchmarks.ingest", "--job", job, "--folder", folder)
    try:
        return in_fresh_process(command)
    except RunFailedError as error:
        raise SystemExit(f"{job}: {error}") from None


def _run_job(job: str, folder: Path) -> dict[str, Any]:
    with stopwatch() as spent:
        found = _ours(folder) if job == "ours" else _bare(folder)
    return {**spent, "peak_rss_mib": peak_mib(), **found}


def _bare(folder: Path) -> dict[str, Any]:
    """The same CSV, the same types, as Parquet: pyarrow's streaming reader and its writer."""
    schema = arrow_schema(table())
    convert = pacsv.ConvertOptions(column_types={field.name: field.type for field in schema})
    rows = 0
    with (
        pacsv.open_csv(folder / FILE, convert_options=convert) as reader,
        pq.ParquetWriter(folder / "bare.parquet", reader.schema, compression="zstd") as writer,
    ):
        for batch in reader:
            writer.write_batch(batch)
            rows += batch.num_rows
    return {"rows": rows}


def _ours(folder: Path) -> dict[str, Any]:
    """Ingest, proof of every part, proof of the table."""
    from tasks.ingest import ingest_source
    from tasks.storage import Store
    from tasks.validate import proof_of, prove_part, prove_tables, raise_if_broken

    store, declared = Store(str(folder / "store")), table()
    marks = [time.monotonic()]
    ingested = ingest_source(store, declared, declared.source, folder, "work")
    marks.append(time.monotonic())
    parts = [prove_part(store, declared, part, "work") for part in ingested.parts]
    marks.append(time.monotonic())
    rules = prove_tables(store, [declared], {declared.name: parts})
    marks.append(time.monotonic())
    proof = proof_of(declared, ingested, parts, rules[declared.name])
    raise_if_broken([proof])
    steps = dict(zip(("ingest_s", "rows_s", "table_s"), np.diff(marks).round(2), strict=True))
    return {"rows": proof["rows_proven"], "rejected": proof["rows_rejected"], **steps}


if __name__ == "__main__":
    main()
