"""Attack the codes of a fitted encoder, and write what was found into a report."""

import secrets
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from prefect import task
from prefect.cache_policies import NO_CACHE

from data_contracts.contract import Contract
from data_contracts.report import Finding, Report, judge
from data_contracts.schema import to_frame
from tasks.announce import ProgressReporter
from tasks.evaluate import Evaluated
from tasks.fit import FittedModel
from tasks.fit_encoder import load_encoder, shared_by
from tasks.gate_runs import GateRuns, as_kept, findings_of, gate_state
from tasks.identity import content_id, versions
from tasks.prove import Ingest
from tasks.run import Run
from tasks.split import Split

if TYPE_CHECKING:
    from models.representation.keyed_encoder import KeyedEncoder

MAX_ATTACKED_ROWS = 100_000
DELTA = 1e-6
_WORTH_THE_NAME = 10.0
"""Epsilons above are called weak in practice, and this one is said to be no protection."""


@task(name="attack_codes", cache_policy=NO_CACHE)
def attack_codes(run: Run, ingest: Ingest, model: FittedModel) -> Evaluated:
    """Trains fresh attackers on codes of the released rows, under two keys made for the purpose.

    Each run is kept by the rows, from before it begins, and pays for all before it: also where the
    contract tells other things of the same rows by now. The same encoder by the same bars again
    gets the judgement that is kept, whoever the recipients are.
    """
    store, contract = run.open_store(), run.contract
    table = contract.tables[0]
    split = Split(store, contract, table, ingest.path)
    runs = GateRuns(store, f"{contract.id}/attacks/{split.content}")
    judged = shared_by(contract).model_dump(mode="json", exclude={"recipients", "holder"})
    record = runs.judged_once(
        content_id({"model": model.model, "share": judged}),
        terms_of(contract),
        lambda number: _attacked(run, split, model, number),
    )
    training = split.count_training()
    rows = {"training": training, "synthetic": training, "holdout": split.count_holdout()}
    findings = (*findings_of(record), runs_finding(runs, record, table.name))
    return Evaluated(findings=findings, pictures={}, rows={table.name: rows})


def terms_of(contract: Contract) -> str:
    """What a refusal is of: what codes are made of and by, and what is known beside them."""
    from models.representation.keyed_encoder import public_columns

    share, table = shared_by(contract), contract.tables[0]
    return content_id({
        **share.terms(),
        "public": sorted(public_columns(table, share)),
        "outcomes": share.outcomes,
        "coded": {column.name: column.kind for column in table.columns if not table.issues(column)},
    })  # fmt: skip


def _attacked(run: Run, split: Split, model: FittedModel, number: int) -> dict[str, Any]:
    """What the attacks find in their run of this number on the same rows."""
    from models.representation.evidence import evaluate_codes
    from models.representation.exposure import expose

    released = to_frame(split.training(MAX_ATTACKED_ROWS))
    fresh = to_frame(split.holdout(MAX_ATTACKED_ROWS))
    keys, seed = (secrets.token_bytes(32), secrets.token_bytes(32)), run.contract.sampling.seed
    exposure = expose(load_encoder(run, model), released, fresh, keys, seed=seed)
    with ProgressReporter("attack") as progress:
        findings = evaluate_codes(replace(exposure, runs=number), progress=progress)
    return {"state": state_of_attacks(findings), "findings": as_kept(findings)}


def state_of_attacks(findings: tuple[Finding, ...]) -> str:
    """`pass`, `refused` or `inconclusive` by the attacks alone.

    A task that is not kept is no leak: it must not stand in the way of better codes.
    """
    return gate_state(tuple(finding for finding in findings if finding.group == "attacks"))


def runs_finding(runs: GateRuns, record: dict[str, Any], table: str) -> Finding:
    """`attack_runs`: how often codes of these rows were attacked; refused where they were before.

    A refusal is of codes by the same terms (`terms_of`): another seed, or bars that ask for less,
    do not lift it. Other terms are another attempt, which pays.
    """
    number, refused = record["run"], runs.refused_before(record, "rules")
    detail = "The first attacks on codes of these rows."
    if number > 1:
        detail = (
            f"Run {number} of the attacks on codes of these rows: levels are divided by {number}, "
            "and a figure has to stay below its bar by what a retry costs."
        )
    if refused:
        detail += " Codes made by the same terms were refused before: another draw lifts nothing."
    return Finding(
        name="attack_runs", group="attacks", value=float(number), unit="count",
        state="refuse" if refused else "info", table=table, detail=detail,
    )  # fmt: skip


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
        "caution": cautions(encoder, evaluated.findings),
        **costs,
    }
    return Report(
        verdict=verdict, reasons=reasons, findings=evaluated.findings, proof=ingest.proof,
        provenance=provenance,
    )  # fmt: skip


def cautions(encoder: "KeyedEncoder", findings: tuple[Finding, ...]) -> list[str]:
    """What a reader must know before it trusts the figures."""
    share = encoder.share
    return [
        "Codes are not encryption. Sealing keeps strangers out; a recipient reads the codes, and "
        "what they tell is what the attacks below measured, with these attackers and no others.",
        *_pairs_words(findings),
        f"Somebody who knows the rows behind more than {share.known_pairs} codes is beyond what "
        "this release was judged for. With pairs enough, everything that the open part holds can "
        "be read.",
        "Whoever knows pairs learns for every other row at least what the tasks' answers say of "
        "its other columns.",
        *_noise_words(encoder),
        "The attacked codes were made by the same encoder of the same rows, under keys of their "
        "own; the released ones have other noise.",
    ]


def _pairs_words(findings: tuple[Finding, ...]) -> list[str]:
    """What a holder of known pairs can do, in figures: the worst column for each number of them."""
    told = [
        f"{finding.name.removeprefix('inversion_gain_')} pairs, {finding.value:+.3f} "
        f"({finding.column}, up to {finding.high:+.3f})"
        for finding in findings
        if finding.name.startswith("inversion_gain_") and None not in (finding.value, finding.high)
    ]
    if not told:
        return []
    return [
        "What somebody who knows some rows and their codes gained for the other rows, over what is "
        f"known anyway, in accuracy or R2, for the worst column: {'; '.join(told)}."
    ]


def _noise_words(encoder: "KeyedEncoder") -> list[str]:
    """What the noise is worth as a formal bound, for one parcel and for all of them together."""
    copies = len(encoder.share.recipients)
    epsilon, together = encoder.epsilon(DELTA), encoder.epsilon(DELTA, copies=copies)
    several = f" ({together:.3g} against all {copies} recipients together)" if copies > 1 else ""
    words = (
        f"The noise on clipped codes gives each row a local-DP-style epsilon of {epsilon:.3g} at "
        f"delta {DELTA:g}{several} against who lacks the key. It takes the encoder, which learned "
        "from these rows, as fixed; further releases of the same rows add up."
    )
    if encoder.share.outcomes:
        words += " It does not cover the true outcomes in the parcels."
    if epsilon > _WORTH_THE_NAME:
        words += (
            " That is no protection worth the name: what is measured here comes from what the "
            "encoder leaves out, not from the noise."
        )
    return [words]
