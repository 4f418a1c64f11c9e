"""Values of few: what a release may not show, and what is public or chance."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from data_contracts.contract import Contract
from data_contracts.report import Finding
from data_contracts.schema import to_frame
from models.evaluation.coded import Side, code_table
from models.generators.independent import IndependentGenerator
from models.privacy.hygiene import evaluate_hygiene
from models.privacy.quoted_texts import units_with_texts
from tests.models.evaluation.tables import contract_for, dataset, with_column

ROWS = 400


def people(seed: int) -> pa.Table:
    random = np.random.default_rng(seed)
    return pa.table({
        "mail": [f"p{seed}-{row}@home.example" for row in range(ROWS)],
        "key": np.random.default_rng(seed).permutation(10**6)[:ROWS],
        "town": random.choice(["north", "south"], ROWS).tolist(),
        "income": np.round(random.lognormal(8, 1, ROWS), 2),
    })  # fmt: skip


TRAINING, FRESH, HOLDOUT = (people(seed) for seed in (1, 2, 3))


def contract(changes: dict[str, dict[str, Any]] | None = None) -> Contract:
    made = contract_for(TRAINING, {"mail": "identifier", "key": "identifier"})
    kinds = {"mail": {"identifier_kind": "email"}, "key": {"identifier_kind": "key"}}
    columns = tuple(
        column.model_copy(update=kinds.get(column.name, {}) | (changes or {}).get(column.name, {}))
        for column in made.tables[0].columns
    )  # fmt: skip
    table = made.tables[0].model_copy(update={"columns": columns})
    return made.model_copy(update={"tables": (table,)})


def judge(
    synthetic: pa.Table,
    training: pa.Table = TRAINING,
    promises: Contract | None = None,
    holdout: pa.Table = HOLDOUT,
) -> Finding:
    promises = promises or contract()
    frames: dict[Side, Any] = {
        "training": to_frame(training), "synthetic": to_frame(synthetic),
        "holdout": to_frame(holdout),
    }  # fmt: skip
    table = promises.tables[0]
    return evaluate_hygiene(code_table(table, promises.bars, frames, 1), frames)


def with_first(rows: pa.Table, name: str, values: list[Any]) -> pa.Table:
    return with_column(rows, name, [*values, *rows[name].to_pylist()[len(values) :]])


def test_fresh_rows_show_nothing_of_few() -> None:
    assert (judge(FRESH).state, judge(FRESH).value) == ("pass", 0.0)


def test_one_mail_address_used_again_is_one_too_many() -> None:
    found = judge(with_first(FRESH, "mail", [TRAINING["mail"][5].as_py()]))
    assert found.state == "refuse" and "mail" in found.detail
    assert TRAINING["mail"][5].as_py() not in found.detail


@pytest.mark.parametrize("change", [str.upper, lambda mail: f" {mail} ", lambda mail: f"<{mail}>"])
def test_an_address_in_other_letters_is_the_same_address(change: Callable[[str], str]) -> None:
    assert judge(with_first(FRESH, "mail", [change(TRAINING["mail"][5].as_py())])).state == "refuse"


@pytest.mark.parametrize(
    "pattern", [r"^[^@ ]+@[^@ ]+$", r"^p\d-\d+@\w+\.example$", r"^p\d+-\d+@home\.example$"]
)
def test_a_pattern_excuses_no_copied_address(pattern: str) -> None:
    promises = contract({"mail": {"pattern": pattern}})
    copied = with_first(FRESH, "mail", TRAINING["mail"].to_pylist()[:3])
    assert judge(FRESH, promises=promises).state == "pass"
    assert judge(copied, promises=promises).state == "refuse"


def test_numbers_that_a_narrow_pattern_leaves_may_be_made_again() -> None:
    """Of 1,000 extensions 400 people have one each, drawn anew for those who are made up."""

    def phones(rows: pa.Table, seed: int) -> pa.Table:
        drawn = np.random.default_rng(seed).permutation(1000)[:ROWS]
        return with_column(rows, "mail", [f"0{number:03d}" for number in drawn])

    promises = contract({"mail": {"identifier_kind": "phone", "pattern": r"^0\d{3}$"}})
    training, made, holdout = (
        phones(rows, seed) for seed, rows in enumerate((TRAINING, FRESH, HOLDOUT))
    )
    assert judge(made, training, promises, holdout).state == "pass"
    assert judge(with_column(made, "mail", training["mail"].to_pylist()), training, promises,
                 holdout).state == "refuse"  # fmt: skip


def test_keys_that_meet_by_chance_are_none_and_copied_ones_are() -> None:
    """Keys that count from 1 meet real ones on both sides alike."""
    counting = with_column(FRESH, "key", list(range(ROWS)))
    assert judge(counting).state == "pass"
    copied = judge(with_column(FRESH, "key", TRAINING["key"].to_pylist()))
    assert copied.state == "refuse" and "key" in copied.detail


@pytest.mark.parametrize("kind", ["name", "key"])
@pytest.mark.parametrize("change", [str, str.upper, lambda name: f" {name}".replace("-", " - ")])
def test_names_and_keys_in_other_letters_are_the_same(
    kind: str, change: Callable[[str], str]
) -> None:
    promises = contract({"mail": {"identifier_kind": kind}})
    assert judge(FRESH, promises=promises).state == "pass"
    for source, state in ((TRAINING, "refuse"), (HOLDOUT, "pass")):
        names = [change(name) for name in source["mail"].to_pylist()]
        assert judge(with_column(FRESH, "mail", names), promises=promises).state == state


@pytest.mark.parametrize(
    "change", [lambda text: f"Note: {text}", lambda text: text.upper().rsplit(" ", 1)[0]]
)
@pytest.mark.parametrize("times", [1, 2])
def test_texts_that_are_quoted_in_others_are_copies(
    change: Callable[[str], str], times: int
) -> None:
    """Also where each stands in two rows, as joined tables repeat them."""

    def told(seed: int) -> list[str]:
        days = np.random.default_rng(seed).permutation(10**6)[: ROWS // times].repeat(times)
        return [f"Fell from the ladder on day {day} and broke the left hip." for day in days]

    promises = contract({"mail": {"identifier_kind": "free_text"}})
    training, holdout = (with_column(rows, "mail", told(seed))
                         for seed, rows in ((1, TRAINING), (3, HOLDOUT)))  # fmt: skip
    for seed, state in ((1, "refuse"), (2, "pass"), (3, "pass")):
        made = with_column(FRESH, "mail", [change(text) for text in told(seed)])
        assert judge(made, training, promises, holdout).state == state


def notes(seed: int, people: int) -> pa.Table:
    """Thirty notes of each person about one of 200 matters, each told in three words of its own."""
    random = np.random.default_rng(seed)
    matters = np.repeat(random.integers(0, 200, people), 30)
    return pa.table({
        "person": [f"{seed}-{person}" for person in np.repeat(np.arange(people), 30)],
        "note": [" ".join(f"{matter}and{word}" for word in words)
                 for matter, words in zip(matters, random.integers(0, 3, (matters.size, 20)),
                                          strict=True)],
    })  # fmt: skip


def judge_notes(synthetic: pa.Table, training: pa.Table, holdout: pa.Table) -> Finding:
    made = contract_for(training, {"person": "identifier", "note": "identifier"}, unit="person")
    columns = tuple(
        column.model_copy(update={"identifier_kind": "free_text"} if column.name == "note" else {})
        for column in made.tables[0].columns
    )
    table = made.tables[0].model_copy(update={"columns": columns})
    return judge(synthetic, training, made.model_copy(update={"tables": (table,)}), holdout)


def test_texts_of_one_person_are_one_vote() -> None:
    """Who is made up may have one real person's matter, and then meets many of that one's notes."""
    training, holdout = notes(11, 60), notes(13, 60)
    for seed in (101, 102):
        assert judge_notes(notes(seed, 40), training, holdout).state == "pass"
    copied = [f"Note: {text}" for text in training["note"].to_pylist()]
    copied = with_column(training, "note", copied)
    assert judge_notes(copied, training, holdout).state == "refuse"


def test_of_many_passages_both_sides_look_at_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever they stand: 300 of 14,000 are kept of real texts, which others come before."""
    monkeypatch.setattr("models.privacy.quoted_texts.MOST_PASSAGES", 300)
    monkeypatch.setattr("models.privacy.quoted_texts.WORDS_AT_ONCE", 100)
    random = np.random.default_rng(5)

    def texts(rows: int) -> pd.Series:
        words = random.integers(10**6, size=(rows, 40))
        return pd.Series([" ".join(map(str, text)) for text in words])

    training, holdout, others = texts(300), texts(100), texts(300)
    made = pd.concat([others, "Note. " + training[::-1]])
    series: dict[Side, Any] = {"training": training, "synthetic": made, "holdout": holdout}
    units: dict[Side, Any] = {side: np.arange(len(each)) for side, each in series.items()}
    found = units_with_texts(series, units)
    assert found["synthetic"] <= found["training"] and len(found["synthetic"]) > 50
    series["synthetic"] = others
    assert not units_with_texts(series, units)["synthetic"]


