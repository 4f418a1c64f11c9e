"""Laws that hold for every registered generator of tables."""

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from data_contracts.checks import broken_rows, row_rules
from data_contracts.choice import ModelChoice
from data_contracts.contract import Contract
from data_contracts.errors import ModelError
from data_contracts.schema import arrow_schema, to_arrow
from models.base import Generator
from models.registry import REGISTRY, load_generator, resolve
from tests.checks.members import (
    CHOICES,
    CONTRACT,
    RARE,
    ROWS,
    TABLE,
    contract_for,
    frame_of,
    members,
    members_for,
)

NAMES = sorted(REGISTRY)
CONDITIONAL = [name for name in NAMES if "condition" in REGISTRY[name].supports]
REISSUING = [name for name in NAMES if name != "bootstrap"]
# Their noise can't be drawn again, and it alone protects the ends of public ranges.
PRIVATE = [name for name in NAMES if "only_dp" in REGISTRY[name].supports]
REPEATABLE = [name for name in NAMES if name not in PRIVATE]


@pytest.fixture(scope="module")
def fitted() -> dict[str, Generator]:
    return {name: resolve(CHOICES[name]).fit(members_for(name), seed=1) for name in NAMES}


def test_every_generator_is_tried() -> None:
    assert set(CHOICES) == set(REGISTRY)


@pytest.mark.parametrize("name", NAMES)
def test_fit_returns_itself_leaves_the_rows_alone_and_tells_progress(name: str) -> None:
    data = members_for(name)
    before = frame_of(data).copy(deep=True)
    told: list[float] = []
    generator = resolve(CHOICES[name])
    assert generator.fit(data, seed=1, progress=lambda done, _: told.append(done)) is generator
    assert_frame_equal(frame_of(data), before)
    assert told == sorted(told)
    assert told[0] >= 0
    assert told[-1] == 1


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("rows", [0, 1, 7, 400])
def test_samples_keep_the_contract(name: str, rows: int, fitted: dict[str, Generator]) -> None:
    sampled = frame_of(fitted[name].sample(rows, seed=2))
    assert len(sampled) == rows
    table = to_arrow(sampled, TABLE)
    assert table.schema.equals(arrow_schema(TABLE))
    broken = {rule.text: int(broken_rows(rule, table).sum()) for rule in row_rules(TABLE)}
    assert broken == dict.fromkeys(broken, 0)


@pytest.mark.parametrize("name", NAMES)
def test_dtypes_are_those_of_the_rows(name: str, fitted: dict[str, Generator]) -> None:
    sampled, real = frame_of(fitted[name].sample(5, seed=2)), frame_of(members())
    kinds = [str(dtype) for dtype in sampled.dtypes]
    assert kinds == [str(dtype) for dtype in real.dtypes]
    assert sampled["level"].cat.ordered
    assert list(sampled["level"].cat.categories) == ["novice", "able", "expert"]


@pytest.mark.parametrize("name", NAMES)
def test_the_seed_decides(name: str, fitted: dict[str, Generator]) -> None:
    first, again, other = (frame_of(fitted[name].sample(50, seed=seed)) for seed in (3, 3, 4))
    assert_frame_equal(first, again)
    assert not first.equals(other)


@pytest.mark.parametrize("name", PRIVATE)
def test_no_seed_gives_the_noise_again(
    name: str, fitted: dict[str, Generator], tmp_path: Path
) -> None:
    fitted[name].save(tmp_path / "one")
    resolve(CHOICES[name]).fit(members_for(name), seed=1).save(tmp_path / "two")
    one, two = ((tmp_path / side / "arrays.safetensors").read_bytes() for side in ("one", "two"))
    assert one != two


@pytest.mark.parametrize("name", REPEATABLE)
def test_the_same_fit_gives_the_same_model(
    name: str, fitted: dict[str, Generator], tmp_path: Path
) -> None:
    fitted[name].save(tmp_path / "one")
    resolve(CHOICES[name]).fit(members_for(name), seed=1).save(tmp_path / "two")
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert {Path(file).suffix for file in files} <= {".json", ".safetensors"}
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_a_loaded_model_draws_the_same_rows(
    name: str, fitted: dict[str, Generator], tmp_path: Path
) -> None:
    fitted[name].save(tmp_path)
    loaded = load_generator(contract_for(name), tmp_path)
    assert_frame_equal(
        frame_of(loaded.sample(60, seed=5)), frame_of(fitted[name].sample(60, seed=5))
    )


@pytest.mark.parametrize("name", REISSUING)
def test_identifiers_are_new_and_differ_over_parts(name: str, fitted: dict[str, Generator]) -> None:
    parts = [
        frame_of(fitted[name].sample(200, seed=seed, first_row=first))
        for seed, first in ((1, 0), (2, 200))
    ]
    whole = pd.concat(parts)
    assert whole["id"].is_unique
    assert whole["email"].is_unique
    assert not set(whole["email"]) & set(frame_of(members())["email"])


@pytest.mark.parametrize("name", REISSUING)
def test_what_few_people_hold_is_never_drawn(
    name: str, fitted: dict[str, Generator], tmp_path: Path
) -> None:
    sampled = frame_of(fitted[name].sample(3000, seed=6))
    assert RARE not in set(sampled["plan"])
    real = frame_of(members())
    if name in REPEATABLE:
        assert sampled["weight"].max() < real["weight"].nlargest(7).min()
    fitted[name].save(tmp_path)
    assert RARE not in (tmp_path / "model.json").read_text()
    assert "person1" not in (tmp_path / "model.json").read_text()


