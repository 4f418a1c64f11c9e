"""Wishes and rules while drawing: kept by every row, with the learned distribution under them."""

from datetime import date
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from data_contracts.contract import Column, Contract, Source, Table
from data_contracts.dataset import Dataset
from data_contracts.errors import ModelError
from data_contracts.row_rules import parse_rule
from data_contracts.schema import arrow_schema, to_frame
from models.conditions import OneOf, Range, Shares
from models.encoding.column import IntArray
from models.encoding.table import TableCodec
from models.generators import crowds, drawing
from models.generators.any_order import AnyOrderGenerator, AnyOrderOptions
from models.generators.guide import Guide
from models.generators.lines import linear_rules
from tests.models.generators.constants import CONSTANTS, constants_model
from tests.models.generators.deliveries import CITIES, TABLE, deliveries, delivery_model

ROWS = 2000
SPRING = Range(date(2024, 3, 1), date(2024, 4, 30))


def drawn(**given: object) -> pd.DataFrame:
    return delivery_model().sample(ROWS, given=given, seed=3).frame


def test_rules_hold_as_rows_are_drawn_and_not_by_drawing_again() -> None:
    model, random = delivery_model(), np.random.default_rng(1)
    guide = Guide(model.codec_, TABLE, ROWS)
    codes = np.full((ROWS, len(model.codec_.parts_)), -1)
    codes = model.model_.complete_guided(codes, random, guide)
    rows = model.codec_.decode(codes, random, 0, guide.decoders())
    assert (rows["goods"] + rows["freight"] == rows["total"]).all()
    assert ((rows["ordered"] <= rows["arrived"]) | rows["arrived"].isna()).all()
    pairs = rows[["city", "country"]].dropna().drop_duplicates()
    assert dict(pairs.itertuples(index=False)) == CITIES
    free = model.codec_.decode(model.model_.complete(np.full_like(codes, -1), random), random)
    assert (free["goods"] + free["freight"] != free["total"]).mean() > 0.1


def test_ranges_of_several_columns_hold_together() -> None:
    rows = drawn(ordered=SPRING, weight=Range(1.5, 2.5), city=OneOf(("Bern", "Graz")))
    assert rows["ordered"].between(SPRING.low, SPRING.high).all()
    assert rows["weight"].between(1.5, 2.5).all()
    assert set(rows["city"]) == {"Bern", "Graz"}
    real = deliveries(40_000, seed=9).frame
    real = real[real["weight"].between(1.5, 2.5) & real["city"].isin(["Bern", "Graz"])]
    # Heavy parcels go to Bern more often: the wishes say something of each other.
    assert (rows["city"] == "Bern").mean() == pytest.approx(
        (real["city"] == "Bern").mean(), abs=0.1
    )
    assert float(rows["freight"].mean()) == pytest.approx(float(real["freight"].mean()), rel=0.1)
    assert (rows["goods"] + rows["freight"] == rows["total"]).all()


def test_few_rows_keep_several_wishes_as_many_do() -> None:
    """Rows are weighed against a crowd: drawn alone, one would keep its first wish blindly."""
    wishes = {"weight": Range(0.0, 0.5), "city": OneOf(("Bern", "Graz"))}
    many = (drawn(**wishes)["city"] == "Bern").mean()
    model = delivery_model()
    few = [model.sample(2, given=wishes, seed=seed).frame["city"] for seed in range(150)]
    assert (pd.concat(few) == "Bern").mean() == pytest.approx(many, abs=0.07)


