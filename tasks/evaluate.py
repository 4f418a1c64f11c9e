"""Judge a sampled candidate against training and holdout rows."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from prefect import task
from prefect.cache_policies import NO_CACHE

from data_contracts.contract import Contract, Table
from data_contracts.dataset import Dataset
from data_contracts.manifest import ArtifactRef
from data_contracts.record import Record
from data_contracts.report import Finding, Report, judge
from data_contracts.schema import arrow_schema, to_frame
from tasks.announce import ProgressReporter
from tasks.fit import FittedModel
from tasks.gate_runs import GateRuns, Larger, run_gate
from tasks.identity import versions
from tasks.private_audit import audit_findings
from tasks.private_release import published_report
from tasks.prove import Ingest
from tasks.run import Run
from tasks.split import Split
from tasks.storage import Store
from tasks.thinning import Read, thinned

if TYPE_CHECKING:
    from models.evaluation.coded import Side

# Figures settle long before this many rows, and memory must not grow with the table. Only what
# points at single people is looked for in all rows, a column at a time.
MAX_EVALUATED_ROWS = 100_000


class Evaluated(Record):
    """Findings and pictures of a candidate, and how many rows each side has.

    `audited` are findings about the model's budget that saw no real row.
    The gate's exact figures are not here: they stay with the model (`tasks.gate_runs`).
    """

    findings: tuple[Finding, ...]
    pictures: dict[str, Any]
    rows: dict[str, dict[str, int]]
    audited: tuple[Finding, ...] = ()


@task(name="evaluate_candidate", cache_policy=NO_CACHE)
def evaluate_candidate(
    run: Run, ingest: Ingest, parts: list[ArtifactRef], model: FittedModel, content: str
) -> Evaluated:
    """All fidelity, utility and privacy figures of the sampled parts, each judged by its bar.

    The privacy gate runs once for each model. Another sample of the same model is a retry: it is
    recorded beside the model and paid for with a divided alpha, and what the gate once refused
    stays refused (`tasks.gate_runs`).
    """
    from models.evaluation.release import evaluate_release

    store, contract = run.open_store(), run.contract
    candidate = {t.name: _read_candidate(run, t.name, parts) for t in contract.tables}
    real = read_sides(store, contract, ingest)
    rows = {name: dict(counts) for name, counts in real.rows.items()}
    for name in candidate:
        rows[name]["synthetic"] = sum(part.rows or 0 for part in parts if f"/{name}/" in part.uri)
    synthetic = Dataset(contract, {name: to_frame(table) for name, table in candidate.items()})
    with ProgressReporter("evaluate") as progress:
        evaluated = evaluate_release(
            real.training, synthetic, real.holdout,
            seed=contract.sampling.seed, progress=lambda done, told: progress(done / 2, told),
        )  # fmt: skip
        gated = run_gate(
            GateRuns(store, f"{model.path}/privacy"), content,
            (real.training, synthetic, real.unseen),
            real.larger({
                name: (rows[name]["synthetic"], _reader(run, name, parts)) for name in candidate
            }),
            progress=lambda done, told: progress((1 + done) / 2, told),
        )  # fmt: skip
    return Evaluated(
        findings=(*evaluated.findings, *gated, *real.shared),
        audited=audit_findings(store, contract, model.path),
        pictures=evaluated.pictures,
        rows=rows,
    )


@dataclass(frozen=True)
class RealSides:
    """Training and held-out rows of all tables, at most MAX_EVALUATED_ROWS, and how many exist.

    `unseen` are the held-out rows of units that have no training rows, the only ones that the gate
    may hold training units against. `shared` says of which tables they are not all. `beyond` reads
    what there is more, by table: its split, and the units that are on both sides.
    """

    training: Dataset
    holdout: Dataset
    unseen: Dataset
    rows: dict[str, dict[str, int]]
    shared: tuple[Finding, ...]
    beyond: dict[str, tuple[Split, np.ndarray]]
    ingest: str

    def larger(self, candidate: Mapping[str, tuple[int, Read]]) -> Larger:
        """What there is beyond the rows that are compared.

        `candidate` tells how many rows the candidate has of each table, and reads them.
        """
        columns = {
            name: partial(self._columns, name, read)
            for name, (rows, read) in candidate.items()
            if max(rows, *self.rows[name].values()) > MAX_EVALUATED_ROWS
        }
        training = {name: counts["training"] for name, counts in self.rows.items()}
        return Larger(training, columns, self.ingest)

    def _columns(self, name: str, candidate: Read, names: list[str]) -> "dict[Side, pd.DataFrame]":
        split, shared = self.beyond[name]
        made = [part.select(names).replace_schema_metadata(None) for part in candidate(names)]
        made = made or [arrow_schema(split.table).empty_table().select(names)]
        return {
            "training": to_frame(split.training(columns=names)),
            "synthetic": to_frame(pa.concat_tables(made)),
            "holdout": to_frame(split.unseen(shared, columns=names)),
        }


def read_sides(store: Store, contract: Contract, ingest: Ingest) -> RealSides:
    """Reads both sides of the split; the contract's holdout may be a table of its own."""
    training, holdout, unseen, rows, told, beyond = {}, {}, {}, {}, [], {}
    for table in contract.tables:
        name, split = table.name, Split(store, contract, table, ingest.path)
        training[name] = to_frame(split.training(MAX_EVALUATED_ROWS))
        holdout[name] = unseen[name] = to_frame(split.holdout(MAX_EVALUATED_ROWS))
        rows[name] = {"training": split.count_training(), "holdout": split.count_holdout()}
        beyond[name] = (split, shared := split.shared_units())
        if shared.size:
            unseen[name] = to_frame(split.unseen(shared, MAX_EVALUATED_ROWS))
            told.append(_shared_finding(table, shared.size))
    return RealSides(
        training=Dataset(contract, training),
        holdout=Dataset(contract, holdout),
        unseen=Dataset(contract, unseen),
        rows=rows,
        shared=tuple(told),
        beyond=beyond,
        ingest=ingest.ingest,
    )


