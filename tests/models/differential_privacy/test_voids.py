"""What voids a claim of differential privacy: one test for each way that is known."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from data_contracts.contract import Column, Contract, Privacy, Source, Table
from data_contracts.dataset import Dataset
from data_contracts.errors import ModelError
from models.differential_privacy import noisy_tree, paid_codec, selection
from models.differential_privacy.ledger import Ledger
from models.differential_privacy.noisy_tree import Total
from models.differential_privacy.paid_axis import Bins
from models.differential_privacy.paid_codec import buy_codec, list_delta
from models.generators import dp_marginals
from models.generators.dp_marginals import DpMarginalsGenerator, DpMarginalsOptions, bounded
from models.generators.vae import VaeGenerator
from tests.checks.members import members, members_for

TEXT = {"logical_type": "string", "physical_type": "string"}
COLUMNS = (
    Column(name="person", **TEXT, role="identifier", identifier_kind="key"),
    Column(name="age", logical_type="integer", physical_type="int64", minimum=0, maximum=120),
    Column(
        name="income", logical_type="number", physical_type="float64", required=True, minimum=0,
        maximum=1e6,
    ),
    Column(name="city", **TEXT, categories=("Graz", "Linz", "Wien"), required=True),
    Column(name="street", **TEXT),
    Column(name="pays", logical_type="boolean", physical_type="bool", role="target"),
)  # fmt: skip
OPTIONS = DpMarginalsOptions(rounds=3, steps=20)


def contract(**privacy: Any) -> Contract:
    unit = "person" if "rows_per_unit" in privacy else None
    source = Source(format="csv", path="people.csv")
    table = Table(name="people", columns=COLUMNS, source=source, unit=unit)
    budget = Privacy(**{"epsilon": 2.0, "delta": 1e-6, **privacy})
    return Contract(id="people", version="1", tables=(table,), privacy=budget)


def people(rows: int, seed: int, **privacy: Any) -> Dataset:
    random = np.random.default_rng(seed)
    spread = 10 ** (seed + 2)
    frame = pd.DataFrame({
        "person": pd.Series([f"p{row // 4}" for row in range(rows)], dtype="str"),
        "age": pd.Series(random.integers(20 * seed, 20 * seed + 30, rows), dtype="Int64"),
        "income": random.random(rows) * spread,
        "city": pd.Series(random.choice(["Graz", "Linz", "Wien"][:seed + 1], rows), dtype="str"),
        "street": pd.Series([f"street {seed} {row % 5}" for row in range(rows)], dtype="str"),
        "pays": pd.Series(random.random(rows) < 0.2 * seed, dtype="boolean"),
    })  # fmt: skip
    return Dataset(contract(**privacy), {"people": frame})


@pytest.fixture
def deaf(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every mechanism answers the same, whatever the rows are."""

    def nothing(counts: np.ndarray, variance: int) -> np.ndarray:
        return np.zeros_like(counts)

    for module in (noisy_tree, paid_codec, selection, dp_marginals):
        monkeypatch.setattr(module, "noisy_counts", nothing)
    monkeypatch.setattr(selection, "choose", lambda scores, epsilon, sensitivity: 0)
    fixed: Callable[[], np.random.Generator] = lambda: np.random.default_rng(1)  # noqa: E731
    monkeypatch.setattr(selection, "unrepeatable_generator", fixed)
    monkeypatch.setattr(dp_marginals, "unrepeatable_generator", fixed)


@pytest.mark.usefixtures("deaf")
@pytest.mark.parametrize("privacy", [{}, {"rows_per_unit": 2}, {"value_share": 0.3}])
def test_nothing_reaches_the_model_but_through_paid_mechanisms(
    privacy: dict[str, Any], tmp_path: Path
) -> None:
    """Domains, bounds, bins, lists, the number of rows, stopping: of two tables that share nothing,
    the models are the same to the last byte once the mechanisms tell nothing."""
    for seed, rows in ((1, 400), (3, 900)):
        fitted = DpMarginalsGenerator(OPTIONS).fit(people(rows, seed, **privacy), seed=1)
        fitted.save(tmp_path / str(seed))
    for file in ("model.json", "arrays.safetensors"):
        assert (tmp_path / "1" / file).read_bytes() == (tmp_path / "3" / file).read_bytes()