@pytest.mark.parametrize("kind", ["address", "free_text", "name", "key"])
def test_what_the_contract_lists_is_public_also_where_sides_were_not_split_at_random(
    kind: str,
) -> None:
    streets = [f"In the {number} th street on the left" for number in range(2 * ROWS)]
    training = with_column(TRAINING, "mail", streets[:ROWS])
    holdout = with_column(HOLDOUT, "mail", streets[ROWS:])
    shown = with_column(FRESH, "mail", [street.upper() for street in streets[:40]] * 10)
    listed = contract({"mail": {"identifier_kind": kind, "categories": tuple(streets)}})
    assert judge(shown, training, listed, holdout).state == "pass"
    unlisted = contract({"mail": {"identifier_kind": kind}})
    assert judge(shown, training, unlisted, holdout).state == "refuse"


@pytest.mark.parametrize(("holders", "state"), [(1, "refuse"), (4, "refuse"), (8, "pass")])
def test_a_category_of_fewer_than_five_units_is_refused(holders: int, state: str) -> None:
    training = with_first(TRAINING, "town", ["hamlet"] * holders)
    synthetic = with_first(FRESH, "town", ["hamlet"])
    assert judge(synthetic, training).state == state
    public = contract({"town": {"categories": ("north", "south", "hamlet")}})
    assert judge(synthetic, training, public).state == "pass"


