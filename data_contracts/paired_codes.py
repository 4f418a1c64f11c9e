"""Columns of listed values of which one tells the other: a code its name, a city its country."""

from collections.abc import Iterator

import numpy as np

from data_contracts.linear_relations import NEGLIGIBLE, FloatArray, IntArray


def determined_pairs(codes: IntArray, units: int) -> Iterator[tuple[int, int]]:
    """Pairs of columns of codes `(rows, columns)`: equal codes of one have equal ones of the other.

    Rows in which one of the two is negative say nothing. The chance that it holds in so many units,
    if the columns were independent, has to be negligible. The first column of a pair comes before
    the second, whichever of them tells the other.
    """
    if not codes.size:
        return
    alike = _chances_alike(codes)
    share = units / len(codes)
    seen = set()
    for one in range(codes.shape[1]):
        for other in _told_by(codes, one):
            pair = (min(one, other), max(one, other))
            if pair in seen or not -np.log(alike[other]) > 0:
                continue
            both = (codes[:, one] >= 0) & (codes[:, other] >= 0)
            joint = codes[both, one] * (int(codes[:, other].max()) + 1) + codes[both, other]
            groups = len(np.unique(codes[both, one]))
            if len(np.unique(joint)) > groups:
                continue
            repeated = (int(both.sum()) - groups) * share
            if repeated * -np.log(alike[other]) >= NEGLIGIBLE:
                seen.add(pair)
                yield pair


def _chances_alike(codes: IntArray) -> FloatArray:
    """Of each column, how likely two rows have the same code."""
    chances = np.ones(codes.shape[1])
    for column in range(codes.shape[1]):
        counts = np.bincount(codes[codes[:, column] >= 0, column]).astype(np.float64)
        if counts.sum():
            chances[column] = float(((counts / counts.sum()) ** 2).sum())
    return chances


def _told_by(codes: IntArray, one: int) -> list[int]:
    """The columns that may be told by column `one`, as far as a few rows say."""
    rows = codes[codes[:, one] >= 0]
    rows = rows[np.argsort(rows[:, one], kind="stable")]
    if not len(rows):
        return []
    starts = np.flatnonzero(np.diff(rows[:, one], prepend=-1))
    highest = np.maximum.reduceat(rows, starts, axis=0)
    lowest = np.minimum.reduceat(np.where(rows < 0, np.iinfo(np.int64).max, rows), starts, axis=0)
    told = np.flatnonzero((lowest >= highest).all(axis=0))
    return [int(other) for other in told if other != one]
