"""The whole gate: leaks are refused, fresh rows pass, doubt is told, figures stay inside."""

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from data_contracts.contract import Bars, Contract
from data_contracts.report import judge
from models.privacy.copy_votes import CopyTest
from models.privacy.gate import (
    COPY_ATTACKS,
    RECORD_ATTACKS,
    TRIALS,
    Attempt,
    Gated,
    evaluate_privacy,
)
from models.privacy.repeats import without_repeats
from tests.models.evaluation.tables import coded, contract_for, dataset, draw_people, named, splice
from tests.models.evaluation.test_release import every_type

TRAINING, FRESH, HOLDOUT = (draw_people(1_000, seed) for seed in (1, 2, 3))
ROLES = {"income": "sensitive", "bought": "target"}


def gate(
    synthetic: pa.Table,
    *,
    sides: tuple[pa.Table, pa.Table] = (TRAINING, HOLDOUT),
    contract: Contract | None = None,
    runs: int = 1,
) -> Gated:
    contract = contract or contract_for(sides[0], ROLES)
    training, made, holdout = (dataset(contract, rows) for rows in (sides[0], synthetic, sides[1]))
    return evaluate_privacy(training, made, holdout, Attempt(1, runs))


def states(gated: Gated) -> dict[str, str]:
    return {finding.name: finding.state for finding in gated.findings}


HONEST = gate(FRESH)


def test_fresh_rows_pass_every_test() -> None:
    assert judge(HONEST.findings) == ("published", ())
    passed = {name for name, state in states(HONEST).items() if state == "pass"}
    assert {*TRIALS, "hygiene", "fresh_rows", "attribute_inference"} <= passed


def test_an_attack_that_was_not_asked_for_is_said_not_to_have_run() -> None:
    found = named(gate(FRESH, contract=contract_for(TRAINING)).findings, "attribute_inference")
    assert (found.state, found.value) == ("info", None) and "Not run" in found.detail
    assert named(HONEST.findings, "attribute_inference").column == "income"


@pytest.mark.parametrize("share", [0.1, 1.0])
def test_copies_of_training_rows_are_refused(share: float) -> None:
    leaking = gate(splice(FRESH, TRAINING.slice(0, round(share * TRAINING.num_rows))))
    assert judge(leaking.findings)[0] == "refused"
    assert states(leaking)["exact_copies"] == "refuse"
    assert states(leaking)["membership_inference"] == "refuse"


def test_a_copy_of_everything_is_caught_by_every_attack() -> None:
    found = states(gate(TRAINING))
    assert {found[name] for name in TRIALS} == {"refuse"}


@pytest.mark.parametrize(
    "attack", (*COPY_ATTACKS, *RECORD_ATTACKS), ids=lambda one: type(one).__name__
)
def test_every_attack_tells_its_scenario_and_its_power(attack: object) -> None:
    told = type(attack).__doc__ or ""
    assert "Scenario: " in told and "Power: " in told


def test_every_attack_that_knows_records_is_tried_on_held_out_rows() -> None:
    """The control of fresh rows: an attack that refuses what nobody copied is broken."""
    figures = HONEST.figures["tables"]["rows"]
    names = {f"{test['name']} {test['column'] or ''}".strip() for test in figures["tests"]}
    assert set(figures["fresh"]) == names
    assert {*TRIALS, "attribute_inference income"} == names


def test_the_same_seed_gives_the_same_findings() -> None:
    assert gate(FRESH) == HONEST


def test_a_retry_pays_with_its_alpha_and_its_intervals() -> None:
    """What was passed once is harder to pass again: drawing until it passes must not work."""
    again = gate(FRESH, runs=4)
    assert again.figures["alpha"] == pytest.approx(HONEST.figures["alpha"] / 4)
    first, retried = (each.figures["tables"]["rows"]["tests"] for each in (HONEST, again))
    for one, two in zip(first, retried, strict=True):
        if "upper" in one:
            assert two["upper"] > one["upper"]
        if "interval" in one:
            assert two["interval"][1] > one["interval"][1]


def test_too_few_held_out_units_are_undecided_and_told_how_many_would_do() -> None:
    found = gate(FRESH, sides=(TRAINING, HOLDOUT.slice(0, 12)))
    assert judge(found.findings)[0] == "inconclusive"
    undecided = [finding for finding in found.findings if finding.state == "inconclusive"]
    assert {"linkability", "membership_inference"} <= {finding.name for finding in undecided}
    for finding in undecided:
        if finding.name.startswith("smallest"):
            continue
        assert "Too few" in finding.detail or "would resolve" in finding.detail


@pytest.mark.parametrize("empty", ["synthetic", "holdout"])
def test_a_side_without_rows_is_undecided(empty: str) -> None:
    synthetic = FRESH.slice(0, 0) if empty == "synthetic" else FRESH
    holdout = HOLDOUT.slice(0, 0) if empty == "holdout" else HOLDOUT
    found = gate(synthetic, sides=(TRAINING, holdout))
    assert judge(found.findings)[0] == "inconclusive"
    assert {states(found)[name] for name in TRIALS} == {"inconclusive"}


def test_training_and_holdout_that_share_units_are_a_broken_gate() -> None:
    found = gate(FRESH, sides=(TRAINING, splice(HOLDOUT, TRAINING.slice(0, 500))))
    fresh = named(found.findings, "fresh_rows")
    assert fresh.state == "refuse" and "broken" in fresh.detail


def test_held_out_rows_as_candidate_pass_and_hide_no_copies() -> None:
    """They point at the holdout alone: beside so many votes no leak would be seen."""
    found = gate(HOLDOUT)
    assert "refuse" not in states(found).values()
    assert states(found)["held_out_rows"] == "info"
    assert states(found)["exact_copies"] == "pass"
    assert states(gate(splice(HOLDOUT, TRAINING.slice(0, 100))))["exact_copies"] == "refuse"
    assert "held_out_rows" not in states(HONEST)


