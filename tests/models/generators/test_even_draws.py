"""Even draws: each row by its own shares, all together close to their mean."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.generators.even_draws import Lots, draw_evenly

SHARES = torch.tensor([[0.5, 0.0, 0.3, 0.2, 0.0], [0.1, 0.1, 0.0, 0.1, 0.7]])


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_each_row_follows_its_own_shares() -> None:
    """Rows 0 and 7, of different groups among others, over many draws."""
    groups = torch.tensor([0, 1, 1, 0, 1, 0, 0, 1, 0])
    drawn = torch.stack(
        [draw_evenly(SHARES, Lots(groups, groups), seeded(seed)) for seed in range(20_000)]
    )
    for row in (0, 7):
        found = torch.bincount(drawn[:, row], minlength=5) / len(drawn)
        # Four standard errors of a share of a half.
        torch.testing.assert_close(found, SHARES[groups[row]], atol=0.015, rtol=0)


@pytest.mark.parametrize("rows", [7, 1000, 20_000])
def test_counts_stay_within_a_few_of_their_mean(rows: int) -> None:
    groups = torch.randint(2, (rows,), generator=seeded(rows))
    expected = SHARES[groups].double().sum(0)
    for seed in range(20):
        drawn = draw_evenly(SHARES, Lots(groups, groups), seeded(seed))
        # Each of the three forks is off by less than one; independent draws are off by hundreds.
        assert float((torch.bincount(drawn, minlength=5) - expected).abs().max()) <= 4
        within = torch.bincount(drawn[groups == 1], minlength=5)
        wanted = SHARES[1].double() * int((groups == 1).sum())
        assert float((within - wanted).abs().max()) <= 4


@settings(deadline=None, max_examples=60)
@given(values=st.integers(1, 70), rows=st.integers(1, 50), seed=st.integers(0, 2**32))
def test_what_has_no_share_is_never_drawn(values: int, rows: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    shares = np.where(random.random((3, values)) < 0.5, random.random((3, values)), 0.0)
    shares[:, random.integers(values)] += 1e-9
    groups = torch.from_numpy(random.integers(0, 3, rows))
    drawn = draw_evenly(torch.from_numpy(shares).float(), Lots(groups, groups), seeded(seed))
    assert drawn.shape == (rows,)
    assert (torch.from_numpy(shares)[groups, drawn] > 0).all()


def test_the_seed_decides() -> None:
    groups = torch.zeros(100, dtype=torch.long)
    first, again, other = (
        draw_evenly(SHARES, Lots(groups, groups), seeded(seed)) for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
