"""What all private models of a contract cost together, written down before each fit begins.

The same people are in the rows of yesterday and of today, whatever else has changed. So all fits of
a contract in a store count, of whichever ingest, and epsilons and deltas add up (basic composition:
holds whatever the mechanisms were). A record outlives its model.
"""

import math
import secrets
import time
from collections.abc import Iterable, Mapping
from typing import Any

from data_contracts.contract import Contract
from data_contracts.errors import ModelError
from data_contracts.record import Record
from data_contracts.report import Finding, State
from tasks.storage import Store

_FOLDER = "budgets"


class Fitted(Record):
    """A fit: what it may have cost when it began, what it did cost once it has ended.

    One that was killed or failed counts in full: nobody can know what was seen of it.
    """

    model: str
    ingest: str
    begun: str
    ended: bool = False
    epsilon: float
    delta: float


class Together(Record):
    """The sum over the fits of a contract; `unfinished` of them count as they were announced."""

    fits: int
    unfinished: int
    epsilon: float
    delta: float


def begin_fit(store: Store, contract: Contract, model: str, ingest: str) -> str | None:
    """Writes down what a fit may cost; returns the record's path, None without `privacy`.

    ModelError where it would lead beyond the contract's `total_epsilon`: then no row is looked at.
    """
    if (privacy := contract.privacy) is None:
        return None
    begun = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    record = Fitted(
        model=model, ingest=ingest, begun=begun, epsilon=privacy.epsilon, delta=privacy.delta
    )
    path = f"{contract.id}/{_FOLDER}/{begun}-{secrets.token_hex(4)}.json"
    with store.lock(contract.id):
        before = spent_together(store, contract)
        most = privacy.total_epsilon
        if most is not None and before.epsilon + privacy.epsilon > most * (1 + 1e-9):
            raise ModelError(
                f"customProperties.understudy.privacy.total_epsilon: {before.fits} fits of "
                f"contract {contract.id!r} have cost epsilon {before.epsilon:.4g} together; one "
                f"more of {privacy.epsilon:g} would exceed {most:g}. Use a model that is there "
                "(the same contract and data find it again), or allow more."
            )
        store.write_json(path, record.model_dump(mode="json"))
    return path


def end_fit(store: Store, record: str | None, statements: Iterable[Mapping[str, Any]]) -> None:
    """Writes down what the fit did cost: its tables' statements, by the dearer accountant."""
    if record is None:
        return
    spent = [
        max(one["spent_epsilon"], one["spent_epsilon_by_second_accountant"]) for one in statements
    ]
    begun = Fitted.model_validate(store.read_json(record))
    epsilon = math.fsum(spent) if spent else begun.epsilon
    ended = begun.model_copy(update={"ended": True, "epsilon": epsilon})
    store.write_json(record, ended.model_dump(mode="json"))


def spent_together(store: Store, contract: Contract) -> Together:
    """The sum over all fits of this contract that this store has seen."""
    paths = store.list_files(f"{contract.id}/{_FOLDER}")
    fits = [Fitted.model_validate(store.read_json(path)) for path in paths]
    return Together(
        fits=len(fits),
        unfinished=sum(not fit.ended for fit in fits),
        epsilon=math.fsum(fit.epsilon for fit in fits),
        delta=math.fsum(fit.delta for fit in fits),
    )


def together_finding(together: Together, contract: Contract) -> Finding:
    """`dp_together`: the sum, against the contract's `total_epsilon` if it has one."""
    most = None if contract.privacy is None else contract.privacy.total_epsilon
    state: State = "pass" if most is not None else "info"
    if most is not None and together.epsilon > most * (1 + 1e-9):
        state = "refuse"
    lost = f", {together.unfinished} of them begun and not ended" if together.unfinished else ""
    return Finding(
        name="dp_together",
        group="other",
        value=together.epsilon,
        bar=most,
        state=state,
        detail=(
            f"All fits of this contract in this store: {together.fits}{lost}. At delta "
            f"{together.delta:.3g} no more can be told of a unit from all their releases together."
        ),
    )
