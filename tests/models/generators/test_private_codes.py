"""`any_order` under a budget: what reaches the model, what it costs, and what it can still do."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from data_contracts.checks import broken_rows, row_rules
from data_contracts.contract import Column, Contract, Privacy, Source, Table
from data_contracts.dataset import Dataset
from data_contracts.errors import ModelError
from data_contracts.schema import arrow_schema, to_arrow
from models.conditions import OneOf, Range
from models.differential_privacy import noisy_tree, paid_codec, private_training, selection
from models.differential_privacy.ledger import Ledger
from models.differential_privacy.relations import Relations
from models.evaluation.budget import budget_findings
from models.evaluation.canary_audit import Audit, audit_generator
from models.generators import dp_marginals, private_codes
from models.generators.any_order import AnyOrderGenerator, AnyOrderOptions
from models.generators.found_rules import NOTHING
from models.generators.private_codes import PrivateRows, private_sizes
from models.registry import load_generator
from tests.checks.members import TABLE, members_for
from tests.models.differential_privacy.test_voids import people

OPTIONS = AnyOrderOptions(width=16, blocks=1, epochs=3, batch_rows=60)


def fit(rows: int = 400, seed: int = 1, **privacy: Any) -> AnyOrderGenerator:
    return AnyOrderGenerator(OPTIONS).fit(people(rows, seed, **privacy), seed=1)


@pytest.fixture(scope="module")
def fitted() -> AnyOrderGenerator:
    return fit(600, epsilon=50.0)


@pytest.fixture
def deaf(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every mechanism answers the same, whatever the rows are."""
    for module in (noisy_tree, paid_codec, dp_marginals, selection):
        monkeypatch.setattr(module, "noisy_counts", lambda counts, variance: np.zeros_like(counts))
    monkeypatch.setattr(selection, "choose", lambda scores, epsilon, sensitivity: 0)
    monkeypatch.setattr(selection, "unrepeatable_generator", lambda: np.random.default_rng(0))
    monkeypatch.setattr(private_training, "noised", lambda sums, deviation: np.zeros_like(sums))


@pytest.mark.usefixtures("deaf")
@pytest.mark.parametrize("privacy", [{}, {"rows_per_unit": 2}, {"value_share": 0.0}])
def test_nothing_reaches_the_model_but_through_paid_mechanisms(
    privacy: dict[str, Any], tmp_path: Path
) -> None:
    """Start, codes, sizes, number of steps, weights, calibration, relations, shares of hidden
    values: of two tables that share nothing, the models are the same to the last byte once the
    mechanisms tell nothing."""
    for number, (seed, rows) in enumerate(((1, 400), (3, 900))):
        data = people(rows, seed, **privacy)
        if privacy.get("value_share") == 0.0:
            data = listed(data)
        AnyOrderGenerator(OPTIONS).fit(data, seed=1).save(tmp_path / str(number))
    for file in ("model.json", "arrays.safetensors"):
        assert (tmp_path / "0" / file).read_bytes() == (tmp_path / "1" / file).read_bytes()


def listed(data: Dataset) -> Dataset:
    """Without the column whose values nobody has listed."""
    (table,) = data.contract.tables
    kept = tuple(column for column in table.columns if column.name != "street")
    contract = data.contract.model_copy(
        update={"tables": (table.model_copy(update={"columns": kept}),)}
    )
    return Dataset(contract, {"people": data.frame.drop(columns="street")})


def test_the_test_above_would_see_a_difference(tmp_path: Path) -> None:
    for seed, rows in ((1, 400), (3, 900)):
        fit(rows, seed, epsilon=500.0).save(tmp_path / str(seed))
    one, other = ((tmp_path / side / "model.json").read_text() for side in ("1", "3"))
    assert "street 1 2" in one
    assert "street 1 2" not in other