def test_kinds_are_drawn_one_group_after_the_other_where_they_are_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sizes: list[int] = []

    def counted(kinds: IntArray) -> IntArray:
        candidates = crowds.crowd(kinds)
        sizes.append(len(candidates))
        return candidates

    monkeypatch.setattr(drawing, "crowd", counted)
    wishes = {
        "city": Shares({"Bern": 0.5, "Linz": 0.25, "Graz": 0.25}),
        "weight": Shares({Range(0.0, 1.0): 0.6, Range(1.0, None): 0.4}),
    }
    together = delivery_model().sample(200, given=wishes, seed=3).frame
    assert max(sizes) > 6 * crowds.CROWD - 1
    sizes.clear()
    monkeypatch.setattr(crowds, "MOST_CANDIDATES", 2 * crowds.CROWD)
    apart = delivery_model().sample(200, given=wishes, seed=3).frame
    assert max(sizes) < 3 * crowds.CROWD
    assert apart["city"].value_counts().to_dict() == {"Bern": 100, "Linz": 50, "Graz": 50}
    assert (apart["city"] == together["city"]).all()
    assert int((apart["weight"] <= 1.0).sum()) == 120
    assert apart.dtypes.equals(together.dtypes)


def test_a_group_holds_whole_kinds_and_ends_where_it_is_large_enough() -> None:
    kinds = np.array([0, 1, 2, 1, 3, 0] * 10)
    (everything,) = crowds.crowds(kinds)
    assert everything.tolist() == list(range(60))
    many = np.random.default_rng(0).permutation(np.arange(5000) % 2500)
    groups = crowds.crowds(many)
    assert sorted(np.concatenate(groups)) == list(range(5000))
    assert len({kind for group in groups for kind in set(many[group])}) == 2500
    assert sum(len(set(many[group])) for group in groups) == 2500
    most = crowds.MOST_CANDIDATES + crowds.CROWD
    assert all(len(crowds.crowd(many[group])) < most for group in groups)
    assert len(groups) == 5


def test_a_total_that_is_given_is_split() -> None:
    rows = drawn(total=60, city="Bern")
    assert (rows["goods"] + rows["freight"] == 60).all()
    assert rows["goods"].nunique() > 10
    assert set(rows["country"]) == {"CH"}


