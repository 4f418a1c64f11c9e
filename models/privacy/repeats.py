"""Candidates that hold held-out rows: told apart, so that neither side of a comparison has both."""

import numpy as np
from scipy import stats

from data_contracts.report import Finding
from models.evaluation.coded import CodedTable, IntArray, Side, draw
from models.evaluation.row_codes import exact_codes
from models.privacy.real_pool import NOBODY, owners_of

# Beyond chance: a generator never saw these rows. A false alarm takes votes of held-out units away,
# so that what is left leans: it must be far rarer than a refusal by chance.
LEVEL = 1e-4
# Real rows meet by chance; made ones that meet held-out rows so many times as often do not.
TIMES_AS_OFTEN = 5.0


def without_repeats(coded: CodedTable) -> tuple[CodedTable, tuple[Finding, ...]]:
    """The table without rows that lie in the candidate and in the holdout, if chance has not.

    Held-out rows that stand in a candidate (real rows judged as if they were synthetic, or a tool
    that learned from the whole source) would point at the holdout so often that no leak could be
    seen beside them. They are there where the candidate repeats held-out units more often than
    training units, or far more often than training rows do, which are as real as they are. Of the
    held-out units whose very rows the candidate repeats, half go from the holdout, and the rows
    that repeat the other half go from the candidate. Training rows stay as they are: what repeats
    them is judged in full.
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
    if repeated.size == 0 or (chance > LEVEL and not _seen(coded, codes, units)):
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
            detail="The candidate holds held-out rows, which a generator that learned from "
            "training rows alone cannot have seen. Half of them were left to the candidate and "
            "taken out of the holdout, the others the other way round.",
        ),
    )  # fmt: skip


def _seen(coded: CodedTable, codes: dict[Side, IntArray], units: IntArray) -> bool:
    """Whether the candidate meets held-out units' own rows far more often than training rows do.

    `units` (rows,) numbers the held-out rows' units from 0. Equally many rows of both sides are
    looked at.
    """
    random = coded.random(46_000)
    count = max(int(found.max(initial=-1)) for found in codes.values()) + 1
    owners = owners_of(codes["holdout"], units.astype(np.int64), count)
    rows = min(coded.rows["synthetic"], coded.rows["training"])
    met = {}
    for side in ("synthetic", "training"):
        found = owners[codes[side][draw(coded.rows[side], rows, random)]]
        met[side] = np.unique(found[found != NOBODY])
    return far_more_often(met["synthetic"], met["training"])


def far_more_often(made: IntArray, real: IntArray, rows_ratio: float = 1.0) -> bool:
    """Whether made rows meet units more than five times as often as real rows do, beyond doubt.

    Both are distinct units that were met; `rows_ratio` is how many made rows looked for each real
    one. Units that only one side met are binomial.
    """
    by_made = np.setdiff1d(made, real).size
    by_real = np.setdiff1d(real, made).size
    odds = TIMES_AS_OFTEN * max(rows_ratio, 1.0)
    return bool(stats.binom.sf(by_made - 1, by_made + by_real, odds / (1 + odds)) <= LEVEL)
