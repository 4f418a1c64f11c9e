"""The clock of a run, by a watch that the test turns: squeezed only where time is short."""

from collections.abc import Iterable

import pytest

from models.training import clock
from models.training.clock import Clock


class Watch:
    """Stands for `time`: it shows what it is set to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    made = Watch()
    monkeypatch.setattr(clock, "time", made)
    return made


def go(run: Clock, watch: Watch, seconds: Iterable[float]) -> list[float]:
    """The shares after each step of these lengths, until the run is done."""
    shares = []
    for passed in seconds:
        watch.now += passed
        run.tick()
        shares.append(run.done)
        if run.done >= 1:
            break
    return shares


@pytest.mark.parametrize("stalled", [0, 1, 20])
def test_one_stall_cuts_nothing_where_time_is_plentiful(watch: Watch, stalled: int) -> None:
    lengths = [0.004 + 4.6 * (step == stalled) for step in range(100)]
    assert len(go(Clock(48, 17.0), watch, lengths)) == 48


def test_uneven_steps_that_fit_are_all_taken(watch: Watch) -> None:
    lengths = [0.01 + 0.3 * (step % 5 == 0) for step in range(100)]
    shares = go(Clock(50, 4.0), watch, lengths)
    assert shares == pytest.approx([(step + 1) / 50 for step in range(50)])


@pytest.mark.parametrize("uneven", [0.0, 0.3])
def test_too_long_a_plan_is_gone_through_when_the_time_is_up(watch: Watch, uneven: float) -> None:
    lengths = [0.1 + uneven * (step % 3 == 0) for step in range(1000)]
    shares = go(Clock(1000, 20.0), watch, lengths)
    assert 19 < watch.now - 1000 <= 20.0 + max(lengths)
    # Evenly, to a quiet end: no step takes much more than its share of those that there were.
    moves = [after - before for before, after in zip([0.0, *shares], shares, strict=False)]
    assert max(moves) < 3 / len(shares)


def test_no_step_is_begun_once_the_time_is_up(watch: Watch) -> None:
    assert go(Clock(10, 5.0, spent=4.9), watch, [0.2]) == [1.0]


def test_a_restored_run_goes_on_with_its_time(watch: Watch) -> None:
    first = Clock(100, 10.0, spent=1.0)
    go(first, watch, [0.05] * 50)
    again = Clock(100, 10.0, spent=0.5)
    again.restore(first.state())
    assert again.seconds == pytest.approx(0.5 + 1.0 + 50 * 0.05)
    assert (again.done, again.pace) == (first.done, first.pace)
    assert again.step_seconds == pytest.approx(0.05)


def test_without_a_limit_steps_count_alone(watch: Watch) -> None:
    assert len(go(Clock(7, None), watch, [1e6] * 10)) == 7