@pytest.mark.usefixtures("deaf")
def test_no_type_missing_value_zone_digit_or_order_reaches_the_model_unpaid(tmp_path: Path) -> None:
    """Of every type of column: what is missing, listed, rounded, shifted or sorted tells nothing,
    neither the model's bytes nor the rows that are drawn from it."""
    one = members_for("dp_marginals", 300)
    frame = members(500, seed=5).frame
    nothing = [None] * len(frame)
    other = frame.assign(
        email=pd.Series(nothing, dtype="str"),
        age=frame["age"].fillna(99),
        fee=frame["fee"].astype(float).round().astype(frame["fee"].dtype),
        weight=frame["weight"] * np.nan,
        plan=pd.Categorical(["another"] * 400 + ["word"] * 100),
        active=pd.Series(nothing, dtype="boolean"),
        born=frame["born"].where(np.arange(len(frame)) < 0),
        seen=frame["seen"].dt.floor("D"),
        country=pd.Series([f"c{row}" for row in range(len(frame))], dtype="str"),
        nothing=np.linspace(0, 1, len(frame)).astype("float32"),
    )[::-1].reset_index(drop=True)
    drawn = []
    for name, data in (("one", one), ("other", Dataset(one.contract, {"members": other}))):
        fitted = DpMarginalsGenerator(OPTIONS).fit(data, seed=1)
        fitted.save(tmp_path / name)
        drawn.append(fitted.sample(50, seed=2).frame)
    for file in ("model.json", "arrays.safetensors"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "other" / file).read_bytes()
    pd.testing.assert_frame_equal(drawn[0], drawn[1], check_categorical=True)


def test_the_test_above_would_see_a_difference(tmp_path: Path) -> None:
    for seed, rows in ((1, 400), (3, 900)):
        data = people(rows, seed, epsilon=500.0)
        DpMarginalsGenerator(OPTIONS).fit(data, seed=1).save(tmp_path / str(seed))
    one, other = ((tmp_path / side / "model.json").read_text() for side in ("1", "3"))
    assert "street 1 2" in one
    assert "street 1 2" not in other


def test_every_domain_that_is_not_public_is_in_the_ledger() -> None:
    fitted = DpMarginalsGenerator(OPTIONS).fit(people(400, 1), seed=1)
    bought = [spending.what for spending in fitted.statement_.spendings]
    for name in ("age", "income"):
        assert any(what.startswith(f"{name}: where its values lie") for what in bought)
    assert "street: values that no list has" in bought
    assert "city: listed values" in bought
    assert "number of rows" in bought
    assert not any("person" in what for what in bought)


def test_a_value_of_one_unit_is_not_found_by_luck() -> None:
    """Partition selection: one street of one row, in none of 25 releases."""
    data = people(60, 1)
    frame = data.frame.assign(street=pd.Series(["only here"] + [None] * 59, dtype="str"))
    table, privacy = data.contract.tables[0], data.contract.privacy
    assert privacy is not None
    for _ in range(25):
        ledger = Ledger(2.0, 1e-6, list_delta=list_delta(table, privacy))
        bought = buy_codec(frame, table, privacy, Bins(8, Total(60.0, 1.0)), ledger)
        assert "only here" not in str(bought.codec.state().settings)
    (spending,) = [s for s in ledger.spendings if s.what == "street: values that no list has"]
    assert spending.delta == pytest.approx(1e-7)


@pytest.mark.parametrize("pattern", [None, r"^s\d{5}$"])
def test_values_of_few_stand_for_as_many_rows_as_they_have(pattern: str | None) -> None:
    """Three quarters live where nobody else does: neither they nor what they do is left out."""
    data = people(4000, 1, epsilon=5.0)
    street = [f"s{row:05d}" if row % 4 else "s99999" for row in range(4000)]
    frame = data.frame.assign(
        street=pd.Series(street, dtype="str"), pays=pd.Series(np.arange(4000) % 4 == 0)
    )
    column = COLUMNS[4].model_copy(update={"pattern": pattern})
    table = data.contract.tables[0].model_copy(
        update={"columns": (*COLUMNS[:4], column, COLUMNS[5])}
    )
    made = data.contract.model_copy(update={"tables": (table,)})
    frame = frame.astype({"pays": "boolean"})
    fitted = DpMarginalsGenerator(OPTIONS).fit(Dataset(made, {"people": frame}), seed=1)
    assert fitted.rows_ == pytest.approx(4000, rel=0.1)
    rows = fitted.sample(4000, seed=1).frame
    shown = rows["street"] == "s99999"
    assert shown.mean() == pytest.approx(0.25, abs=0.06)
    assert rows["street"].isna().mean() < 0.06
    assert rows["pays"].mean() == pytest.approx(0.25, abs=0.06)
    assert not set(rows["street"][~shown]) & (set(street) if pattern is None else set())


