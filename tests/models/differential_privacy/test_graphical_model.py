"""Beliefs on a tree against the whole table written out, and fits against what was measured."""

from itertools import combinations

import numpy as np
import pytest

from models.differential_privacy.graphical_model import (
    GraphicalModel,
    Measured,
    estimated_total,
)
from models.differential_privacy.junction_tree import junction_tree, tree_cells

SIZES = (2, 3, 4, 2, 3)
LOOP = [(0, 1), (1, 2), (2, 3), (0, 3), (3, 4)]


def random_model(groups: list[tuple[int, ...]], seed: int = 0) -> GraphicalModel:
    random = np.random.default_rng(seed)
    return GraphicalModel(SIZES, {g: random.normal(size=[SIZES[v] for v in g]) for g in groups})


def whole(model: GraphicalModel) -> np.ndarray:
    """The distribution over all cells, without a tree."""
    table = np.zeros(SIZES)
    for group, own in model.tables.items():
        table = table + own.reshape([SIZES[v] if v in group else 1 for v in range(len(SIZES))])
    shares = np.exp(table)
    return shares / shares.sum()


@pytest.mark.parametrize("groups", [LOOP, [(0, 1)], [(0, 1, 2), (2, 4)], [(1,), (4,)]])
def test_marginals_are_those_of_the_whole_table(groups: list[tuple[int, ...]]) -> None:
    model = random_model(groups)
    shares = whole(model)
    for clique, marginal in zip(model.tree.cliques, model.marginals(), strict=True):
        others = tuple(v for v in range(len(SIZES)) if v not in clique)
        assert np.allclose(marginal, shares.sum(axis=others), atol=1e-12)


def test_every_group_and_every_separator_has_its_place() -> None:
    tree = junction_tree(LOOP, SIZES)
    for group in LOOP:
        assert set(group) <= set(tree.cliques[tree.holder(group)])
    for v in range(len(SIZES)):
        holding = [k for k, clique in enumerate(tree.cliques) if v in clique]
        # Running intersection: all but one of them share the variable with their parent.
        linked = [k for k in holding if v in tree.separators[k]]
        assert len(holding) - len(linked) == 1
    assert tree_cells(LOOP, SIZES) == sum(
        np.prod([SIZES[v] for v in clique]) for clique in tree.cliques
    )
    with pytest.raises(KeyError):
        tree.holder((0, 1, 2, 3, 4))


def test_rows_are_drawn_by_their_shares() -> None:
    model = random_model(LOOP)
    rows = model.sample(40_000, np.random.default_rng(1))
    counts = np.zeros(SIZES)
    np.add.at(counts, tuple(rows.T), 1)
    expected = whole(model) * len(rows)
    assert (((counts - expected) ** 2 / expected).sum()) < 144 + 6 * np.sqrt(2 * 144)


def test_held_values_hold_and_the_others_follow() -> None:
    model = random_model(LOOP)
    known = np.array([-1, 2, -1, 1, -1])
    rows = model.sample(40_000, np.random.default_rng(1), known)
    assert set(rows[:, 1]) == {2}
    assert set(rows[:, 3]) == {1}
    given = whole(model)[:, 2, :, 1, :]
    shares = (given / given.sum()).sum(axis=(0, 2))
    assert np.allclose(np.bincount(rows[:, 2], minlength=4) / len(rows), shares, atol=0.02)


def test_a_fit_reaches_marginals_that_agree() -> None:
    shares = whole(random_model(LOOP, seed=3))
    measured = []
    for pair in combinations(range(len(SIZES)), 2):
        others = tuple(v for v in range(len(SIZES)) if v not in pair)
        measured.append(Measured(pair, 5000 * shares.sum(axis=others), 1.0))
    model = GraphicalModel(SIZES, {one.group: np.zeros(one.counts.shape) for one in measured})
    total = estimated_total(measured)
    assert total == pytest.approx(5000)
    before = model.fit(measured, total, 1)
    after = model.fit(measured, total, 3000)
    assert after < before / 1000
    assert 0.5 * np.abs(whole(model) - shares).sum() < 0.06


def test_surer_counts_weigh_more() -> None:
    sure = Measured((0,), np.array([900.0, 100.0]), 1.0)
    vague = Measured((0,), np.array([100.0, 900.0]), 400.0)
    model = GraphicalModel(SIZES, {(0,): np.zeros(2)})
    model.fit([sure, vague], 1000.0, 500)
    assert model.marginals()[model.tree.holder((0,))].reshape(2, -1).sum(1)[0] > 0.85
    assert estimated_total([sure, Measured((1,), np.full(3, 1000.0), 1e6)]) < 1010


def test_room_for_more_changes_nothing() -> None:
    model = random_model(LOOP)
    wider = model.with_room_for([(1, 4)])
    assert np.allclose(whole(wider), whole(model))
    assert wider.tree.holder((1, 4)) >= 0
