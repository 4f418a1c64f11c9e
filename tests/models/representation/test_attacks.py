"""Attacks with known answers: codes that tell are caught, codes that do not tell pass."""

from dataclasses import replace

import numpy as np
import pytest

from data_contracts.share import DeclaredTask, Recipient, Share
from models.representation.declared import Outcome
from models.representation.disclosure import AttributeAttack, MembershipAttack
from models.representation.evidence import identity, refused, rotation, shuffled
from models.representation.exposure import Exposure, Secret, Side
from models.representation.gains import gain_of_draws, row_gains, weighted_auc
from models.representation.inversion import InversionAttack
from models.representation.kept_tasks import KeptTasks
from models.representation.relinkage import RelinkageAttack

TASK = DeclaredTask(kind="classification", column="outcome")
SHARE = Share(tasks=(TASK,), recipients=(Recipient(name="clinic", key="env:KEY"),))
NOISE = 0.2


def side(rows: int, seed: int) -> Side:
    """Outcome from the first number; a secret number and a secret class of the others."""
    random = np.random.default_rng(seed)
    raw = random.normal(size=(rows, 4))
    outcome = (raw[:, 0] + 0.4 * random.normal(size=rows) > 0).astype(float)
    kind = (raw[:, 2] > 0).astype(float)
    secrets = (Secret("height", raw[:, 1], 0), Secret("kind", kind, 2))
    answers = Outcome(TASK, outcome, 2)
    codes, again = (np.tanh(raw[:, :1]) + NOISE * random.normal(size=(rows, 1)) for _ in range(2))
    return Side(
        codes, again, answers.flat(), raw, (answers,), secrets, np.zeros((rows, 0)), np.arange(rows)
    )


def exposure() -> Exposure:
    return Exposure(
        table="people", released=side(3000, 1), fresh=side(2000, 2), sensitive=("kind",),
        noise=NOISE, open_width=1, share=SHARE, seed=1,
    )  # fmt: skip


HONEST = exposure()
LEAKING = replace(HONEST, released=replace(
    HONEST.released,
    codes=np.concatenate([HONEST.released.codes, HONEST.released.features[:, 1:3]], 1),
))  # fmt: skip


@pytest.mark.parametrize("pairs", [0, 20, 200])
def test_codes_that_do_not_tell_a_column_pass_inversion(pairs: int) -> None:
    (finding,) = InversionAttack(pairs).evaluate(HONEST)
    assert finding.low is not None and finding.low < 0.05
    assert finding.state == ("info" if pairs > SHARE.known_pairs else "pass")


def test_a_column_in_the_code_is_inverted_from_twenty_pairs() -> None:
    (finding,) = InversionAttack(20).evaluate(LEAKING)
    assert finding.state == "refuse"
    assert finding.value is not None and finding.value > 0.3


def test_without_pairs_what_an_answer_says_of_a_column_is_found() -> None:
    told = tuple(
        replace(one, secrets=(Secret("height", one.features[:, 0], 0), one.secrets[1]))
        for one in (HONEST.released, HONEST.fresh)
    )
    (finding,) = InversionAttack(0).evaluate(replace(HONEST, released=told[0], fresh=told[1]))
    assert finding.state == "refuse"
    assert finding.column == "height"


def test_a_sensitive_column_in_the_code_is_refused_and_another_is_not() -> None:
    (clean,) = AttributeAttack().evaluate(HONEST)
    (leaked,) = AttributeAttack().evaluate(LEAKING)
    assert clean.state in ("pass", "inconclusive")
    assert clean.value is not None and clean.value < 0.03
    assert leaked.state == "refuse"
    assert leaked.value is not None and leaked.value > 0.4


def test_gains_stand_beside_no_gain_and_an_attack_not_asked_for_says_so() -> None:
    """The prior's own score on the axis of gains would look like a figure to be compared with."""
    (inverted,), (told,) = InversionAttack(20).evaluate(LEAKING), AttributeAttack().evaluate(HONEST)
    (members,) = MembershipAttack().evaluate(HONEST)
    assert {found.reference for found in (inverted, told, members)} == {0.0}
    assert "without" in inverted.detail and "without" in told.detail
    (nothing,) = AttributeAttack().evaluate(replace(HONEST, sensitive=()))
    assert (nothing.name, nothing.state, nothing.value) == ("attribute_gain", "info", None)
    assert nothing.detail.startswith("Not run")


def test_codes_that_remember_are_told_from_codes_that_do_not() -> None:
    (clean,) = MembershipAttack().evaluate(HONEST)
    moved = replace(HONEST, released=replace(HONEST.released, codes=HONEST.released.codes + 0.5))
    (marked,) = MembershipAttack().evaluate(moved)
    assert clean.state != "refuse"
    assert marked.state == "refuse"


