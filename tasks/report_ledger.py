"""What was spent on what, as the page prints it."""

from collections.abc import Mapping
from typing import Any


def ledger_facts(statements: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Labels and sentences about each table's budget, then one for each purchase."""
    facts = []
    for table, one in statements.items():
        unit = one["unit"]
        rows = f", of which at most {one['rows_per_unit']} rows count" if unit != "row" else ""
        facts.append((
            f"Differential privacy of {table}",
            f"epsilon {one['spent_epsilon']:.4g} of {one['epsilon']:g} at delta {one['delta']:g}, "
            f"by the second accountant {one['spent_epsilon_by_second_accountant']:.4g}. Two tables "
            f"that differ by one {unit}{rows} are told apart no better than that.",
        ))  # fmt: skip
        whole = sum(purchase["squared_mu"] for purchase in one["spendings"]) or 1.0
        facts += [
            (f"Spent on {purchase['what']}", _purchase(purchase, whole))
            for purchase in one["spendings"]
        ]
    return facts


def _purchase(purchase: Mapping[str, Any], whole: float) -> str:
    share = f"{100 * purchase['squared_mu'] / whole:.2g} % of what was spent"
    if purchase["mechanism"] == "exponential":
        return f"{share}: exponential mechanism, epsilon {purchase['epsilon']:.3g}"
    if purchase["mechanism"] == "sampled_gaussian":
        lots = f"each unit in one of {1 / purchase['rate']:,.0f} by lot"
        return f"{share}: {purchase['steps']:,} steps, {lots}, noise {purchase['noise']:.3g}"
    delta = f", delta {purchase['delta']:.2g}" if purchase["delta"] else ""
    return f"{share}: discrete Gaussian noise of variance {purchase['variance']:,}{delta}"
