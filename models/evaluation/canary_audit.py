"""G7, second half: an attack on one private fit, against rows that were put there to be found.

Canaries are rows unlike any other. Each is put into the table, or left out, by the throw of a coin;
one fit is made; then each is guessed in or out from what the fit reveals. How well that goes bounds
from below what the fit's epsilon can have been. It says nothing good about a mechanism: an attack
that fails has only failed. A bound above the claim proves the claim wrong.
Source: Steinke, Nasr, Jagielski 2023 (privacy auditing with one training run).
"""

from collections.abc import Callable
from typing import Protocol, Self, runtime_checkable

import numpy as np
import pandas as pd
from pydantic import Field
from scipy.special import expit
from scipy.stats import binom

from data_contracts.contract import Column, Contract, Table
from data_contracts.dataset import Dataset
from data_contracts.errors import ModelError
from data_contracts.record import Record
from data_contracts.report import Finding
from data_contracts.schema import to_arrow, to_frame
from models.differential_privacy.secure_noise import coins
from models.encoding.column import FloatArray
from models.encoding.typed_values import with_columns

CONFIDENCE = 0.99
GUESSED = 0.5
"""Share of the canaries that are guessed; of the others, nothing is said."""
MOST_EPSILON = 50.0
CANARIES = 500
ROOM = 0.25
"""Of the rows that delta allows, at most so many each are drawn ones and canaries' own."""

Score = Callable[[Dataset, pd.DataFrame], FloatArray]
"""Fits to a dataset and scores each canary `(canaries,)`: the higher, the surer it was in."""


class Audit(Record):
    """What the attack could show: `lower_bound` holds with probability `confidence`."""

    canaries: int
    guesses: int
    correct: int
    lower_bound: float = Field(ge=0)
    confidence: float = CONFIDENCE


@runtime_checkable
class Auditable(Protocol):
    """A private generator that can be read for single rows by who knows all others."""

    def fit(self, data: Dataset, *, seed: int) -> Self: ...

    def evidence(self, rows: pd.DataFrame, others: pd.DataFrame) -> FloatArray:
        """How much the fit speaks for each of `rows` having been there, `(rows,)`."""
        ...


