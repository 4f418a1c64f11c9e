"""Read a contract's sources and prove them: rows that keep the contract, and rejects with reasons.

The first half of every other flow, and a useful nightly run of its own.
"""

from pathlib import Path
from typing import Any

from prefect import flow

from tasks.announce import announce_proof, tagged
from tasks.fit import check_choice
from tasks.ingest import ingest_table
from tasks.prove import Ingest, Taken, commit_ingest, find_ingest, planned_intakes, prove_rules
from tasks.run import Run, agree, flow_run_name
from tasks.storage import Store
from tasks.validate import validate_part


@flow(name="prove-dataset", flow_run_name=flow_run_name)
def prove_dataset(
    contract: Path, store: str = "./store", settings: dict[str, Any] | None = None
) -> Ingest:
    """Takes a contract's tables in and proves them, or re-uses the proof of the same bytes.

    Args:
        contract: The contract file (*.odcs.yaml).
        store: Where ingests, models and releases live: a folder or an object-store URI.
        settings: Values that replace the contract's, by dotted path.

    Raises ProofError, with the rejects kept, when the data break more than the contract tolerates.
    """
    agreed = agree(contract, settings)
    with tagged(agreed.id, "prove"), Store(store).work_folder(agreed.id) as work:
        run = Run(contract=agreed, store=store, work=work)
        ingest = find_ingest(run)
        if ingest is not None:
            announce_proof(agreed, ingest.proof)
            return ingest
        taken = []
        for intake in planned_intakes(agreed):
            folder = intake.folder(run)
            ingested = ingest_table(run, intake.table, intake.holdout, folder)
            parts = [validate_part(run, intake.table, part, folder) for part in ingested.parts]
            taken.append(Taken(intake=intake, ingested=ingested, parts=tuple(parts)))
        proof = prove_rules(run, taken)
        announce_proof(agreed, proof)
        return commit_ingest(run, taken, proof)


def prove_here(contract: Path, store: str) -> Ingest:
    """What `prove_dataset` does, without a Prefect server: for a person who waits at a terminal.

    A run that follows finds the ingest again. Raises what the flow raises, and ModelError for a
    generator that the run would not know.
    """
    agreed = agree(contract)
    check_choice(agreed, contract)
    with Store(store).work_folder(agreed.id) as work:
        run = Run(contract=agreed, store=store, work=work)
        found = find_ingest(run)
        if found is not None:
            return found
        taken = []
        for intake in planned_intakes(agreed):
            folder = intake.folder(run)
            ingested = ingest_table.fn(run, intake.table, intake.holdout, folder)
            parts = [validate_part.fn(run, intake.table, part, folder) for part in ingested.parts]
            taken.append(Taken(intake=intake, ingested=ingested, parts=tuple(parts)))
        return commit_ingest.fn(run, taken, prove_rules.fn(run, taken))
