"""Contract in, sealed codes for partners out: rows shared for declared tasks and nothing else.

Run by hand or by schedule: `understudy run share-representation CONTRACT`. Where the partners' keys
are stands in the contract (`share.recipients`); the keys themselves are read from files, the
environment or a key service, and stand in no log and no artifact.
"""

from pathlib import Path
from typing import Any

from prefect import flow

from flows.prove_dataset import prove_dataset
from tasks.announce import announce_release, tagged
from tasks.attack_codes import attack_codes, build_share_report
from tasks.fit_encoder import check_share, fit_encoder
from tasks.publish import find_release
from tasks.publish_share import SHARES, publish_share, share_content
from tasks.run import NotPublishedError, Outcome, Run, Stages, agree, flow_run_name, peak_mib
from tasks.storage import Store


@flow(name="share-representation", flow_run_name=flow_run_name)
def share_representation(
    contract: Path, store: str = "./store", settings: dict[str, Any] | None = None
) -> Outcome:
    """Codes rows for a contract's declared tasks, attacks the codes and seals them if they pass.

    Args:
        contract: The contract file (*.odcs.yaml), with `share`.
        store: Where ingests, encoders and shares live: a folder or an object-store URI.
        settings: Values that replace the contract's, by path: {"share.noise": 0.2}.

    Raises NotPublishedError when a finding refuses the codes or leaves them undecided.
    """
    agreed = agree(contract, settings)
    check_share(agreed)
    with (
        tagged(agreed.id, "share"),
        Stages() as stages,
        Store(store).work_folder(agreed.id) as work,
    ):
        run = Run(contract=agreed, store=store, work=work)
        with stages.stage("prove"):
            ingest = prove_dataset(contract, store, settings)
        with stages.stage("fit"):
            model = fit_encoder(run, ingest)
        content = share_content(run, model)
        outcome = find_release(run, content, SHARES)
        if outcome is None:
            with stages.stage("attack"):
                evaluated = attack_codes(run, ingest, model)
            with stages.stage("publish"):
                costs = {"seconds": stages.seconds, "peak_mib": peak_mib()}
                report = build_share_report(run, ingest, model, evaluated, costs)
                outcome = publish_share(run, ingest, model, report, content)
                announce_release(run, report, outcome)
    outcome = outcome.model_copy(update={"seconds": stages.seconds, "peak_mib": peak_mib()})
    if outcome.state != "published":
        raise NotPublishedError(outcome)
    return outcome
