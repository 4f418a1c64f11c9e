"""What people type of the rows that they want becomes values of the columns' types."""

import datetime as dt

import pytest

from data_contracts.contract import Column, Source, Table
from data_contracts.errors import ContractError
from models.conditions import OneOf, Range, Shares
from tasks.wishes import check_powers, typed_wishes

TABLE = Table(
    name="visits",
    columns=(
        Column(name="city", logical_type="string", physical_type="string"),
        Column(name="age", logical_type="integer", physical_type="int16"),
        Column(name="member", logical_type="boolean", physical_type="bool"),
        Column(name="day", logical_type="date", physical_type="date32"),
    ),
    source=Source(format="csv", path="x.csv"),
)


@pytest.mark.parametrize(
    ("column", "text", "wish"),
    [
        ("city", '["Bern", null]', OneOf(("Bern", None))),
        ("city", '["None", "null"]', OneOf(("None", "null"))),
        ("city", "[1, true]", OneOf(("1", "true"))),
        ("age", "[30, null]", OneOf((30, None))),
        ("member", "[true, null]", OneOf((True, None))),
        ("city", "", None),
        ("city", "[Bern", "[Bern"),
        ("age", "30..40", Range(30, 40)),
        ("age", "30..", Range(30, None)),
        ("day", '["2024-03-05"]', OneOf((dt.date(2024, 3, 5),))),
    ],
)
def test_lists_ranges_and_missing_values(column: str, text: str, wish: object) -> None:
    assert typed_wishes(TABLE, {column: text}) == {column: wish}


def test_shares_of_a_missing_value() -> None:
    found = typed_wishes(TABLE, {}, ["city=:0.25", "city=Bern:0.5"])
    assert found == {"city": Shares({None: 0.25, "Bern": 0.5})}


def test_a_list_of_another_type_is_told() -> None:
    with pytest.raises(ContractError, match="age=old"):
        typed_wishes(TABLE, {"age": '[1, "old"]'})


@pytest.mark.parametrize(
    ("generator", "asked", "temperature", "said"),
    [
        ("independent", {"age": Range(1, 2), "city": "Bern"}, None, "age: .*ranges.*any_order"),
        ("gaussian_copula", {"city": Shares({"Bern": 0.5})}, None, "city: .*shares"),
        ("gaussian_copula", {}, 0.7, "--temperature: .*any_order"),
        ("vae", {"city": "Bern"}, None, "city: .*given values.*independent"),
        ("gan", {"city": OneOf(("Bern",))}, None, "choices"),
        ("bootstrap", {}, 1.0, "--temperature"),
    ],
)
def test_what_a_generator_has_no_power_for_is_refused(
    generator: str, asked: dict[str, object], temperature: float | None, said: str
) -> None:
    with pytest.raises(ContractError, match=said):
        check_powers(generator, asked, temperature)


def test_what_a_generator_can_do_is_let_through() -> None:
    check_powers("any_order", {"age": Range(1, 2), "city": "Bern"}, 0.5)
    check_powers("independent", {"city": "Bern"}, None)
    check_powers("vae", {}, None)