def audit_generator(
    unfitted: Auditable, contract: Contract, like: pd.DataFrame, canaries: int = CANARIES
) -> Audit:
    """Audits one fit under the contract's own budget, on rows that look `like` the real ones.

    `like` are drawn from the private model: to look at them again costs nothing, and what is found
    may be printed. What runs is what made the model: its code, options and budget. A canary is a
    unit and brings as many rows as one may. ModelError without `privacy` in the contract.
    """
    table, privacy = contract.tables[0], contract.privacy
    if privacy is None:
        raise ModelError(f"audit: contract {contract.id!r} has no privacy, so nothing is claimed.")
    named, copies = _with_units(table), privacy.rows_per_unit or 1
    # The audited fit is held against delta as well, and canaries are rows that its model never had.
    room = int(ROOM / privacy.delta)
    rows = _of_units_each(like.head(room), named, "r")
    count = min(canaries, room // copies)
    odd = _of_units_each(odd_rows(table, like, count, seed=0), named, "c")
    data = Dataset(contract.model_copy(update={"tables": (named,)}), {table.name: rows})

    def score(joined: Dataset, odd: pd.DataFrame) -> FloatArray:
        return unfitted.fit(joined, seed=0).evidence(odd, rows)

    return audit_fit(data, odd, privacy.delta, score, copies)


def _with_units(table: Table) -> Table:
    """The table with a column of its own for whose each row is.

    The copies of a canary must be of one unit: who clips units would clip each of them by itself.
    A fit models no identifier, so that the column costs and changes nothing.
    """
    name = "unit"
    while name in table.column_names:
        name += "_"
    column = Column(
        name=name, logical_type="string", physical_type="string", role="identifier",
        identifier_kind="key",
    )  # fmt: skip
    return table.model_copy(update={"columns": (*table.columns, column), "unit": name})


def _of_units_each(frame: pd.DataFrame, table: Table, prefix: str) -> pd.DataFrame:
    """The rows, each of a unit of its own: how rows of units are bounded is not for chance here."""
    units = [f"{prefix}{number}" for number in range(len(frame))]
    named = {str(table.unit): pd.Series(units, index=frame.index, dtype="str")}
    return with_columns(frame, named)


def audit_fit(
    data: Dataset, canaries: pd.DataFrame, delta: float, score: Score, copies: int = 1
) -> Audit:
    """One audit of one fit on the table of `data` and about half of the `canaries`.

    Each that is in is there `copies` times, as the rows of one unit.
    Half of the canaries are guessed: those with the highest scores to be in, those with the lowest
    out. The coins are the system's, and nobody's to know before.
    """
    table = data.contract.tables[0]
    inside = coins(len(canaries))
    joined = pd.concat([data.frame, *[canaries[inside]] * copies], ignore_index=True)
    # Categoricals that list different values would come out as plain text.
    frame = to_frame(to_arrow(joined, table))
    scores = score(Dataset(data.contract, {table.name: frame}), canaries)
    if not bool(np.isfinite(scores).all()):
        raise ModelError("audit: a canary's score is no number. Mend the attack.")
    each = int(len(canaries) * GUESSED) // 2
    order = np.argsort(scores, kind="stable")
    correct = int(inside[order[-each:]].sum() + (~inside[order[:each]]).sum()) if each else 0
    bound = lower_bound(len(canaries), 2 * each, correct, delta)
    return Audit(canaries=len(canaries), guesses=2 * each, correct=correct, lower_bound=bound)


def lower_bound(
    canaries: int, guesses: int, correct: int, delta: float, confidence: float = CONFIDENCE
) -> float:
    """The largest epsilon that so many correct guesses rule out, at this confidence."""
    low, high = 0.0, MOST_EPSILON
    if chance_of(canaries, guesses, correct, (0.0, delta)) >= 1 - confidence:
        return 0.0
    for _ in range(60):
        middle = (low + high) / 2
        ruled_out = chance_of(canaries, guesses, correct, (middle, delta)) < 1 - confidence
        low, high = (middle, high) if ruled_out else (low, middle)
    return low


def chance_of(canaries: int, guesses: int, correct: int, budget: tuple[float, float]) -> float:
    """The most likely that `correct` or more of the guesses can be, under (epsilon, delta).

    Without delta, correct guesses are at most those of coins that fall right with e^eps / (1 +
    e^eps). With it, i guesses more may be right with a chance of 2 delta canaries / i (theorem 5.2
    of the source, worst case over i).
    """
    epsilon, delta = budget
    fair = float(expit(epsilon))
    pure = float(binom.sf(correct - 1, guesses, fair))
    below = np.cumsum(binom.pmf(np.arange(correct - 1, -1, -1), guesses, fair))
    slope = float((below / np.arange(1, correct + 1)).max()) if correct else 0.0
    return min(1.0, pure + 2 * delta * canaries * slope)


def odd_rows(table: Table, like: pd.DataFrame, count: int, seed: int) -> pd.DataFrame:
    """Rows that keep each column's promise and follow none of the table's relations.

    Every value is drawn by itself, evenly over what the contract allows; of columns without a
    public list or range, evenly over what `like` holds.
    """
    random = np.random.default_rng(seed)
    columns = {c.name: _odd_values(c, like[c.name], count, random) for c in table.columns}
    return to_frame(to_arrow(pd.DataFrame(columns), table))


def _odd_values(
    column: Column, like: pd.Series, count: int, random: np.random.Generator
) -> pd.Series:
    if column.kind == "number" and column.minimum is not None and column.maximum is not None:
        low, high = float(column.minimum), float(column.maximum)
        share = random.random(count)
        drawn = pd.Series(low * (1 - share) + high * share)
        return (drawn.round() if column.logical_type == "integer" else drawn).astype(like.dtype)
    if column.categories is not None:
        listed = np.array(column.categories, dtype=object)
        return pd.Series(listed[random.integers(len(listed), size=count)], dtype=like.dtype)
    known = like.dropna().drop_duplicates().reset_index(drop=True)
    if known.empty:
        return pd.Series([None] * count, dtype=like.dtype)
    return known.take(random.integers(len(known), size=count)).reset_index(drop=True)


def audit_finding(audit: Audit, claimed: float, table: str) -> Finding:
    """`dp_audit`: refused where the attack rules out the claimed epsilon."""
    return Finding(
        name="dp_audit",
        group="other",
        value=audit.lower_bound,
        bar=claimed,
        state="refuse" if audit.lower_bound > claimed else "pass",
        table=table,
        detail=(
            f"Lower bound at {audit.confidence:.0%}: {audit.correct} of {audit.guesses} guesses "
            f"about {audit.canaries} canaries right."
        ),
    )