def test_relinkage_counts_cells_times_chance() -> None:
    random = np.random.default_rng(4)
    cells = random.integers(0, 8, HONEST.released.rows).astype(float)[:, None] * 100
    codes = [cells + random.random(cells.shape) for _ in range(2)]
    eight = replace(HONEST, noise=1.0, released=replace(
        HONEST.released, codes=codes[0], again=codes[1]
    ))  # fmt: skip
    hits, tries, batch, _ = RelinkageAttack().attack(eight)
    # A code that tells one of eight cells finds a row again eight times as often as chance.
    assert 5 <= hits / tries * batch <= 12
    same = replace(eight, released=replace(eight.released, again=codes[0]))
    (finding,) = RelinkageAttack().evaluate(same)
    assert finding.state == "refuse"
    assert finding.value is not None and finding.value > 0.99 * batch


def test_true_outcomes_in_parcels_link_rows_too() -> None:
    told = replace(HONEST.released, told=np.arange(3000.0)[:, None])
    (finding,) = RelinkageAttack().evaluate(replace(HONEST, released=told))
    assert finding.value == 500


def test_controls_hiding_nothing_are_refused_and_shuffled_codes_pass() -> None:
    assert refused(identity(HONEST))
    assert refused(rotation(HONEST))
    assert not refused(shuffled(HONEST))


def test_the_share_of_a_task_that_codes_keep() -> None:
    (kept,) = KeptTasks().evaluate(HONEST)
    assert kept.value is not None and 0.8 < kept.value < 1.05
    lost = HONEST.with_codes(*(np.zeros((len(one), 1)) for one in (
        HONEST.released.codes, HONEST.released.again, HONEST.fresh.codes
    )))  # fmt: skip
    (none,) = KeptTasks().evaluate(lost)
    assert none.state == "refuse"
    assert none.value == pytest.approx(0, abs=0.05)


def buried(parts: int = 30) -> Exposure:
    """Honest codes with a hidden part, which is noise to everybody without the key."""
    random = np.random.default_rng(8)
    found = []
    for one in (HONEST.released.codes, HONEST.released.again, HONEST.fresh.codes):
        found.append(np.concatenate([one, random.normal(size=(len(one), parts)) * NOISE], 1))
    return replace(HONEST.with_codes(*found), open_width=1)


def test_a_hidden_part_does_not_blunt_the_attackers() -> None:
    hits, _, _, name = RelinkageAttack().attack(buried())
    assert name.endswith("open part")
    bare, _, _, _ = RelinkageAttack().attack(HONEST)
    assert hits == bare
    told = replace(LEAKING, open_width=3)
    (few,) = InversionAttack(20).evaluate(told)
    codes = [np.concatenate([one, buried().released.codes[: len(one), 1:]], 1) for one in (
        told.released.codes, told.released.again, told.fresh.codes
    )]  # fmt: skip
    (still,) = InversionAttack(20).evaluate(replace(told.with_codes(*codes), open_width=3))
    assert few.value is not None and still.value is not None
    assert still.value > few.value - 0.02
    assert "open part" in still.detail


def test_codes_that_are_all_alike_link_no_rows() -> None:
    alike = HONEST.with_codes(*(np.zeros((len(one), 1)) for one in (
        HONEST.released.codes, HONEST.released.again, HONEST.fresh.codes
    )))  # fmt: skip
    (finding,) = RelinkageAttack().evaluate(alike)
    assert finding.value is not None and finding.value < 3


def test_no_unit_is_on_both_sides_of_an_attack() -> None:
    units = np.repeat(np.arange(300), 10)
    grouped = replace(HONEST.released, units=units)
    one, other = grouped.split(np.random.default_rng(1), 1000)
    assert len(one) == 1000
    assert not set(units[one]) & set(units[other])
    assert sorted([*one, *other]) == list(range(3000))
    _, tries, _, _ = RelinkageAttack().attack(replace(HONEST, released=grouped))
    assert tries == 300


def test_rows_that_repeat_their_units_make_nobody_surer() -> None:
    rows = np.random.default_rng(3).normal(size=400)
    once = gain_of_draws([rows], np.arange(400), (1.0, 0.0))
    again = gain_of_draws([np.tile(rows, 5)], np.tile(np.arange(400), 5), (1.0, 0.0))
    assert again.high - again.value == pytest.approx(once.high - once.value, rel=0.02)


