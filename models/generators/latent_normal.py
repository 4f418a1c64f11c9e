"""A multivariate normal of which only spans are seen: its correlations, and draws given spans."""

from typing import NamedTuple

import numpy as np
from scipy.special import log_ndtr, ndtri_exp

from models.encoding.column import BoolArray, FloatArray

MOST_ROWS = 10_000
WARM_UP = 20
ROUNDS = 20
SWEEPS = 40
"""Sweeps until draws given spans have forgotten where they started."""
SHRINKAGE = 0.005
"""No pair of columns is taken to be wholly tied to each other."""


class Spans(NamedTuple):
    """The lowest and highest value of each row and dimension, `(rows, dimensions)`."""

    low: FloatArray
    high: FloatArray

    def take(self, rows: slice | BoolArray, columns: BoolArray) -> "Spans":
        """The spans of some rows and columns."""
        return Spans(self.low[rows][:, columns], self.high[rows][:, columns])


def fit_correlation(spans: Spans, random: np.random.Generator) -> FloatArray:
    """The correlations `(dimensions, dimensions)` of a normal whose rows lie in the spans.

    Rows are drawn within their spans given the correlations, correlations taken from the rows, in
    turn; the mean of the later rounds is kept (stochastic expectation maximisation of the
    extended rank likelihood, Hoff 2007). Unlike correlations of middles of spans, these are not
    the smaller the fewer values a column has.
    """
    if len(spans.low) > MOST_ROWS:
        kept = np.sort(random.choice(len(spans.low), MOST_ROWS, replace=False))
        spans = Spans(spans.low[kept], spans.high[kept])
    size = spans.low.shape[1]
    correlation, total = np.eye(size), np.zeros((size, size))
    rows = _start(spans, random)
    for done in range(WARM_UP + ROUNDS):
        _sweep(rows, spans, correlation, random)
        correlation = _correlation(rows)
        total += correlation * (done >= WARM_UP)
    mean: FloatArray = total / ROUNDS
    return mean


def draw_given(
    spans: Spans, known: BoolArray, correlation: FloatArray, random: np.random.Generator
) -> FloatArray:
    """Rows of the normal `(rows, dimensions)`, of which `known` dimensions lie in their spans.

    The known ones by Gibbs sampling within the spans (Geweke 1991), exact in the limit of many
    sweeps; the others given those, exactly.
    """
    rows = np.empty(spans.low.shape)
    if bool(known.any()):
        within = spans.take(slice(None), known)
        rows[:, known] = _start(within, random)
        block = np.ascontiguousarray(rows[:, known])
        # A single dimension has nothing to forget.
        for _ in range(SWEEPS if int(known.sum()) > 1 else 1):
            _sweep(block, within, correlation[np.ix_(known, known)], random)
        rows[:, known] = block
    if bool((~known).any()):
        weights = np.linalg.solve(
            correlation[np.ix_(known, known)], correlation[np.ix_(known, ~known)]
        )
        left = correlation[np.ix_(~known, ~known)] - correlation[np.ix_(~known, known)] @ weights
        noise = random.normal(size=(len(rows), int((~known).sum())))
        rows[:, ~known] = rows[:, known] @ weights + noise @ np.linalg.cholesky(left).T
    return rows


def _start(spans: Spans, random: np.random.Generator) -> FloatArray:
    return _truncated(spans.low, spans.high, random)


def _sweep(
    rows: FloatArray, spans: Spans, correlation: FloatArray, random: np.random.Generator
) -> None:
    """Draws each dimension of the rows given all others, in place."""
    precision = np.linalg.inv(correlation)
    for number in range(rows.shape[1]):
        weights = -precision[:, number] / precision[number, number]
        weights[number] = 0
        means, scale = rows @ weights, precision[number, number] ** -0.5
        low, high = ((end[:, number] - means) / scale for end in spans)
        drawn = means + scale * _truncated(low, high, random)
        rows[:, number] = np.clip(drawn, spans.low[:, number], spans.high[:, number])


def _correlation(rows: FloatArray) -> FloatArray:
    scale = rows.std(0)
    centred = (rows - rows.mean(0)) / np.where(scale > 0, scale, 1.0)
    found: FloatArray = (1 - SHRINKAGE) * (centred.T @ centred) / len(rows)
    np.fill_diagonal(found, 1.0)
    return found


def _truncated(low: FloatArray, high: FloatArray, random: np.random.Generator) -> FloatArray:
    """Standard normal values between `low` and `high`, of any shape; also far out in a tail."""
    # By logarithms of tails on the left, where they are small but never zero.
    flipped = low > 0
    left, right = np.where(flipped, -high, low), np.where(flipped, -low, high)
    # From (0, 1]: its logarithm and that of its complement are then told apart from nothing.
    share = 1 - random.random(low.shape)
    with np.errstate(divide="ignore"):
        logs = np.logaddexp(np.log1p(-share) + log_ndtr(left), np.log(share) + log_ndtr(right))
    drawn = np.clip(ndtri_exp(np.minimum(logs, 0)), left, right)
    values: FloatArray = np.where(flipped, -drawn, drawn)
    return values