def test_a_list_costs_delta_only_where_there_is_none() -> None:
    listed = COLUMNS[3].model_copy(update={"name": "street"})
    table = contract().tables[0]
    whole = table.model_copy(update={"columns": (*COLUMNS[:4], listed, COLUMNS[5])})
    privacy = Privacy(epsilon=1.0, delta=1e-6)
    assert list_delta(table, privacy) > 0
    assert list_delta(whole, privacy) == 0


def test_people_of_many_rows_count_with_few() -> None:
    data = people(400, 1, rows_per_unit=2)
    table, privacy = data.contract.tables[0], data.contract.privacy
    assert privacy is not None
    kept = bounded(data.frame, table, privacy)
    assert kept["person"].value_counts().max() == 2
    assert len(kept) == 200
    kinds = {tuple(bounded(data.frame, table, privacy)["income"]) for _ in range(3)}
    assert len(kinds) == 3


def test_a_row_without_a_unit_is_one_by_itself() -> None:
    data = people(400, 1, rows_per_unit=2)
    table, privacy = data.contract.tables[0], data.contract.privacy
    assert privacy is not None
    frame = data.frame.assign(person=data.frame["person"].where(np.arange(400) >= 100))
    kept = bounded(frame, table, privacy)
    assert kept["person"].isna().sum() == 100
    assert len(kept) == 100 + 150


def test_noise_grows_with_the_rows_of_a_unit() -> None:
    fits = [
        DpMarginalsGenerator(OPTIONS).fit(people(400, 1, rows_per_unit=rows), seed=1)
        for rows in (1, 3)
    ]
    variances = []
    for fitted in fits:
        assert fitted.statement_.unit == "person"
        bought = {s.what: s for s in fitted.statement_.spendings}
        variances.append(bought["city: listed values"].variance or 0)
        assert bought["city: listed values"].sensitivity == fitted.statement_.rows_per_unit
        assert fitted.statement_.spent_epsilon <= 2.0
    assert variances[1] == pytest.approx(9 * variances[0], rel=0.01)


def test_numbers_are_cut_the_coarser_the_more_columns_share_the_budget() -> None:
    ledger = Ledger(1.0, 1e-5)
    bins = [dp_marginals.bins_for(60_000, ledger, columns).most for columns in (1, 8, 64)]
    assert bins[0] == pytest.approx(2**0.5 * bins[1], abs=1)
    assert bins[1] == pytest.approx(2**0.5 * bins[2], abs=1)
    assert dp_marginals.bins_for(60_000, Ledger(1.0, 1e-5, sensitivity=8), 1).most < bins[0]


def test_delta_of_one_in_the_units_is_refused() -> None:
    with pytest.raises(ModelError, match=r"privacy.delta 0.009.*below 1 / units"):
        DpMarginalsGenerator(OPTIONS).fit(people(900, 1, delta=0.009, epsilon=100.0), seed=1)


def test_delta_is_held_against_units_of_one_row_whatever_they_may_have() -> None:
    data = people(900, 1, delta=0.002, epsilon=100.0, rows_per_unit=50)
    alone = data.frame.assign(person=[f"p{row}" for row in range(900)])
    with pytest.raises(ModelError, match="not below 1 / units"):
        DpMarginalsGenerator(OPTIONS).fit(Dataset(data.contract, {"people": alone}), seed=1)


def test_no_seed_of_the_noise_is_written_anywhere(tmp_path: Path) -> None:
    data = people(400, 1)
    for name in ("one", "two"):
        DpMarginalsGenerator(OPTIONS).fit(data, seed=987_654_321).save(tmp_path / name)
    text = (tmp_path / "one" / "model.json").read_text()
    assert "seed" not in text
    assert "987654321" not in text
    arrays = [(tmp_path / name / "arrays.safetensors").read_bytes() for name in ("one", "two")]
    assert arrays[0] != arrays[1]


def test_who_stops_early_by_private_rows_keeps_no_budget() -> None:
    """Early stopping, choice of checkpoints, schedules: their learner is refused with a budget."""
    with pytest.raises(ModelError, match="keeps no budget"):
        VaeGenerator().fit(people(400, 1), seed=1)


def test_the_number_of_rows_is_noisy() -> None:
    data = people(400, 1)
    told = {DpMarginalsGenerator(OPTIONS).fit(data, seed=1).rows_ for _ in range(4)}
    assert len(told) > 1
