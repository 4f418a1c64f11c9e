"""Known answers: what each attack must find in a copy, and must not find in fresh rows."""

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from models.evaluation.coded import CodedTable
from models.privacy import risks
from models.privacy.attribute import AttributeInference
from models.privacy.exceedance import Exceedance
from models.privacy.linkage_space import LinkageSpace
from models.privacy.membership import Attacked, AttackedTable
from models.privacy.risks import Linkability, inference_rates, linkability_rates
from models.privacy.singling_out import singling_out_rates
from models.privacy.trial import Bound, Trial
from models.privacy.unit_rates import UnitRates
from tests.models.evaluation.tables import coded, draw_people, splice

TRAINING, FRESH, HOLDOUT = (draw_people(500, seed) for seed in (21, 22, 23))


def test_fresh_rows_exceed_as_often_as_not_and_a_copy_of_all_always_does() -> None:
    def found(synthetic: pa.Table) -> Exceedance:
        table = coded(TRAINING, synthetic, HOLDOUT)
        whole, _ = Attacked.of(table, LinkageSpace.of(table)).exceedances(table)
        assert whole is not None
        return whole

    assert found(FRESH).p_value(1.5) > 0.001
    assert found(TRAINING).true_positive_rate > 0.4
    assert found(TRAINING).p_value(1.5) < 1e-12


def test_a_leak_of_the_most_isolated_records_is_seen_best_among_them() -> None:
    table = coded(TRAINING, FRESH, HOLDOUT)
    attacked = Attacked.of(table, LinkageSpace.of(table))
    alone = attacked.isolated() & attacked.members
    rows = np.flatnonzero(alone[attacked.units])[:15].astype(np.int64)
    whole, outliers = attacked.with_planted(attacked.rows.take(rows)).exceedances(table)
    assert whole is not None and outliers is not None
    assert outliers.p_value(2.0) < 0.01
    assert outliers.true_positive_rate > 4 * whole.true_positive_rate


def test_the_interval_of_an_exceedance_covers_at_any_size() -> None:
    """Members and non-members alike: the lower bound exceeds the truth in 5 % of tries at most."""
    random, beyond, tries = np.random.default_rng(3), 0, 400
    is_member = np.arange(1_000) < 800
    for _ in range(tries):
        found = Exceedance.of(random.random(1_000), is_member, random)
        assert found is not None and found.alarms == 3
        beyond += found.interval(0.05).low > found.false_positive_rate
    assert stats.binom.sf(beyond - 1, tries, 0.05) > 1e-3


def test_an_exceedance_counts_what_is_above_the_chosen_non_member() -> None:
    scores = np.array([9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0, 0.0])
    is_member = np.array([True, True, False, True, False, False, False, False, False, True])
    found = Exceedance.of(scores, is_member, np.random.default_rng(0))
    assert found == Exceedance(found=3, alarms=3, members=4, non_members=6)
    assert Exceedance.of(scores[:5], is_member[:5], np.random.default_rng(0)) is None


def test_linkage_counts_a_rare_value_for_more_than_a_common_one() -> None:
    """Two rows that agree on what 1 % have are nearer than two that agree on what 99 % have."""
    common = pa.table({"rare": ["no"] * 99 + ["yes"], "other": ["a", "b"] * 50})
    table = coded(common, common, common)
    space = LinkageSpace.of(table)
    asked = space.rows["synthetic"].take(np.array([99], dtype=np.int64))
    same_rare = space.rows["training"].take(np.array([99], dtype=np.int64))
    not_rare = space.rows["training"].take(np.array([97], dtype=np.int64))
    assert space.nearest(asked, same_rare).squared[0] == 0
    expected = -np.log(3 / 203) - np.log(199 / 203)
    assert space.nearest(asked, not_rare).squared[0] == pytest.approx(expected, abs=0.01)


def test_a_number_beside_a_constant_column_is_as_far_as_numbers_go() -> None:
    constant = pa.table({"size": [1e300] * 20})
    table = coded(constant, pa.table({"size": [-1e300] * 20}), constant)
    space = LinkageSpace.of(table)
    assert np.isfinite(space.rows["synthetic"].numbers).all()
    assert (space.rows["synthetic"].numbers < space.rows["training"].numbers.min()).all()


def test_the_three_risks_of_a_copy_are_near_one_and_of_fresh_rows_near_none() -> None:
    copied, fresh = coded(TRAINING, TRAINING, HOLDOUT), coded(TRAINING, FRESH, HOLDOUT)
    for attack, least in ((linkability_rates, 0.8), (inference_rates, 0.8)):
        leaking, honest = attack(copied), attack(fresh)
        assert leaking is not None and honest is not None
        assert leaking.risk > least and leaking.p_value() < 1e-12
        assert abs(honest.risk) < 0.1 and honest.p_value() > 0.01


