"""Copies are caught, fresh rows pass, and what cannot be judged is said to be."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from data_contracts.contract import Bars
from data_contracts.report import Finding
from data_contracts.report import judge as judge_findings
from models.evaluation.coded import CodedTable
from models.evaluation.mixed_space import Nearest
from models.privacy.copies import Copying, ExactCopies, TailCopies, count_band
from models.privacy.copy_controls import Leak, mostly, own_rows
from models.privacy.copy_votes import CopyTest
from models.privacy.distance_share import evaluate_distance
from models.privacy.membership import Attacked
from models.privacy.planted import PlantedLeaks, plant_leaks, planted_finding
from models.privacy.trial import Trial, settle
from tests.models.evaluation.tables import coded, draw_people, named, splice, with_column

TRAINING, FRESH, HOLDOUT = (draw_people(1_500, seed) for seed in (1, 2, 3))


def with_noise(rows: pa.Table, spread: float) -> pa.Table:
    random = np.random.default_rng(7)
    for name in ("height", "weight", "income"):
        values = np.array(rows[name].to_numpy(), dtype=float)
        moved = values + random.normal(0.0, spread, len(values))
        rows = with_column(rows, name, [None if np.isnan(value) else value for value in moved])
    return rows


def copy_trials(
    test: CopyTest, missed: frozenset[tuple[Leak, bool]] = frozenset()
) -> tuple[Trial, ...]:
    copying = Copying(test, missed)
    return *ExactCopies().evaluate(copying), *TailCopies().evaluate(copying)


def evaluate_copies(table: CodedTable) -> tuple[Finding, ...]:
    """G1, G2 and the alarms alone, which share alpha between the two of them."""
    alpha = table.bars.alpha
    found = settle(copy_trials(CopyTest.of(table, alpha / 2)), alpha)
    return *found, *evaluate_distance(table)


POWERS = ("smallest_exact_leak", "smallest_near_leak")


def states(findings: tuple[Finding, ...]) -> dict[str, str]:
    """The states of the tests themselves; their power has findings of its own."""
    return {finding.name: finding.state for finding in findings if finding.name not in POWERS}


def judge(synthetic: pa.Table, holdout: pa.Table = HOLDOUT, seed: int = 1) -> dict[str, str]:
    return states(evaluate_copies(coded(TRAINING, synthetic, holdout, seed=seed)))


def test_fresh_rows_pass() -> None:
    assert judge(FRESH) == {"exact_copies": "pass", "tail_copies": "pass",
                            "dcr_share": "info", "nndr_share": "info"}  # fmt: skip


def test_fresh_rows_are_hardly_ever_refused() -> None:
    """Alpha is .01, so that of 60 independent draws more than three refusals mean a broken test."""
    refused = 0
    for number in range(60):
        drawn = (draw_people(rows, 3 * number + at) for at, rows in enumerate((300, 300, 200), 50))
        refused += "refuse" in states(evaluate_copies(coded(*drawn, seed=number))).values()
    assert refused <= 3


@pytest.mark.parametrize("share", [0.01, 0.02, 0.1, 1.0])
def test_verbatim_copies_are_caught(share: float) -> None:
    copies = TRAINING.slice(0, round(share * TRAINING.num_rows))
    assert judge(splice(FRESH, copies))["exact_copies"] == "refuse"


def test_a_bootstrap_of_training_rows_is_caught_by_every_test() -> None:
    drawn = np.random.default_rng(4).integers(0, TRAINING.num_rows, TRAINING.num_rows)
    assert set(judge(TRAINING.take(pa.array(drawn))).values()) == {"refuse"}


@pytest.mark.parametrize(
    ("share", "spread"), [(0.02, 0.001), (0.02, 0.01), (0.05, 0.02), (1.0, 0.05), (1.0, 0.2)]
)
def test_noisy_copies_pass_the_exact_test_and_are_caught_in_the_tail(
    share: float, spread: float
) -> None:
    copies = with_noise(TRAINING.slice(0, round(share * TRAINING.num_rows)), spread)
    found = judge(splice(FRESH, copies))
    assert found["exact_copies"] == "pass"
    assert found["tail_copies"] == "refuse"


def test_copies_with_noise_in_their_last_digits_are_exact_copies() -> None:
    copies = with_noise(TRAINING.slice(0, 75), 1e-9)
    assert judge(splice(FRESH, copies))["exact_copies"] == "refuse"


def test_the_alarm_misses_a_leak_that_the_gate_catches() -> None:
    """Why `dcr_share` may never reassure."""
    found = evaluate_copies(coded(TRAINING, splice(FRESH, TRAINING.slice(0, 30)), HOLDOUT))
    assert named(found, "exact_copies").state == "refuse"
    assert named(found, "dcr_share").state == "info"
    assert named(found, "dcr_share").value == pytest.approx(0.5, abs=0.03)


def test_the_leak_that_would_have_been_seen_is_stated_and_is_seen() -> None:
    """The stated power must hold for a leak that is really spliced in, of rows drawn anew."""
    found = evaluate_copies(coded(TRAINING, FRESH, HOLDOUT))
    for name, test, spread in (
        ("smallest_exact_leak", "exact_copies", 0.0), ("smallest_near_leak", "tail_copies", 0.002)
    ):  # fmt: skip
        power = named(found, name)
        assert power.value is not None and power.bar == 5.0 and power.state == "pass"
        rows = round(power.value / 100 * TRAINING.num_rows)
        assert (
            f"Would have seen a leak of {rows:,} rows ({power.value:g} %) or more" in power.detail
        )
        caught = 0
        for at in range(5):
            drawn = np.random.default_rng(at).choice(TRAINING.num_rows, rows, replace=False)
            leak = with_noise(TRAINING.take(pa.array(drawn)), spread)
            caught += judge(splice(FRESH, leak, seed=at))[test] == "refuse"
        assert caught >= 3


def test_where_the_training_rows_are_a_sample_less_is_seen() -> None:
    """Copies of the rows that are not there look like anybody's: a tenth of a leak is met."""

    def power(share: float) -> float:
        test = CopyTest.of(coded(TRAINING, FRESH, HOLDOUT), 0.005, share)
        found = tuple(finding for trial in copy_trials(test) for finding in trial.findings(False))
        return named(found, "smallest_exact_leak").value or np.inf

    assert power(0.1) >= 5 * power(1.0)


