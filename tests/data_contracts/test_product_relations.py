"""Products and ratios of columns: found where each row keeps them and they say something."""

import numpy as np
import pytest

from data_contracts.product_relations import decimals_of, find_products

ROWS = 3000


def orders(seed: int = 0) -> dict[str, np.ndarray]:
    """Orders whose numbers hang together by products, and some that do not."""
    random = np.random.default_rng(seed)
    count = random.integers(1, 20, ROWS).astype(float)
    price = np.round(random.lognormal(2, 1, ROWS), 2)
    net = np.round(count * price, 2)
    rate = random.choice([0.0, 5.0, 10.0, 20.0], ROWS)
    whole = random.integers(1, 900, ROWS).astype(float)
    part = np.floor(whole * random.random(ROWS))
    inches = random.normal(60, 5, ROWS).round()
    flag = random.integers(0, 2, ROWS).astype(float)
    noise = random.normal(size=ROWS)
    return {
        "count": count,
        "price": price,
        "net": net,
        "rate": rate,
        "tax": np.round(net * rate / 100, 2),
        "part": part,
        "whole": whole,
        "percent": np.round(100 * part / whole, 1),
        "inches": inches,
        "centimetres": np.round(inches * 2.54, 1),
        "flag": flag,
        "noise": noise,
        "switched": flag * noise,
        "nothing": np.round(random.uniform(0, 0.001, ROWS), 3),
    }


FOUND = {
    "count * price == net",
    "round(net * rate / 100, 2) == tax",
    "round(100 * part / whole, 1) == percent",
    "round(2.54 * inches, 1) == centimetres",
}


def texts(columns: dict[str, np.ndarray], units: int = ROWS) -> set[str]:
    numbers = np.stack(list(columns.values()), axis=1)
    return {rule.text for rule in find_products(numbers, list(columns), units)}


def test_products_are_found_and_nothing_else() -> None:
    assert texts(orders()) == FOUND


def test_missing_cells_say_nothing() -> None:
    columns = orders()
    for place, values in enumerate(columns.values()):
        values[np.random.default_rng(place).random(ROWS) < 0.2] = np.nan
    assert texts(columns) == FOUND


def test_one_row_is_enough_to_break_one() -> None:
    columns = orders()
    columns["net"][17] += 50
    columns["percent"][5] += 20
    assert texts(columns) == {"round(2.54 * inches, 1) == centimetres"}


def test_few_people_and_few_columns_make_no_product() -> None:
    assert not texts(orders(), units=20)
    assert not texts({"count": orders()["count"]})
    assert not texts({name: orders()[name] for name in ("count", "price")})


def test_small_whole_numbers_meet_no_product_by_chance() -> None:
    random = np.random.default_rng(1)
    assert not texts({f"n{at}": random.integers(0, 30, ROWS).astype(float) for at in range(25)})


def test_a_factor_that_rounding_hides_is_none() -> None:
    random = np.random.default_rng(2)
    base = random.integers(0, 50, ROWS).astype(float)
    nearly = np.round(1 + random.normal(0, 1e-4, ROWS), 6)
    assert not texts({"base": base, "nearly": nearly, "again": np.rint(base * nearly)})


@pytest.mark.parametrize(
    ("values", "decimals"),
    [([1.0, 2.0], 0), ([0.5, 1.25], 2), ([np.nan, 3.125], 3), ([1 / 3], None), ([1e300], 0)],
)
def test_decimals_are_as_many_as_needed(values: list[float], decimals: int | None) -> None:
    assert decimals_of(np.array(values)) == decimals
