"""A contract survives being written and read, and all its faults are told at once."""

from pathlib import Path

from hypothesis import HealthCheck, given, settings

from data_contracts.contract import (
    Column,
    Comparison,
    Contract,
    ForeignKey,
    Freshness,
    Holdout,
    Source,
    Table,
)
from data_contracts.loading import dump_contract, load_contract, parse_contract
from tests.data_contracts.contracts_at_random import contracts

PEOPLE = Table(
    name="people",
    columns=(
        Column(
            name="id",
            logical_type="integer",
            physical_type="int64",
            required=True,
            unique=True,
            primary_key=True,
            role="identifier",
            identifier_kind="key",
        ),
        Column(
            name="rank",
            logical_type="string",
            physical_type="string",
            categories=("low", "high"),
            ordered=True,
            role="target",
        ),
        Column(
            name="seen",
            logical_type="timestamp",
            physical_type="timestamp[us, tz=UTC]",
            minimum="2020-01-01T00:00:00Z",
            format="%Y/%m/%d %H:%M",
        ),
        Column(name="pay", logical_type="number", physical_type="float64", minimum=0, maximum=2.5),
    ),
    source=Source(format="csv", path="../landing/people.csv", delimiter=";", encoding="latin-1"),
    row_rules=(Comparison(left="pay", operator=">=", right=0, name="positive"),),
    unit="id",
    min_rows=1,
    max_rows=10,
    freshness=Freshness(column="seen", max_age_hours=12),
)
VISITS = Table(
    name="visits",
    kind="child",
    columns=(Column(name="person", logical_type="integer", physical_type="int64"),),
    source=Source(format="sql", url_env="DATABASE_URL", query="select person from visits"),
    foreign_keys=(ForeignKey(columns=("person",), parent="people", parent_columns=("id",)),),
)
CONTRACT = Contract(
    id="people",
    version="1.0.0",
    description="Who came, and when.",
    tables=(PEOPLE, VISITS),
    holdout=Holdout(share=0.3, sources={"people": Source(format="parquet", path="held")}),
)

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]


def test_a_written_contract_loads_as_the_same_contract(tmp_path: Path) -> None:
    file = tmp_path / "people.odcs.yaml"
    file.write_text(dump_contract(CONTRACT), encoding="utf-8")
    assert load_contract(file) == CONTRACT.model_copy(update={"folder": tmp_path})


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=SLOW)
@given(contracts())
def test_any_contract_that_makes_sense_survives_writing_and_reading(contract: Contract) -> None:
    text = dump_contract(contract)
    assert parse_contract(text, Path("any.odcs.yaml")) == contract
    assert dump_contract(parse_contract(text, Path("any.odcs.yaml"))) == text