@pytest.mark.parametrize("label", ["little hamlet", "LITTLE HAMLET", " Little  Hamlet "])
def test_a_rare_category_in_other_letters_is_the_same(label: str) -> None:
    synthetic = with_first(FRESH, "town", [label])
    for holders, state in ((["Little Hamlet"] * 4, "refuse"), (["Little Hamlet"] * 8, "pass"),
                           (["Little Hamlet"] * 4 + ["little hamlet "] * 8, "pass")):  # fmt: skip
        training = with_first(TRAINING, "town", holders)
        assert judge(synthetic, training).state == state
    training = with_first(TRAINING, "town", ["Little Hamlet"])
    public = contract({"town": {"categories": ("north", "south", "Little Hamlet")}})
    assert judge(synthetic, training, public).state == "pass"
    assert judge(synthetic, training, holdout=with_first(HOLDOUT, "town", [label])).state == "pass"
    # Signs tell labels apart: C++ is not C.
    training = with_first(TRAINING, "town", ["little-hamlet"])
    assert judge(synthetic, training).state == "pass"


def test_labels_are_held_against_others_in_small_letters_only_where_one_is_new(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It sorts all rows once more, a second for a million, and few columns have a new label."""
    compared: list[str] = []

    def alike(label: str) -> str:
        compared.append(label)
        return label

    monkeypatch.setattr("models.privacy.hygiene._alike", alike)
    assert judge(FRESH).state == "pass" and not compared
    judge(with_first(FRESH, "town", ["North"]))
    assert "North" in compared


def test_the_largest_income_of_all_is_refused_also_where_that_end_is_declared() -> None:
    largest = max(TRAINING["income"].to_pylist())
    synthetic = with_first(FRESH, "income", [largest])
    assert judge(synthetic).state == "refuse" and "income" in judge(synthetic).detail
    assert str(largest) not in judge(synthetic).detail
    for declared in ({"maximum": 10**7}, {"minimum": 0}, {"minimum": 0, "maximum": 10**5}):
        assert judge(synthetic, promises=contract({"income": declared})).state == "refuse"
    # The end that a contract names is public, whoever has it.
    assert judge(synthetic, promises=contract({"income": {"maximum": largest}})).state == "pass"


def test_fresh_numbers_up_to_a_declared_end_may_meet_those_of_training_units() -> None:
    """Of few numbers that are possible there, a fresh draw shows some that single people have."""

    def ages(seed: int) -> list[int]:
        drawn = np.random.default_rng(seed).geometric(0.2, ROWS)
        return [90 - int(number) for number in drawn]

    training, synthetic = (with_column(rows, "income", ages(seed))
                           for seed, rows in ((1, TRAINING), (2, FRESH)))  # fmt: skip
    synthetic = with_first(synthetic, "income", [min(training["income"].to_pylist())])
    promises = {"income": {"minimum": 0, "maximum": 90}}
    assert judge(synthetic, training, contract(promises)).state == "pass"
    assert judge(synthetic, training).state == "refuse"


def test_values_half_a_step_off_a_round_one_are_told_apart() -> None:
    """Whole numbers and a half, as dates at noon are: neighbours must not count as the same."""

    def halves(seed: int) -> list[float]:
        drawn = np.random.default_rng(seed).integers(0, 10**8, ROWS)
        return [int(number) + 0.5 for number in drawn]

    sides = (TRAINING, FRESH, HOLDOUT)
    training, fresh, holdout = (
        with_column(rows, "income", halves(seed)) for seed, rows in enumerate(sides)
    )
    promises = contract({"income": {"minimum": 0, "maximum": 3 * 10**8}})
    largest = max(training["income"].to_pylist())
    for value, state in ((largest + 1, "pass"), (largest - 1, "pass"), (largest, "refuse")):
        synthetic = with_first(fresh, "income", [value])
        assert judge(synthetic, training, promises, holdout).state == state


@pytest.mark.parametrize(("origin", "step"), [(1.7e9, 1e-6), (0.0, 1e-13)])
def test_own_extremes_are_found_on_steps_that_doubles_hardly_hold(
    origin: float, step: float
) -> None:
    """Microseconds since 1970, and numbers so small that six digits say nothing of them."""

    def values(seed: int) -> list[float]:
        drawn = np.random.default_rng(seed).lognormal(8, 1, ROWS)
        return [origin + step * round(1000 * float(number)) for number in drawn]

    training, fresh, holdout = (
        with_column(rows, "income", values(seed))
        for seed, rows in enumerate((TRAINING, FRESH, HOLDOUT))
    )
    largest = sorted(training["income"].to_pylist())[-4:]
    promises = contract({"income": {"minimum": 0, "maximum": 10**10}})
    synthetic = with_first(fresh, "income", largest)
    assert judge(synthetic, training, promises, holdout).state == "refuse"


def test_made_up_values_beside_them_hide_no_copied_extremes() -> None:
    incomes = sorted(TRAINING["income"].to_pylist())
    padded = [round(incomes[-8] + 0.01 * step, 2) for step in range(1, 30)]
    beyond = [10.0**6 + step for step in range(30)]
    for hiding in (padded, beyond):
        synthetic = with_first(FRESH, "income", [*incomes[-3:], *hiding])
        promises = contract({"income": {"minimum": 0, "maximum": 10**5}})
        assert judge(synthetic, promises=promises).state == "refuse"


def test_round_numbers_that_people_give_may_meet_up_to_a_declared_end() -> None:
    def rounded(seed: int, rows: pa.Table) -> pa.Table:
        random = np.random.default_rng(seed)
        incomes = np.round(random.lognormal(8, 1, ROWS), -3)
        incomes[random.random(ROWS) < 0.05] += 37
        return with_column(rows, "income", incomes.tolist())

    training, synthetic = rounded(1, TRAINING), rounded(2, FRESH)
    synthetic = with_first(synthetic, "income", [max(training["income"].to_pylist())])
    promises = contract({"income": {"minimum": 0, "maximum": 10**6}})
    assert judge(synthetic, training, promises, rounded(3, HOLDOUT)).state == "pass"


def test_of_a_larger_table_every_row_is_looked_at() -> None:
    """A sample misses what stands elsewhere, and takes what many have for what few have."""
    copied = with_column(
        FRESH, "mail", [*FRESH["mail"].to_pylist()[:-1], TRAINING["mail"][5].as_py()]
    )
    towns = ["hamlet"] * 4 + TRAINING["town"].to_pylist()[4:-8] + ["hamlet"] * 8
    training = with_column(TRAINING, "town", towns)
    for synthetic, sampled, whole in (
        (copied, "pass", "refuse"),
        (with_first(FRESH, "town", ["hamlet"]), "refuse", "pass"),
    ):
        tables: dict[Side, pa.Table] = {
            "training": training, "synthetic": synthetic, "holdout": HOLDOUT,
        }  # fmt: skip
        frames = {side: to_frame(table.slice(0, 3 * ROWS // 4)) for side, table in tables.items()}
        promises = contract()
        coded = code_table(promises.tables[0], promises.bars, frames, 1)

        def read(names: list[str], tables: dict[Side, pa.Table] = tables) -> dict[Side, Any]:
            return {side: to_frame(table.select(names)) for side, table in tables.items()}

        assert evaluate_hygiene(coded, frames).state == sampled
        assert evaluate_hygiene(coded, frames, read).state == whole


def test_a_generator_of_ours_protects_what_the_gate_looks_for() -> None:
    """The codecs protect values of fewer than 8 units, the gate asks for 5 to 7: they agree."""
    training = with_first(TRAINING, "town", ["hamlet"] * 3)
    promises = contract()
    generator = IndependentGenerator().fit(dataset(promises, training), seed=1)
    made = generator.sample(2_000, seed=2).frame
    frames: dict[Side, Any] = {
        "training": to_frame(training), "synthetic": made, "holdout": to_frame(HOLDOUT)
    }  # fmt: skip
    for seed in range(3):
        coded = code_table(promises.tables[0], promises.bars, frames, seed)
        assert evaluate_hygiene(coded, frames).state == "pass"
