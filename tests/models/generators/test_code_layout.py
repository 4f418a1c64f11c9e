"""Parts and network codes: each the other's inverse, large parts in two levels."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.encoding.column import UNKNOWN, IntArray, Part
from models.generators.code_layout import LARGEST, UNSEEN, CodeLayout
from models.generators.drawing import drawing_order

PARTS = (Part(4), Part(5000), Part(7, parent=0, applies_from=2, nested=True), Part(9, parent=1))


def codes_of(parts: tuple[Part, ...], rows: int, seed: int) -> IntArray:
    random = np.random.default_rng(seed)
    codes = np.stack([random.integers(0, part.cardinality, rows) for part in parts], 1)
    for number, part in enumerate(parts):
        if part.parent is not None:
            codes[codes[:, part.parent] < part.applies_from, number] = UNKNOWN
    return codes


@given(seed=st.integers(0, 2**32), rows=st.integers(0, 40))
def test_network_codes_come_back_as_parts(seed: int, rows: int) -> None:
    layout, codes = CodeLayout.of(PARTS), codes_of(PARTS, rows, seed)
    there = layout.to_network(codes)
    assert there.shape == (rows, len(layout.shapes))
    for code, shape in enumerate(layout.shapes):
        assert bool((there[:, code] < shape.cardinality).all())
    np.testing.assert_array_equal(layout.from_network(there), codes)


def test_no_head_grows_with_the_vocabulary() -> None:
    layout = CodeLayout.of((Part(10**6), Part(LARGEST), Part(3, parent=0)))
    assert [shape.cardinality for shape in layout.shapes] == [1000, 1000, LARGEST, 3]
    # What refines a split part refines its second code.
    assert layout.shapes[3].parent == 1


def test_a_table_of_constants_still_has_something_to_see() -> None:
    layout = CodeLayout.of(())
    assert layout.to_network(np.zeros((3, 0), dtype=np.int64)).shape == (3, 1)
    assert layout.from_network(torch.zeros(3, 1)).shape == (3, 0)


def test_what_applies_follows_the_parent() -> None:
    layout, codes = CodeLayout.of(PARTS), codes_of(PARTS, 50, 1)
    there = layout.to_network(codes)
    assert layout.applies(there, 0) is None
    applies = layout.applies(there, 2)
    assert applies is not None
    np.testing.assert_array_equal(applies.numpy(), codes[:, 0] >= 2)


def test_hidden_is_what_is_there_and_not_told() -> None:
    layout = CodeLayout.of(PARTS)
    codes = np.array([[3, 4999, 6, 8], [1, 0, UNKNOWN, 0], [3, UNKNOWN, UNKNOWN, UNKNOWN]])
    # The second part is two codes; the last one refines it.
    hidden = [[0, 0, 0, 0, 0], [0, 0, 0, 0, 0], [0, 1, 0, 1, 0]]
    assert layout.hidden(layout.to_network(codes)).int().tolist() == hidden


def test_shares_are_those_of_the_rows() -> None:
    parts = (Part(2), Part(3, parent=0, nested=True))
    layout = CodeLayout.of(parts)
    codes = layout.to_network(np.array([[0, 0], [0, 0], [0, 2], [0, 0], [1, UNKNOWN]]))
    np.testing.assert_allclose(layout.log_shares(codes, 0).exp().numpy(), [0.8, 0.2], rtol=1e-5)
    nested = layout.log_shares(codes, 1)
    np.testing.assert_allclose(nested[0].exp().numpy(), [0.75, 0, 0.25], atol=1e-5)
    assert float(nested[0, 1]) == UNSEEN
    # Under a parent code of which nothing is known all values are alike.
    np.testing.assert_allclose(nested[1].exp().numpy(), [1 / 3] * 3, rtol=1e-5)


@pytest.mark.parametrize("parts", [PARTS, (Part(10**6), Part(3, parent=0)), ()])
def test_everything_is_drawn_once_and_after_what_it_refines(parts: tuple[Part, ...]) -> None:
    layout = CodeLayout.of(parts)
    order = [code for code, _ in drawing_order(layout)]
    assert sorted(order) == list(range(len(layout.shapes) if parts else 0))
    for place, code in enumerate(order):
        parent = layout.shapes[code].parent
        assert parent < 0 or order.index(parent) < place


def test_what_is_late_is_drawn_after_what_others_begin_with_and_its_details_last() -> None:
    layout = CodeLayout.of((Part(2), Part(3, parent=0), Part(9), Part(4, parent=2)), late=(0, 1))
    assert [part for _, part in drawing_order(layout)] == [2, 0, 3, 1]
