"""What a run is told, and what is known of it when it fails."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from data_contracts.errors import ContractError
from data_contracts.loading import load_contract
from tasks.run import (
    AS_CONTRACTED,
    Changes,
    NotPublishedError,
    Outcome,
    Stages,
    apply_settings,
    seconds_before,
)
from tests.flows.people import write_people


@pytest.mark.parametrize(
    ("changes", "settings", "joined"),
    [
        (AS_CONTRACTED, None, {}),
        (Changes(rows=5, seed=0), None, {"sampling.rows": 5, "sampling.seed": 0}),
        (Changes(rows=5), {"bars.detection_auc": 0.6},
         {"sampling.rows": 5, "bars.detection_auc": 0.6}),
        (Changes(options={"epochs": 2}), None, {"generator.options.epochs": 2}),
        (Changes(generator="vae", options={"epochs": 2}), None,
         {"generator.name": "vae", "generator.options": {"epochs": 2}}),
        # Options of the contract's generator are none of another one's.
        (Changes(generator="independent"), None,
         {"generator.name": "independent", "generator.options": {}}),
    ],
)  # fmt: skip
def test_changes_become_settings(
    changes: Changes, settings: dict[str, Any] | None, joined: dict[str, Any]
) -> None:
    assert changes.joined(settings) == joined


def test_a_value_given_twice_is_refused() -> None:
    with pytest.raises(ContractError, match=r"sampling\.rows"):
        Changes(rows=5).joined({"sampling.rows": 6})


@pytest.mark.parametrize("wrong", [{"rows": 0}, {"seed": -1}, {"rows": "many"}, {"row": 1}])
def test_wrong_changes_fail_before_any_work(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        Changes.model_validate(wrong)


def test_an_error_takes_the_seconds_of_the_stages_along() -> None:
    with pytest.raises(RuntimeError) as caught, Stages() as stages:
        with stages.stage("prove"):
            pass
        with stages.stage("fit"):
            raise RuntimeError
    assert seconds_before(caught.value) == stages.seconds
    assert list(stages.seconds) == ["prove", "fit"]
    assert seconds_before(RuntimeError()) == {}


def test_each_reason_has_a_line_of_its_own() -> None:
    outcome = Outcome(state="inconclusive", contract="c", report="r.html", reasons=("a", "b (c)"))
    told = NotPublishedError(outcome)
    assert str(told).splitlines() == ["Release inconclusive:", "  a", "  b (c)", "Report: r.html"]
    assert told.exit_code == 4


def test_settings_take_their_place_and_change_nothing_else(tmp_path: Path) -> None:
    contract = load_contract(write_people(tmp_path, rows=1))
    changed = apply_settings(contract, {"sampling.rows": 7, "generator.options.epochs": 2})
    assert changed.sampling.rows == 7
    assert changed.generator.options == {"epochs": 2}
    assert changed.folder == contract.folder
    assert apply_settings(changed, {"sampling.rows": None, "generator.options": {}}) == contract


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"sampling.rows": "abc"}, '--set sampling.rows: found "abc".'),
        ({"holdout.share": 2}, "--set holdout.share: found 2."),
        ({"sampling.rows": date(2026, 1, 31)}, "--set sampling.rows: the date 2026-01-31."),
        ({"bars.detection_auc": float("nan")}, "--set bars.detection_auc: found nan."),
        ({"bars": "none"}, '--set bars: found "none".'),
        ({"sampling.row": 5}, "--set sampling.row: no 'row' here; there is rows, seed."),
    ],
)
def test_a_wrong_setting_is_told_by_its_place(
    settings: dict[str, Any], said: str, tmp_path: Path
) -> None:
    contract = load_contract(write_people(tmp_path, rows=1))
    with pytest.raises(ContractError) as caught:
        apply_settings(contract, settings)
    assert str(caught.value).startswith(said)
    assert "http" not in str(caught.value) and "pydantic" not in str(caught.value)


def test_all_wrong_settings_are_told_at_once(tmp_path: Path) -> None:
    contract = load_contract(write_people(tmp_path, rows=1))
    with pytest.raises(ContractError, match=r"(?s)holdout\.share.*sampling\.rows") as caught:
        apply_settings(contract, {"sampling.rows": 0, "holdout.share": 2})
    assert len(str(caught.value).splitlines()) == 2