def test_of_a_planted_leak_each_test_meets_as_much_as_it_looks_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A fifth of the rows asked holds a fifth of the copies; else the control flatters the gate."""
    met: list[int] = []
    with_nearest = CopyTest.with_nearest

    def recorded(
        test: CopyTest, planted: Nearest, units: np.ndarray, random: np.random.Generator
    ) -> CopyTest:
        met.append(planted.key.size)
        return with_nearest(test, planted, units, random)

    table = coded(TRAINING, FRESH, HOLDOUT)
    test = CopyTest.of(table, 0.005)
    some = replace(test, queries=test.queries[:300], nearest=Nearest(
        test.nearest.squared[:300], test.nearest.key[:300], test.nearest.parts[:300]
    ))  # fmt: skip
    monkeypatch.setattr(CopyTest, "with_nearest", recorded)
    plant_leaks(some, Attacked.of(table, test.space))
    assert set(met) == {1, 3}  # of 3 verbatim copies, and of 15 with noise or isolated


def test_what_a_release_has_copied_helps_no_planted_copy_to_be_found() -> None:
    """Else the test would claim to see what it does not: the smaller leaks, the larger this is."""
    leaky = CopyTest.of(coded(TRAINING, splice(FRESH, TRAINING.slice(0, 60)), HOLDOUT), 0.005)
    assert leaky.exact_votes() == (60, 0)
    random, none = np.random.default_rng(1), np.zeros(0, dtype=np.int64)
    votes = [leaky.with_exact(none, random).exact_votes() for _ in range(5)]
    assert all(each.total == 60 and each.holdout > 3 for each in votes)
    planted = leaky.pool.exact[own_rows(leaky)[-5:]]
    pool = leaky.with_exact(planted, random).pool
    assert pool.trained[pool.owners[planted]].all()
    assert pool.trained.sum() == leaky.pool.trained.sum()


def test_a_leak_that_other_plantings_missed_is_not_said_to_be_seen() -> None:
    """Else one report would say of a leak that it was seen and that it was not."""
    table = coded(TRAINING, FRESH, HOLDOUT)
    test = CopyTest.of(table, 0.005)

    def power(missed: frozenset[tuple[Leak, bool]]) -> float:
        trials = copy_trials(test, missed)
        found = tuple(finding for trial in trials for finding in trial.findings(False))
        return named(found, "smallest_exact_leak").value or np.inf

    seen = Leak(power(frozenset()) / 100)
    assert power(frozenset({(seen, False)})) > 100 * seen.share
    caught = {
        "0.2 % verbatim": False, "1 % with noise": True,
        "1 % of the most isolated, verbatim": True, "1 % of the most isolated, with noise": False,
    }  # fmt: skip
    planted = PlantedLeaks(caught, own_units=1_500, held_out=1_500)
    assert planted.missed == {(Leak(0.002), False), (Leak(0.01, 0.1, 0.05), True)}


def test_a_release_that_is_refused_for_its_copies_breaks_no_gate() -> None:
    missed = PlantedLeaks({"0.2 % verbatim": False}, own_units=20_000, held_out=20_000)
    copied = splice(FRESH, TRAINING.slice(0, 150))
    found = [
        planted_finding(CopyTest.of(coded(TRAINING, rows, HOLDOUT), 0.005), missed)
        for rows in (FRESH, copied)
    ]
    assert [each.state for each in found] == ["refuse", "info"]
    assert "copies of its own" in found[1].detail


@pytest.mark.parametrize(("leak_share", "state"), [(0.1, "pass"), (0.002, "inconclusive")])
def test_a_gate_that_could_not_see_a_leak_of_the_contracts_share_is_inconclusive(
    leak_share: float, state: str
) -> None:
    """A holdout of 150 rows sees some leak, but none of three rows in 1,500."""
    table = coded(TRAINING, FRESH, HOLDOUT.slice(0, 150))
    found = evaluate_copies(replace(table, bars=Bars(leak_share=leak_share)))
    for name in ("exact_copies", "tail_copies", *POWERS):
        assert named(found, name).state == state
    assert named(found, "smallest_exact_leak").bar == pytest.approx(100 * leak_share)


def test_the_power_of_a_test_that_refused_is_not_stated() -> None:
    """Beside the leak that is there it would say little of other tables."""
    found = evaluate_copies(coded(TRAINING, splice(FRESH, TRAINING.slice(0, 150)), HOLDOUT))
    power = named(found, "smallest_exact_leak")
    assert (power.value, power.bar, power.state) == (None, None, "info")


def test_one_lucky_planting_is_no_power() -> None:
    luck = iter([True, False, True, True, False])
    assert not mostly(lambda: next(luck))
    luck = iter([True, False, True, True, True])
    assert mostly(lambda: next(luck))


def test_copies_of_held_out_rows_are_no_evidence_against_the_generator() -> None:
    assert judge(splice(FRESH, HOLDOUT.slice(0, 30)))["exact_copies"] == "pass"


@pytest.mark.parametrize("shared", [1_500, 750])
def test_a_holdout_that_shares_rows_with_training_refuses(shared: int) -> None:
    found = evaluate_copies(coded(TRAINING, FRESH, splice(HOLDOUT, TRAINING.slice(0, shared))))
    assert named(found, "exact_copies").state == "refuse"
    assert "fails its own control" in named(found, "exact_copies").detail


@pytest.mark.parametrize("rows", [1, 5, 40])
def test_too_few_held_out_rows_are_inconclusive(rows: int) -> None:
    found = judge(FRESH, HOLDOUT.slice(0, rows))
    assert found["exact_copies"] == found["tail_copies"] == "inconclusive"


def test_where_no_row_is_unlike_the_others_there_is_nothing_to_copy() -> None:
    sides = [pa.table({"sex": ["f", "m"] * 300, "adult": [True, True, False] * 200})] * 3
    assert set(states(evaluate_copies(coded(*sides))).values()) == {"info"}


def rows_of_people(people: int, seed: int) -> pa.Table:
    """Five nearly equal rows for each person, who is the unit of privacy."""
    person = draw_people(people, seed)
    rows = with_noise(person.take(pa.array(np.repeat(np.arange(people), 5))), 1e-3)
    names = [f"{seed}-{number}" for number in np.repeat(np.arange(people), 5)]
    return rows.append_column("person", pa.array(names))


def test_all_rows_of_one_person_are_one_vote() -> None:
    """Twenty copies of four people are four votes: too few to refuse; forty people are enough."""
    training, fresh, holdout = (rows_of_people(300, seed) for seed in (11, 12, 13))

    def exact(people: int) -> str:
        spliced = splice(fresh, training.slice(0, 5 * people))
        table = coded(training, spliced, holdout, roles={"person": "identifier"}, unit="person")
        return named(evaluate_copies(table), "exact_copies").state

    assert exact(4) != "refuse"
    assert exact(40) == "refuse"


def test_the_alarm_counts_people_and_not_their_rows() -> None:
    """Ten people a side, a hundred rows each: whom fresh rows are near is the luck of ten."""
    refused = 0
    for seed in range(100, 160, 3):
        training, fresh, holdout = (
            with_noise(draw_people(10, seed + side).take(pa.array(np.repeat(np.arange(10), 100))),
                       0.2)
            .append_column("person", pa.array(np.repeat(np.arange(10), 100)))
            for side in range(3)
        )  # fmt: skip
        made = coded(training, fresh, holdout, roles={"person": "identifier"}, unit="person")
        refused += "refuse" in {finding.state for finding in evaluate_distance(made)}
    assert refused <= 2


def test_figures_are_bands_not_exact_counts() -> None:
    found = evaluate_copies(coded(TRAINING, splice(FRESH, TRAINING.slice(0, 33)), HOLDOUT))
    exact = named(found, "exact_copies")
    assert (exact.low, exact.value, exact.high) == (21, 50, 50)
    assert exact.reference is not None and exact.reference_name is not None


def test_both_ends_of_a_band_are_told() -> None:
    """490 and 510 lie in neighbouring bands, whose upper ends alone read as twice as much."""
    assert count_band(490) == (201, 500) and count_band(510) == (501, 1_000)
    assert count_band(0) == (0, 0) and count_band(0.4) == (1, 10)
    few, many = (
        Finding(name="exact_copies", group="copies", value=high, low=low, high=high, unit="rows",
                state="refuse")
        for low, high in (count_band(0), count_band(510))
    )  # fmt: skip
    assert judge_findings((few,))[1] == ("exact_copies = 0 rows",)
    assert judge_findings((many,))[1] == ("exact_copies = 501 to 1,000 rows",)


def test_the_same_seed_gives_the_same_findings_and_leaves_frames_alone() -> None:
    before = TRAINING.to_pandas()
    first = evaluate_copies(coded(TRAINING, FRESH, HOLDOUT, seed=5))
    assert first == evaluate_copies(coded(TRAINING, FRESH, HOLDOUT, seed=5))
    assert before.equals(TRAINING.to_pandas())
