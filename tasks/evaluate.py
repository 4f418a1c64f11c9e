"""Judge a sampled candidate against training and holdout rows."""

import time
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from prefect import task
from prefect.cache_policies import NO_CACHE

from data_contracts.dataset import Dataset
from data_contracts.manifest import ArtifactRef
from data_contracts.record import Record
from data_contracts.report import Finding, Report, judge
from data_contracts.schema import arrow_schema, to_frame
from tasks.announce import ProgressReporter
from tasks.fit import FittedModel
from tasks.identity import versions
from tasks.prove import Ingest
from tasks.run import Run
from tasks.split import Split

# Figures settle long before this many rows, and memory must not grow with the table.
MAX_EVALUATED_ROWS = 100_000


class Evaluated(Record):
    """Findings and pictures of a candidate, and how many rows each side has."""

    findings: tuple[Finding, ...]
    pictures: dict[str, Any]
    rows: dict[str, dict[str, int]]


@task(name="evaluate_candidate", cache_policy=NO_CACHE)
def evaluate_candidate(run: Run, ingest: Ingest, parts: list[ArtifactRef]) -> Evaluated:
    """All fidelity, utility and copy figures of the sampled parts, each judged by its bar."""
    from models.evaluation.release import evaluate_release

    store, contract = run.open_store(), run.contract
    training, synthetic, holdout, rows = {}, {}, {}, {}
    for table in contract.tables:
        split = Split(store, contract, table, ingest.path)
        training[table.name] = to_frame(split.training(MAX_EVALUATED_ROWS))
        holdout[table.name] = to_frame(split.holdout(MAX_EVALUATED_ROWS))
        candidate = _read_candidate(run, table.name, parts)
        synthetic[table.name] = to_frame(candidate)
        rows[table.name] = {
            "training": split.count_training(),
            "holdout": split.count_holdout(),
            "synthetic": sum(part.rows or 0 for part in parts if f"/{table.name}/" in part.uri),
        }
    with ProgressReporter("evaluate") as progress:
        evaluated = evaluate_release(
            Dataset(contract, training),
            Dataset(contract, synthetic),
            Dataset(contract, holdout),
            seed=contract.sampling.seed,
            progress=progress,
        )
    return Evaluated(findings=evaluated.findings, pictures=evaluated.pictures, rows=rows)


def _read_candidate(run: Run, name: str, parts: list[ArtifactRef]) -> pa.Table:
    """The candidate's rows, evenly thinned to MAX_EVALUATED_ROWS over all parts.

    A table that a foreign key leads to stays whole: a thinned parent would leave children alone.
    """
    mine = [part for part in parts if f"/data/{name}/" in part.uri]
    total = sum(part.rows or 0 for part in mine)
    keys = [key for table in run.contract.tables for key in table.foreign_keys]
    is_parent = any(key.parent == name for key in keys)
    step = 1 if is_parent else max(1, -(-total // MAX_EVALUATED_ROWS))
    kept = [arrow_schema(run.contract.table(name)).empty_table()]
    for part in mine:
        rows = pq.read_table(part.uri, filesystem=run.open_store().fs)
        kept.append(rows.take(pa.array(range(0, rows.num_rows, step))))
    return pa.concat_tables(table.replace_schema_metadata(None) for table in kept)


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
    return Report(
        verdict=verdict,
        reasons=reasons,
        findings=evaluated.findings,
        proof=ingest.proof,
        pictures=evaluated.pictures,
        provenance=provenance,
    )
