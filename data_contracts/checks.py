"""Row rules of a contract, each checked exactly in Arrow: which rows of a typed table break it."""

import math
import warnings
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.contract import Column, Comparison, Table, WrittenRule
from data_contracts.masks import Mask, among, present, true_mask
from data_contracts.schema import arrow_type
from data_contracts.written_checks import breaks_written

RuleKind = Literal[
    "present", "minimum", "maximum", "categories", "pattern",
    "comparison", "sum", "product", "required_when",
]  # fmt: skip
_TICKS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


@dataclass(frozen=True)
class RowRule:
    """One promise that each row keeps or breaks by itself. `text` names it in proofs and rejects.

    `bound` is the limit in the column's own numbers, rounded inwards: ticks of its unit for times,
    a Decimal of its scale for decimals. `written` is the rule as its author wrote it, `column` its
    first column then.
    """

    text: str
    kind: RuleKind
    column: Column
    bound: Any = None
    written: WrittenRule | None = None

    @property
    def comparison(self) -> Comparison | None:
        """The comparison that the rule is, if it is one."""
        return self.written if isinstance(self.written, Comparison) else None

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that decides whether a row keeps the rule."""
        return (self.column.name,) if self.written is None else self.written.columns


def row_rules(table: Table) -> tuple[RowRule, ...]:
    """All row rules of a table, in the order of its columns; those of several columns last."""
    rules = [rule for column in table.columns for rule in _column_rules(column)]
    for written in table.row_rules:
        first = table.column(written.columns[0])
        rules.append(RowRule(written.name or written.text, written.kind, first, None, written))
    return tuple(rules)


def _column_rules(column: Column) -> list[RowRule]:
    rules = []
    if column.required:
        rules.append(RowRule(f"{column.name}: present", "present", column))
    if column.minimum is not None:
        bound = own_bound(column, column.minimum, upwards=True)
        rules.append(RowRule(f"{column.name}: at least {column.minimum}", "minimum", column, bound))
    if column.maximum is not None:
        bound = own_bound(column, column.maximum, upwards=False)
        rules.append(RowRule(f"{column.name}: at most {column.maximum}", "maximum", column, bound))
    if column.categories is not None:
        text = f"{column.name}: one of {len(column.categories)} categories"
        rules.append(RowRule(text, "categories", column, column.categories))
    if column.pattern is not None:
        rules.append(RowRule(f"{column.name}: has its pattern", "pattern", column, column.pattern))
    return rules


def own_bound(column: Column, value: float | int | str, upwards: bool) -> Any:
    """A limit in the column's own numbers; one between two of them goes to the inner one."""
    target = arrow_type(column.physical_type)
    if pa.types.is_temporal(target):
        return _time_bound(column, target, str(value), upwards)
    exact = Decimal(str(value))
    if pa.types.is_integer(target):
        return math.ceil(exact) if upwards else math.floor(exact)
    if pa.types.is_decimal(target):
        rounding = ROUND_CEILING if upwards else ROUND_FLOOR
        return exact.quantize(Decimal(1).scaleb(-target.scale), rounding=rounding)
    return float(np.float32(value)) if pa.types.is_float32(target) else float(value)


def _time_bound(column: Column, target: pa.DataType, text: str, upwards: bool) -> int:
    stamp = pd.Timestamp(text)
    if pa.types.is_timestamp(target) and target.tz is not None:
        zone = column.timezone or target.tz
        stamp = stamp.tz_localize(zone) if stamp.tz is None else stamp
        stamp = stamp.tz_convert("UTC").tz_localize(None)
    elif stamp.tz is not None:
        stamp = stamp.tz_convert("UTC").tz_localize(None)
    ticks, per_second = int(stamp.to_datetime64().astype(np.int64)), _TICKS[stamp.unit]
    if pa.types.is_date32(target):
        parts, per = 1, 86_400
    else:
        parts, per = _TICKS["ms" if pa.types.is_date64(target) else target.unit], 1
    numerator, denominator = ticks * parts, per_second * per
    return -(-numerator // denominator) if upwards else numerator // denominator


def broken_rows(rule: RowRule, rows: pa.Table) -> Mask:
    """Which rows break the rule. A missing value breaks only rules about presence."""
    if rule.written is not None:
        return breaks_written(rule.written, rows)
    values = rows[rule.column.name].combine_chunks()
    if rule.kind == "present":
        return true_mask(pc.is_null(values))
    if rule.kind == "categories":
        return _breaks_categories(values, rule.bound)
    if rule.kind == "pattern":
        return _breaks_pattern(values, rule.bound)
    return _breaks_bound(values, rule)


def _breaks_bound(values: pa.Array, rule: RowRule) -> Mask:
    is_minimum = rule.kind == "minimum"
    numbers = _own_numbers(values)
    low, high = _range(numbers.type)
    if not low <= rule.bound <= high:
        # No value of this type can lie beyond the bound, or every one does.
        all_break = rule.bound > high if is_minimum else rule.bound < low
        return np.asarray(present(values) & all_break)
    bound = pa.scalar(rule.bound, numbers.type)
    return true_mask(pc.less(numbers, bound) if is_minimum else pc.greater(numbers, bound))


def _own_numbers(values: pa.Array) -> pa.Array:
    if pa.types.is_date32(values.type):
        return values.cast(pa.int32())
    return values.cast(pa.int64()) if pa.types.is_temporal(values.type) else values


def _range(target: pa.DataType) -> tuple[Any, Any]:
    if pa.types.is_integer(target):
        limits = np.iinfo(target.to_pandas_dtype())
        return int(limits.min), int(limits.max)
    if pa.types.is_decimal(target):
        most = Decimal(10**target.precision - 1).scaleb(-target.scale)
        return -most, most
    return -math.inf, math.inf


def _breaks_categories(values: pa.Array, categories: tuple[Any, ...]) -> Mask:
    return np.asarray(present(values) & ~among(values, categories))


def _breaks_pattern(values: pa.Array, pattern: str) -> Mask:
    """Searches each distinct text once, with pandas: the same engine as Great Expectations'."""
    encoded = values if pa.types.is_dictionary(values.type) else values.dictionary_encode()
    with warnings.catch_warnings():
        # pandas warns of groups in a pattern, which do no harm here.
        warnings.simplefilter("ignore", UserWarning)
        texts = pd.Series(encoded.dictionary.to_pandas(), dtype="str")
        found = texts.str.contains(pattern).fillna(False).to_numpy(dtype=bool)
    inside = pa.array(found, pa.bool_()).take(encoded.indices)
    return np.asarray(present(values) & ~true_mask(inside))
