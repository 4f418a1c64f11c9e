"""Laws that hold for every registered generator on columns that are hard to carry."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from pandas.testing import assert_frame_equal

from data_contracts.checks import broken_rows, row_rules
from data_contracts.dataset import Dataset
from data_contracts.schema import arrow_schema, to_arrow
from models.base import Generator
from models.encoding.category import OTHER
from models.encoding.column import THRESHOLD
from models.registry import REGISTRY, load_generator, resolve
from tasks.part_files import restored
from tests.checks.hard_columns import LONG, SECRET, frame_of, hard, wide
from tests.checks.members import CHOICES

# One that keeps a budget needs public bounds, and adds noise to all that these laws ask for.
NAMES = [name for name in sorted(REGISTRY) if "only_dp" not in REGISTRY[name].supports]
LEARNING = [name for name in NAMES if name != "bootstrap"]
CONDITIONAL = [name for name in NAMES if "condition" in REGISTRY[name].supports]
MADE = 600
DATA = hard()
TABLE = DATA.contract.tables[0]
REAL = frame_of(DATA)


@pytest.fixture(scope="module")
def fitted() -> dict[str, Generator]:
    return {name: resolve(CHOICES[name]).fit(DATA, seed=1) for name in NAMES}


@pytest.fixture(scope="module")
def made(fitted: dict[str, Generator]) -> dict[str, pd.DataFrame]:
    return {name: frame_of(fitted[name].sample(MADE, seed=2)) for name in NAMES}


def shared(values: pd.Series) -> set[str]:
    """What of a column enough rows hold, as text."""
    counts = values.dropna().astype(str).value_counts()
    return set(counts.index[counts >= THRESHOLD])


@pytest.mark.parametrize("name", NAMES)
def test_parquet_has_the_contracts_schema_and_keeps_its_promises(
    name: str, made: dict[str, pd.DataFrame], tmp_path: Path
) -> None:
    pq.write_table(to_arrow(made[name], TABLE), tmp_path / "made.parquet")
    read = restored(pq.read_table(tmp_path / "made.parquet"), arrow_schema(TABLE))
    read.validate(full=True)
    assert read.schema.equals(arrow_schema(TABLE))
    assert read.num_rows == MADE
    broken = {rule.text: int(broken_rows(rule, read).sum()) for rule in row_rules(TABLE)}
    assert broken == dict.fromkeys(broken, 0)
    assert [str(dtype) for dtype in made[name].dtypes] == [str(dtype) for dtype in REAL.dtypes]


@pytest.mark.parametrize("name", LEARNING)
def test_only_shared_texts_categories_and_flags_are_made(
    name: str, made: dict[str, pd.DataFrame]
) -> None:
    for column in TABLE.columns:
        if column.kind in ("category", "boolean") and column.name != "patterned":
            values = set(made[name][column.name].dropna().astype(str))
            assert values <= shared(REAL[column.name]) | {OTHER}, column.name
    assert SECRET not in set(made[name]["listed two"].cat.categories)
    assert {LONG, ""} <= set(made[name]["odd text"])


@pytest.mark.parametrize("name", LEARNING)
def test_numbers_and_times_stay_within_what_enough_rows_reach(
    name: str, made: dict[str, pd.DataFrame]
) -> None:
    for column in TABLE.columns:
        real = REAL[column.name].dropna().sort_values()
        if column.kind in ("number", "datetime") and len(real) >= 2 * THRESHOLD:
            values = made[name][column.name].dropna()
            assert values.min() >= real.iloc[THRESHOLD - 1], column.name
            assert values.max() <= real.iloc[-THRESHOLD], column.name


@pytest.mark.parametrize("name", LEARNING)
def test_what_hardly_anyone_has_is_missing(name: str, made: dict[str, pd.DataFrame]) -> None:
    never = [one for one in REAL.columns if REAL[one].notna().sum() < THRESHOLD]
    assert len(never) == 16
    assert made[name][never].isna().all(axis=None)


@pytest.mark.parametrize("name", LEARNING)
def test_constants_and_large_shared_numbers_come_back_exactly(
    name: str, made: dict[str, pd.DataFrame]
) -> None:
    for column in REAL.columns:
        if column.endswith((": always one", ": one or none")) or column == "exact codes":
            values = set(made[name][column].dropna().astype(str))
            assert values <= set(REAL[column].dropna().astype(str))
            assert made[name][column].notna().any()
    for column in (one for one in REAL.columns if one.endswith(": always one")):
        assert made[name][column].notna().all()


@pytest.mark.parametrize("name", LEARNING)
def test_patterned_codes_are_made_up(name: str, made: dict[str, pd.DataFrame]) -> None:
    codes = made[name]["patterned"]
    assert codes.nunique() > 100
    # Of 10,000 codes, 960 are real ones: by chance every tenth is hit.
    assert codes.isin(set(REAL["patterned"])).mean() < 0.2


@pytest.mark.parametrize("name", NAMES)
def test_a_loaded_model_draws_the_same_hard_rows(
    name: str, fitted: dict[str, Generator], made: dict[str, pd.DataFrame], tmp_path: Path
) -> None:
    fitted[name].save(tmp_path)
    loaded = load_generator(DATA.contract, tmp_path)
    assert_frame_equal(frame_of(loaded.sample(MADE, seed=2)), made[name])
    if name != "bootstrap":
        assert SECRET not in (tmp_path / "model.json").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", CONDITIONAL)
def test_hard_values_can_be_given(name: str, fitted: dict[str, Generator]) -> None:
    names = [
        "odd text", "flag", "levels", "large text", "exact codes", "unsigned", "money", "cents",
        "clock change", "nanoseconds", "until", "until, in us", "new\nline", "🎭", "{x}",
        "integer: one or none", "instant: always one",
    ]  # fmt: skip
    given = REAL.loc[20:39, names]
    sampled = frame_of(fitted[name].sample(20, given=given, seed=3))
    for column in names:
        own, drawn = (one[column].astype(object).reset_index(drop=True) for one in (given, sampled))
        assert own.fillna("missing").tolist() == drawn.fillna("missing").tolist(), column


def many_levels(rows: int, levels: int) -> Dataset:
    """A column of so many values, each as often as any other, and one that goes with it."""
    data = hard(rows)
    chosen = tuple(one for one in TABLE.columns if one.name in ("large text", "port"))
    table = TABLE.model_copy(update={"columns": chosen})
    level = np.arange(rows) % levels
    frame = frame_of(data)[["large text", "port"]].assign(
        **{"large text": pd.Series([f"level {one}" for one in level], dtype="str")}
    )
    return Dataset(data.contract.model_copy(update={"tables": (table,)}), {"hard": frame})


@pytest.mark.parametrize("name", LEARNING)
def test_thousands_of_levels_that_are_shared_are_all_made(name: str) -> None:
    rows, levels = 12_000, 1_500
    data = many_levels(rows, levels)
    choice = CHOICES[name]
    quick = {"epochs": 1, "batch_rows": 500} if choice.options else {}
    choice = choice.model_copy(update={"options": {**choice.options, **quick}})
    sampled = frame_of(resolve(choice).fit(data, seed=1).sample(rows, seed=1))
    drawn = sampled["large text"].value_counts()
    assert set(drawn.index) <= {f"level {one}" for one in range(levels)}
    # Of 1,500 equally likely values, 12,000 draws miss about one.
    assert len(drawn) > 0.97 * levels
    assert drawn.max() < 40


@pytest.mark.parametrize("name", NAMES)
def test_three_hundred_columns_are_kept(name: str) -> None:
    data = wide(rows=150, columns=300)
    table, real = data.contract.tables[0], frame_of(data)
    sampled = frame_of(resolve(CHOICES[name]).fit(data, seed=1).sample(150, seed=1))
    made = to_arrow(sampled, table)
    assert made.schema.equals(arrow_schema(table))
    broken = {rule.text: int(broken_rows(rule, made).sum()) for rule in row_rules(table)}
    assert broken == dict.fromkeys(broken, 0)
    flags = [one.name for one in table.columns if one.kind == "boolean"]
    gaps = (sampled[flags].astype(float).mean() - real[flags].astype(float).mean()).abs()
    # Two samples of 150 differ by .05 on average.
    assert gaps.mean() < 0.12
