"""Categories: shared values come back exactly, rare ones never."""

import json
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from data_contracts.contract import Column
from data_contracts.errors import ModelError
from models.encoding.category import OTHER, CategoryCodec
from models.encoding.column import THRESHOLD, UNKNOWN
from tests.models.encoding.columns import round_trip, series


def column(physical_type: str = "string", **promises: object) -> Column:
    return Column.model_validate(
        {"name": "x", "logical_type": "string", "physical_type": physical_type, **promises}
    )


@pytest.mark.parametrize("physical_type", ["string", "large_string", "dictionary<string>"])
def test_text_comes_back_and_rare_values_do_not(physical_type: str) -> None:
    own = column(physical_type)
    values = series(own, ["a", "b", None] * 100 + ["secret"] * (THRESHOLD - 1))
    codec, back = round_trip(CategoryCodec, own, values)
    shown, real = back.astype(object).iloc[:300], values.astype(object).iloc[:300]
    assert shown.fillna("missing").tolist() == real.fillna("missing").tolist()
    assert "secret" not in set(back.dropna())
    assert "secret" not in json.dumps(codec.state().settings)
    assert (codec.encode(values)[300:] == UNKNOWN).all()


@pytest.mark.parametrize(
    ("logical", "physical", "values"),
    [
        ("boolean", "bool", [True, False, None]),
        ("integer", "int64", [1, 2, None]),
        ("number", "float64", [0.5, 1.5, None]),
        ("number", "decimal128(5, 2)", [Decimal("0.50"), Decimal("1.25"), None]),
    ],
)
def test_categories_of_other_types(logical: str, physical: str, values: list[object]) -> None:
    listed = None if logical == "boolean" else (values[0], values[1])
    listed = tuple(float(one) if isinstance(one, Decimal) else one for one in listed or ()) or None
    own = column(physical, logical_type=logical, categories=listed)
    typed = series(own, values * 30)
    _, back = round_trip(CategoryCodec, own, typed)
    assert back.isna().equals(typed.isna())
    assert back.dropna().tolist() == typed.dropna().tolist()


def test_ordered_categories_keep_their_order() -> None:
    own = column("dictionary<string>", ordered=True, categories=("low", "mid", "high"))
    kind = pd.CategoricalDtype(["low", "mid", "high"], ordered=True)
    values = pd.Series(["high", "low", "mid"] * 40, dtype=kind)
    codec = CategoryCodec(own).fit(values)
    back = codec.decode(codec.encode(values), np.random.default_rng(0))
    assert list(back.cat.categories) == ["low", "mid", "high"]
    assert back.cat.ordered
    assert back.tolist() == values.tolist()


def test_many_rare_values_become_one_other() -> None:
    own = column()
    values = series(own, [f"street {row}" for row in range(50_000)] + ["main street"] * 50_000)
    codec, back = round_trip(CategoryCodec, own, values)
    assert set(back) == {"main street", OTHER}
    assert codec.parts_[0].cardinality == 2
    assert codec.outside(series(own, [OTHER, "main street", "street 7"])).tolist() == [
        False, False, True,
    ]  # fmt: skip


def test_other_alone_can_be_given() -> None:
    own = column()
    codec = CategoryCodec(own).fit(series(own, [f"street {row}" for row in range(50)]))
    assert codec.domain == f"{OTHER} only"
    assert not codec.outside(series(own, [OTHER])).any()


def test_no_other_where_the_contract_forbids_it() -> None:
    own = column(categories=("a", "b", *map(str, range(100))))
    values = series(own, ["a", "b"] * 50 + [str(one) for one in range(100)])
    _, back = round_trip(CategoryCodec, own, values)
    assert set(back.dropna()) <= {"a", "b"}


@pytest.mark.parametrize("physical_type", ["string", "dictionary<string>"])
def test_codes_that_nobody_shares_are_made_up_by_their_pattern(physical_type: str) -> None:
    own = column(physical_type, pattern="^[A-Z]{4}$", required=True)
    letters = np.random.default_rng(0).choice(list("ABCDEFGHIJKLMNOPQRSTUVWXYZ"), (200, 4))
    real = ["".join(row) for row in letters]
    codec, back = round_trip(CategoryCodec, own, series(own, real))
    assert back.astype(str).str.fullmatch("[A-Z]{4}").all()
    assert back.nunique() > 100
    assert len(set(back) & set(real)) < 10
    assert not set(real) & set(json.dumps(codec.state().settings).split('"'))
    assert codec.outside(series(own, [back.iloc[0], real[0]])).all()


def test_made_up_codes_stand_beside_shared_ones() -> None:
    own = column(pattern="^[A-Z]{4}$")
    values = series(own, ["MAIN"] * 50 + [f"RA{one}{other}" for one in "ABCDE" for other in "FGHI"])
    _, back = round_trip(CategoryCodec, own, values)
    assert back[:50].eq("MAIN").all()
    assert not back[50:].eq("MAIN").any()


def test_made_up_codes_are_the_same_ones_once_restored() -> None:
    own = column(pattern=r"^k\d$")
    # Of ten codes seven are shared, and stand among those that would be made up first.
    values = series(own, [f"k{one}" for one in range(7)] * 20 + ["k7", "k8", "k9"] * 5)
    codec, _ = round_trip(CategoryCodec, own, values)
    again = CategoryCodec.restore(own, values.dtype, codec.state())
    assert again.made_up_ == codec.made_up_


def test_numbers_that_nobody_shares_are_missing_where_they_may_be() -> None:
    own = column("int64", logical_type="integer", categories=tuple(range(150)))
    codec, back = round_trip(CategoryCodec, own, series(own, np.arange(150)))
    assert back.isna().all()
    assert codec.domain.startswith("nothing")


def test_required_values_that_nobody_shares_are_refused() -> None:
    own = column("int64", logical_type="integer", categories=tuple(range(150)), required=True)
    with pytest.raises(ModelError, match="Mark it as an identifier"):
        CategoryCodec(own).fit(series(own, np.arange(150)))


def test_people_count_and_not_rows() -> None:
    own = column()
    values = series(own, ["common"] * 500 + ["loud"] * 500)
    units = np.concatenate([np.arange(500), np.full(500, 500)])
    codec = CategoryCodec(own).fit(values, units)
    assert codec.values_ == ["common"]


def test_rows_in_another_order_give_the_same_codes() -> None:
    own = column()
    values = series(own, ["b", "a", "c"] * 20)
    turned = values.iloc[::-1].reset_index(drop=True)
    assert CategoryCodec(own).fit(values).state() == CategoryCodec(own).fit(turned).state()


def test_arrow_booleans_are_read_back() -> None:
    own = column("bool", logical_type="boolean")
    _, back = round_trip(CategoryCodec, own, series(own, pa.array([True] * 20 + [False] * 20)))
    assert back.tolist() == [True] * 20 + [False] * 20
