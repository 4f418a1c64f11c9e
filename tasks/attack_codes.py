"""Attack the codes of a fitted encoder, and write what was found into a report."""

import secrets
import time
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE

from data_contracts.report import Report, judge
from data_contracts.schema import to_frame
from tasks.announce import ProgressReporter
from tasks.evaluate import Evaluated
from tasks.fit import FittedModel
from tasks.fit_encoder import load_encoder, shared_by
from tasks.identity import versions
from tasks.prove import Ingest
from tasks.run import Run
from tasks.split import Split

MAX_ATTACKED_ROWS = 100_000
DELTA = 1e-6


@task(name="attack_codes", cache_policy=NO_CACHE)
def attack_codes(run: Run, ingest: Ingest, model: FittedModel) -> Evaluated:
    """Trains fresh attackers on codes of the released rows, under two keys made for the purpose."""
    from models.representation.evidence import evaluate_codes
    from models.representation.exposure import expose

    store, contract = run.open_store(), run.contract
    table = contract.tables[0]
    split = Split(store, contract, table, ingest.path)
    released = to_frame(split.training(MAX_ATTACKED_ROWS))
    fresh = to_frame(split.holdout(MAX_ATTACKED_ROWS))
    keys = (secrets.token_bytes(32), secrets.token_bytes(32))
    exposure = expose(load_encoder(run, model), released, fresh, keys, seed=contract.sampling.seed)
    with ProgressReporter("attack") as progress:
        findings = evaluate_codes(exposure, progress=progress)
    training = split.count_training()
    rows = {"training": training, "synthetic": training, "holdout": split.count_holdout()}
    return Evaluated(findings=findings, pictures={}, rows={table.name: rows})


def build_share_report(
    run: Run, ingest: Ingest, model: FittedModel, evaluated: Evaluated, costs: dict[str, Any]
) -> Report:
    """Verdict, findings, provenance, and in plain words what a recipient can do with the codes."""
    from models.representation.exposure import known_words

    contract, share = run.contract, shared_by(run.contract)
    encoder = load_encoder(run, model)
    verdict, reasons = judge(evaluated.findings)
    provenance = {
        "contract": contract.id,
        "contract_version": contract.version,
        "contract_name": contract.name or contract.id,
        "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "generator": "keyed_encoder",
        "generator_options": {
            "tasks": ", ".join(f"{task.kind} of {task.name}" for task in share.tasks),
            "recipients": ", ".join(recipient.name for recipient in share.recipients),
            "known_to_recipients": known_words(share, contract.tables[0]),
            "known_pairs": share.known_pairs,
            "noise": share.noise,
        },
        "seed": contract.sampling.seed,
        "rows": evaluated.rows,
        "ingest": ingest.ingest,
        "model": model.model,
        "model_reused": model.reused,
        "versions": versions(),
        "caution": cautions(encoder.epsilon(DELTA), share.known_pairs),
        **costs,
    }
    return Report(
        verdict=verdict, reasons=reasons, findings=evaluated.findings, proof=ingest.proof,
        provenance=provenance,
    )  # fmt: skip


def cautions(epsilon: float, known_pairs: int) -> list[str]:
    """What a reader must know before it trusts the figures."""
    strength = "no protection worth the name" if epsilon > 10 else "a formal bound"
    return [
        "Codes are not encryption. Sealing keeps strangers out; a recipient reads the codes, and "
        "what they tell is what the attacks below measured, with these attackers and no others.",
        f"Somebody who knows the rows behind more than {known_pairs} codes is beyond what this "
        "release was judged for: the figures for 200 and 2,000 known pairs say how much more such "
        "a holder reads. With pairs enough, everything that the open part holds can be read.",
        "Whoever knows pairs learns for every other row at least what the tasks' answers say of "
        "its other columns.",
        f"Of each single row, the noise gives a local-DP-style epsilon of {epsilon:.3g} at delta "
        f"{DELTA:g} against who lacks the key: {strength}. The protection measured here comes "
        "from what the encoder leaves out, not from this figure.",
        "The attacked codes were made by the same encoder of the same rows, under keys of their "
        "own; the released ones have other noise.",
    ]
