"""Rules that no single row can keep: keys, references, numbers of rows, order, freshness."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.contract import ForeignKey, Table
from data_contracts.manifest import ArtifactRef
from data_contracts.masks import true_mask
from data_contracts.proof import ProvenPart, RuleCount
from tasks.key_hashes import Keys, count_absent, count_repeated
from tasks.storage import Store

# (rows checked, rows that break the rule, what else to say)
_Found = tuple[int, int, str]


class TableRules:
    """The rules of one table as a whole, over its proven parts; memory is bounded."""

    def __init__(self, store: Store, table: Table, proven: dict[str, list[ProvenPart]]) -> None:
        self.store, self.table = store, table
        self.parts = {name: [one.part for one in parts] for name, parts in proven.items()}
        self.own = self.parts.get(table.name, [])
        self.rows = sum(part.rows or 0 for part in self.own)

    def judge(self) -> list[RuleCount]:
        """Every rule with its count; one whose check raised is `crashed`, never `fail`."""
        return [_judged(rule, check) for rule, check in self._rules().items()]

    def _rules(self) -> dict[str, Callable[[], _Found]]:
        table = self.table
        rules: dict[str, Callable[[], _Found]] = {}
        if table.primary_key:
            names = ", ".join(table.primary_key)
            rules[f"primary key ({names})"] = self._primary_key
        for column in table.columns:
            if column.unique and table.primary_key != (column.name,):
                rules[f"{column.name}: unique"] = partial(self._unique, (column.name,))
        for group in table.unique_together:
            rules[f"({', '.join(group)}): unique together"] = partial(self._unique, group)
        for key in table.foreign_keys:
            text = f"({', '.join(key.columns)}) in {key.parent} ({', '.join(key.parent_columns)})"
            rules[text] = partial(self._reference, key)
        if table.min_rows is not None:
            rules[f"at least {table.min_rows:,} rows"] = self._enough_rows
        if table.max_rows is not None:
            rules[f"at most {table.max_rows:,} rows"] = self._few_rows
        if table.kind in ("panel", "series"):
            each = f" of each {table.entity}" if table.entity else ""
            rules[f"{table.time}{each} never runs backwards"] = self._ordered
        if table.freshness is not None:
            text = f"{table.freshness.column}: newest at most {table.freshness.max_age_hours:g} h"
            rules[text] = self._fresh
        return rules

    def _keys(self, columns: tuple[str, ...], parts: list[ArtifactRef] | None = None) -> Keys:
        return Keys(self.store, self.own if parts is None else parts, columns)

    def _primary_key(self) -> _Found:
        keys = self._keys(self.table.primary_key)
        missing = keys.incomplete()
        told = f"{missing:,} keys lack a value" if missing else ""
        return self.rows, count_repeated(keys) + missing, told

    def _unique(self, names: tuple[str, ...]) -> _Found:
        return self.rows, count_repeated(self._keys(names)), ""

    def _reference(self, key: ForeignKey) -> _Found:
        parents = self._keys(key.parent_columns, self.parts.get(key.parent, []))
        return self.rows, count_absent(self._keys(key.columns), parents), ""

    def _enough_rows(self) -> _Found:
        return self.rows, max(0, (self.table.min_rows or 0) - self.rows), "rows short"

    def _few_rows(self) -> _Found:
        assert self.table.max_rows is not None
        return self.rows, max(0, self.rows - self.table.max_rows), "rows too many"

    def _ordered(self) -> _Found:
        """Arrow compares times exactly; consecutive rows of one entity must not fall back."""
        table = self.table
        assert table.time is not None
        names = tuple(name for name in (table.entity, table.time) if name is not None)
        backwards, last = 0, None
        for rows in self._keys(names).batches():
            joined = rows if last is None else pa.concat_tables([last, rows])
            last = rows.slice(rows.num_rows - 1) if rows.num_rows else last
            times = joined[table.time].combine_chunks()
            falls = true_mask(pc.less(times.slice(1), times.slice(0, len(times) - 1)))
            if table.entity is not None:
                falls &= _same(joined[table.entity])
            backwards += int(falls.sum())
        return self.rows, backwards, ""

    def _fresh(self) -> _Found:
        promise = self.table.freshness
        assert promise is not None
        newest: pd.Timestamp | None = None
        for rows in self._keys((promise.column,)).batches():
            found = pc.max(rows[promise.column]).as_py()
            if found is not None:
                stamp = pd.Timestamp(found)
                newest = stamp if newest is None else max(newest, stamp)
        if newest is None:
            return self.rows, self.rows or 1, "no value to tell the age by"
        age = _age_hours(newest, self.table.column(promise.column).timezone)
        late = age > promise.max_age_hours
        return self.rows, (self.rows or 1) if late else 0, f"newest is {age:,.1f} h old"


def _same(entity: pa.ChunkedArray) -> np.ndarray:
    values = entity.combine_chunks()
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    return true_mask(pc.equal(values.slice(1), values.slice(0, len(values) - 1)))


def _age_hours(newest: pd.Timestamp, zone: str | None) -> float:
    """Hours since `newest`; a time without a zone is taken in the column's zone, else in UTC."""
    if newest.tz is None:
        newest = newest.tz_localize(zone or "UTC", ambiguous=False, nonexistent="shift_forward")
    return float((pd.Timestamp.now(tz="UTC") - newest).total_seconds() / 3600)


def _judged(rule: str, check: Callable[[], _Found]) -> RuleCount:
    try:
        checked, broken, told = check()
    except Exception as error:  # whatever a check raises, it is no verdict on the data
        return RuleCount(
            rule=rule, checked=0, broken=0, state="crashed", scope="table",
            detail=f"the check raised {type(error).__name__}",
        )  # fmt: skip
    return RuleCount(
        rule=rule,
        checked=checked,
        broken=broken,
        state="fail" if broken else "pass",
        scope="table",
        detail=told if broken else "",
    )
