"""Refreshing an earlier model: it goes on with new rows, and is refused what it does not know."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from data_contracts.contract import Column, Comparison, Contract, Source, Table
from data_contracts.dataset import Dataset
from data_contracts.errors import ModelError
from data_contracts.schema import column_type, to_frame
from models.generators.any_order import AnyOrderGenerator, AnyOrderOptions
from models.generators.independent import IndependentGenerator
from models.generators.refreshing import check_promises
from models.generators.sizes import choose_sizes

COLUMNS = (
    Column(name="plan", logical_type="string", physical_type="string"),
    Column(name="spent", logical_type="number", physical_type="float64"),
)
OPTIONS = {"width": 32, "blocks": 1, "batch_rows": 64, "learning_rate": 5e-3}


def dataset(
    shares: list[float], seed: int = 0, columns: tuple[Column, ...] = COLUMNS, lift: float = 0.0
) -> Dataset:
    random = np.random.default_rng(seed)
    plans = pd.Series(random.choice(["a", "b", "c"], 1500, p=shares), dtype="str")
    spent = random.gamma(4.0, 5.0, 1500) * (1 + 2 * (plans == "b").to_numpy()) + lift
    table = Table(name="bills", columns=columns, source=Source(format="csv", path="x.csv"))
    frame = pd.DataFrame({"plan": plans, "spent": spent})
    return Dataset(Contract(id="c", version="1", tables=(table,)), {"bills": frame})


@pytest.fixture(scope="module")
def earlier() -> AnyOrderGenerator:
    options = AnyOrderOptions(**OPTIONS, epochs=20)
    return AnyOrderGenerator(options).fit(dataset([0.6, 0.3, 0.1]), seed=1)


def refreshed(earlier: AnyOrderGenerator, data: Dataset) -> AnyOrderGenerator:
    options = AnyOrderOptions(**OPTIONS, refresh="the earlier one")
    return AnyOrderGenerator(options).fit(data, seed=1, earlier=earlier)


def test_it_follows_the_new_rows_in_a_fraction_of_the_steps(earlier: AnyOrderGenerator) -> None:
    before = earlier.model_.arrays()["trunk.norm.weight"].copy()
    made = refreshed(earlier, dataset([0.2, 0.3, 0.5], seed=5))
    drawn = made.sample(4000, seed=3).frame
    assert drawn["plan"].value_counts(normalize=True)["c"] == pytest.approx(0.5, abs=0.05)
    means = drawn.groupby("plan")["spent"].mean()
    assert means["b"] > 2 * means["a"]
    values = sum(part.cardinality for part in made.codec_.parts_)
    assert made.model_.sizes.epochs <= choose_sizes(1500, values).epochs / 3
    # The earlier model is left as it was.
    np.testing.assert_array_equal(earlier.model_.arrays()["trunk.norm.weight"], before)


def test_a_stored_model_can_be_refreshed(earlier: AnyOrderGenerator, tmp_path: Path) -> None:
    earlier.save(tmp_path)
    loaded = AnyOrderGenerator.load(tmp_path, dataset([1, 0, 0]).contract)
    data = dataset([0.5, 0.4, 0.1], seed=6)
    first, second = (refreshed(one, data).sample(50, seed=2).frame for one in (earlier, loaded))
    pd.testing.assert_frame_equal(first, second)


@pytest.mark.parametrize(
    "change",
    [
        {"physical_type": "float32"},
        {"required": True},
        {"minimum": 5.0},
        {"maximum": 500.0},
        {"role": "target"},
    ],
    ids=str,
)
def test_other_promises_of_a_column_are_named(
    change: dict[str, Any], earlier: AnyOrderGenerator
) -> None:
    changed = (COLUMNS[0], COLUMNS[1].model_copy(update=change))
    with pytest.raises(ModelError, match="columns spent differ"):
        refreshed(earlier, dataset([0.6, 0.3, 0.1], columns=changed))


@pytest.mark.parametrize(
    "change",
    [
        {"unit": "plan"},
        {"fixed_combinations": (("plan", "spent"),)},
        {"unique_together": (("plan", "spent"),)},
        {"row_rules": (Comparison(left="spent", operator=">=", right=1),)},
    ],
    ids=str,
)
def test_other_promises_of_the_table_are_named(
    change: dict[str, Any], earlier: AnyOrderGenerator
) -> None:
    made = dataset([0.6, 0.3, 0.1])
    table = made.contract.tables[0].model_copy(update=change)
    contract = made.contract.model_copy(update={"tables": (table,)})
    with pytest.raises(ModelError, match=f"`{next(iter(change))}` differs"):
        refreshed(earlier, Dataset(contract, made.tables))


def test_another_description_changes_nothing(earlier: AnyOrderGenerator) -> None:
    told = tuple(one.model_copy(update={"description": "new"}) for one in COLUMNS)
    check_promises(earlier.table_, dataset([0.6, 0.3, 0.1], columns=told).contract.tables[0])


def test_an_earlier_model_of_another_kind_is_named(earlier: AnyOrderGenerator) -> None:
    data = dataset([0.6, 0.3, 0.1])
    other: Any = IndependentGenerator().fit(data, seed=1)
    with pytest.raises(ModelError, match="made by 'independent', and only one of 'any_order'"):
        refreshed(other, data)


def test_values_that_it_does_not_know_are_refused_with_their_share(
    earlier: AnyOrderGenerator,
) -> None:
    strange = dataset([0.6, 0.3, 0.1])
    strange.frame.loc[:299, "plan"] = "d"
    with pytest.raises(ModelError, match=r"plan \(20% of the rows more"):
        refreshed(earlier, strange)
    with pytest.raises(ModelError, match="spent"):
        refreshed(earlier, dataset([0.6, 0.3, 0.1], lift=200.0))
    few = dataset([0.6, 0.3, 0.1])
    few.frame.loc[:29, "plan"] = "d"
    assert refreshed(earlier, few).sample(10, seed=1).frame["plan"].isin(["a", "b", "c"]).all()


def _rows(column: Column, values: Any) -> Dataset:
    table = Table(name="one", columns=(column,), source=Source(format="csv", path="x.csv"))
    array = values if isinstance(values, pa.Array) else pa.array(values)
    frame = to_frame(pa.table({column.name: array.cast(column_type(column))}))
    return Dataset(Contract(id="c", version="1", tables=(table,)), {"one": frame})


def _texts(*values: str | None) -> pa.Array:
    return pa.array([*values] * (400 // len(values)), pa.string())


_NUMBERS = np.random.default_rng(1).integers(0, 1000, (2, 400))
_DAY = np.datetime64("2024-01-01", "s")
TEXT = Column(name="x", logical_type="string", physical_type="string")
NUMBER = Column(name="x", logical_type="number", physical_type="float64")
TIME = Column(name="x", logical_type="timestamp", physical_type="timestamp[s]")


@pytest.mark.parametrize(
    ("column", "before", "now"),
    [
        (TEXT, _texts("AT"), _texts("AT", "DE")),
        (TEXT, _texts(None), _texts("AT", "DE")),
        (TEXT, ["A"] * 300 + [f"r{one}" for one in range(100)], ["A"] * 200 + ["new"] * 200),
        (NUMBER, [1.0] * 400, _NUMBERS[0] * 1.0),
        (NUMBER, _NUMBERS[0] % 3 * 4.0, _NUMBERS[1] % 3 * 4.0 + 1.0),
        (NUMBER, _NUMBERS[0] * 1.0, _NUMBERS[1] * 0.5),
        (TIME, _DAY + 86_400 * _NUMBERS[0], _DAY + 43_200 * _NUMBERS[1]),
    ],
    ids=[
        "one value", "none", "one code for all rare ones", "one number", "between numbers",
        "finer numbers", "times of day",
    ],
)  # fmt: skip
def test_values_that_would_be_taken_for_others_are_refused(
    column: Column, before: Any, now: Any
) -> None:
    options = AnyOrderOptions(**OPTIONS, epochs=1)
    earlier = AnyOrderGenerator(options).fit(_rows(column, before), seed=1)
    with pytest.raises(ModelError, match="does not know the values of x"):
        refreshed(earlier, _rows(column, now))


@pytest.mark.parametrize("rows", [50, 200])
def test_few_rows_like_the_earlier_ones_are_no_surprise(rows: int) -> None:
    """A good part of few rows lies beyond the eighth from either end."""
    random = np.random.default_rng(1)
    before, now = (_rows(NUMBER, random.gamma(2.0, 2.0, rows)) for _ in range(2))
    options = AnyOrderOptions(**OPTIONS, epochs=1)
    earlier = AnyOrderGenerator(options).fit(before, seed=1)
    assert len(refreshed(earlier, now).sample(10, seed=1).frame) == 10


def test_another_size_is_named(earlier: AnyOrderGenerator) -> None:
    options = AnyOrderOptions(**{**OPTIONS, "width": 64}, refresh="the earlier one")
    with pytest.raises(ModelError, match=r"width 64 \(it has 32\)"):
        AnyOrderGenerator(options).fit(dataset([0.6, 0.3, 0.1]), seed=1, earlier=earlier)


def test_the_option_alone_is_not_enough() -> None:
    with pytest.raises(ModelError, match="give that model"):
        AnyOrderGenerator(AnyOrderOptions(refresh="x")).fit(dataset([0.6, 0.3, 0.1]), seed=1)