def test_a_retry_pays_with_its_levels_and_with_its_distance_from_the_bar() -> None:
    """What is as likely as not to be within its bar once must not be so with every further try."""
    rows = 0.09 + np.random.default_rng(4).normal(0.0, 0.2, 400)
    first, fifth = (gain_of_draws([rows], np.arange(400), (1.0, 0.0), runs=runs) for runs in (1, 5))
    error = rows.std(ddof=1) / 20
    assert first.high - first.value == pytest.approx(1.645 * error, rel=0.01)
    assert fifth.high - fifth.value == pytest.approx(2.326 * error, rel=0.01)
    assert fifth.due == pytest.approx(1.282 * error, rel=0.01)
    assert (first.state(first.value + error), first.due) == ("pass", 0.0)
    assert fifth.state(first.value + error) == "inconclusive"
    assert fifth.state(first.value + 1.5 * error) == "pass"


def test_a_retry_of_re_linkage_has_to_stay_below_its_bar() -> None:
    once = RelinkageAttack().evaluate(HONEST)[0]
    assert once.value is not None and once.low is not None and once.high is not None
    bars = SHARE.bars.model_copy(update={"relinkage": once.value + 0.01})
    tight = replace(HONEST, share=SHARE.model_copy(update={"bars": bars}))
    assert RelinkageAttack().evaluate(tight)[0].state == "pass"
    (again,) = RelinkageAttack().evaluate(replace(tight, runs=4))
    assert again.state == "inconclusive"
    assert again.value == once.value and again.high is not None and again.high > once.high


def test_the_leaks_of_the_controls_are_caught_in_a_late_run_as_well() -> None:
    tried = replace(HONEST, runs=20)
    assert refused(identity(tried)) and refused(rotation(tried)) and not refused(shuffled(tried))


@pytest.mark.parametrize(("released", "fresh"), [(8, 2), (80, 40)])
def test_with_few_rows_nothing_is_decided(released: int, fresh: int) -> None:
    few = replace(HONEST, released=HONEST.released.take(np.arange(released)),
                  fresh=HONEST.fresh.take(np.arange(fresh)))  # fmt: skip
    findings = (
        *InversionAttack(0).evaluate(few), *InversionAttack(20).evaluate(few),
        *RelinkageAttack().evaluate(few), *AttributeAttack().evaluate(few),
        *MembershipAttack().evaluate(few),
    )  # fmt: skip
    assert [finding.state for finding in findings] == ["inconclusive"] * 5
    assert all("too few" in finding.detail for finding in findings)


def test_a_task_on_two_rows_is_not_kept_for_sure() -> None:
    few = replace(HONEST, fresh=HONEST.fresh.take(np.arange(1)))
    (finding,) = KeptTasks().evaluate(few)
    assert finding.state == "inconclusive"
    assert finding.low is None


def test_a_bar_that_chance_alone_passes_is_not_judged_by() -> None:
    some = replace(HONEST, released=HONEST.released.take(np.arange(400)),
                   fresh=HONEST.fresh.take(np.arange(250)))  # fmt: skip
    (finding,) = MembershipAttack().evaluate(some)
    assert finding.state == "inconclusive"
    assert "too few rows to tell a gain of the bar" in finding.detail


def test_a_value_that_one_row_has_stops_no_attacker() -> None:
    kinds = HONEST.released.secrets[1].truth.copy()
    kinds[0] = 2.0
    secret = Secret("kind", kinds, 3)
    gain, _ = AttributeAttack().attack(HONEST, secret)
    assert abs(gain.value) < 0.03


def test_a_value_that_one_unit_alone_has_stops_no_attacker() -> None:
    units = np.arange(3000)
    units[:25] = 0
    kinds = np.where(units == 0, 2.0, HONEST.released.secrets[1].truth)
    grouped = replace(HONEST, released=replace(HONEST.released, units=units))
    gain, _ = AttributeAttack().attack(grouped, Secret("kind", kinds, 3))
    assert abs(gain.value) < 0.05


@pytest.mark.parametrize("attack", [AttributeAttack, InversionAttack, MembershipAttack,
                                    RelinkageAttack])  # fmt: skip
def test_every_attack_tells_its_scenario_and_its_power(attack: type) -> None:
    told = attack.__doc__ or ""
    assert "Scenario: " in told and "Power: " in told


def test_gains_by_hand() -> None:
    truth, prior, attack = np.array([1.0, 2, 3, 4]), np.full(4, 2.5), np.array([1.0, 2, 3, 2.5])
    # Variance 1.25: the prior explains nothing, the attack all but 2.25 / 5 of it.
    assert row_gains(truth, prior, attack, numbers=True).mean() == pytest.approx(1 - 2.25 / 5)
    assert row_gains(truth, prior, attack, numbers=False).mean() == 0.75
    sure = gain_of_draws([np.ones(50), np.ones(50)], np.arange(50), (1.0, 0.0))
    assert (sure.value, sure.low) == (1.0, 1.0)
    assert sure.state(0.1) == "refuse"
    assert weighted_auc(np.array([0.0, 0, 1, 1]), np.eye(2)[[0, 0, 1, 1]]) == 1.0
