"""Spans of codes and what bounds leave of them, against counts of the values themselves."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.encoding.axis import Axis
from models.encoding.axis_shares import AxisShares


def positions(whole: bool, seed: int = 0, rows: int = 6000) -> np.ndarray:
    random = np.random.default_rng(seed)
    values = random.lognormal(6, 1, rows)
    values = np.rint(values) if whole else values
    values[random.random(rows) < 0.1] = 0
    values[random.random(rows) < 0.05] = np.nan
    return values


@pytest.mark.parametrize("whole", [True, False])
def test_whatever_codes_give_lies_in_their_span(whole: bool) -> None:
    values = positions(whole)
    axis = Axis.fit(values, whole=whole, threshold=8)
    codes = axis.encode(values)
    low, high = AxisShares(axis).spans(codes)
    known = ~np.isnan(values)
    assert np.isnan(low[~known]).all()
    decoded = axis.decode(codes, np.random.default_rng(1))[known]
    assert ((decoded >= low[known]) & (decoded <= high[known])).all()


@pytest.mark.parametrize("whole", [True, False])
@settings(max_examples=25, deadline=None)
@given(ends=st.tuples(st.floats(0, 3000), st.floats(0, 3000)))
def test_shares_add_up_to_the_rows_between_the_bounds(
    whole: bool, ends: tuple[float, float]
) -> None:
    values = positions(whole)
    axis = Axis.fit(values, whole=whole, threshold=8)
    low, high = (np.array([round(end) if whole else end]) for end in sorted(ends))
    coarse = axis.encode(values)[:, 0]
    shares = AxisShares(axis).coarse(low.astype(float), high.astype(float))[0]
    counts = np.bincount(coarse[coarse >= 0], minlength=len(shares))
    expected = float((shares * counts)[axis.missing :].sum())
    found = int(((values >= low) & (values <= high)).sum())
    assert expected == pytest.approx(found, abs=0.01 * len(values))


@pytest.mark.parametrize("whole", [True, False])
def test_bounds_that_meet_leave_the_codes_of_the_one_position(whole: bool) -> None:
    values = positions(whole)
    axis = Axis.fit(values, whole=whole, threshold=8)
    shares = AxisShares(axis)
    ones = values[(values > axis.low) & (values < axis.high)][:500]
    codes = axis.encode(ones)
    rows = np.arange(len(ones))
    assert (shares.coarse(ones, ones)[rows, codes[:, 0]] > 0).all()
    binned = codes[:, 0] >= shares.first_bin
    fine = shares.fine(codes[:, 0], ones, ones, axis.parts[1].cardinality)
    assert binned.sum() > 100
    assert (fine[rows, codes[:, 1]] > 0)[binned].all()


@pytest.mark.parametrize("whole", [True, False])
def test_decoding_keeps_to_bounds(whole: bool) -> None:
    values = positions(whole)
    axis = Axis.fit(values, whole=whole, threshold=8)
    codes = axis.encode(values)
    low, high = np.full(len(values), 200.0), np.full(len(values), 210.0)
    decoded = axis.decode_between(codes, (low, high), np.random.default_rng(2))
    known = ~np.isnan(decoded)
    assert (known == ~np.isnan(values)).all()
    assert ((decoded[known] >= 200) & (decoded[known] <= 210)).all()
