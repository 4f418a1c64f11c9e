"""Do made rows keep the promises of keys? Primary keys once each, foreign keys that lead somewhere.

Keys are issued anew and left out of all other figures, so that nothing else would notice.
"""

import pandas as pd

from data_contracts.contract import ForeignKey, Table
from data_contracts.dataset import Dataset
from data_contracts.report import Finding


def evaluate_keys(synthetic: Dataset, table: Table) -> tuple[Finding, ...]:
    """`primary_key_uniqueness` and, for each foreign key, `foreign_key_coverage`, in percent.

    Both must be 100 %: a key that repeats or leads nowhere breaks whoever joins on it, however few
    there are. A table without keys has no such finding.
    """
    frame = synthetic.tables[table.name]
    found = [_uniqueness(frame, table)] if table.primary_key else []
    return (*found, *(_coverage(synthetic, table, key) for key in table.foreign_keys))


def _uniqueness(frame: pd.DataFrame, table: Table) -> Finding:
    """The share of rows whose key is complete and in no other row."""
    key = list(table.primary_key)
    good = ~frame[key].isna().any(axis=1) & ~frame.duplicated(key, keep=False)
    what = f"Rows whose key ({', '.join(key)}) is complete and stands in no other row"
    return _finding(table, "primary_key_uniqueness", good, what)


def _coverage(synthetic: Dataset, table: Table, key: ForeignKey) -> Finding:
    """The share of rows with a whole foreign key whose parent row was made."""
    child = synthetic.tables[table.name][list(key.columns)].dropna()
    parents = synthetic.tables[key.parent][list(key.parent_columns)].dropna()
    known = set(parents.astype(object).itertuples(index=False, name=None))
    rows = child.astype(object).itertuples(index=False, name=None)
    good = pd.Series([row in known for row in rows], dtype=bool)
    names = ", ".join(key.columns)
    what = f"Rows whose foreign key ({names}) leads to a row of {key.parent}"
    return _finding(table, "foreign_key_coverage", good, what)


def _finding(table: Table, name: str, good: pd.Series, what: str) -> Finding:
    rows, kept = len(good), int(good.sum())
    return Finding(
        name=name,
        group="fidelity",
        value=100 * kept / rows if rows else None,
        bar=100.0 if rows else None,
        unit="%",
        state="info" if rows == 0 else "pass" if kept == rows else "refuse",
        table=table.name,
        detail=f"{what}: {kept:,} of {rows:,}." if rows else f"{what}: there are none.",
    )