@pytest.mark.parametrize("share", [0.2, 1.0])
def test_a_copy_of_the_whole_source_is_refused(share: float) -> None:
    """It repeats held-out rows as often as training rows: nothing leans, and all of it leaks."""
    source = pa.concat_tables([TRAINING, HOLDOUT])
    order = np.random.default_rng(1).permutation(source.num_rows)[: round(share * 1_000)]
    found = gate(splice(FRESH, source.take(pa.array(order))))
    assert states(found)["held_out_rows"] == "info"
    assert states(found)["exact_copies"] == states(found)["membership_inference"] == "refuse"


def test_rows_that_meet_real_ones_by_chance_are_no_held_out_rows() -> None:
    """Independent columns fall into cells that few real rows are in, more often than real ones."""

    def rows(seed: int) -> pa.Table:
        return draw_people(1_000, seed).select(["town", "work", "bought"]).append_column(
            "size", pa.array(np.round(2 * draw_people(1_000, seed)["height"].to_numpy()))
        )  # fmt: skip

    training, made, holdout = rows(31), rows(32), rows(33)
    for place, name in enumerate(made.column_names):
        order = np.random.default_rng(place).permutation(1_000)
        made = made.set_column(place, name, made[name].take(pa.array(order)))
    found = gate(made, sides=(training, holdout), contract=contract_for(training))
    assert "held_out_rows" not in states(found)
    assert states(found)["exact_copies"] != "refuse"


def test_clean_rows_that_meet_what_real_ones_seldom_show_are_not_refused() -> None:
    """They meet held-out units more than five times as often as real rows do, and copied nothing.

    Taken for held-out rows, they would lose half of these votes and lean to the training side.
    """

    def rows(seed: int, alike: float) -> pa.Table:
        random = np.random.default_rng(seed)
        one, other = random.integers(0, 70, (2, 3_000))
        other = np.where(random.random(3_000) < alike, one, other)
        return pa.table({"one": [f"{at}" for at in one], "other": [f"{at}" for at in other]})

    found = coded(rows(0, 0.97), rows(1, 0), rows(2, 0.97))
    judged, told = without_repeats(found)
    assert told == () and judged is found
    assert CopyTest.of(judged, 0.001).exact_p_value() > 0.01


def test_planted_leaks_are_told_where_the_table_is_too_small_for_them() -> None:
    planted = named(HONEST.findings, "planted_leaks")
    assert planted.state == "info" and planted.bar == 4
    assert "0.2 % verbatim" in planted.detail and "it takes about" in planted.detail


@pytest.mark.parametrize("rows", [1, 5, 60, 200])
def test_no_type_of_column_and_no_size_of_table_fails(rows: int) -> None:
    sides = [every_type(rows, seed) for seed in (1, 2, 3)]
    contract = contract_for(sides[0], {"key": "identifier", "flag": "sensitive"})
    found = gate(sides[1], sides=(sides[0], sides[2]), contract=contract)
    json.dumps(found.figures, allow_nan=False)
    for finding in found.findings:
        json.dumps(finding.model_dump(mode="json"), allow_nan=False)
        if finding.value is not None and finding.low is not None and finding.high is not None:
            assert finding.low <= finding.value <= finding.high
    if rows < 50:
        assert judge(found.findings)[0] == "inconclusive"


def test_a_person_counts_once_however_many_rows_are_theirs() -> None:
    """Twenty rows of each of 60 people: sixty units, of which no attack can tell much."""

    def rows(people: int, seed: int) -> pa.Table:
        person = draw_people(people, seed)
        many = person.take(pa.array(np.repeat(np.arange(people), 20)))
        names = [f"{seed}-{number}" for number in np.repeat(np.arange(people), 20)]
        return many.append_column("person", pa.array(names))

    training, fresh, holdout = rows(60, 11), rows(60, 12), rows(60, 13)
    contract = contract_for(training, {"person": "identifier"}, unit="person")
    found = gate(fresh, sides=(training, holdout), contract=contract)
    tests = found.figures["tables"]["rows"]["tests"]
    units = {test["name"]: test.get("units") for test in tests}
    assert units["linkability"] == [60, 60]
    assert "60 members and 60 non-members" in named(found.findings, "membership_inference").detail


def test_what_is_published_are_bands_and_what_is_exact_stays_inside() -> None:
    exact = {test["name"]: test for test in HONEST.figures["tables"]["rows"]["tests"]}
    told = named(HONEST.findings, "linkability")
    assert told.value == pytest.approx(round(exact["linkability"]["risk"], 2))
    assert told.value != exact["linkability"]["risk"]
    text = json.dumps([finding.model_dump(mode="json") for finding in HONEST.findings])
    assert str(exact["linkability"]["p_value"]) not in text


def test_all_tables_share_one_alpha() -> None:
    """Two tables have twice the tests, so that each one alone has half the level."""
    one = contract_for(TRAINING)
    tables = (one.tables[0], one.tables[0].model_copy(update={"name": "others"}))
    both = one.model_copy(update={"tables": tables})

    def level(contract: Contract) -> float:
        sides = [
            replace(dataset(contract, rows), tables={
                table.name: dataset(contract, rows).tables["rows"] for table in contract.tables
            }) for rows in (TRAINING.slice(0, 60), FRESH.slice(0, 60), HOLDOUT.slice(0, 60))
        ]  # fmt: skip
        return float(evaluate_privacy(*sides, Attempt(1)).figures["level"])

    assert level(both) == pytest.approx(level(one) / 2)
    assert level(one) == pytest.approx(Bars().alpha / len(TRIALS))
