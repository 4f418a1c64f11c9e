"""A graphical model fitted to noisy marginals: of all tables that fit, the one that claims least.

Beliefs on a junction tree, by mirror descent on the cliques' marginals. What is fitted are noisy
counts alone, so that nothing here costs anything.
Source: McKenna, Sheldon, Miklau 2019 (Private-PGM).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.differential_privacy.junction_tree import Group, JunctionTree, junction_tree
from models.encoding.column import FloatArray, IntArray

SMALLEST_STEP = 1e-9
LEAST_GAIN = 1e-5
"""Of the loss, in one step: with less, the model has settled."""


@dataclass(frozen=True)
class Measured:
    """Noisy counts `(size of each variable)` of a group, and the variance of their noise."""

    group: Group
    counts: FloatArray
    variance: float


def estimated_total(measured: Sequence[Measured]) -> float:
    """How many rows the noisy counts add up to, the surest marginals counting most; 1 at least."""
    weights = np.array([1 / (one.counts.size * one.variance) for one in measured])
    sums = np.array([float(one.counts.sum()) for one in measured])
    return max(1.0, float((weights * sums).sum() / weights.sum()))


class GraphicalModel:
    """A distribution over variables of `sizes`: the exponential of a sum of tables of groups.

    `tables` holds the log table of each group; a junction tree in which each group lies within a
    clique answers for marginals and draws rows.
    """

    def __init__(self, sizes: Sequence[int], tables: dict[Group, FloatArray]) -> None:
        self.sizes, self.tables = tuple(sizes), tables
        self.tree = junction_tree(tables, sizes)
        self._place = {group: self.tree.holder(group) for group in tables}
        self._step = 1.0

    def with_room_for(self, groups: Sequence[Group]) -> "GraphicalModel":
        """The same distribution, with a table for each of `groups` too."""
        tables = dict(self.tables)
        for group in groups:
            tables.setdefault(group, np.zeros([self.sizes[v] for v in group]))
        wider = GraphicalModel(self.sizes, tables)
        wider._step = self._step
        return wider

    def marginals(self) -> list[FloatArray]:
        """The distribution of each clique, by messages up and down the tree."""
        return [np.exp(log) for log in _calibrated(self.tree, self._logs(self.tables))]

    def fit(self, measured: Sequence[Measured], total: float, iterations: int) -> float:
        """Moves the model towards the measured counts; returns the loss it ends with.

        The loss is half the squared distance in deviations of the noise. Steps grow while they
        help, and are halved where they do not.
        """
        loss, gradient = self._loss(measured, total, self.tables)
        for _ in range(iterations):
            moved = {
                group: table - self._step * gradient[group] if group in gradient else table
                for group, table in self.tables.items()
            }
            reached, next_gradient = self._loss(measured, total, moved)
            if reached <= loss:
                gained = loss - reached
                self.tables, loss, gradient = moved, reached, next_gradient
                self._step *= 1.25
                if gained < LEAST_GAIN * loss:
                    break
            else:
                self._step /= 2
                if self._step < SMALLEST_STEP:
                    self._step = 1.0
                    break
        return loss

    def _loss(
        self, measured: Sequence[Measured], total: float, tables: dict[Group, FloatArray]
    ) -> tuple[float, dict[Group, FloatArray]]:
        """The loss, and its slope for each measured group's table, scaled for steps near 1."""
        marginals = [np.exp(log) for log in _calibrated(self.tree, self._logs(tables))]
        loss, surest = 0.0, max(total / one.variance for one in measured)
        slopes: dict[Group, FloatArray] = {}
        for one in measured:
            k = self._place[one.group]
            clique = self.tree.cliques[k]
            axes = tuple(axis for axis, v in enumerate(clique) if v not in one.group)
            gap = total * marginals[k].sum(axis=axes) - one.counts
            loss += 0.5 * float((gap**2).sum()) / one.variance
            slope = gap / (one.variance * surest)
            slopes[one.group] = slopes[one.group] + slope if one.group in slopes else slope
        return loss, slopes

    def _logs(self, tables: dict[Group, FloatArray]) -> list[FloatArray]:
        """The log table of each clique."""
        logs = [np.zeros([self.sizes[v] for v in clique]) for clique in self.tree.cliques]
        for group, table in tables.items():
            k = self._place[group]
            logs[k] += _spread(table, group, self.tree.cliques[k])
        return logs

    def sample(
        self, rows: int, random: np.random.Generator, known: IntArray | None = None
    ) -> IntArray:
        """`rows` rows of all variables; `known` `(variables,)` are held, -1 where free."""
        logs = self._logs(self.tables)
        if known is not None:
            logs = self._held(logs, known)
        beliefs = [np.exp(log) for log in _calibrated(self.tree, logs)]
        drawn = np.full((rows, len(self.sizes)), -1, dtype=np.int64)
        for clique, separator, belief in zip(
            self.tree.cliques, self.tree.separators, beliefs, strict=True
        ):
            new = [v for v in clique if v not in separator]
            if not new:
                continue
            order = [clique.index(v) for v in (*separator, *new)]
            table = belief.transpose(order)
            width = int(np.prod([self.sizes[v] for v in new]))
            given = np.zeros(rows, dtype=np.int64)
            for v in separator:
                given = given * self.sizes[v] + drawn[:, v]
            values = _drawn(table.reshape(-1, width), given, random)
            shape = tuple(self.sizes[v] for v in new)
            drawn[:, new] = np.stack(np.unravel_index(values, shape), 1)
        return drawn

    def _held(self, logs: list[FloatArray], known: IntArray) -> list[FloatArray]:
        """The log tables with all but the known values ruled out."""
        ruled = []
        for clique, log in zip(self.tree.cliques, logs, strict=True):
            held = log
            for axis, v in enumerate(clique):
                if known[v] >= 0:
                    allowed = np.full(self.sizes[v], -np.inf)
                    allowed[known[v]] = 0.0
                    held = held + allowed.reshape(
                        [-1 if a == axis else 1 for a in range(held.ndim)]
                    )
            ruled.append(held)
        return ruled


