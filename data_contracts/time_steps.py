"""Repeated, missing and irregular steps of a panel or series, found while its rows stream past."""

from collections import Counter

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pandas.tseries.frequencies import to_offset
from pandas.tseries.offsets import BaseOffset, Day, Tick

from data_contracts.contract import Table
from data_contracts.masks import true_mask

# Distinct steps that are counted; a series with more of them has no regular step.
_MOST_STEPS = 10_000
_TICKS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


class TimeSteps:
    """Counts steps between consecutive rows of an entity. Rows must come ordered.

    With a declared cadence a step is regular, a gap (a whole number of steps), or irregular;
    without one, the most frequent step is told. Calendar steps ('MS', 'W-SAT') follow the calendar,
    and days are local days where the time has a zone.
    """

    def __init__(self, table: Table) -> None:
        assert table.time is not None
        self._time, self._entity, self._cadence = table.time, table.entity, table.cadence
        self._offset: BaseOffset | None = to_offset(table.cadence) if table.cadence else None
        self._last: pa.Table | None = None
        self._steps: Counter[int] = Counter()
        self.repeated = self.gaps = self.absent = self.irregular = self.regular = 0
        self._unit = ""

    def add(self, rows: pa.Table) -> None:
        """Takes in the next rows of the whole table, in order."""
        names = [self._time] if self._entity is None else [self._entity, self._time]
        rows = rows.select(names).combine_chunks()
        if self._last is not None:
            rows = pa.concat_tables([self._last, rows]).unify_dictionaries().combine_chunks()
        self._last = rows.slice(rows.num_rows - 1) if rows.num_rows else self._last
        if rows.num_rows < 2:
            return
        same = self._same_entity(rows)
        before, after = self._numbers(rows[self._time])
        steps = after - before
        self.repeated += int(np.sum(same & (steps == 0)))
        moved = same & (steps > 0)
        if self._offset is None or not self._unit:
            self._count_steps(steps[moved])
        else:
            self._judge(before[moved], after[moved])

    def _same_entity(self, rows: pa.Table) -> np.ndarray:
        if self._entity is None:
            return np.ones(rows.num_rows - 1, dtype=bool)
        entity = rows[self._entity].combine_chunks()
        if pa.types.is_dictionary(entity.type):
            entity = entity.indices
        return true_mask(pc.equal(entity.slice(1), entity.slice(0, len(entity) - 1)))

    def _numbers(self, time: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
        """Times as whole numbers of their unit: local ones where a step is of local days."""
        kind = time.type
        if pa.types.is_date(kind):
            time, self._unit = time.cast(pa.timestamp("s")), "s"
        elif pa.types.is_timestamp(kind):
            self._unit = kind.unit
            if kind.tz is not None and not isinstance(self._offset, Tick):
                time = pc.local_timestamp(time)
        numbers = time.cast(pa.int64()).to_numpy()
        return numbers[:-1], numbers[1:]

    def _count_steps(self, steps: np.ndarray) -> None:
        values, counts = np.unique(steps, return_counts=True)
        for value, count in zip(values[:_MOST_STEPS], counts[:_MOST_STEPS], strict=True):
            if value in self._steps or len(self._steps) < _MOST_STEPS:
                self._steps[int(value)] += int(count)
        self.regular += len(steps)

    def _judge(self, before: np.ndarray, after: np.ndarray) -> None:
        if isinstance(self._offset, Tick | Day):
            step = self._step_ticks()
            whole = (after - before) % step == 0
            count = (after - before) // step
            self.regular += int(np.sum(whole & (count == 1)))
            self.gaps += int(np.sum(whole & (count > 1)))
            self.absent += int(np.sum((count - 1)[whole & (count > 1)]))
            self.irregular += int(np.sum(~whole))
            return
        kind = f"datetime64[{self._unit}]"
        earlier = pd.DatetimeIndex(before.view(kind))
        later = pd.DatetimeIndex(after.view(kind))
        expected = earlier + self._offset  # type: ignore[operator]
        self.regular += int(np.sum(expected == later))
        for start, end in zip(earlier[expected != later], later[expected != later], strict=True):
            span = pd.date_range(start, end, freq=self._offset)
            if len(span) > 2 and span[0] == start and span[-1] == end:
                self.gaps += 1
                self.absent += len(span) - 2
            else:
                self.irregular += 1

    def _step_ticks(self) -> int:
        """A fixed step in ticks of the time's unit; 0 where it is finer than a tick."""
        if isinstance(self._offset, Day):
            return self._offset.n * 86_400 * _TICKS[self._unit]
        assert isinstance(self._offset, Tick)
        return int(self._offset.nanos) * _TICKS[self._unit] // 10**9

    def notes(self) -> list[str]:
        """What was found, in sentences: counts only."""
        keys = self._time if self._entity is None else f"({self._entity}, {self._time})"
        found = []
        if self.repeated:
            found.append(f"{self.repeated:,} rows repeat the {keys} of the row before")
        if self.gaps:
            found.append(
                f"{self.gaps:,} gaps in {self._time} at cadence {self._cadence}: "
                f"{self.absent:,} rows are not there"
            )
        if self.irregular:
            found.append(
                f"{self.irregular:,} steps of {self._time} are no multiple of {self._cadence}"
            )
        if self._steps:
            found.append(self._most_frequent_step())
        return found

    def _most_frequent_step(self) -> str:
        step, count = self._steps.most_common(1)[0]
        shown = f"{step:,}"
        if self._unit:
            shown = f"{step / _TICKS[self._unit]:,.10g} s"
        others = self.regular - count
        return (
            f"no cadence declared: the most frequent step of {self._time} is {shown} "
            f"({count:,} times, {others:,} other steps)"
        )
