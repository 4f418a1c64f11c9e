"""The gate's runs: recorded, paid for, and a refusal that stays."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from data_contracts.contract import Bars, Contract
from data_contracts.dataset import Dataset
from data_contracts.report import Finding
from tasks.gate_runs import BEGUN, GateRuns, as_kept, findings_of, run_gate
from tasks.storage import Store
from tests.models.evaluation.tables import contract_for, dataset, draw_people, named

TRAINING, FRESH, HOLDOUT = (draw_people(200, seed) for seed in (1, 2, 3))
CONTRACT = contract_for(TRAINING)
LAX = CONTRACT.model_copy(update={"bars": Bars(alpha=1e-9)})


@pytest.fixture
def runs(tmp_path: Path) -> GateRuns:
    return GateRuns(Store(str(tmp_path)), "tests/models/m/privacy")


def judge(
    runs: GateRuns, content: str, made: pa.Table, contract: Contract = CONTRACT
) -> tuple[Finding, ...]:
    sides: list[Dataset] = [dataset(contract, rows) for rows in (TRAINING, made, HOLDOUT)]
    return run_gate(runs, content, (sides[0], sides[1], sides[2]))


def test_a_retry_is_recorded_and_pays_with_its_alpha(runs: GateRuns) -> None:
    first = judge(runs, "one", FRESH)
    assert named(first, "gate_runs").value == 1
    second = judge(runs, "two", draw_people(200, 9))
    assert named(second, "gate_runs").value == 2
    assert [record["run"] for record in runs.records()] == [1, 2]
    alphas = [record["figures"]["alpha"] for record in runs.records()]
    assert alphas[1] == pytest.approx(alphas[0] / 2)


def test_the_same_content_again_is_no_retry_and_is_judged_as_it_was(runs: GateRuns) -> None:
    first = judge(runs, "one", FRESH)
    assert judge(runs, "one", FRESH) == first
    assert len(runs.records()) == 1


def test_what_was_refused_once_stays_refused(runs: GateRuns) -> None:
    assert "refuse" in {finding.state for finding in judge(runs, "leak", TRAINING)}
    again = named(judge(runs, "other", FRESH), "gate_runs")
    assert again.state == "refuse" and "refused before" in again.detail


def test_another_alpha_is_a_retry_and_lifts_no_refusal(runs: GateRuns) -> None:
    """Else a refused candidate would pass under a contract that asks for less."""
    judge(runs, "leak", TRAINING)
    again = named(judge(runs, "leak", TRAINING, LAX), "gate_runs")
    assert (again.state, again.value) == ("refuse", 2)
    assert runs.records()[0]["state"] == "refused"


def test_a_run_that_is_killed_or_under_way_is_counted(runs: GateRuns) -> None:
    """Two gates beside each other, or a killed one, must not both be the first."""
    assert runs.begin("killed", "rules")["run"] == 1
    assert named(judge(runs, "other", FRESH), "gate_runs").value == 2
    assert runs.begin("killed", "rules")["run"] == 1
    assert runs.records()[0]["state"] == BEGUN


def test_a_killed_run_goes_on_as_the_run_it_was(runs: GateRuns) -> None:
    first = judge(runs, "one", FRESH)
    (record,) = runs.records()
    runs.write({key: record[key] for key in ("run", "content", "rules", "created")}
               | {"state": BEGUN})  # fmt: skip
    assert judge(runs, "one", FRESH) == first
    assert runs.records()[0]["figures"] == record["figures"]


def ended(state: str) -> dict[str, Any]:
    return {"state": state, "findings": []}


def test_of_two_that_judge_the_same_beside_each_other_the_first_to_end_stands(
    runs: GateRuns,
) -> None:
    """Attacks on codes draw keys anew: what one of them refused, the other must not overwrite."""

    def slower(_: int) -> dict[str, Any]:
        runs.judged_once("one", "rules", lambda _: ended("refused"))
        return ended("pass")

    assert runs.judged_once("one", "rules", slower)["state"] == "refused"
    assert [record["state"] for record in runs.records()] == ["refused"]


def test_a_run_that_was_killed_before_another_was_refused_is_refused_when_it_goes_on(
    runs: GateRuns,
) -> None:
    """Else many could be begun and killed, and one of them be left for after a refusal."""
    runs.begin("killed", "rules")
    passed = runs.judged_once("passed", "rules", lambda _: ended("pass"))
    runs.judged_once("refused", "rules", lambda _: ended("refused"))
    late = runs.judged_once("killed", "rules", lambda _: ended("pass"))
    assert (late["run"], runs.refused_before(late)) == (1, True)
    again = runs.judged_once("passed", "rules", lambda _: ended("refused"))
    assert again == passed and not runs.refused_before(again)


def test_a_finding_without_bounds_is_kept(runs: GateRuns) -> None:
    endless = Finding(name="a", group="attacks", value=0.1, low=-np.inf, high=np.inf)
    judged = {"state": "inconclusive", "findings": as_kept((endless,))}
    (kept,) = findings_of(runs.judged_once("one", "rules", lambda _: judged))
    assert (kept.value, kept.low, kept.high) == (0.1, None, None)
    assert findings_of(runs.records()[0]) == (kept,)


def test_candidates_of_unknown_models_share_the_held_out_rows_but_no_refusal(
    tmp_path: Path,
) -> None:
    runs = GateRuns(Store(str(tmp_path)), "tests/gates/i/_unnamed", many_models=True)
    judge(runs, "leak", TRAINING)
    other = named(judge(runs, "other", FRESH), "gate_runs")
    assert (other.state, other.value) == ("info", 2) and "--model" in other.detail
    assert named(judge(runs, "leak", TRAINING, LAX), "gate_runs").state == "refuse"


def test_exact_figures_are_kept_and_hold_no_value_of_a_row(runs: GateRuns, tmp_path: Path) -> None:
    judge(runs, "one", FRESH)
    (file,) = (tmp_path / "tests/models/m/privacy").glob("run-*.json")
    record = json.loads(file.read_text())
    tests = record["figures"]["tables"]["rows"]["tests"]
    assert all(0 <= test["p_value"] <= 1 for test in tests)
    assert str(TRAINING["income"][0].as_py()) not in file.read_text()