@pytest.mark.parametrize("name", CONDITIONAL)
def test_given_values_are_kept_exactly(name: str, fitted: dict[str, Generator]) -> None:
    real = frame_of(members())
    weight = float(real["weight"].dropna().iloc[10])
    given = {"plan": "gold", "weight": weight, "age": None, "country": "AT"}
    sampled = frame_of(fitted[name].sample(40, given=given, seed=7))
    assert set(sampled["plan"]) == {"gold"}
    assert set(sampled["weight"]) == {weight}
    assert sampled["age"].isna().all()
    assert sampled["fee"].nunique() > 5


@pytest.mark.parametrize("name", CONDITIONAL)
def test_each_row_can_be_given_values_of_its_own(name: str, fitted: dict[str, Generator]) -> None:
    given = frame_of(members()).loc[10:29, ["born", "seen", "fee", "plan", "active", "first"]]
    sampled = frame_of(fitted[name].sample(20, given=given, seed=8))
    for column in given.columns:
        one, other = sampled[column].astype(object), given[column].astype(object)
        assert one.fillna("missing").tolist() == other.fillna("missing").tolist()


@pytest.mark.parametrize("name", CONDITIONAL)
@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"height": 1}, "height"),
        ({"id": 5}, "issued anew"),
        ({"plan": RARE}, "basic, gold, plus"),
        ({"age": 300}, "up to 120"),
        ({"age": "old"}, "int16"),
        ({"plan": None}, "plan"),
        ({"first": 2019, "last": 2001}, "first <= last"),
        (pd.DataFrame({"age": [30, 31]}), "2 given rows"),
        (pd.DataFrame({"age": [30, 31, 301, 32, 33]}), "such as 301"),
        (pd.DataFrame([[30, 31]] * 5, columns=["age", "age"]), "age twice"),
        ({"age": pd.Series([30, 31, 32, 33, 34])}, "a frame with a row"),
        ({"age": [30, 31, 32, 33, 34]}, "a frame with a row"),
    ],
)
def test_what_cannot_be_given_is_refused(
    name: str, given: object, said: str, fitted: dict[str, Generator]
) -> None:
    with pytest.raises(ModelError, match=said):
        fitted[name].sample(5, given=given, seed=1)


@pytest.mark.parametrize("name", NAMES)
def test_a_seed_below_0_is_told(name: str, fitted: dict[str, Generator]) -> None:
    with pytest.raises(ModelError, match="seed -1"):
        fitted[name].sample(5, seed=-1)


@pytest.mark.parametrize("name", ["any_order", "gaussian_copula", "vae"])
def test_a_fit_that_cannot_have_a_seed_below_0_says_so(name: str) -> None:
    with pytest.raises(ModelError, match="seed -1"):
        resolve(CHOICES[name]).fit(members_for(name), seed=-1)


@pytest.mark.parametrize("name", NAMES)
def test_a_model_must_be_fitted_first(name: str, tmp_path: Path) -> None:
    generator = resolve(CHOICES[name])
    with pytest.raises(ModelError, match="not fitted"):
        generator.sample(1, seed=1)
    with pytest.raises(ModelError, match="not fitted"):
        generator.save(tmp_path)


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_of_something_else_is_refused(
    name: str, fitted: dict[str, Generator], tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match="not readable"):
        load_generator(contract_for(name), tmp_path)
    fitted[name].save(tmp_path)
    other = TABLE.model_copy(update={"name": "others"})
    with pytest.raises(ModelError, match="members"):
        load_generator(Contract(id="other", version="1", tables=(other,)), tmp_path)
    turned = TABLE.model_copy(update={"columns": TABLE.columns[::-1]})
    with pytest.raises(ModelError, match="has not the columns that it was made for: id "):
        load_generator(CONTRACT.model_copy(update={"tables": (turned,)}), tmp_path)
    (tmp_path / "arrays.safetensors").write_bytes(b"\x80\x04nonsense")
    with pytest.raises(ModelError, match=r"arrays\.safetensors"):
        load_generator(contract_for(name), tmp_path)


@pytest.mark.parametrize("rows", [1, 2, 9])
@pytest.mark.parametrize("name", NAMES)
def test_few_rows_are_no_reason_to_break(name: str, rows: int) -> None:
    few = members_for(name, rows)
    sampled = frame_of(resolve(CHOICES[name]).fit(few, seed=1).sample(10, seed=1))
    assert to_arrow(sampled, TABLE).num_rows == 10


def test_wrong_choices_say_what_there_is() -> None:
    with pytest.raises(ModelError, match="any_order"):
        resolve(ModelChoice(name="no_such"))
    with pytest.raises(ModelError, match="epochs"):
        resolve(ModelChoice(name="any_order", options={"epoch": 3}))
    with pytest.raises(ModelError, match="epochs"):
        resolve(ModelChoice(name="any_order", options={"epochs": 0}))


def test_the_registry_is_read_without_torch() -> None:
    code = "import sys, models.registry; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_rows_are_enough_for_the_laws() -> None:
    assert len(frame_of(members())) == ROWS
