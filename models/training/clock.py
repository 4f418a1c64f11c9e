"""How far a training run is: by its steps or, where time is short, by its time."""

import time


class Clock:
    """The share `done` (0..1) of a run that is behind it.

    Each step moves it by an equal share of what is planned. Where the planned steps left would take
    longer than what is left of `max_seconds`, each step moves it by more, so that the whole
    schedule is gone through when the time is up. `seconds` is the time spent so far, with what was
    `spent` before the run.
    """

    def __init__(self, steps: int, max_seconds: float | None, spent: float = 0.0) -> None:
        self.done, self.pace = 0.0, 1 / steps
        self.max_seconds, self.seconds = max_seconds, spent
        self._last = time.monotonic()
        self._warm = False
        self._steps, self._total, self._longest = 0, 0.0, 0.0

    def tick(self) -> None:
        """One step more is done."""
        now = time.monotonic()
        passed, self._last = now - self._last, now
        self.seconds += passed
        # A process's first step imports and allocates: it says nothing about the next one.
        if self._warm:
            self._steps, self._total = self._steps + 1, self._total + passed
            self._longest = max(self._longest, passed)
        self._warm = True
        self.done += max(self.pace, self._share_in_time())
        if self.done > 1 - self.pace / 2:
            self.done = 1.0

    @property
    def step_seconds(self) -> float | None:
        """Mean time of a step without the longest one, which may be a stall; None at first."""
        if self._steps < 2:
            return None
        return (self._total - self._longest) / (self._steps - 1)

    def end_in(self, steps: int) -> None:
        """What is left of the schedule is gone through in this many steps."""
        self.pace = (1 - self.done) / max(steps, 1)

    def state(self) -> list[float]:
        """What `restore` goes on from."""
        return [self.done, self.pace, self.seconds, self._steps, self._total, self._longest]

    def restore(self, state: list[float]) -> None:
        """Goes on from a `state`; the time that this process has spent so far counts too."""
        self.done, self.pace, seconds, steps, self._total, self._longest = state
        self._steps = int(steps)
        self.seconds += seconds

    def _share_in_time(self) -> float:
        """The step's share of what is left, if only so many more steps fit into the time left."""
        if self.max_seconds is None:
            return 0.0
        left = self.max_seconds - self.seconds
        if left <= 0:
            return 1 - self.done
        each = self.step_seconds
        if each is None or each * ((1 - self.done) / self.pace - 1) <= left:
            return 0.0
        return (1 - self.done) / (1 + left / each)