def test_shares_are_met_and_the_other_values_share_the_rest() -> None:
    rows = drawn(city=Shares({"Bern": 0.5, "Linz": 0.1}))
    assert int((rows["city"] == "Bern").sum()) in (ROWS // 2, ROWS // 2 + 1)
    assert abs(int((rows["city"] == "Linz").sum()) - ROWS // 10) <= 1
    rest = rows[~rows["city"].isin(["Bern", "Linz"])]
    assert (rest["city"] == "Graz").mean() == pytest.approx(0.4 / (0.4 + 0.1 + 0.05), abs=0.12)
    ages = drawn(weight=Shares({Range(None, 1.0): 0.25, Range(1.2, None): 0.75}))
    assert int((ages["weight"] <= 1.0).sum()) in (ROWS // 4, ROWS // 4 + 1)
    assert not ages["weight"].between(1.01, 1.19).any()


def test_missing_values_have_a_share_like_any_other() -> None:
    rows = drawn(weight=Shares({None: 0.5, Range(0, 1): 0.3}))["weight"]
    assert int(rows.isna().sum()) in (ROWS // 2, ROWS // 2 + 1)
    assert abs(int((rows <= 1).sum()) - 3 * ROWS // 10) <= 1
    assert float(rows.max()) > 2
    rows = drawn(weight=Shares({None: 0.25, 1.2345: 0.75}))["weight"]
    assert (rows.dropna() == 1.2345).all()
    assert abs(int(rows.isna().sum()) - ROWS // 4) <= 1


def test_what_goes_with_a_single_number_follows_it() -> None:
    rows = drawn(weight=Shares({0.5004: 0.5, 3.0004: 0.5}))
    light, heavy = (
        rows.loc[rows["weight"] < 1, "freight"],
        rows.loc[rows["weight"] > 1, "freight"],
    )
    # Freight is 5 + 10 * weight and up to 4 more.
    assert float(light.mean()) == pytest.approx(12, abs=2)
    assert float(heavy.mean()) == pytest.approx(37, abs=4)


def test_the_other_numbers_share_the_rest_as_they_do_in_the_rows_learned_from() -> None:
    drawn_ = drawn(total=Shares({Range(100, 149): 0.4, Range(140, 200): 0.1}))
    within = drawn_["total"].between(100, 200)
    assert abs(int(within.sum()) - ROWS // 2) <= 2
    real = deliveries(20_000, seed=9).frame["total"]
    expected = real[~real.between(100, 200)]
    assert float((drawn_.loc[~within, "total"] < 100).mean()) == pytest.approx(
        float((expected < 100).mean()), abs=0.06
    )
    days = drawn(ordered=Shares({SPRING: 0.5}))["ordered"]
    assert abs(int(days.between(SPRING.low, SPRING.high).sum()) - ROWS // 2) <= 1


def test_sums_and_limits_with_numbers_are_kept_while_drawing() -> None:
    texts = ["total - freight <= 120", "goods - freight >= 10.5", "weight < 0.8", "freight > 12"]
    rules = tuple(rule for text in texts if (rule := parse_rule(text, None)) is not None)
    table = TABLE.model_copy(update={"row_rules": (*TABLE.row_rules, *rules)})
    model, random = delivery_model(), np.random.default_rng(2)
    guide = Guide(model.codec_, table, ROWS)
    codes = np.full((ROWS, len(model.codec_.parts_)), -1)
    codes = model.model_.complete_guided(codes, random, guide)
    rows = model.codec_.decode(codes, random, 0, guide.decoders())
    assert (rows["total"] - rows["freight"] <= 120).all()
    # Two rules of the same columns can leave a row no way out: such rows are drawn again.
    assert (rows["goods"] - rows["freight"] >= 11).mean() > 0.97
    assert (rows["freight"] >= 13).all()
    assert (rows["weight"].dropna() < 0.8).all()
    assert (rows["goods"] + rows["freight"] == rows["total"]).mean() > 0.97


def test_a_range_leaves_no_missing_values() -> None:
    assert not drawn(arrived=SPRING)["arrived"].isna().any()


def test_temperature_moves_rows_towards_the_likely_values() -> None:
    cold, hot = (
        delivery_model().sample(ROWS, seed=1, temperature=heat).frame["city"].value_counts()
        for heat in (0.3, 3.0)
    )
    assert cold["Graz"] > 1.3 * hot["Graz"]
    with pytest.raises(ModelError, match="temperature"):
        delivery_model().sample(1, seed=1, temperature=0.0)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"weight": Range(500, 600)}, "no row lies there"),
        ({"weight": Range(2, 1)}, "no row lies there"),
        ({"city": Range("A", "C")}, "no order"),
        ({"city": OneOf(("Wien",))}, "Bern"),
        ({"city": Shares({"Bern": 0.7, "Graz": 0.7})}, "at most 1"),
        ({"city": Shares({"Bern": float("nan")})}, "at most 1"),
        ({"country": Shares({"AT": 0.3, "CH": 0.3, "DE": 0.3})}, "no other value"),
        ({"total": Shares({Range(None, None): 0.5})}, "no other value"),
        ({"total": Shares({None: 0.5, Range(0, 9): 0.5})}, "no row lies there"),
        ({"ordered": Range("soon", None)}, "date32"),
        ({"city": "Bern", "country": OneOf(("AT",))}, "do not keep what is asked of city, country"),
        ({"city": OneOf(("Bern",)), "country": Shares({"AT": 0.3, "CH": 0.7})}, "wish"),
        ({"height": Range(1, 2)}, "height"),
    ],
)
def test_wishes_that_no_row_can_keep_are_refused(given: dict[str, object], said: str) -> None:
    with pytest.raises(ModelError, match=said):
        drawn(**given)


@pytest.mark.parametrize(
    ("name", "wish"),
    [
        ("total", OneOf((3, 100))),
        ("total", OneOf((100,))),
        ("total", Range(90, 100)),
        ("total", Range(100, None)),
        ("total", Shares({100: 0.4, Range(0, 200): 0.6})),
        ("price", Range(Decimal("9.90"), None)),
        ("day", Range(date(2024, 1, 1), date(2024, 12, 31))),
        ("day", OneOf((date(2024, 5, 1),))),
        ("city", OneOf(("Graz", "Bern"))),
        ("city", Shares({"Graz": 1.0})),
        ("empty", OneOf((None,))),
        ("empty", Shares({None: 1.0})),
    ],
    ids=str,
)
def test_a_constant_that_is_as_asked_is_drawn(name: str, wish: object) -> None:
    rows = constants_model().sample(20, given={name: wish}, seed=1).frame
    value = CONSTANTS[name]
    assert rows[name].isna().all() if value is None else (rows[name] == value).all()


@pytest.mark.parametrize(
    ("name", "wish", "said"),
    [
        ("total", OneOf((3, 4)), "100 only"),
        ("total", Range(None, 99), "100 only"),
        ("total", Shares({3: 0.5, 100: 0.5}), "100 only"),
        ("total", Shares({100: 0.5}), "no other value"),
        ("total", OneOf((2.5,)), "int64"),
        ("total", OneOf(()), "no values"),
        ("city", Range("A", "Z"), "no order"),
        ("city", OneOf(("Bern",)), "Graz only"),
        ("empty", OneOf((1,)), "always missing"),
        ("empty", Range(0, None), "always missing"),
        ("key", OneOf(("A00001",)), "issued anew"),
        ("key", Shares({"A00001": 0.5}), "issued anew"),
        ("key", Range("A", "B"), "issued anew"),
    ],
    ids=str,
)
def test_a_constant_that_is_not_as_asked_says_what_it_is(
    name: str, wish: object, said: str
) -> None:
    with pytest.raises(ModelError, match=said):
        constants_model().sample(20, given={name: wish}, seed=1)


def boxes(rules: tuple[str, ...]) -> Dataset:
    """Two parts of a box of 100, in hundredths."""
    random = np.random.default_rng(0)
    one = np.round(random.uniform(0, 99, 300), 2)
    other = np.round(random.uniform(0, 100 - one), 2)
    values = {"one": one, "other": other, "box": np.full(300, 100.0)}
    number = {"logical_type": "number", "physical_type": "float64"}
    read = [parse_rule(text, None) for text in rules]
    table = Table(
        name="boxes",
        columns=tuple(Column(name=name, **number) for name in values),
        source=Source(format="csv", path="b.csv"),
        row_rules=tuple(rule for rule in read if rule is not None),
    )
    frame = to_frame(pa.table(values).cast(arrow_schema(table)))
    return Dataset(Contract(id="boxes", version="1", tables=(table,)), {"boxes": frame})


def test_a_limit_that_is_one_number_in_every_row_is_kept_and_stays() -> None:
    data = boxes(("one + other <= box",))
    options = AnyOrderOptions(width=16, blocks=0, epochs=2)
    model = AnyOrderGenerator(options).fit(data, seed=1)
    for given in (None, {"one": 99.9}):
        rows = model.sample(200, given=given, seed=1).frame
        assert (rows["box"] == 100).all()
        assert (rows["one"] + rows["other"] <= 100 + 1e-9).all()
        assert rows["other"].tolist() == [round(value, 2) for value in rows["other"]]


@pytest.mark.parametrize(
    ("rule", "signs", "low", "high"),
    [
        ("one + other == box", {"one": 1, "other": 1}, 100.0, 100.0),
        ("box - one >= 30", {"one": -1}, -70.0, np.inf),
        ("one + box <= other", {"one": 1, "other": -1}, -np.inf, -100.0),
        ("one < box", {"one": 1}, -np.inf, 100.0),
        ("box >= one", {"one": 1}, -np.inf, 100.0),
    ],
)
def test_rules_take_a_column_of_one_number_for_that_number(
    rule: str, signs: dict[str, int], low: float, high: float
) -> None:
    data = boxes((rule,))
    table = data.contract.tables[0]
    codec = TableCodec().fit(data.frame, table)
    (found,) = linear_rules(table, codec.measures(), codec.constants())
    assert found.signs == signs
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-4)
    # What lies below a number does not reach it.
    assert found.high < high if rule == "one < box" else found.high == high
