"""What values have given their codes adds up to one, and is nothing where nothing is drawn."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from data_contracts.contract import Column
from models.encoding import axis
from models.encoding.category import OTHER, CategoryCodec
from models.encoding.number import NumberCodec
from models.encoding.temporal import TemporalCodec
from tests.models.encoding.columns import series

ROWS = 3000
Codec = NumberCodec | TemporalCodec | CategoryCodec
Random = np.random.Generator
DAY = np.datetime64("2020-01-01", "D")


def column(logical: str, physical: str, **promises: Any) -> Column:
    return Column.model_validate(
        {"name": "x", "logical_type": logical, "physical_type": physical, **promises}
    )


INTEGER, FLOAT = column("integer", "int64"), column("number", "float64")
DATE, TIME = column("date", "date32"), column("timestamp", "timestamp[s]")
TEXT, CODE = column("string", "string"), column("string", "string", pattern=r"^k\d{2}$")


def _rare(random: Random) -> list[str]:
    return [f"k{one:02d}" for one in random.integers(0, 40, 150)] + ["k77"] * 100


def _prices(random: Random) -> Any:
    usual = random.choice([9.99, 19.99, 4.5], ROWS)
    return np.round(np.where(random.random(ROWS) < 0.6, usual, random.gamma(2, 10, ROWS)), 2)


def _days(random: Random) -> Any:
    return DAY + random.integers(0, 700, ROWS)


def _months(random: Random) -> Any:
    return (DAY.astype("datetime64[M]") + random.integers(0, 200, ROWS)).astype("datetime64[D]")


def _hours(random: Random) -> Any:
    return _days(random).astype("datetime64[s]") + 3600 * random.integers(8, 18, ROWS)


Case = tuple[type[Any], Column, Callable[[Random], Any], Any]
CASES: dict[str, Case] = {
    "steps of five": (NumberCodec, INTEGER, lambda r: 5 * r.integers(0, 9, ROWS), np.arange(60)),
    "gaps": (NumberCodec, INTEGER, lambda r: r.choice([1, 5, 9], ROWS), np.arange(-5, 20)),
    "many": (NumberCodec, INTEGER, lambda r: r.gamma(2, 400, ROWS).astype(int), np.arange(9000)),
    "whole": (NumberCodec, FLOAT, lambda r: r.integers(0, 10, ROWS) * 1.0, np.arange(-5, 20, 0.5)),
    "prices": (NumberCodec, FLOAT, _prices, np.arange(-10, 40_000) / 200),
    "days": (TemporalCodec, DATE, _days, DAY + np.arange(-100, 900)),
    "months": (TemporalCodec, DATE, _months, DAY + np.arange(-100, 7000)),
    "hours": (TemporalCodec, TIME, _hours, DAY.astype("datetime64[s]") + 1800 * np.arange(36_000)),
    "other": (CategoryCodec, TEXT, _rare, [*(f"k{one:02d}" for one in range(99)), OTHER]),
    "made up": (CategoryCodec, CODE, _rare, [f"k{one:02d}" for one in range(100)]),
}  # fmt: skip


def fitted(case: Case) -> tuple[Codec, pd.Series, pd.Series]:
    """A codec, the values it was fitted to, and all values near them."""
    kind, own, draw, near = case
    learned = series(own, draw(np.random.default_rng(1)))
    return kind(own).fit(learned), learned, series(own, near)


@pytest.mark.parametrize("name", CASES)
def test_the_values_of_a_code_have_it_among_them(name: str) -> None:
    codec, learned, near = fitted(CASES[name])
    codes, logs = codec.encode(near), codec.log_detail(near)
    there = np.unique(codec.encode(learned), axis=0)
    sums = [np.exp(logs[(codes == one).all(1)]).sum() for one in there if (one >= 0).any()]
    # What is drawn before the first hour or after the last one is moved to it: that is left out.
    assert np.isclose(sums, 1.0).mean() > (0.99 if name == "hours" else 0.9999)


@pytest.mark.parametrize("name", CASES)
def test_what_is_drawn_can_be_and_what_cannot_be_is_never_drawn(name: str) -> None:
    codec, learned, near = fitted(CASES[name])
    codes = np.repeat(codec.encode(learned), 5, axis=0)
    drawn = codec.decode(codes[codes[:, 0] >= 0], np.random.default_rng(2))
    assert np.isfinite(codec.log_detail(drawn)).all()
    impossible = near[np.isneginf(codec.log_detail(near))]
    assert len(impossible)
    assert not set(impossible) & set(drawn)


def test_tiny_numbers_have_a_density_of_their_own_scale() -> None:
    numbers = np.random.default_rng(1).uniform(0, 1, ROWS)
    logs = [
        NumberCodec(FLOAT).fit(values).log_detail(values)
        for values in (series(FLOAT, scale * numbers) for scale in (1e-15, 1.0))
    ]
    inner = np.isfinite(logs[1]) & (logs[1] != 0)
    assert inner.mean() > 0.99
    np.testing.assert_allclose(logs[0][inner] - logs[1][inner], 15 * np.log(10), atol=1e-6)


def test_where_nothing_may_be_shown_only_missing_values_can_be() -> None:
    own = column("string", "string", categories=tuple(f"c{one}" for one in range(300)))
    values = series(own, [f"c{one}" for one in range(300)])
    logs = CategoryCodec(own).fit(values).log_detail(series(own, ["c1", None]))
    assert logs.tolist() == [-np.inf, 0.0]


def test_what_is_moved_to_the_first_time_can_be() -> None:
    """The eighth from the start may be at a time of day that no other value has."""
    noons = 86_400 * np.random.default_rng(1).integers(1, 700, ROWS) + 43_200
    ticks = np.concatenate([np.full(7, 43_200), [86_399], noons])
    values = series(TIME, DAY.astype("datetime64[s]") + ticks)
    codec = TemporalCodec(TIME).fit(values)
    codes = np.repeat(codec.encode(values), 20, axis=0)
    drawn = codec.decode(codes, np.random.default_rng(2))
    assert (drawn == values[7]).any()
    assert np.isfinite(codec.log_detail(drawn)).all()


def test_few_at_a_time_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    codec, _, near = fitted(CASES["prices"])
    together = codec.log_detail(near)
    monkeypatch.setattr(axis, "MOST_PAIRS", 1000)
    np.testing.assert_array_equal(codec.log_detail(near), together)