def _calibrated(tree: JunctionTree, logs: Sequence[FloatArray]) -> list[FloatArray]:
    """Log beliefs of the cliques, each adding up to 1: collected to the first, then given back."""
    beliefs = list(logs)
    sent: dict[int, FloatArray] = {}
    for k in range(len(beliefs) - 1, 0, -1):
        message = _reduced(beliefs[k], tree.cliques[k], tree.separators[k])
        sent[k] = message
        parent = tree.parents[k]
        beliefs[parent] = beliefs[parent] + _spread(
            message, tree.separators[k], tree.cliques[parent]
        )
    beliefs[0] = beliefs[0] - _log_sum(beliefs[0], tuple(range(beliefs[0].ndim)))
    for k in range(1, len(beliefs)):
        parent, own = tree.parents[k], sent[k]
        separator = tree.separators[k]
        whole = _reduced(beliefs[parent], tree.cliques[parent], separator)
        # What is ruled out on both sides stays so: -inf less -inf would be nothing at all.
        ratio = np.where(np.isneginf(whole), -np.inf, whole - np.where(np.isneginf(own), 0.0, own))
        beliefs[k] = beliefs[k] + _spread(ratio, separator, tree.cliques[k])
    return beliefs


def _reduced(log: FloatArray, clique: Group, kept: Group) -> FloatArray:
    axes = tuple(axis for axis, v in enumerate(clique) if v not in kept)
    return _log_sum(log, axes)


def _log_sum(log: FloatArray, axes: tuple[int, ...]) -> FloatArray:
    if not axes:
        return log
    top = log.max(axis=axes, keepdims=True)
    top = np.where(np.isneginf(top), 0.0, top)
    with np.errstate(divide="ignore"):
        summed = np.log(np.exp(log - top).sum(axis=axes))
    reduced: FloatArray = summed + np.squeeze(top, axis=axes)
    return reduced


def _spread(table: FloatArray, group: Group, clique: Group) -> FloatArray:
    """A group's table with an axis of length 1 for each other variable of the clique."""
    shape = [table.shape[group.index(v)] if v in group else 1 for v in clique]
    return table.reshape(shape)


def _drawn(table: FloatArray, given: IntArray, random: np.random.Generator) -> IntArray:
    """One of the columns for each row, by the shares in the line of what is given to it."""
    lines, index = np.unique(given, return_inverse=True)
    ends = np.cumsum(table[lines], axis=1)
    tops = np.where(ends[:, -1:] > 0, ends[:, -1:], 1.0)
    ends = ends / tops + np.arange(len(lines))[:, None]
    lots = index + random.random(len(given))
    values = np.searchsorted(ends.ravel(), lots, side="right") - index * table.shape[1]
    return np.asarray(values, dtype=np.int64).clip(0, table.shape[1] - 1)
