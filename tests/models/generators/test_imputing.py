"""Missing cells of real rows: filled in from the rest of the row, nothing else touched."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pandas.testing import assert_frame_equal

from data_contracts.contract import Column, Contract, Source, Table
from data_contracts.dataset import Dataset
from data_contracts.errors import ModelError
from data_contracts.row_rules import parse_rule
from data_contracts.schema import arrow_schema, to_frame
from models.generators import imputing
from models.generators.any_order import AnyOrderGenerator, AnyOrderOptions
from tests.models.generators.deliveries import CITIES, CONTRACT, TABLE, deliveries, delivery_model
from tests.models.generators.tables import people


def gaps() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Whole rows, and the same with holes in four of their columns."""
    whole = deliveries(1500, seed=8).frame.dropna().reset_index(drop=True)
    holed = whole.copy()
    for start, name in enumerate(("weight", "city", "total", "arrived")):
        holed.loc[holed.index % 5 == start, name] = None
    return whole, holed


def imputed(holed: pd.DataFrame, **options: object) -> pd.DataFrame:
    return delivery_model().impute(Dataset(CONTRACT, {TABLE.name: holed}), seed=4, **options).frame


def test_only_missing_cells_change_and_rules_hold() -> None:
    whole, holed = gaps()
    before = holed.copy(deep=True)
    filled = imputed(holed)
    assert_frame_equal(holed, before)
    assert not filled.isna().any().any()
    assert filled.dtypes.tolist() == whole.dtypes.tolist()
    for name in whole.columns:
        known = holed[name].notna()
        assert filled.loc[known, name].tolist() == holed.loc[known, name].tolist()
    assert (filled["goods"] + filled["freight"] == filled["total"]).all()
    assert (filled["ordered"] <= filled["arrived"]).all()
    assert [CITIES[city] for city in filled["city"]] == filled["country"].tolist()


def test_rows_of_other_columns_and_seeds_below_0_are_told() -> None:
    with pytest.raises(ModelError, match="not of the columns that any_order was fitted to"):
        delivery_model().impute(people(3, seed=1), seed=1)
    with pytest.raises(ModelError, match="seed -1"):
        delivery_model().impute(deliveries(3), seed=-1)


@pytest.mark.parametrize("point", [True, False])
def test_a_column_may_have_any_name(point: bool) -> None:
    names = ("self", "frame", "other")
    whole = {"logical_type": "integer", "physical_type": "int64"}
    table = Table(
        name="t",
        columns=tuple(Column.model_validate({"name": name, **whole}) for name in names),
        source=Source(format="csv", path="t.csv"),
    )
    columns = {
        "self": [*range(1, 6), None] * 20,
        "frame": [7] * 120,
        "other": list(range(6)) * 20,
    }
    rows = to_frame(pa.table(columns, schema=arrow_schema(table)))
    data = Dataset(Contract(id="t", version="1", tables=(table,)), {"t": rows})
    model = AnyOrderGenerator(AnyOrderOptions(width=16, blocks=1, epochs=1)).fit(data, seed=1)
    holed = rows.copy()
    holed["frame"] = holed["frame"].mask(holed.index == 1)
    filled = model.impute(Dataset(data.contract, {"t": holed}), seed=1, point=point).frame
    assert not filled.isna().any().any()
    assert (filled["frame"] == 7).all()
    assert (model.sample(5, given={"self": 3}, seed=1).frame["self"] == 3).all()


def test_draws_differ_and_follow_the_rest_of_the_row() -> None:
    whole, holed = gaps()
    mine = holed["weight"].isna()
    one = imputed(holed)
    other = delivery_model().impute(Dataset(CONTRACT, {TABLE.name: holed}), seed=5).frame
    assert not one.loc[mine, "weight"].equals(other.loc[mine, "weight"])
    true = np.log(whole.loc[mine, "weight"].to_numpy(float))
    draw = np.log(one.loc[mine, "weight"].to_numpy(float))
    assert np.corrcoef(true, draw)[0, 1] > 0.4


def test_a_point_is_closer_than_a_draw() -> None:
    whole, holed = gaps()
    mine = holed["weight"].isna()
    true = whole.loc[mine, "weight"].to_numpy(float)
    errors = [
        float(np.abs(imputed(holed, point=point).loc[mine, "weight"].to_numpy(float) - true).mean())
        for point in (True, False)
    ]
    assert errors[0] < errors[1]
    assert (imputed(holed, point=True)["country"] == whole["country"]).all()