def test_everything_is_in_the_ledger_and_both_accountants_agree(fitted: AnyOrderGenerator) -> None:
    statement = fitted.statement_
    *others, steps = statement.spendings
    assert steps.what == "steps of training"
    assert (steps.mechanism, steps.rate) == ("sampled_gaussian", pytest.approx(0.1, rel=0.1))
    bought = [spending.what for spending in others]
    assert bought[0] == "number of rows"
    for name in ("age", "income"):
        assert any(what.startswith(f"{name}: where its values lie") for what in bought)
    assert {"street: values that no list has", "city: listed values"} <= set(bought)
    relations = bought.index("counts of age x pays")
    assert "choice of counts" in bought[relations:]
    assert all(what.startswith(("counts of ", "choice of ")) for what in bought[relations:])
    assert [f.state for f in budget_findings(statement, "people")] == ["pass", "pass"]
    assert 0.95 * 50 < statement.spent_epsilon <= 50
    assert statement.spent_epsilon_by_second_accountant < statement.spent_epsilon


@pytest.mark.parametrize("privacy", [{}, {"value_share": 0.5}, {"rows_per_unit": 3}])
def test_relations_leave_half_of_what_the_codes_left_to_the_steps(privacy: dict[str, Any]) -> None:
    """Single columns and the target cost a share of all, which dear codes may leave little of."""
    *others, steps = fit(600, epsilon=20.0, **privacy).statement_.spendings
    relations = sum(
        one.squared_mu for one in others if one.what.startswith(("counts of ", "choice of "))
    )
    left = relations + steps.squared_mu
    assert 0.49 * left < relations <= 0.5 * left * (1 + 1e-9)
    assert {one.sensitivity for one in (*others, steps)} == {privacy.get("rows_per_unit", 1)}


def test_what_is_bought_first_fits_into_the_share_of_relations_whatever_codes_cost() -> None:
    """Else singles and the target would spend what is kept for the steps."""
    most = max(limit.le for limit in Privacy.model_fields["value_share"].metadata
               if hasattr(limit, "le"))  # fmt: skip
    codes = dp_marginals.ROWS_SHARE + paid_codec.LISTED_SHARE + most
    first = selection.SINGLE_SHARE + selection.TARGET_SHARE
    assert first <= private_codes.RELATIONS_SHARE * (1 - codes)


def test_what_is_kept_for_others_and_more_is_refused_to_the_first_purchases() -> None:
    ledger = Ledger(1.0, 1e-6)
    rows = np.zeros((10, 2), dtype=np.int64)
    learner = selection.Learner(rows, (2, 2), 0, ledger, kept=0.81 * ledger.total)
    with pytest.raises(AssertionError):
        learner.learn(["a", "b"], lambda _: None)
    assert ledger.spendings == []


def test_parts_of_one_column_have_numbers_in_the_ledger() -> None:
    """A day and its time are two parts: without numbers the ledger would name a column twice."""
    data = members_for("dp_marginals")
    (table,) = data.contract.tables
    rows = PrivateRows.of(data, "any_order")
    names = rows.bought.codec.part_names
    assert len(names) == len(set(names)) == rows.codes.shape[1]
    several = [name for name in table.column_names if f"{name}.2" in names]
    assert several and all(f"{name}.1" in names and name not in names for name in several)
    Relations.buy(rows.bought, rows.codes, None, (rows.ledger, 0.5), lambda _: None)
    counted = [one.what.removeprefix("counts of ") for one in rows.ledger.spendings
               if one.what.startswith("counts of ")]  # fmt: skip
    assert {name for group in counted for name in group.split(" x ")} <= set(names)
    assert any(name.endswith(".2") for group in counted for name in group.split(" x "))


def test_progress_is_told_from_the_first_relation_on() -> None:
    told: list[float] = []
    AnyOrderGenerator(OPTIONS).fit(
        people(300, 1), seed=1, progress=lambda done, _: told.append(done)
    )
    bought = [done for done in told if done <= private_codes.BOUGHT]
    assert told == sorted(told) and told[-1] == 1.0
    assert len(bought) > 2 and bought[-1] == private_codes.BOUGHT
    assert private_codes.STARTED in told


