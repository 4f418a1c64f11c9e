"""What may leave the store under differential privacy: the ledger, the verdict, nothing unpaid.

Every figure about real rows that is shown beside an epsilon is one more look at them. So the full
report of a release stays with the model, for those who may see the rows, and what is published
says what was spent on what.
"""

from typing import Any

from data_contracts.contract import Contract
from data_contracts.errors import ContractError
from data_contracts.report import Finding, Report, judge
from tasks.budgets import spent_together, together_finding
from tasks.storage import Store

WITHHELD = "withheld"
"""In the place of names that are made from private bytes: equal names would tell equal rows."""
_KEPT_BACK = (
    "What was measured of fidelity, utility, copies and attacks has been judged, and is not here: "
    "it is about real rows, and the privacy budget does not pay for it. It stays with the model."
)
_TOLD = ("contract", "contract_version", "contract_name", "created", "generator", "seed",
         "generator_options", "model", "model_reused", "versions", "release")  # fmt: skip


def check_budget(contract: Contract) -> None:
    """Refuses a generator that can't keep the contract's `privacy`, and one that needs it."""
    from models.registry import REGISTRY, check_private_options

    name = contract.generator.name
    keeping = sorted(key for key, entry in REGISTRY.items() if "dp" in entry.supports)
    if contract.privacy is not None and name not in keeping:
        raise ContractError(
            f"customProperties.understudy.privacy: generator {name!r} learns from rows without a "
            f"budget. Choose {' or '.join(keeping)} as generator, or remove privacy."
        )
    if contract.privacy is not None:
        check_private_options(contract.generator)
    if contract.privacy is None and "only_dp" in REGISTRY[name].supports:
        raise ContractError(
            f"customProperties.understudy.generator: {name!r} needs to know what may be spent. "
            "Write privacy: {epsilon: 1.0, delta: 1.0e-6}, delta below 1 / units."
        )


def told_rows(contract: Contract, generator: Any, rows: int) -> int:
    """How many training rows a model tells: a noisy number, unless the contract calls it public."""
    if contract.privacy is None or contract.privacy.rows_are_public:
        return rows
    return int(generator.rows_)


def published_report(
    store: Store, contract: Contract, report: Report, model: str, audited: tuple[Finding, ...]
) -> Report:
    """The report that may be published: `report` itself without `privacy` in the contract.

    Else the whole one is kept with the model, whose folder is `model`. Findings about real rows
    become a verdict without figures; the ledger, what its accountants say, the audit (`audited`)
    and what all fits of the contract cost together are added.
    """
    if contract.privacy is None:
        return report
    from models.evaluation.budget import budget_findings

    kept = f"{model}/internal/report-{report.provenance['created'].replace(':', '')}.json"
    store.write_json(kept, report.model_dump(mode="json"))
    statements = read_statements(store, model)
    checked = tuple(
        finding for table, one in statements.items() for finding in budget_findings(one, table)
    )
    together = together_finding(spent_together(store, contract), contract)
    checked = (*checked, *audited, together)
    verdict, reasons = judge((*report.findings, *checked))
    if verdict != "published":
        reasons = (*_unsaid(report.findings, kept), *judge(checked)[1])
    told = {key: value for key, value in report.provenance.items() if key in _TOLD}
    rows = report.provenance.get("rows", {})
    told["rows"] = {
        table: {"synthetic": counted["synthetic"]}
        for table, counted in rows.items()
        if "synthetic" in counted
    }
    told |= {"ingest": WITHHELD, "privacy": statements, "withheld": _KEPT_BACK}
    return Report(verdict=verdict, reasons=reasons, findings=checked, provenance=told)


def read_statements(store: Store, model: str) -> dict[str, dict[str, Any]]:
    """What each table of a stored model cost, as its folder says."""
    found = {}
    for folder in store.list_folders(model):
        path = f"{model}/{folder}/model.json"
        if store.exists(path):
            statement = store.read_json(path)["settings"].get("statement")
            if statement is not None:
                found[folder] = statement
    return found


def _unsaid(findings: tuple[Finding, ...], kept: str) -> tuple[str, ...]:
    """That figures of real rows kept the release back, and where they are: not even which."""
    if all(finding.state in ("pass", "info") for finding in findings):
        return ()
    return (f"figures of real rows, which stay with the model: {kept.split('/', 1)[1]}",)