def test_points_keep_rules_and_combinations_where_several_of_their_columns_are_missing() -> None:
    holed = deliveries(300, seed=8).frame
    for name in ("goods", "freight", "total", "ordered", "arrived", "city", "country"):
        holed.loc[holed.index % 3 > 0, name] = None
    point = imputed(holed, point=True)
    assert not point.isna().any().any()
    assert (point["goods"] + point["freight"] == point["total"]).all()
    assert (point["ordered"] <= point["arrived"]).all()
    assert [CITIES[city] for city in point["city"]] == point["country"].tolist()


def test_rows_without_gaps_come_back_as_they_are() -> None:
    whole, _ = gaps()
    assert_frame_equal(imputed(whole), whole)


@pytest.mark.parametrize("point", [False, True])
def test_a_column_of_one_value_gets_it(point: bool) -> None:
    rows = people(300, seed=1)
    member = pd.array([True] * 300, dtype="boolean")
    one = Dataset(rows.contract, {"people": rows.frame.assign(group="north", member=member)})
    options = AnyOrderOptions(width=8, blocks=0, epochs=1)
    model = AnyOrderGenerator(options).fit(one, seed=1)
    holed = one.frame.copy()
    holed.loc[::2, "group"], holed.loc[::3, "member"] = None, None
    filled = model.impute(Dataset(rows.contract, {"people": holed}), seed=1, point=point).frame
    assert filled["group"].eq("north").all() and filled["member"].all()
    assert filled.dtypes.tolist() == holed.dtypes.tolist()


def test_points_of_many_rows_are_found_a_few_rows_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(imputing, "BATCH_ROWS", 40)
    sizes, drawn = list[int](), imputing.Imputer._batch

    def counted(
        self: imputing.Imputer,
        rows: pd.DataFrame,
        random: np.random.Generator,
        keys: imputing.ImputedKeys,
    ) -> pd.DataFrame:
        sizes.append(len(rows))
        return drawn(self, rows, random, keys)

    monkeypatch.setattr(imputing.Imputer, "_batch", counted)
    holed = gaps()[1].head(100)
    filled = imputed(holed, point=True)
    assert sizes == [40] * 2 * imputing.POINT_DRAWS + [20] * imputing.POINT_DRAWS
    assert len(filled) == 100 and not filled.isna().any().any()


def _kinds(values: list[str | None], ordered: bool) -> Dataset:
    listed = ("low", "mid", "high") if ordered else None
    column = Column(name="kind", logical_type="string", physical_type="dictionary<string>",
                    categories=listed, ordered=ordered)  # fmt: skip
    table = Table(name="kinds", columns=(column,), source=Source(format="csv", path="k.csv"))
    found = listed or tuple(dict.fromkeys(one for one in values if one is not None))
    kept = [one for one in found if one in values]
    frame = pd.DataFrame({"kind": pd.Categorical(values, categories=kept, ordered=ordered)})
    return Dataset(Contract(id="kinds", version="1", tables=(table,)), {"kinds": frame})


@pytest.mark.parametrize("point", [False, True])
@pytest.mark.parametrize("ordered", [False, True])
def test_categories_that_no_row_at_hand_has_are_filled_in(ordered: bool, point: bool) -> None:
    rare = [f"rare {one}" for one in range(200)]
    values = ["low", "mid", "high"] * 60 if ordered else ["common"] * 100 + rare
    options = AnyOrderOptions(width=8, blocks=0, epochs=1)
    model = AnyOrderGenerator(options).fit(_kinds(values, ordered), seed=1)
    given: list[str | None] = ["high"] if ordered else ["rare 3"]
    filled = model.impute(_kinds([*given, *[None] * 50], ordered), seed=1, point=point).frame
    assert not filled["kind"].isna().any()
    assert filled["kind"].iloc[0] == given[0]
    assert not ordered or list(filled["kind"].cat.categories) == ["low", "mid", "high"]