def test_a_fit_can_do_what_others_can_and_is_found_again(
    fitted: AnyOrderGenerator, tmp_path: Path
) -> None:
    data = people(50, 1, epsilon=50.0)
    fitted.save(tmp_path)
    loaded = load_generator(data.contract, tmp_path)
    assert isinstance(loaded, AnyOrderGenerator)
    assert loaded.statement_ == fitted.statement_
    assert loaded.rows_ == fitted.rows_
    for given in (None, {"city": "Linz", "age": 30}):
        one, other = (g.sample(40, given=given, seed=3).frame for g in (fitted, loaded))
        pd.testing.assert_frame_equal(one, other)
    assert set(other["city"]) == {"Linz"}
    assert set(other["age"]) == {30}
    densities = loaded.log_density(data, columns=["city", "pays"])
    assert np.isfinite(densities).all()
    assert np.array_equal(densities, fitted.log_density(data, columns=["city", "pays"]))
    holes = Dataset(data.contract, {"people": data.frame.assign(
        city=data.frame["city"].where(np.arange(50) > 9)
    )})  # fmt: skip
    assert loaded.impute(holes, seed=1).frame["city"].notna().all()


def test_rows_of_every_type_keep_their_contract() -> None:
    """Dates, times of a zone, decimals, ordered lists, rules between columns, missing columns."""
    data = members_for("dp_marginals", 300)
    options = AnyOrderOptions(width=16, blocks=1, epochs=1, batch_rows=60)
    model = AnyOrderGenerator(options).fit(data, seed=1)
    for rows in (0, 1, 40):
        table = to_arrow(model.sample(rows, seed=2).frame, data.contract.tables[0])
        assert table.schema.equals(arrow_schema(TABLE))
        assert table.num_rows == rows
        assert not any(broken_rows(rule, table).sum() for rule in row_rules(TABLE))
    weighed = model.sample(60, given={"age": Range(20, 30), "plan": OneOf(["gold"])}, seed=3).frame
    assert weighed["age"].between(20, 30).all()
    assert set(weighed["plan"]) == {"gold"}


def twins(listed: tuple[str, ...], drawn: np.ndarray, epsilon: float) -> Dataset:
    """Two columns that are one."""
    columns = tuple(
        Column(name=name, logical_type="string", physical_type="string", required=True,
               categories=listed)
        for name in ("one", "two")
    )  # fmt: skip
    table = Table(name="pairs", columns=columns, source=Source(format="csv", path="pairs.csv"))
    contract = Contract(
        id="pairs", version="1", tables=(table,), privacy=Privacy(epsilon=epsilon, delta=1e-5)
    )
    return Dataset(contract, {"pairs": pd.DataFrame({"one": drawn, "two": drawn}, dtype="str")})


def test_a_large_budget_teaches_relations() -> None:
    """Of two columns that are one, the second follows the first: noise alone would not."""
    listed = ("Graz", "Linz", "Wien")
    data = twins(listed, np.random.default_rng(0).choice(listed, 3000), epsilon=8.0)
    options = AnyOrderOptions(width=16, blocks=1, epochs=10, batch_rows=300)
    made = AnyOrderGenerator(options).fit(data, seed=1).sample(2000, seed=1).frame
    assert (made["one"] == made["two"]).mean() > 0.8


def test_columns_that_say_the_same_say_so_of_rare_values_too() -> None:
    """Steps alone taught the common ones: 55 % of Adult's levels and years of education agreed."""
    listed = tuple(f"value {number:02d}" for number in range(16))
    shares = 0.7 ** np.arange(16)
    drawn = np.random.default_rng(0).choice(listed, 12_000, p=shares / shares.sum())
    data = twins(listed, drawn, epsilon=3.0)
    made = AnyOrderGenerator(AnyOrderOptions(width=32)).fit(data, seed=1).sample(4000, seed=1).frame
    same = made["one"] == made["two"]
    rare = made["one"].isin(listed[8:12])
    assert same.mean() > 0.9
    assert same[rare].mean() > 0.7


