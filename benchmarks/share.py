"""Codes of a real table for one declared task: what they keep, and what attackers gain.

    python -m benchmarks.share [--public COLUMN ...] [--noise 0.2] [--epochs N] [--flips 200]
        [--only public | --only bare]

Reads `tabular/adult_train.csv.gz` and, as rows that no fit sees, `adult_holdout.csv.gz` from
UNDERSTUDY_DATA (default ../shared/data). The task is `income`; `sex` and `race` are sensitive. Two
settings of what a recipient knows anyway are measured: nothing but the income, and the columns
named. Prints one JSON object: each finding with its bar, the controls, seconds, and how many of the
one-byte flips in a sealed parcel were detected, once by seal and once by the encryption alone.
"""

import argparse
import base64
import json
import os
import resource
import secrets
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from data_contracts.contract import Column, Contract, Source, Table
from data_contracts.dataset import Dataset
from data_contracts.schema import arrow_schema, to_frame
from data_contracts.share import DeclaredTask, Recipient, Share
from models.representation.evidence import evaluate_codes
from models.representation.exposure import expose
from models.representation.keyed_encoder import KeyedEncoder
from tasks.publish_share import coded_table
from tasks.sealing import Parcel, derived, seal_tables, write_parcel
from tasks.sealing_keys import SealError, Secret, SymmetricKey
from tasks.unsealing import open_parcel, read_seal, unwrapped
from tasks.unsealing_process import PartError, read_part

TARGET, SENSITIVE = "income", ("sex", "race")
PUBLIC = ("age", "education", "education-num", "marital-status", "relationship")


def main() -> None:
    """Runs the benchmark that the arguments describe."""
    arguments = _arguments()
    training, holdout = (_read(side) for side in ("train", "holdout"))
    table = _table(training, holdout)
    frames = [_typed(frame, table) for frame in (training, holdout)]
    settings = {"public": tuple(arguments.public), "bare": ()}
    if arguments.only:
        settings = {arguments.only: settings[arguments.only]}
    runs = []
    for public in settings.values():
        share = Share(
            tasks=(DeclaredTask(kind="classification", column=TARGET),),
            recipients=(Recipient(name="partner", key="env:PARTNER_KEY"),),
            public=public, noise=arguments.noise, epochs=arguments.epochs,
        )  # fmt: skip
        contract = Contract(id="adult", version="1", tables=(table,), share=share)
        run, encoder = _run(contract, frames[0], frames[1], arguments.seed)
        runs.append(run)
        if len(runs) == 1:
            flips = _flips(encoder, frames[0], arguments.flips)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"runs": runs, "flips": flips, "peak_mib": round(peak)}, indent=1))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Benchmark of share_representation.")
    parser.add_argument("--public", nargs="*", default=list(PUBLIC))
    parser.add_argument("--only", choices=("public", "bare"), help="one of the two settings")
    parser.add_argument("--noise", type=float, default=Share.model_fields["noise"].default)
    parser.add_argument("--epochs", type=int, help="by default as many as a contract without them")
    parser.add_argument("--flips", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def _read(side: str) -> pd.DataFrame:
    folder = Path(os.environ.get("UNDERSTUDY_DATA", "../shared/data")) / "tabular"
    return pd.read_csv(folder / f"adult_{side}.csv.gz", keep_default_na=False)


def _table(training: pd.DataFrame, holdout: pd.DataFrame) -> Table:
    columns = []
    for name in training:
        if pd.api.types.is_numeric_dtype(training[name]):
            columns.append(Column(name=name, logical_type="integer", physical_type="int64"))
            continue
        values = tuple(sorted({*training[name], *holdout[name]}))
        role = "sensitive" if name in SENSITIVE else "target" if name == TARGET else "attribute"
        columns.append(Column.model_validate({
            "name": name, "logical_type": "string", "physical_type": "dictionary<string>",
            "categories": values, "role": role,
        }))  # fmt: skip
    source = Source(format="csv", path="adult.csv")
    return Table(name="adult", columns=tuple(columns), source=source)


def _typed(frame: pd.DataFrame, table: Table) -> pd.DataFrame:
    return to_frame(pa.Table.from_pandas(frame, preserve_index=False).cast(arrow_schema(table)))


def _run(
    contract: Contract, training: pd.DataFrame, holdout: pd.DataFrame, seed: int
) -> tuple[dict[str, Any], KeyedEncoder]:
    assert contract.share is not None
    started = time.monotonic()
    encoder = KeyedEncoder(contract.share).fit(Dataset(contract, {"adult": training}), seed=seed)
    fitted = time.monotonic()
    keys = (secrets.token_bytes(32), secrets.token_bytes(32))
    exposure = expose(encoder, training, holdout, keys, seed=seed)
    findings = evaluate_codes(exposure)
    run = {
        "public": contract.share.public,
        "state": sorted({finding.state for finding in findings}),
        "findings": [
            finding.model_dump(
                include={"name", "column", "value", "low", "high", "bar", "state", "detail"}
            )
            for finding in findings
        ],
        "epsilon_at_1e-6": encoder.epsilon(1e-6),
        "seconds": {"fit": fitted - started, "attack": time.monotonic() - fitted},
    }
    return run, encoder


def _flips(encoder: KeyedEncoder, frame: pd.DataFrame, number: int) -> dict[str, int]:
    """How many of so many one-byte changes of a sealed part are found, by two ways of looking."""
    key = SymmetricKey(Secret(secrets.token_bytes(32)))
    parcel = Parcel(release="benchmark", recipient="partner")
    coded = coded_table(encoder, frame, secrets.token_bytes(32), outcomes=False)
    found = {"tried": number, "by_seal": 0, "by_encryption_alone": 0}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "parcel"
        write_parcel(folder, seal_tables(parcel, {"adult": coded}, key))
        entry = read_seal(folder).files[0]
        aad = parcel.aad(entry.path)
        secret = derived(unwrapped(read_seal(folder), key), aad).reveal()
        part = {
            "name": entry.path, "file": str(folder / entry.path), "aad": aad.decode(),
            "key": base64.b64encode(secret).decode(), "rows": entry.rows,
        }  # fmt: skip
        content = (folder / entry.path).read_bytes()
        random = np.random.default_rng(1)
        for place in random.integers(0, len(content), number):
            changed = bytearray(content)
            changed[place] ^= 1 << int(random.integers(0, 8))
            (folder / entry.path).write_bytes(bytes(changed))
            try:
                open_parcel(folder, key, Path(temporary) / "opened.parquet")
            except SealError:
                found["by_seal"] += 1
            try:
                read_part(part)
            except PartError:
                found["by_encryption_alone"] += 1
    return found


if __name__ == "__main__":
    main()
