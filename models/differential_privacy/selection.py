"""Which marginals are worth their price: measured one after the other, where the model errs most.

Source: McKenna, Mullins, Sheldon, Miklau 2022 (AIM), with the target's marginals first.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np

from models.differential_privacy.graphical_model import GraphicalModel, Measured, estimated_total
from models.differential_privacy.junction_tree import Group, tree_cells
from models.differential_privacy.ledger import Ledger
from models.differential_privacy.secure_noise import (
    choose,
    noisy_counts,
    unrepeatable_generator,
)
from models.encoding.column import FloatArray, IntArray

TARGET_SHARE = 0.15
"""Of the budget, for each variable together with the target."""
SINGLE_SHARE = 0.05
"""Of the budget, for single variables that have not been counted yet."""
LEAST_LEFT = 1e-4
"""Of the budget: with less, nothing that would help can be bought."""
CHOICE_SHARE = 0.1
"""Of a round, for choosing what is measured with the rest."""
ROUNDS = 2
"""Rounds for each variable that the budget is first divided among."""
RAISE = 2.0
"""A round that taught nothing makes the later ones so many times as sure, and as dear."""
MOST_CELLS = 400_000
"""Cells of the junction tree: what memory and time allow."""
MOST_ROUNDS, MOST_IN_ALL = 4, 120
"""For each variable, and in all; what is then left of the budget stays unspent."""
MOST_CANDIDATES = 1_500
"""Looked at in a round; of more, a random part."""
FEWEST_DRAWN, MOST_DRAWN = 2**13, 2**17
"""Rows drawn from the model to compare it with the table: four times its own, within these."""
EARLY_STEPS, ROUND_STEPS = 150, 25

Told = Callable[[float], None]


@dataclass
class Learner:
    """Learns a graphical model of `rows` `(rows, variables)` of small codes, -1 where unknown.

    `target` is the variable whose relations come first; `effort` are the most rounds (None: by the
    number of variables) and the steps of the last fit. Looks at rows only through the ledger, of
    which `kept` is left to others.
    """

    rows: IntArray
    sizes: tuple[int, ...]
    target: int | None
    ledger: Ledger
    effort: tuple[int | None, int] = (None, 600)
    measured: list[Measured] = field(default_factory=list)
    kept: float = 0.0

    def learn(self, names: Sequence[str], told: Told) -> tuple[GraphicalModel, float]:
        """The model and the estimated number of rows; `names` are the variables' own.

        What is bought before the rounds costs shares of the whole budget, whatever is left of it:
        who keeps some for others has to leave these.
        """
        assert (SINGLE_SHARE + TARGET_SHARE) * self.ledger.total <= self._left
        self._names = names
        self._measure_singles()
        self._measure_target()
        if not self.measured:
            return GraphicalModel(self.sizes, {}), 1.0
        total = estimated_total(self.measured)
        groups = [one.group for one in self.measured]
        model = GraphicalModel(self.sizes, {}).with_room_for(groups)
        model.fit(self.measured, total, min(EARLY_STEPS, self.effort[1]))
        model, total = self._rounds(model, total, told)
        model.fit(self.measured, total, self.effort[1])
        return model, total

    @property
    def _left(self) -> float:
        return max(0.0, self.ledger.left - self.kept)

    def _measure_singles(self) -> None:
        counted = {one.group for one in self.measured}
        left = [(v,) for v in range(len(self.sizes)) if (v,) not in counted]
        for group in left:
            self._measure(group, SINGLE_SHARE * self.ledger.total / len(left))

    def _measure_target(self) -> None:
        if self.target is None:
            return
        pairs = [(v, self.target) for v in range(len(self.sizes)) if v != self.target]
        for pair in pairs:
            group = (min(pair), max(pair))
            self._measure(group, TARGET_SHARE * self.ledger.total / len(pairs))

    def _measure(self, group: Group, squared_mu: float) -> Measured:
        names = " x ".join(self._names[v] for v in group)
        variance = self.ledger.buy_counts(f"counts of {names}", squared_mu)
        noisy = noisy_counts(self._counts(group), variance).astype(np.float64)
        one = Measured(group, noisy, variance)
        self.measured.append(one)
        return one

    def _rounds(
        self, model: GraphicalModel, total: float, told: Told
    ) -> tuple[GraphicalModel, float]:
        budget = self._left
        most = self.effort[0] or min(MOST_IN_ALL, MOST_ROUNDS * len(self.sizes))
        price = budget / max(1, min(most, ROUNDS * len(self.sizes)))
        for _ in range(most):
            if self._left < LEAST_LEFT * self.ledger.total:
                break
            told(1 - self._left / budget)
            left = self._left * (1 - 1e-9)
            price = left if left < 2 * price else price
            count = int(np.clip(4 * total, FEWEST_DRAWN, MOST_DRAWN))
            drawn = model.sample(count, unrepeatable_generator())
            group = self._choose(model, drawn, total, price)
            if group is None:
                break
            one = self._measure(group, min(price * (1 - CHOICE_SHARE), self._left))
            before = count_rows(drawn, group, self.sizes) * (total / count)
            total = estimated_total(self.measured)
            model = model.with_room_for([group])
            model.fit(self.measured, total, ROUND_STEPS)
            after = total * _marginal(model, group)
            noise = math.sqrt(2 / math.pi * one.variance) * one.counts.size
            if float(np.abs(after - before).sum()) <= noise:
                price *= RAISE
        return model, total

    def _choose(
        self, model: GraphicalModel, drawn: IntArray, total: float, price: float
    ) -> Group | None:
        """The group to measure next, by the exponential mechanism; None if none has room."""
        deviation = math.sqrt(self.ledger.variance_for(price * (1 - CHOICE_SHARE)))
        candidates = self._candidates()
        if not candidates:
            return None
        scores = np.array([self._score(g, drawn, total, deviation) for g in candidates])
        epsilon = self.ledger.buy_choice("choice of counts", price * CHOICE_SHARE)
        room = MOST_CELLS * max(0.2, 1 - self._left / self.ledger.total)
        known = list(model.tables)
        while candidates:
            # Those without room are passed over: the same as choosing among the others alone.
            chosen = choose(scores, epsilon, self.ledger.sensitivity)
            group = candidates[chosen]
            if tree_cells([*known, group], self.sizes) <= room:
                return group
            candidates.pop(chosen)
            scores = np.delete(scores, chosen)
        return None

    def _candidates(self) -> list[Group]:
        """Pairs, and pairs with the target, that no measured group holds."""
        variables = range(len(self.sizes))
        groups: set[Group] = set(combinations(variables, 2))
        if self.target is not None:
            groups |= {
                tuple(sorted((*pair, self.target)))
                for pair in combinations(variables, 2)
                if self.target not in pair
            }
        within = {
            part
            for one in self.measured
            for size in range(2, len(one.group) + 1)
            for part in combinations(one.group, size)
        }
        left = sorted(groups - within)
        if len(left) <= MOST_CANDIDATES:
            return left
        # A lot that looks at nothing: each round of a wide table looks at others.
        lots = unrepeatable_generator().choice(len(left), MOST_CANDIDATES, replace=False)
        return [left[lot] for lot in lots]

    def _score(self, group: Group, drawn: IntArray, total: float, deviation: float) -> float:
        """How far the model is off, less what noise and drawing would be off anyway, in rows."""
        made = count_rows(drawn, group, self.sizes)
        gap = float(np.abs(self._counts(group) - made * (total / len(drawn))).sum())
        lot = math.sqrt(2 / math.pi)
        noise = lot * deviation * made.size
        by_drawing = lot * total / len(drawn) * float(np.sqrt(made).sum())
        return gap - noise - by_drawing

    def _counts(self, group: Group) -> IntArray:
        if not hasattr(self, "_kept"):
            self._kept: dict[Group, IntArray] = {}
        if group not in self._kept:
            self._kept[group] = count_rows(self.rows, group, self.sizes)
        return self._kept[group]


def count_rows(rows: IntArray, group: Group, sizes: Sequence[int]) -> IntArray:
    """Counts `(size of each variable)` of the rows in which all of the group is known."""
    keys = np.zeros(len(rows), dtype=np.int64)
    known = np.ones(len(rows), dtype=np.bool_)
    for v in group:
        keys = keys * sizes[v] + rows[:, v]
        known &= rows[:, v] >= 0
    shape = tuple(sizes[v] for v in group)
    counted = np.bincount(keys[known], minlength=math.prod(shape)).astype(np.int64)
    return counted.reshape(shape)


def _marginal(model: GraphicalModel, group: Group) -> FloatArray:
    place = model.tree.holder(group)
    clique = model.tree.cliques[place]
    axes = tuple(axis for axis, v in enumerate(clique) if v not in group)
    marginal: FloatArray = model.marginals()[place].sum(axis=axes)
    return marginal
