"""G7, first half: does what was written down add up to no more than was claimed?"""

from collections.abc import Mapping
from typing import Any

from data_contracts.report import Finding
from models.differential_privacy.ledger import UPWARD, Statement, account


def budget_findings(stated: Statement | Mapping[str, Any], table: str) -> tuple[Finding, ...]:
    """`dp_epsilon` and `dp_accountants`: the ledger's sum, recounted from its mechanisms alone.

    Both accountants add up the purchases anew; what the model says that it spent counts for
    nothing. `dp_epsilon` is refused where either says more than was claimed. `dp_accountants` is
    refused where the second says over 1 % more than the first: then one of them is wrong.
    """
    statement = stated if isinstance(stated, Statement) else Statement.model_validate(stated)
    first, second = account(statement.spendings, statement.delta)
    claimed = statement.epsilon
    within = max(first, second) <= claimed * (1 + 1e-9)
    unit = f"a unit is a {statement.unit}"
    if statement.unit != "row":
        unit += f", of which at most {statement.rows_per_unit} rows count"
    what = f"At delta {statement.delta:g}, in {len(statement.spendings)} purchases; {unit}."
    spent = Finding(
        name="dp_epsilon",
        group="other",
        value=max(first, second),
        bar=claimed,
        state="pass" if within else "refuse",
        table=table,
        detail=what,
    )
    agree = Finding(
        name="dp_accountants",
        group="other",
        value=second,
        reference=first,
        reference_name="first accountant",
        bar=first * (1 + UPWARD),
        state="pass" if second <= first * (1 + UPWARD) else "refuse",
        table=table,
        detail="The second accountant's epsilon, from the mechanisms alone.",
    )
    return spent, agree
