"""Fits of one contract add up: what each may cost is written down before it begins."""

from pathlib import Path

import pytest

from data_contracts.contract import Contract, Privacy
from data_contracts.errors import ModelError
from tasks.budgets import begin_fit, end_fit, spent_together, together_finding
from tasks.storage import Store
from tests.checks.members import CONTRACT


def private(total: float | None = None) -> Contract:
    privacy = Privacy(epsilon=1, delta=1e-6, total_epsilon=total)
    return CONTRACT.model_copy(update={"privacy": privacy})


def statement(spent: float, second: float) -> dict[str, float]:
    return {"spent_epsilon": spent, "spent_epsilon_by_second_accountant": second}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path))


def test_fits_add_up_whatever_their_data_were(store: Store) -> None:
    for number, spent in enumerate((0.5, 0.75)):
        record = begin_fit(store, private(), f"m{number}", f"i{number}")
        end_fit(store, record, [statement(spent, spent - 0.25)])
    together = spent_together(store, private())
    assert (together.fits, together.unfinished) == (2, 0)
    assert together.epsilon == pytest.approx(1.25)
    assert together.delta == pytest.approx(2e-6)
    # A model that is removed has been seen.
    finding = together_finding(together, private())
    assert (finding.name, finding.state, finding.value) == ("dp_together", "info", 1.25)


def test_the_dearer_accountant_counts(store: Store) -> None:
    end_fit(store, begin_fit(store, private(), "m", "i"), [statement(0.5, 0.625)])
    assert spent_together(store, private()).epsilon == 0.625


def test_a_fit_that_was_killed_counts_in_full(store: Store) -> None:
    begin_fit(store, private(), "m", "i")
    end_fit(store, begin_fit(store, private(), "m", "i"), [statement(0.5, 0.25)])
    together = spent_together(store, private())
    assert (together.fits, together.unfinished, together.epsilon) == (2, 1, 1.5)
    assert "1 of them begun and not ended" in together_finding(together, private()).detail


def test_a_fit_beyond_the_total_is_refused_before_it_begins(store: Store) -> None:
    for _ in range(2):
        end_fit(store, begin_fit(store, private(2.5), "m", "i"), [statement(0.75, 0.5)])
    assert together_finding(spent_together(store, private(2.5)), private(2.5)).state == "pass"
    end_fit(store, begin_fit(store, private(2.5), "m", "i"), [statement(0.75, 0.5)])
    with pytest.raises(ModelError, match=r"3 fits .* epsilon 2.25 together; one more of 1 would"):
        begin_fit(store, private(2.5), "m", "i")
    assert spent_together(store, private(2.5)).fits == 3
    # A total that was lowered since refuses what is there.
    assert together_finding(spent_together(store, private(2)), private(2)).state == "refuse"


def test_without_privacy_nothing_is_written(store: Store) -> None:
    assert begin_fit(store, CONTRACT, "m", "i") is None
    end_fit(store, None, [])
    assert spent_together(store, CONTRACT).fits == 0