def _shared_finding(table: Table, shared: int) -> Finding:
    """`shared_units`: held-out units that are training units as well, in a holdout of its own."""
    return Finding(
        name="shared_units", group="copies", value=float(shared), unit="count", table=table.name,
        detail=f"Units in column {table.unit!r} with training and held-out rows. The privacy gate "
        "leaves their held-out rows out: a model has learned these units.",
    )  # fmt: skip


def _read_candidate(run: Run, name: str, parts: list[ArtifactRef]) -> pa.Table:
    """The candidate's rows, thinned to MAX_EVALUATED_ROWS over all parts.

    A table that a foreign key leads to stays whole: a thinned parent would leave children alone.
    """
    keys = [key for table in run.contract.tables for key in table.foreign_keys]
    table, read = run.contract.table(name), _reader(run, name, parts)
    if any(key.parent == name for key in keys):
        kept = list(read(None))
    else:
        kept = thinned(read, table, MAX_EVALUATED_ROWS, run.contract.sampling.seed)
    kept.insert(0, arrow_schema(table).empty_table())
    return pa.concat_tables(part.replace_schema_metadata(None) for part in kept)


def _reader(run: Run, name: str, parts: list[ArtifactRef]) -> Read:
    fs = run.open_store().fs

    def read(columns: list[str] | None) -> Iterator[pa.Table]:
        for part in parts:
            if f"/data/{name}/" in part.uri:
                yield pq.read_table(part.uri, filesystem=fs, columns=columns)

    return read


def build_report(
    run: Run, ingest: Ingest, model: FittedModel, evaluated: Evaluated, costs: dict[str, Any]
) -> Report:
    """Verdict, findings and provenance in the one record that the HTML is drawn from."""
    contract = run.contract
    verdict, reasons = judge(evaluated.findings)
    provenance = {
        "contract": contract.id,
        "contract_version": contract.version,
        "contract_name": contract.name or contract.id,
        "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "generator": contract.generator.name,
        "generator_options": contract.generator.options,
        "seed": contract.sampling.seed,
        "rows": evaluated.rows,
        "ingest": ingest.ingest,
        "model": model.model,
        "model_reused": model.reused,
        "versions": versions(),
        **costs,
    }
    report = Report(
        verdict=verdict,
        reasons=reasons,
        findings=evaluated.findings,
        proof=ingest.proof,
        pictures=evaluated.pictures,
        provenance=provenance,
    )
    return published_report(run.open_store(), contract, report, model.path, evaluated.audited)
