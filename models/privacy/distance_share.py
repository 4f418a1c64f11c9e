"""The alarms: are synthetic rows nearer to training rows than to held-out ones?"""

import numpy as np

from data_contracts.report import Finding
from models.evaluation.coded import CodedTable, IntArray, draw
from models.evaluation.intervals import TAIL_95, FloatArray
from models.evaluation.mixed_space import MixedSpace, Nearest

MOST_QUERIES = 10_000
MOST_REAL = 20_000
MOST_PRODUCTS = 2e11
# Every model that learns leans a little towards its training rows; only a plain lean refuses.
REFUSED_FROM = 0.55


def evaluate_distance(coded: CodedTable) -> tuple[Finding, Finding]:
    """`dcr_share` and `nndr_share`: the shares of synthetic rows that lean towards training rows.

    The attacker compares each synthetic row with an equally large sample of training and held-out
    rows: which is closer, and to which side's nearest row does it lie closer by the distance to the
    next one (the nearest-neighbour distance ratio, which tells a copy from a row in a crowd). Ties
    count half; 0.5 is the goal. They may refuse, from .55 on, but never pass: they miss a
    verbatim leak of 1 % (Yao et al. 2025). Intervals cluster synthetic rows by the unit whose row
    is nearest to them, for those units are the sample that decides. Rounded to .005.
    """
    space = MixedSpace.of(coded)
    training, holdout = _equal_samples(coded)
    most = MOST_PRODUCTS / ((training.size + holdout.size) * space.width)
    queries = draw(coded.rows["synthetic"], int(max(min(MOST_QUERIES, most), 100)),
                   coded.random(51))  # fmt: skip
    asked = space.rows["synthetic"].take(queries)
    to_training = space.nearest(asked, space.rows["training"].take(training))
    to_holdout = space.nearest(asked, space.rows["holdout"].take(holdout))
    compared = (
        f"{queries.size:,} synthetic rows against {training.size:,} training and "
        f"{holdout.size:,} held-out rows."
    )
    units = [coded.units["training"][training], coded.units["holdout"][holdout]]
    _, owners = np.unique(units[0], return_inverse=True)
    _, others = np.unique(units[1], return_inverse=True)
    found = []
    for name, one, two in (
        ("dcr_share", to_training.squared, to_holdout.squared),
        ("nndr_share", _ratio(to_training), _ratio(to_holdout)),
    ):
        lean = np.sign(two - one) / 2
        nearest = np.where(
            lean > 0, owners[to_training.key], others[to_holdout.key] + training.size
        )
        found.append(_finding(name, coded, (0.5 + float(lean.mean()), _deviation(lean, nearest)),
                              compared))  # fmt: skip
    return found[0], found[1]


def _ratio(nearest: Nearest) -> FloatArray:
    """Squared distance to the nearest row by that to the nearest one of another part; 1 for 0/0."""
    second = np.sort(nearest.parts, axis=1)[:, 1]
    known = np.isfinite(second) & (second > 0)
    return np.where(known, nearest.squared / np.where(known, second, 1.0), 1.0)


def _finding(name: str, coded: CodedTable, estimate: tuple[float, float], compared: str) -> Finding:
    share, deviation = estimate
    low, high = (max(share - TAIL_95 * deviation, 0.0), min(share + TAIL_95 * deviation, 1.0))
    return Finding(
        name=name,
        group="copies",
        value=round(200 * share) / 200,
        low=float(np.floor(200 * low) / 200),
        high=float(np.ceil(200 * high) / 200),
        reference=0.5,
        reference_name="the goal",
        bar=REFUSED_FROM,
        state="refuse" if low > REFUSED_FROM else "info",
        table=coded.table.name,
        detail=f"{compared} An alarm only: no evidence of safety.",
    )


def _equal_samples(coded: CodedTable) -> tuple[IntArray, IntArray]:
    """Rows of equally many units of both sides, in random order."""
    random = coded.random(50)
    units = {side: np.unique(coded.units[side]) for side in ("training", "holdout")}
    count = min(len(found) for found in units.values())
    rows = []
    for side in ("training", "holdout"):
        chosen = random.choice(units[side], count, replace=False)
        own = random.permutation(np.flatnonzero(np.isin(coded.units[side], chosen)))
        rows.append(own[:MOST_REAL].astype(np.int64))
    return rows[0], rows[1]


def _deviation(lean: FloatArray, nearest: IntArray) -> float:
    """Standard deviation of the mean lean, each real unit's followers as one observation."""
    by_unit = np.bincount(nearest, lean)
    return float(np.sqrt((by_unit**2).sum()) / lean.size)
