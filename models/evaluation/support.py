"""Do synthetic rows lie where real rows do, and are all of those places reached?

alpha-precision and beta-recall (Alaa, van Breugel, Saveliev, van der Schaar 2022), in the space of
mixed rows that the copy tests use, without the paper's learned embedding. They are reported beside
what held-out rows get, and never judged: copies of the training rows score high on both.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from data_contracts.report import Finding
from models.evaluation.coded import SIDES, CodedTable, IntArray, Side
from models.evaluation.intervals import FloatArray, around, row_weights
from models.evaluation.mixed_space import MixedRows, MixedSpace
from models.evaluation.verdicts import FEWEST_ROWS

MOST_ROWS = 5_000
REPLICATES = 24
COMPARED: tuple[Side, ...] = ("synthetic", "holdout")
# The shares of the real rows that a ball around their middle holds, from none to all.
SHARES = np.linspace(0.0, 1.0, 30)


@dataclass(frozen=True)
class _Score:
    value: float
    replicates: FloatArray


def evaluate_support(coded: CodedTable) -> tuple[Finding, ...]:
    """`alpha_precision` and `beta_recall`, 0 to 1, each beside that of held-out rows.

    Equally many rows (at most 5,000) are compared: one half of the training rows stands for the
    real ones, the other for what fresh rows near them look like. No finding where a side has fewer
    than 50 rows. Intervals are 95 %, from 24 bootstraps over rows.
    """
    rows = min(coded.rows["training"] // 2, coded.rows["synthetic"], coded.rows["holdout"])
    if rows < FEWEST_ROWS or not coded.columns:
        return ()
    rows = min(rows, MOST_ROWS)
    random = coded.random(60)
    table = coded.take({
        side: _drawn(coded.rows[side], rows * (2 if side == "training" else 1), random)
        for side in SIDES
    })  # fmt: skip
    space = MixedSpace.of(table)
    real = space.rows["training"].take(np.arange(rows, dtype=np.int64))
    fresh = space.rows["training"].take(np.arange(rows, 2 * rows, dtype=np.int64))
    weights = row_weights(rows, REPLICATES, random)
    spacing = space.nearest(real, fresh).squared
    scores = {
        side: (
            _alpha_precision(space, real, space.rows[side], weights),
            _beta_recall(space, (real, spacing), space.rows[side], weights),
        )
        for side in COMPARED
    }
    return tuple(
        _finding(coded, name, scores["synthetic"][at], scores["holdout"][at].value, rows)
        for at, name in enumerate(("alpha_precision", "beta_recall"))
    )


def _drawn(rows: int, count: int, random: np.random.Generator) -> IntArray:
    """Positions in random order, so that halves of them are random too."""
    return np.asarray(random.permutation(rows)[:count], dtype=np.int64)


def _alpha_precision(
    space: MixedSpace, real: MixedRows, made: MixedRows, weights: FloatArray
) -> _Score:
    """How well the share of made rows in the ball of each share of the real rows is that share."""
    places = space.coordinates(real)
    middle = places.mean(axis=0)
    radii = np.quantile(_distances(places, middle), SHARES)
    inside = _distances(space.coordinates(made), middle)[:, None] <= radii
    return _closeness(inside, weights)


def _beta_recall(
    space: MixedSpace,
    real_and_spacing: tuple[MixedRows, FloatArray],
    made: MixedRows,
    weights: FloatArray,
) -> _Score:
    """How well the real rows with a typical made row as near as a fresh real one are that share.

    Typical are, for each share, the made rows in the ball around their own middle that holds as
    many of those which are nearest to a real row.
    """
    real, spacing = real_and_spacing
    nearest = space.nearest(real, made)
    places = space.coordinates(made)
    found = _distances(places, places.mean(axis=0))[nearest.key]
    radii = np.quantile(found, SHARES)
    reached = (nearest.squared <= spacing)[:, None] & (found[:, None] <= radii)
    return _closeness(reached, weights)


def _closeness(hits: npt.NDArray[np.bool_], weights: FloatArray) -> _Score:
    """1 less the area between the curve of shares and the diagonal, as a part of the diagonal's."""
    curves = weights @ hits.astype(np.float64) / weights.sum(axis=1, keepdims=True)
    scores = 1 - np.abs(curves - SHARES).sum(axis=1) / SHARES.sum()
    return _Score(float(scores[0]), scores[1:])


def _distances(places: FloatArray, middle: FloatArray) -> FloatArray:
    return np.asarray(np.sqrt(((places - middle) ** 2).sum(axis=1)), dtype=np.float64)


def _finding(coded: CodedTable, name: str, score: _Score, ceiling: float, rows: int) -> Finding:
    interval = around(score.value, score.replicates, highest=1.0)
    return Finding(
        name=name,
        group="fidelity",
        value=score.value,
        low=interval.low,
        high=interval.high,
        reference=ceiling,
        reference_name=f"{name}_ceiling",
        table=coded.table.name,
        detail=f"{rows:,} rows of each kind.",
    )