def test_a_copy_tells_its_own_people_s_sensitive_category_and_fresh_rows_do_not() -> None:
    """Trees that learn 500 rows learn some by heart: what is told beyond chance is above .02."""

    def trial(synthetic: pa.Table) -> Trial:
        table = coded(TRAINING, synthetic, HOLDOUT, roles={"work": "sensitive"})
        attacked = Attacked.of(table, LinkageSpace.of(table))
        (found,) = AttributeInference().evaluate(AttackedTable(table, attacked))
        return found

    copied, honest = trial(TRAINING), trial(FRESH)
    assert copied.column == honest.column == "work"
    assert copied.p_value < 1e-6 and honest.p_value > 0.01
    assert copied.figures["difference"] > 0.1 > abs(honest.figures["difference"])


def test_a_copy_singles_out_its_own_people() -> None:
    copied = singling_out_rates(coded(TRAINING, TRAINING, HOLDOUT))
    honest = singling_out_rates(coded(TRAINING, FRESH, HOLDOUT))
    assert copied is not None and honest is not None
    assert copied.p_value() < 1e-6 < honest.p_value()


def test_singling_out_needs_a_control_as_large_as_the_training_side() -> None:
    """With a third of the people held out, a smaller control would flag innocent rows."""
    table: CodedTable = coded(TRAINING, FRESH, HOLDOUT.slice(0, 160))
    rates = singling_out_rates(table)
    assert rates is not None
    assert rates.training.size == rates.holdout.size == 160
    assert rates.p_value() > 0.01


def test_a_unit_counts_once_by_its_most_exposed_row() -> None:
    success = {"training": np.array([0.0, 1.0, 0.0, 0.0]), "holdout": np.array([0.0, 0.0])}
    units = {"training": np.array([7, 7, 7, 9]), "holdout": np.array([1, 2])}
    rates = UnitRates.of_rows(success, units)
    assert rates.training.tolist() == [1.0, 0.0] and rates.holdout.tolist() == [0.0, 0.0]
    assert rates.risk == pytest.approx(0.5)
    assert rates.p_value() == pytest.approx(0.5)


def test_risk_is_what_is_left_beyond_the_control() -> None:
    rates = UnitRates(np.repeat([1.0, 0.0], [60, 40]), np.repeat([1.0, 0.0], [20, 80]))
    assert rates.risk == pytest.approx((0.6 - 0.2) / (1 - 0.2))
    assert rates.p_value() < 1e-6


@pytest.mark.parametrize(
    ("units", "found", "state"), [(1_500, 0.34, "inconclusive"), (20_000, 0.36, "refuse")]
)
def test_a_risk_that_may_be_above_the_bar_refuses_where_bad_luck_does_not_explain_it(
    units: int, found: float, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 1,500 units one honest generator in fifty ends above .09; alpha is one in a hundred."""
    training, holdout = ((np.arange(units) < share * units).astype(float) for share in (found, 0.3))
    rates = UnitRates(training, holdout)
    monkeypatch.setattr(risks, "linkability_rates", lambda _: rates)
    table = coded(TRAINING, FRESH, HOLDOUT)
    (trial,) = Linkability().evaluate(
        AttackedTable(table, Attacked.of(table, LinkageSpace.of(table)))
    )
    assert 0.09 < trial.figures["upper"] < 0.1
    assert trial.findings(False)[0].state == state


@pytest.mark.parametrize(
    ("upper", "resolvable", "coarse", "state"),
    [
        (0.01, True, None, "pass"),
        (0.03, True, 0.06, "inconclusive"),
        (0.03, False, 0.06, "pass"),
        (0.07, False, 0.06, "inconclusive"),
        (0.03, False, None, "inconclusive"),
    ],
)
def test_a_coarse_bar_counts_only_where_the_fine_one_is_out_of_reach(
    upper: float, resolvable: bool, coarse: float | None, state: str
) -> None:
    bound = Bound(upper, 0.015, resolvable=resolvable, coarse=coarse, needed=17_000)
    assert bound.judged(refused=False)[0] == state
    assert bound.judged(refused=True)[0] == "refuse"
    if not resolvable:
        assert "17,000 held-out units" in bound.judged(refused=False)[1]


def test_a_small_leak_does_not_move_the_mean_of_all_rows_but_is_planted_to_be_seen() -> None:
    """Five copies among 500 rows leave linkability where it was: why G1, G2 and controls exist."""
    leaking = linkability_rates(coded(TRAINING, splice(FRESH, TRAINING.slice(0, 5)), HOLDOUT))
    assert leaking is not None and leaking.p_value() > 1e-3
