"""Candidates that hold held-out rows: told apart, so that neither side of a comparison has both."""

import numpy as np
from scipy import stats

from data_contracts.report import Finding
from models.evaluation.coded import CodedTable, IntArray, Side
from models.evaluation.row_codes import exact_codes
from models.privacy.real_pool import NOBODY, owners_of

# Beyond chance: a generator never saw these rows.
LEVEL = 1e-4


def without_repeats(coded: CodedTable) -> tuple[CodedTable, tuple[Finding, ...]]:
    """The table without rows that lie in the candidate and in the holdout, if chance has not.

    Held-out rows that stand in a candidate (real rows judged as if they were synthetic) would point
    at the holdout so often that no leak could be seen beside them. Of the held-out units whose very
    rows the candidate repeats, half go from the holdout, and the rows that repeat the other half go
    from the candidate. Training rows stay as they are: what repeats them is judged in full.
    """
    codes = exact_codes(coded)
    held_out, units = np.unique(coded.units["holdout"], return_inverse=True)
    _, trained = np.unique(coded.units["training"], return_inverse=True)
    count = max(int(found.max(initial=-1)) for found in codes.values()) + 1
    real = np.concatenate([codes["holdout"], codes["training"]])
    both = np.concatenate([units, trained + held_out.size]).astype(np.int64)
    owners = owners_of(real, both, count)
    pointed = owners[codes["synthetic"]]
    distinct = np.unique(pointed[pointed != NOBODY])
    repeated = distinct[distinct < held_out.size]
    pool = held_out.size + int(trained.max(initial=-1)) + 1
    chance = stats.hypergeom.sf(repeated.size - 1, pool, held_out.size, distinct.size)
    if repeated.size == 0 or chance > LEVEL:
        return coded, ()
    given = coded.random(48).permutation(repeated)[: -(-repeated.size // 2)]
    kept = np.setdiff1d(repeated, given)
    rows: dict[Side, IntArray] = {
        "training": np.arange(coded.rows["training"], dtype=np.int64),
        "synthetic": np.flatnonzero(~np.isin(pointed, kept)).astype(np.int64),
        "holdout": np.flatnonzero(~np.isin(units, given)).astype(np.int64),
    }
    return coded.take(rows), (
        Finding(
            name="held_out_rows", group="copies", value=None, table=coded.table.name,
            detail="The candidate holds held-out rows, which a generator cannot have seen. Half of "
            "them were left to the candidate and taken out of the holdout, the others the other "
            "way round.",
        ),
    )  # fmt: skip
