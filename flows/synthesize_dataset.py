"""Contract in, gated synthetic release out: the main job of the house.

Runs at night by schedule or by hand: `understudy run synthesize-dataset CONTRACT`. Work that was
already done on the same data, contract and code is re-used. No secrets are needed for files; a SQL
source reads its URL from the environment variable that the contract names.
"""

from pathlib import Path
from typing import Any

from prefect import flow

from flows.prove_dataset import prove_dataset
from tasks.announce import announce_release, tagged
from tasks.evaluate import build_report, evaluate_candidate
from tasks.fit import check_generator, fit_generator
from tasks.publish import find_release, publish_release, release_content
from tasks.run import (
    AS_CONTRACTED,
    Changes,
    NotPublishedError,
    Outcome,
    Run,
    Stages,
    agree,
    flow_run_name,
    peak_mib,
)
from tasks.sample import plan_parts, sample_parts
from tasks.storage import Store


@flow(name="synthesize-dataset", flow_run_name=flow_run_name)
def synthesize_dataset(
    contract: Path,
    store: str = "./store",
    changes: Changes = AS_CONTRACTED,
    settings: dict[str, Any] | None = None,
) -> Outcome:
    """Makes a synthetic release of a contract's data and publishes it if it passes.

    Args:
        contract: The contract file (*.odcs.yaml).
        store: Where ingests, models and releases live: a folder or an object-store URI.
        changes: What this run does otherwise than the contract says.
        settings: Other values that replace the contract's, by path: {"bars.detection_auc": 0.6}.

    Raises NotPublishedError when a finding refuses the release or leaves it undecided.
    """
    settings = changes.joined(settings)
    agreed = agree(contract, settings)
    check_generator(agreed)
    with (
        tagged(agreed.id, "synthesize"),
        Stages() as stages,
        Store(store).work_folder(agreed.id) as work,
    ):
        run = Run(contract=agreed, store=store, work=work)
        with stages.stage("prove"):
            ingest = prove_dataset(contract, store, settings)
        with stages.stage("fit"):
            model = fit_generator(run, ingest)
        content = release_content(run, model)
        outcome = find_release(run, content)
        if outcome is None:
            with stages.stage("sample"):
                planned = plan_parts(run, model)
                drawn = [sample_parts.submit(run, model, parts, content) for parts in planned]
                sampled = [part for each in drawn for part in each.result()]
            with stages.stage("evaluate"):
                evaluated = evaluate_candidate(run, ingest, sampled, model, content)
            with stages.stage("publish"):
                costs = {"seconds": stages.seconds, "peak_mib": peak_mib()}
                report = build_report(run, ingest, model, evaluated, costs)
                outcome = publish_release(run, model, report, content)
                announce_release(run, report, outcome)
    outcome = outcome.model_copy(update={"seconds": stages.seconds, "peak_mib": peak_mib()})
    if outcome.state != "published":
        raise NotPublishedError(outcome)
    return outcome
