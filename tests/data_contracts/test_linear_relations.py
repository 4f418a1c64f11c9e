"""Sums of columns: found beside columns that nearly, but not quite, add up."""

import numpy as np
import pytest

from data_contracts.contract import Sum
from data_contracts.linear_relations import find_equations

ROWS = 400


@pytest.mark.parametrize("decimals", [2, 5, 7])
def test_shares_that_were_rounded_hide_no_sum(decimals: int) -> None:
    random = np.random.default_rng(decimals)
    groups = np.floor(random.lognormal([10, 7, 5, 4], [1, 2, 1, 1], (ROWS, 4)))
    total = groups.sum(1, keepdims=True)
    shares = np.round(100 * groups / total, decimals)
    names = ["one", "two", "three", "four", "total", "%1", "%2", "%3", "%4"]
    found = find_equations(np.hstack([groups, total, shares]), names, ROWS)
    sums = [rule for rule in found if isinstance(rule, Sum)]
    assert {frozenset(rule.columns) for rule in sums} == {frozenset(names[:5])}


def test_a_sum_that_some_rows_miss_is_none() -> None:
    random = np.random.default_rng(1)
    left, right = random.integers(1, 1000, (2, ROWS)).astype(float)
    total = left + right
    total[::50] += 1
    assert find_equations(np.stack([left, right, total], axis=1), ["a", "b", "c"], ROWS) == []
