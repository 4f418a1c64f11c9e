"""How many rows are drawn of each kind where they are then weighed, and which kinds together."""

import numpy as np

from models.encoding.column import IntArray

CROWD = 500
"""Rows of a kind that are drawn at least where they are then weighed against each other."""
MOST_CANDIDATES = 2**18
"""Kinds are drawn one group after the other where they need more such rows than this."""


def crowd(kinds: IntArray) -> IntArray:
    """Each row, as often as its kind needs to have CROWD rows, `(candidates,)`."""
    return np.repeat(np.arange(len(kinds)), _times(kinds)[kinds])


def crowds(kinds: IntArray) -> list[IntArray]:
    """The rows of the kinds that are drawn together, group by group; all where they are few.

    A group ends with the kind that brings it to MOST_CANDIDATES.
    """
    candidates = _times(kinds) * np.bincount(kinds)
    group = ((np.cumsum(candidates) - candidates) // MOST_CANDIDATES)[kinds]
    return [np.flatnonzero(group == one) for one in np.unique(group)]


def _times(kinds: IntArray) -> IntArray:
    """How often each row of a kind is needed, `(kinds,)`."""
    counts = np.bincount(kinds)
    times: IntArray = np.ceil(CROWD / counts.clip(min=1)).astype(np.int64)
    return times
