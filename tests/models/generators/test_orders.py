"""Training orders: every code its turn, details after what they refine, the usual order often."""

import pytest
import torch

from models.generators.orders import (
    GIVEN_SHARE,
    LAST_SHARE,
    LAST_SHARE_ALONE,
    USUAL_SHARE,
    Codes,
    Orders,
)
from models.nets.code_heads import CodeShape

SHAPES = (CodeShape(3), CodeShape(4, 0), CodeShape(5, 1), CodeShape(2))
USUAL = torch.tensor([1, 2, 3, 0])


def tasks(rows: int, *, hidden: float = 0.0, seed: int = 1) -> tuple[torch.Tensor, ...]:
    random = torch.Generator().manual_seed(seed)
    kept = torch.rand(rows, len(SHAPES), generator=random) >= hidden
    known = kept.clone()
    # What refines an unknown code is unknown itself, and nobody knows whether it applies.
    for code, shape in enumerate(SHAPES):
        if shape.parent >= 0:
            known[:, code] &= known[:, shape.parent]
            kept[:, code] |= ~known[:, shape.parent]
    task = Orders(SHAPES, USUAL).draw(Codes(known, ~kept), random)
    return known, task.observed, task.wanted


@pytest.mark.parametrize("hidden", [0.0, 0.4])
def test_nothing_is_both_seen_and_asked_and_the_unknown_is_neither(hidden: float) -> None:
    known, observed, wanted = tasks(5000, hidden=hidden)
    assert not (observed & wanted).any()
    assert not ((observed | wanted) & ~known).any()
    assert wanted.any(1).all() or hidden


@pytest.mark.parametrize("detail", ["applies", "hidden"])
def test_rows_that_stand_for_what_is_observed_do_not_hang_on_the_rest(detail: str) -> None:
    """Half of the rows lack a value of code 3 or 1: as many of them are asked, seen the same."""
    rows, random = 60_000, torch.Generator().manual_seed(3)
    lacks = torch.rand(rows, generator=random) < 0.5
    known, hidden = torch.ones(rows, 4, dtype=torch.bool), torch.zeros(rows, 4, dtype=torch.bool)
    if detail == "applies":
        known[lacks, 1] = known[lacks, 2] = False
    else:
        known[lacks, 3], hidden[lacks, 3] = False, True
    task = Orders(SHAPES, USUAL).draw(Codes(known, hidden), random)
    nothing_seen = ~task.observed.any(1)
    asked = task.wanted[:, 0] & nothing_seen
    assert float(lacks[asked].float().mean()) == pytest.approx(0.5, abs=0.015)


def test_details_come_after_what_they_refine() -> None:
    _, observed, wanted = tasks(5000)
    for code, shape in enumerate(SHAPES):
        if shape.parent >= 0:
            assert not (observed[:, code] & ~observed[:, shape.parent]).any()
            assert not (wanted[:, code] & ~observed[:, shape.parent]).any()


def test_every_number_of_observed_codes_is_as_likely() -> None:
    _, observed, _ = tasks(20_000)
    counts = torch.bincount(observed.sum(1), minlength=5)
    assert counts[4] == 0
    assert (counts[:4] / 20_000 - 0.25).abs().max() < 0.01


def test_the_usual_order_has_its_share() -> None:
    """After one code, the usual order has seen the last one; any other order either root."""
    _, observed, _ = tasks(40_000)
    one = observed[observed.sum(1) == 1]
    last = one[:, 3].float().mean()
    # In a random order the root 0 or the root 3 comes first, equally likely.
    assert float(last) == pytest.approx(USUAL_SHARE + (1 - USUAL_SHARE) / 2, abs=0.015)


def test_what_comes_last_comes_first_in_its_share() -> None:
    known = torch.ones(40_000, 4, dtype=torch.bool)
    orders = Orders(SHAPES, USUAL, torch.tensor([-3, -2, -1, 0]))
    task = orders.draw(Codes(known, ~known), torch.Generator().manual_seed(1))
    one = task.observed[task.observed.sum(1) == 1]
    # Rows of each order with one code seen: a quarter, but all of those whose late three are left.
    usual = USUAL_SHARE * ((1 - GIVEN_SHARE - LAST_SHARE) / 4 + LAST_SHARE)
    given, random = USUAL_SHARE * GIVEN_SHARE / 4, (1 - USUAL_SHARE) / 4
    every = usual + given + random
    first = one.float().mean(0)
    assert float(first[3]) == pytest.approx((usual + random / 2) / every, abs=0.015)
    assert float(first[0]) == pytest.approx((given + random / 2) / every, abs=0.015)


@pytest.mark.parametrize(("drawn_alone", "share"), [(False, LAST_SHARE), (True, LAST_SHARE_ALONE)])
def test_a_late_code_is_asked_of_everything_else_in_its_share(
    drawn_alone: bool, share: float
) -> None:
    known = torch.ones(40_000, 4, dtype=torch.bool)
    orders = Orders(SHAPES, torch.arange(4), torch.tensor([0, 1, 2, -1]))
    random_state = torch.Generator().manual_seed(1)
    task = orders.draw(Codes(known, ~known), random_state, alone=drawn_alone)
    alone = task.observed[:, :3].all(1) & task.wanted[:, 3]
    usual = USUAL_SHARE * ((1 - GIVEN_SHARE - share) / 4 + share)
    # In a random order codes 0, 1 and 2, one after the other, ring before code 3: 1/2 each time.
    random = (1 - USUAL_SHARE) / 4 / 8
    assert float(alone.float().mean()) == pytest.approx(usual + random, abs=0.006)


def test_the_seed_decides() -> None:
    first, again, other = (tasks(50, seed=seed)[1] for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
