"""How alike neighbouring values of a number are, told by the other columns of the rows."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from torch import Tensor

from models.encoding.column import UNKNOWN, BoolArray, FloatArray, IntArray
from models.generators.code_layout import CodeLayout
from models.nets.code_heads import ROOT

USUAL_ROWS = 700
"""Rows of a value's own that are wanted as far as the table does not tell."""
FEWEST_ROWS, MOST_ROWS = 5, 5_000
"""Bounds of the answer: nothing is drawn together for good, and nothing left alone entirely."""
COMPARED_CODES = 32
"""Other codes that neighbours are compared by, at most."""
COMPARED_ROWS = 50_000
"""Rows that are compared, at most."""


class _Compared(NamedTuple):
    """Chi-squares of neighbours beside what chance makes of them, summed.

    `excess` is by how much they are larger, `weight` by how much they would be for each unit of
    variance between neighbours, `freedom` their degrees of freedom.
    """

    excess: float
    weight: float
    freedom: float


def compared_rows(codes: Tensor) -> IntArray:
    """Rows to compare neighbours by, evenly taken from `(rows, codes)`, each code's together."""
    step = max(1, -(-len(codes) // COMPARED_ROWS))
    return np.asfortranarray(codes[::step].numpy())


def rows_of_own(layout: CodeLayout, rows: IntArray, code: int, line: tuple[int, ...]) -> FloatArray:
    """How many rows a value needs before they tell as much of it as its neighbours on the line do.

    For each pair of neighbours, `(values - 1,)`; `rows` are `compared_rows` `(rows, codes)`.
    Values with a code of their own, such as prices, may have nothing in common but their order; the
    bins of a number are mostly alike. So each kind is looked at by itself. The variance within a
    value over the variance between neighbours, in what the other columns show, is the number of
    rows at which a value's own and its neighbours weigh the same (empirical Bayes, Morris 1983);
    the method of moments finds the latter (DerSimonian and Laird 1986).
    """
    others = _others(layout, code)
    pairs = np.array(list(pairwise(line)), dtype=np.int64)
    single = _single(layout, code, pairs)
    wanted = np.empty(len(pairs))
    for kind in (single, ~single):
        wanted[kind] = _own(_compare(layout, rows, code, pairs[kind], others))
    return wanted


def _own(found: _Compared) -> float:
    """The inverse of the variance between neighbours, mixed with that of USUAL_ROWS.

    The usual one weighs as much as one standard deviation of what chance alone shows: where
    there is little to compare it stands, where there is much it hardly counts.
    """
    chance = np.sqrt(2 * found.freedom) + 1
    variance = (max(found.excess, 0.0) + chance) / (found.weight + USUAL_ROWS * chance)
    return float(np.clip(1 / variance, FEWEST_ROWS, MOST_ROWS))


def _single(layout: CodeLayout, code: int, pairs: IntArray) -> BoolArray:
    """Which pairs have a value in them that no further code refines; bins of one cell are such."""
    part = layout.first.index(code)
    spans = [each.applies_from for each in layout.parts if each.parent == part and each.nested]
    if layout.shapes[code].nested or not spans:
        return np.full(len(pairs), not layout.shapes[code].nested)
    single: BoolArray = pairs.min(axis=1) < spans[0]
    return single


def _others(layout: CodeLayout, code: int) -> IntArray:
    """Codes that refine nothing, without the one that this code is or refines; evenly taken."""
    top = code
    while layout.shapes[top].parent != ROOT:
        top = layout.shapes[top].parent
    roots = [
        other for other, shape in enumerate(layout.shapes) if shape.parent == ROOT and other != top
    ]
    places = np.linspace(0, len(roots) - 1, min(len(roots), COMPARED_CODES)).round()
    return np.array(roots, dtype=np.int64)[places.astype(np.int64)]


def _compare(
    layout: CodeLayout, rows: IntArray, code: int, pairs: IntArray, others: IntArray
) -> _Compared:
    """Chi-square of each pair of values in each other code, summed.

    The values of a nested code are compared within each value of its parent.
    """
    values, pairs = _within_parents(layout, rows, code, pairs)
    excess = weight = freedom = 0.0
    if not len(pairs):
        return _Compared(excess, weight, freedom)
    used, pairs = np.unique(pairs, return_inverse=True)
    places = np.full(max(int(values.max()), int(used.max())) + 2, UNKNOWN)
    places[used] = np.arange(len(used))
    values, pairs = places[values], pairs.reshape(-1, 2)
    for other in others:
        size, shown = layout.shapes[other].cardinality, rows[:, other].astype(np.int64)
        known = (values >= 0) & (shown >= 0)
        keys = values[known] * size + shown[known]
        table = np.bincount(keys, minlength=len(used) * size).reshape(len(used), size)
        found = _chi_squares(table[pairs[:, 0]].astype(float), table[pairs[:, 1]].astype(float))
        excess, weight, freedom = (
            sum(both) for both in zip((excess, weight, freedom), found, strict=True)
        )
    return _Compared(excess, weight, freedom)


def _within_parents(
    layout: CodeLayout, rows: IntArray, code: int, pairs: IntArray
) -> tuple[IntArray, IntArray]:
    """Values `(rows,)`, negative where there is none, and pairs of them, apart by parent."""
    values, shape = np.maximum(rows[:, code].astype(np.int64), UNKNOWN), layout.shapes[code]
    if not shape.nested:
        return values, pairs
    above = rows[:, shape.parent].astype(np.int64)
    values = np.where((values >= 0) & (above >= 0), above * shape.cardinality + values, UNKNOWN)
    starts = np.arange(layout.shapes[shape.parent].cardinality) * shape.cardinality
    everywhere = (starts[:, None, None] + pairs).reshape(-1, 2)
    return values, everywhere[np.isin(everywhere, values).all(axis=1)]


def _chi_squares(one: FloatArray, other: FloatArray) -> _Compared:
    """Of counts `(pairs, values)` of either neighbour: do both have the same distribution?"""
    rows = one.sum(axis=1), other.sum(axis=1)
    enough = (rows[0] >= 2) & (rows[1] >= 2)
    one, other = one[enough], other[enough]
    mine, theirs = (side[enough] for side in rows)
    both, total = one + other, mine + theirs
    expected = both * (mine / total)[:, None], both * (theirs / total)[:, None]
    squares = sum(
        (((seen - due) ** 2) / np.maximum(due, 1e-12)).sum(axis=1)
        for seen, due in zip((one, other), expected, strict=True)
    )
    freedom = ((both > 0).sum(axis=1) - 1) * total / (total - 1)
    weight = freedom * mine * theirs / total
    return _Compared(float((squares - freedom).sum()), float(weight.sum()), float(freedom.sum()))