def test_no_seed_of_the_noise_is_written_anywhere(tmp_path: Path) -> None:
    data = people(300, 1)
    for name in ("one", "two"):
        AnyOrderGenerator(OPTIONS).fit(data, seed=987_654_321).save(tmp_path / name)
    text = (tmp_path / "one" / "model.json").read_text()
    assert "seed" not in text
    assert "987654321" not in text
    arrays = [(tmp_path / name / "arrays.safetensors").read_bytes() for name in ("one", "two")]
    assert arrays[0] != arrays[1]


def test_nothing_is_told_of_losses_and_no_checkpoint_is_written() -> None:
    class Refusing:
        def read(self) -> bytes | None:
            raise AssertionError("a checkpoint was asked for")

        def write(self, content: bytes) -> None:
            raise AssertionError("a checkpoint was written")

    told: list[dict[str, float]] = []
    model = AnyOrderGenerator(OPTIONS).fit(
        people(300, 1), seed=1, checkpoints=Refusing(),
        progress=lambda done, figures: told.append(dict(figures)),
    )  # fmt: skip
    assert told and not any(told)
    assert not hasattr(model, "training_")
    assert (model.hidden_, model.found_) == ({}, NOTHING)


@pytest.mark.parametrize("option", [{"max_seconds": 60.0}, {"refresh": "0123"}, {"dropout": 0.1}])
def test_options_that_look_at_rows_unpaid_are_refused(option: dict[str, Any]) -> None:
    """Dropout too: its chance starts at a known number, and a unit more shifts all that follows."""
    with pytest.raises(ModelError, match="does not go with privacy"):
        AnyOrderGenerator(AnyOrderOptions(**option)).fit(people(100, 1), seed=1)


def test_delta_of_one_in_the_units_is_refused() -> None:
    with pytest.raises(ModelError, match=r"privacy.delta 0.009.*below 1 / units"):
        fit(900, delta=0.009, epsilon=100.0)


def test_units_of_several_rows_are_in_by_one_lot_and_clipped_as_one() -> None:
    data = people(401, 1, rows_per_unit=3)
    rows = PrivateRows.of(data, "any_order")
    places = private_codes._places(rows.units, len(rows.codes), rows.ledger.sensitivity)
    assert places.shape == (101, 3)
    known = places[places >= 0]
    assert sorted(known.tolist()) == list(range(len(rows.codes)))
    assert rows.units is not None
    for unit in places:
        assert len(set(rows.units[unit[unit >= 0].numpy()].tolist())) == 1
    assert (places[:, 1:] < 0).any()
    statement = fit(401, rows_per_unit=3, epsilon=20.0).statement_
    assert (statement.unit, statement.rows_per_unit) == ("person", 3)
    assert statement.spent_epsilon <= 20.0


def test_a_units_loss_is_the_sum_of_its_rows() -> None:
    data = people(60, 1, rows_per_unit=2)
    rows = PrivateRows.of(data, "any_order")
    model = AnyOrderGenerator(OPTIONS)
    model.table_, model.codec_ = data.contract.tables[0], rows.bought.codec
    learned = model._untrained(OPTIONS.sizes(private_sizes(rows.about)), 1)
    plain = private_codes.PlainCodeNetwork(learned.network)
    packed = learned.layout.to_network(rows.codes)
    places = private_codes._places(rows.units, len(packed), 2)

    def losses(at: torch.Tensor) -> torch.Tensor:
        random = torch.Generator().manual_seed(0)
        return private_codes._losses(learned, plain, private_codes._rows_of(packed, at), random)

    alone = losses(places.flatten()[:, None]).view(places.shape)
    assert torch.allclose(losses(places), alone.sum(1), rtol=1e-4)
    nobody = losses(torch.full((2, 2), -1))
    assert nobody.tolist() == [0.0, 0.0]