def spans(*rules: str, **of_low: object) -> tuple[AnyOrderGenerator, Dataset]:
    """A model of two ordered numbers and one that goes its own way, and the rows it learned."""
    random = np.random.default_rng(0)
    low, high = np.sort(random.normal(50, 10, (300, 2)), axis=1).T
    values = {"low": low, "high": high, "kind": random.choice(["a", "b"], 300)}
    number = {"logical_type": "number", "physical_type": "float64"}
    columns = (
        Column.model_validate({"name": "low", **number, **of_low}),
        Column.model_validate({"name": "high", **number}),
        Column(name="kind", logical_type="string", physical_type="string"),
    )
    read = [parse_rule(text, None) for text in rules]
    table = Table(name="spans", columns=columns, source=Source(format="csv", path="s.csv"),
                  row_rules=tuple(rule for rule in read if rule is not None))  # fmt: skip
    contract = Contract(id="spans", version="1", tables=(table,))
    data = Dataset(contract, {"spans": to_frame(pa.table(values).cast(arrow_schema(table)))})
    options = AnyOrderOptions(width=8, blocks=0, epochs=1)
    return AnyOrderGenerator(options).fit(data, seed=1), data


def holes(data: Dataset, low: list[float | None], high: list[float | None]) -> Dataset:
    frame = data.frame.head(len(low)).assign(low=pd.Series(low, dtype="float64"),
                                             high=pd.Series(high, dtype="float64"))  # fmt: skip
    return Dataset(data.contract, {"spans": frame})


@pytest.mark.parametrize("point", [False, True])
def test_what_no_draw_keeps_is_moved_onto_the_known_cells(point: bool) -> None:
    model, data = spans("low <= high")
    rows = holes(data, [None, None, 90.0], [5.0, 60.0, None])
    filled = model.impute(rows, seed=1, point=point).frame
    assert filled["low"][0] == 5 and filled["high"][2] == 90
    assert filled["low"][1] <= 60


@pytest.mark.parametrize("point", [False, True])
def test_what_no_value_keeps_stays_missing_or_is_told(point: bool) -> None:
    model, data = spans("low < high")
    rows = holes(data, [None, None, None], [5.0, 60.0, None])
    filled = model.impute(rows, seed=1, point=point).frame
    assert filled["low"].isna().tolist() == [True, False, False]
    assert (filled["low"] < filled["high"])[1:].all()
    model, data = spans("low < high", required=True)
    with pytest.raises(ModelError, match=r"'spans': 1 rows .* 'low < high'.* low, high cannot"):
        model.impute(holes(data, [None, None], [5.0, 60.0]), seed=1, point=point)
    # A limit of the column's own counts as well.
    model, data = spans("low <= high", minimum=6.0)
    rows = holes(data, [None, None], [5.0, 60.0])
    assert model.impute(rows, seed=1, point=point).frame["low"].isna().tolist() == [True, False]


def test_known_cells_that_break_a_rule_stay_and_others_are_filled_in() -> None:
    model, data = spans("low <= high")
    rows = holes(data, [90.0, 40.0], [5.0, 60.0])
    rows.frame["kind"] = None
    rows = Dataset(data.contract, {"spans": rows.frame.astype({"kind": data.frame["kind"].dtype})})
    filled = model.impute(rows, seed=1).frame
    assert filled["kind"].notna().all()
    assert filled[["low", "high"]].to_numpy().tolist() == [[90.0, 5.0], [40.0, 60.0]]


def test_cells_that_a_condition_keeps_empty_stay_empty() -> None:
    model, data = spans("low present when kind == 'a' else missing")
    rows = holes(data, [None] * 20, [60.0] * 20)
    filled = model.impute(rows, seed=1).frame
    assert filled["low"].notna().tolist() == (filled["kind"] == "a").tolist()


def test_what_chance_seldom_meets_is_drawn_often_enough() -> None:
    """Who has no address did not take the letter, as one in ten does: no code tells the network."""
    text = Column(name="address", logical_type="string", physical_type="string", role="identifier")
    flag = Column(name="letter", logical_type="boolean", physical_type="bool")
    rule = parse_rule("address present when letter == true else missing", None)
    assert rule is not None
    table = Table(name="people", columns=(flag, text), source=Source(format="csv", path="p.csv"),
                  row_rules=(rule,))  # fmt: skip
    letter = np.arange(300) % 10 > 0
    address = pa.array([f"a{row:04}" for row in range(300)], mask=~letter)
    rows = to_frame(pa.table({"letter": letter, "address": address}, arrow_schema(table)))
    contract = Contract(id="people", version="1", tables=(table,))
    options = AnyOrderOptions(width=16, blocks=0, epochs=1)
    model = AnyOrderGenerator(options).fit(Dataset(contract, {"people": rows}), seed=1)
    holed = rows.copy()
    holed["letter"] = holed["letter"].where(holed["address"].notna())
    filled = model.impute(Dataset(contract, {"people": holed}), seed=2).frame
    assert filled["letter"].tolist() == rows["letter"].tolist()
