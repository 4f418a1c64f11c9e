"""How far a training run is: by its steps or, where time is short, by its time."""

import time


class Clock:
    """The share `done` (0..1) of a run that is behind it.

    Each step moves it by an equal share of what is planned. With `max_seconds`, each step moves
    it by at least the share of the time left that the step has taken, so that the whole schedule
    is gone through when the time is up. `seconds` is the time spent so far.
    """

    def __init__(self, steps: int, max_seconds: float | None) -> None:
        self.done, self.pace, self.seconds = 0.0, 1 / steps, 0.0
        self.max_seconds = max_seconds
        self._last = time.monotonic()

    def tick(self) -> None:
        """One step more is done."""
        now = time.monotonic()
        passed, self._last = now - self._last, now
        self.seconds += passed
        move = self.pace
        if self.max_seconds is not None:
            left = max(0.0, self.max_seconds - self.seconds)
            move = max(move, (1 - self.done) * passed / max(passed + left, 1e-9))
        self.done += move
        if self.done > 1 - self.pace / 2:
            self.done = 1.0

    def end_in(self, steps: int) -> None:
        """What is left of the schedule is gone through in this many steps."""
        self.pace = (1 - self.done) / max(steps, 1)
