import json
from pathlib import Path
from typing import Any

from benchmarks.results import Results


def row(state: str = "done", seed: int = 1, **more: Any) -> dict[str, Any]:
    named = {"job": "tabular", "generator": "any_order", "table": "adult", "seed": seed}
    return {**named, "state": state, **more}


def key(seed: int = 1) -> tuple[str, str, str, int]:
    return "tabular", "any_order", "adult", seed


def test_what_was_added_is_there_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "new" / "results.jsonl"
    Results(path).add(row())
    again = Results(path)
    assert again.holds(key(), failed_too=False)
    assert not again.holds(key(2), failed_too=True)
    assert again.rows == [row()]


def test_a_line_torn_by_a_kill_is_passed_over_and_not_continued(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    Results(path).add(row())
    with path.open("a") as file:
        file.write('{"job": "tabular", "gener')
    Results(path).add(row(seed=2))
    assert [found["seed"] for found in Results(path).rows] == [1, 2]


def test_failed_runs_are_kept_unless_a_retry_is_asked_for(tmp_path: Path) -> None:
    results = Results(tmp_path / "results.jsonl")
    results.add(row("failed", reason="no memory"))
    results.add(row("skipped", seed=2, reason="no peers"))
    assert results.holds(key(), failed_too=True)
    assert not results.holds(key(), failed_too=False)
    assert not results.holds(key(2), failed_too=True)


def test_the_last_row_of_a_key_counts_but_a_skip_takes_no_result_away(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    results = Results(path)
    results.add(row("failed", reason="no memory"))
    results.add(row(verdict="published"))
    results.add(row("skipped", reason="no peers"))
    assert results.rows == Results(path).rows == [row(verdict="published")]


def test_tidying_leaves_one_line_for_each_key(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    results = Results(path)
    for seed in (2, 1, 2):
        results.add(row(seed=seed))
    results.tidy()
    assert [json.loads(line)["seed"] for line in path.read_text().splitlines()] == [1, 2]
    assert list(tmp_path.iterdir()) == [path]
