"""What a run is told, and what is known of it when it fails."""

from typing import Any

import pytest
from pydantic import ValidationError

from data_contracts.errors import ContractError
from tasks.run import AS_CONTRACTED, Changes, Stages, seconds_before


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
