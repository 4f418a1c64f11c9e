"""Relations in training rows: found where they are, in all rows or not at all, and kept."""

from collections.abc import Iterator
from functools import cache

import numpy as np
import pandas as pd
import pytest

from data_contracts.contract import Comparison
from data_contracts.dataset import Dataset, LargeDataset
from data_contracts.row_rules import parse_rule
from models.conditions import Range, Shares
from models.encoding.table import TableCodec
from models.generators.any_order import AnyOrderGenerator, AnyOrderOptions
from models.generators.found_rules import NOTHING, FoundRules, find_rules
from tests.models.generators.relations import related

RULES = {
    "tax + tip + fare == total", "speed == copy", "no + yes == 100", "kelvin - celsius == 273",
    "start <= end", "riders <= seats",
}  # fmt: skip


@cache
def model() -> AnyOrderGenerator:
    options = AnyOrderOptions(width=64, blocks=1, epochs=12, batch_rows=256)
    return AnyOrderGenerator(options).fit(related(), seed=1)


def found_in(data: Dataset, units: np.ndarray | None = None) -> FoundRules:
    table = data.contract.tables[0]
    codec = TableCodec().fit(data.frame, table, units=units)
    return find_rules(data, table, codec, units)


def texts(found: FoundRules) -> set[str]:
    """The rules, with the terms of sums in one order."""
    return {" == ".join(" + ".join(sorted(side.split(" + "))) for side in rule.text.split(" == "))
            for rule in found.rules}  # fmt: skip


def test_what_holds_in_every_row_is_found_and_nothing_else() -> None:
    found = model().found_
    wanted = {" == ".join(" + ".join(sorted(side.split(" + "))) for side in text.split(" == "))
              for text in RULES}  # fmt: skip
    assert texts(found) == wanted
    assert set(found.combinations) == {("code", "name")}
    assert len(found.combinations["code", "name"]) == 12
    nevers = {tuple(never) for never in found.nevers}
    assert ("riders", "zero", "seats", "other") in nevers
    assert ("speed", "missing", "stops", "other") in nevers
    assert ("speed", "other", "stops", "missing") in nevers
    assert not any("luck" in never or "tip" in never for never in nevers)


def test_what_one_row_breaks_is_no_rule() -> None:
    data = related(rows=4000, broken=1)
    left = found_in(data).broken(data.frame, data.contract.tables[0], model().codec_)
    assert not left.any()
    assert not {"no + yes == 100", "kelvin - celsius == 273"} & texts(found_in(data))


def test_all_parts_are_asked_and_not_only_the_rows_at_hand() -> None:
    data, others = related(), related(broken=40, seed=2)

    def parts() -> Iterator[pd.DataFrame]:
        yield data.frame
        yield others.frame

    large = LargeDataset(data.contract, data.tables, total_rows=8000, read=parts)
    assert len(found_in(data).rules) == len(RULES)
    assert not found_in(large).rules
    assert not found_in(large).combinations


def test_few_people_make_no_rule() -> None:
    data = related()
    assert found_in(data, units=np.arange(4000) % 50) == NOTHING
    assert found_in(Dataset(data.contract, {"rides": data.frame.head(150)})) == NOTHING


def test_rules_of_the_contract_are_not_found_again() -> None:
    data = related()
    table = data.contract.tables[0].model_copy(update={
        "row_rules": (Comparison(left="start", operator="<=", right="end"),),
        "fixed_combinations": (("code", "name"),),
    })  # fmt: skip
    codec = TableCodec().fit(data.frame, table)
    found = find_rules(data, table, codec, None)
    assert "start <= end" not in texts(found)
    assert not found.combinations


@pytest.mark.parametrize("given", [
    None,
    {"code": "c3", "total": Range(10, 20)},
    {"riders": 0, "celsius": Range(0, 5)},
    {"yes": Shares({Range(0, 20): 0.7, Range(21, 100): 0.3}), "name": "n4"},
])  # fmt: skip
def test_made_rows_keep_them_whatever_is_asked(given: dict[str, object] | None) -> None:
    table = related().contract.tables[0]
    rows = model().sample(1500, given=given, seed=4).frame
    assert not model().found_.broken(rows, table, model().codec_).any()
    assert rows["luck"].nunique() == 50
    free = AnyOrderGenerator()
    free.__dict__.update({**model().__dict__, "found_": NOTHING})
    loose = free.sample(1500, seed=4).frame
    assert model().found_.broken(loose, table, model().codec_).mean() > 0.5


def test_what_is_asked_goes_before_what_was_found() -> None:
    rows = model().sample(200, given={"yes": 30, "no": 30, "riders": 0, "seats": 2}, seed=5).frame
    assert set(rows["yes"]) == set(rows["no"]) == {30}
    assert (rows["kelvin"] - rows["celsius"] == 273).all()
    both = {"riders": Range(5, None), "seats": Range(None, 1)}
    assert (model().sample(50, given=both, seed=5).frame["seats"] <= 1).all()


def test_missing_cells_are_filled_in_by_them() -> None:
    data = related(500, seed=6)
    frame = data.frame.copy()
    frame.loc[::2, "total"] = np.nan
    frame.loc[1::2, "name"] = None
    filled = model().impute(Dataset(data.contract, {"rides": frame}), seed=1).frame
    assert np.allclose(filled["total"], data.frame["total"])
    assert (filled["name"] == data.frame["name"]).all()


def test_they_can_be_switched_off() -> None:
    options = AnyOrderOptions(width=8, blocks=0, epochs=1, find_relations=False)
    assert AnyOrderGenerator(options).fit(related(300), seed=1).found_ == NOTHING


def test_they_are_stored_by_names_of_columns() -> None:
    found = model().found_
    again = FoundRules.restore(found.settings(), found.arrays())
    assert again.rules == found.rules
    assert again.nevers == found.nevers
    assert (again.combinations["code", "name"] == found.combinations["code", "name"]).all()


def refreshed(rows: int, broken: int = 0) -> FoundRules:
    options = AnyOrderOptions(epochs=1, refresh="the earlier one")
    new = related(rows, seed=3, broken=broken)
    return AnyOrderGenerator(options).fit(new, seed=1, earlier=model()).found_


def test_a_refreshed_model_keeps_what_its_earlier_one_found_and_new_rows_keep() -> None:
    few = refreshed(150)
    assert texts(few) == texts(model().found_)
    assert set(few.nevers) == set(model().found_.nevers)
    np.testing.assert_array_equal(
        few.combinations["code", "name"], model().found_.combinations["code", "name"]
    )
    # What enough new rows tell by themselves comes once.
    many = refreshed(4000)
    columns = [sorted(sorted(rule.columns) for rule in each.rules) for each in (few, many)]
    assert columns[0] == columns[1]
    assert set(many.combinations) == {("code", "name")}


def test_a_refreshed_model_drops_what_new_rows_break() -> None:
    left = refreshed(150, broken=40)
    assert not {"no + yes == 100", "celsius + 273 == kelvin"} & texts(left)
    assert not left.combinations


def test_an_earlier_equation_tells_more_than_a_comparison_of_its_columns() -> None:
    def rules(*written: str) -> FoundRules:
        read = [parse_rule(text, None) for text in written]
        return FoundRules(tuple(rule for rule in read if rule is not None))

    both = rules("a <= tot", "b <= a").with_earlier(rules("a + c == tot", "a == b", "c <= d"))
    assert [rule.text for rule in both.rules] == ["a + c == tot", "a == b", "c <= d"]
    same = rules("tot - c == a").with_earlier(rules("a + c == tot"))
    assert [rule.text for rule in same.rules] == ["tot - c == a"]
