"""Neighbours by matrix products against neighbours by the definition."""

import datetime as dt
from decimal import Decimal
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest

from data_contracts.schema import to_series
from models.evaluation.coded import as_numbers
from models.evaluation.mixed_space import PARTS, MixedSpace
from models.evaluation.row_codes import combined, exact_codes
from tests.models.evaluation.tables import coded, draw_people, text_frame

SIDES = tuple(draw_people(rows, seed) for rows, seed in ((300, 1), (90, 2), (200, 3)))


def by_definition(space: MixedSpace) -> np.ndarray:
    """Squared rank differences, and one for each category that differs: (queries, keys)."""
    queries, keys = space.rows["synthetic"], space.rows["training"]
    ranks = (queries.numbers[:, None, :] - keys.numbers[None, :, :]) ** 2
    differ = queries.codes[:, None, :] != keys.codes[None, :, :]
    return ranks.sum(axis=2) + differ.sum(axis=2)


def test_the_nearest_row_is_that_of_the_definition() -> None:
    space = MixedSpace.of(coded(*SIDES))
    found = space.nearest(space.rows["synthetic"], space.rows["training"])
    distances = by_definition(space)
    assert np.array_equal(found.squared, distances.min(axis=1))
    assert np.array_equal(found.key, distances.argmin(axis=1))
    ends = [300 * part // PARTS for part in range(PARTS + 1)]
    parts = [distances[:, start:stop].min(axis=1) for start, stop in pairwise(ends)]
    assert np.array_equal(found.parts, np.column_stack(parts))


def test_a_copy_is_at_distance_nothing_also_with_many_labels_and_gaps() -> None:
    labels = [f"label {number}" for number in range(300)]
    training = SIDES[0].append_column("city", pa.array(labels))
    space = MixedSpace.of(coded(training, training, training))
    found = space.nearest(space.rows["synthetic"], space.rows["training"])
    assert (found.squared == 0).all()
    assert np.array_equal(found.key, np.arange(300))


def test_ranks_lie_between_nothing_and_one_whatever_the_numbers_are() -> None:
    sides = [
        pa.table({"x": [-1e308, 1e-300, 5.0, None, 1e308]}), pa.table({"x": [7.0, None]}),
        pa.table({"x": [None, 2.0]}),
    ]  # fmt: skip
    ranks = MixedSpace.of(coded(*sides)).rows["synthetic"].numbers
    assert ((ranks >= 0) & (ranks <= 1)).all()


def test_codes_of_rows_are_equal_exactly_where_rows_are() -> None:
    training = pa.concat_tables([SIDES[0], SIDES[0].slice(0, 50)])
    codes = exact_codes(coded(training, SIDES[1], SIDES[2]))
    pooled = pa.concat_tables([training, SIDES[1], SIDES[2]])
    expected = text_frame(pooled).groupby(list(pooled.column_names), dropna=False).ngroup()
    found = np.concatenate([codes["training"], codes["synthetic"], codes["holdout"]])
    assert len(set(zip(found, expected, strict=True))) == len(set(found)) == len(set(expected))


def test_many_columns_of_many_codes_do_not_overflow() -> None:
    random = np.random.default_rng(0)
    columns = [random.integers(0, 10**6, 200) for _ in range(30)]
    assert len(np.unique(combined(columns))) == 200
    twice = combined([np.concatenate([column, column]) for column in columns])
    assert np.array_equal(twice[:200], twice[200:])


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (pa.array([1, None], pa.int8()), [1.0, np.nan]),
        (pa.array([2**63], pa.uint64()), [2.0**63]),
        (pa.array([Decimal("1.25"), None], pa.decimal128(6, 2)), [1.25, np.nan]),
        (pa.array([dt.date(1970, 1, 2)], pa.date32()), [86_400.0]),
        (pa.array([dt.datetime(1970, 1, 1, 1)], pa.timestamp("ms")), [3_600.0]),
        (pa.array([dt.datetime(1, 1, 1)], pa.timestamp("us")), [-62_135_596_800.0]),
        (pa.array([3_600_000_000], pa.timestamp("us", tz="Europe/Vienna")), [3_600.0]),
        (pa.nulls(2, pa.float64()), [np.nan, np.nan]),
        (pa.nulls(0, pa.int64()), []),
    ],
)
def test_numbers_and_dates_of_every_type_are_floats(values: pa.Array, expected: list) -> None:
    assert np.array_equal(as_numbers(to_series(values)), np.array(expected), equal_nan=True)