def test_the_task_of_a_row_hangs_on_no_other_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """Strata over a lot would move every row's cut when one unit comes to it: not one gradient
    but all of them would be another."""
    asked: list[bool] = []
    orders = private_codes.CodeModel.untrained
    seen = {}

    def watching(*arguments: Any, **named: Any) -> Any:
        model = orders(*arguments, **named)
        draw: Callable[..., Any] = model.orders.draw

        def drawn(codes: Any, random: Any, *, alone: bool = False) -> Any:
            asked.append(alone)
            return draw(codes, random, alone=alone)

        model.orders.draw = drawn
        seen["model"] = model
        return model

    monkeypatch.setattr(private_codes.CodeModel, "untrained", watching)
    # Made-up rows are nobody's: strata over them move nothing.
    monkeypatch.setattr(private_codes, "_start", lambda model, rows: None)
    fit(300)
    assert asked and all(asked)


def test_a_table_of_identifiers_alone_costs_its_number_of_rows() -> None:
    (table,), told = people(50, 1).contract.tables, []
    bare = table.model_copy(update={"columns": table.columns[:1]})
    contract = people(50, 1).contract.model_copy(update={"tables": (bare,)})
    data = Dataset(contract, {"people": people(50, 1).frame[["person"]]})
    model = AnyOrderGenerator(OPTIONS).fit(data, seed=1, progress=lambda done, _: told.append(done))
    assert [spending.what for spending in model.statement_.spendings] == ["number of rows"]
    assert told == [1.0]
    assert len(model.sample(7, seed=1).frame) == 7


def test_sizes_follow_from_the_noisy_number_of_rows_alone() -> None:
    small, large = private_sizes(500.0), private_sizes(2_000_000.0)
    assert small.batch_rows == 50
    assert large.batch_rows == private_codes.LARGEST_BATCH
    assert (small.dropout, large.dropout) == (0.0, 0.0)
    for rows, sizes in ((500.0, small), (2_000_000.0, large)):
        steps = sizes.epochs * rows / sizes.batch_rows
        assert private_codes.STEPS * 0.6 < steps < private_codes.STEPS * 1.7


def audited(monkeypatch: pytest.MonkeyPatch, *, noisy: bool) -> Audit:
    """An audit of a fit that learns few rows for long: what it keeps of each one shows."""
    if not noisy:
        for module in (noisy_tree, paid_codec, dp_marginals, selection):
            monkeypatch.setattr(module, "noisy_counts", lambda counts, variance: counts)
        monkeypatch.setattr(private_training, "noised", lambda sums, deviation: sums)
    listed = tuple(f"value {number:02d}" for number in range(12))
    columns = tuple(
        Column(name=name, logical_type="string", physical_type="string", required=True,
               categories=listed)
        for name in ("one", "two", "three", "four")
    )  # fmt: skip
    table = Table(name="people", columns=columns, source=Source(format="csv", path="people.csv"))
    contract = Contract(
        id="people", version="1", tables=(table,), privacy=Privacy(epsilon=1.0, delta=1e-6)
    )
    like = pd.DataFrame({column.name: [listed[0]] * 100 for column in columns}, dtype="str")
    options = AnyOrderOptions(width=64, blocks=1, epochs=100, batch_rows=100, learning_rate=0.02)
    return audit_generator(AnyOrderGenerator(options), contract, like, 100)


def test_an_honest_fit_passes_the_audit(monkeypatch: pytest.MonkeyPatch) -> None:
    assert audited(monkeypatch, noisy=True).lower_bound <= 1.0


def test_steps_without_noise_are_caught_by_the_audit(monkeypatch: pytest.MonkeyPatch) -> None:
    assert audited(monkeypatch, noisy=False).lower_bound > 1.0
