"""Junction trees: cliques that hold every measured group of variables, and the order to visit them.

Source: Koller, Friedman 2009, chapters 9 and 10.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

Group = tuple[int, ...]
"""Variables by number, in ascending order."""


@dataclass(frozen=True)
class JunctionTree:
    """Cliques in an order in which each follows its parent; the first has none.

    `parents[k]` is the parent of clique k (-1 for the first), `separators[k]` what the two share.
    """

    cliques: tuple[Group, ...]
    parents: tuple[int, ...]
    separators: tuple[Group, ...]

    def holder(self, group: Iterable[int]) -> int:
        """The smallest clique that holds all of a group; KeyError where none does."""
        wanted = set(group)
        holding = [k for k, clique in enumerate(self.cliques) if wanted <= set(clique)]
        if not holding:
            raise KeyError(tuple(sorted(wanted)))
        return min(holding, key=lambda k: len(self.cliques[k]))


def junction_tree(groups: Iterable[Group], sizes: Sequence[int]) -> JunctionTree:
    """The tree over variables 0..len(sizes)-1 in which each group lies within a clique."""
    cliques = eliminate(groups, sizes)
    # A spanning tree of the largest separators has the running intersection property.
    placed, parents = [0], [-1]
    separators: list[Group] = [()]
    left = set(range(1, len(cliques)))
    best = {k: (len(set(cliques[k]) & set(cliques[0])), 0) for k in left}
    while left:
        chosen = max(left, key=lambda k: (best[k][0], -k))
        shared = tuple(sorted(set(cliques[chosen]) & set(cliques[best[chosen][1]])))
        parents.append(placed.index(best[chosen][1]))
        separators.append(shared)
        placed.append(chosen)
        left.remove(chosen)
        for k in left:
            common = len(set(cliques[k]) & set(cliques[chosen]))
            if common > best[k][0]:
                best[k] = (common, chosen)
    return JunctionTree(tuple(cliques[k] for k in placed), tuple(parents), tuple(separators))


def tree_cells(groups: Iterable[Group], sizes: Sequence[int]) -> int:
    """How many cells all cliques of the groups' junction tree have together."""
    return sum(math.prod(sizes[v] for v in clique) for clique in eliminate(groups, sizes))


def eliminate(groups: Iterable[Group], sizes: Sequence[int]) -> list[Group]:
    """The maximal cliques of a triangulation, by eliminating what makes the smallest table next."""
    neighbours: dict[int, set[int]] = {v: set() for v in range(len(sizes))}
    for group in groups:
        for one, other in combinations(group, 2):
            neighbours[one].add(other)
            neighbours[other].add(one)
    logs = [math.log(size) for size in sizes]
    costs = {v: _cost(v, neighbours, logs) for v in neighbours}
    cliques: list[set[int]] = []
    while neighbours:
        chosen = min(costs, key=lambda v: (costs[v], v))
        around = neighbours.pop(chosen)
        del costs[chosen]
        clique = {chosen, *around}
        if not any(clique <= other for other in cliques):
            cliques.append(clique)
        for one in around:
            neighbours[one] |= around
            neighbours[one] -= {one, chosen}
        for one in around:
            costs[one] = _cost(one, neighbours, logs)
    return [tuple(sorted(clique)) for clique in cliques]


def _cost(variable: int, neighbours: dict[int, set[int]], logs: Sequence[float]) -> float:
    return logs[variable] + sum(logs[other] for other in neighbours[variable])
