"""G7, second half, of a release: canaries against the code, options and budget of its model."""

import secrets

from data_contracts.contract import Contract, Privacy
from data_contracts.report import Finding
from tasks.sample import open_generator
from tasks.storage import Store

MOST_ROWS = 20_000
"""Of the audited fit: noise does not shrink with rows, and time does."""


def audit_findings(store: Store, contract: Contract, model: str) -> tuple[Finding, ...]:
    """`dp_audit` of each table; nothing without `privacy`. Made once and kept with the model.

    The audited fit is another one than the release's, on rows drawn from the model: canaries among
    the real rows would have to be taken off again, and what was found about them tells of the very
    noise that hides people. Of rows that are public already, everything may be told.
    """
    if contract.privacy is None:
        return ()
    return tuple(
        _audited(store, (contract, contract.privacy), model, table.name)
        for table in contract.tables
    )


def _audited(store: Store, claim: tuple[Contract, Privacy], model: str, name: str) -> Finding:
    from models.evaluation.canary_audit import Audit, Auditable, audit_finding, audit_generator
    from models.registry import resolve

    contract, privacy = claim
    path = f"{model}/audit/{name}.json"
    if store.exists(path):
        return audit_finding(Audit.model_validate(store.read_json(path)), privacy.epsilon, name)
    unfitted = resolve(contract.generator)
    if not isinstance(unfitted, Auditable):
        return Finding(
            name="dp_audit", group="other", value=None, bar=privacy.epsilon, table=name,
            detail=f"Not run: there is no attack on single rows of {contract.generator.name}.",
        )  # fmt: skip
    rows = min(MOST_ROWS, int(store.read_json(f"{model}/manifest.json")["rows"][name]))
    with open_generator(store, model, contract.table(name)) as fitted:
        like = fitted.sample(rows, seed=secrets.randbits(31)).frame
    audit = audit_generator(unfitted, contract, like)
    store.write_json(path, audit.model_dump(mode="json"))
    return audit_finding(audit, privacy.epsilon, name)
