"""Row rules as a Great Expectations suite: a second judge that shares no code with our own checks.

The only module that knows Great Expectations. It isn't safe in threads, so that one lock guards it.
The suite asks for extremes, distinct values and counts, never for lists of offending rows: one pass
over a column costs milliseconds, and our own checks (`checks.py`) name the rows.
"""

import logging
import os
import threading
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa

from data_contracts.checks import RowRule
from data_contracts.contract import RequiredWhen, Scalar
from data_contracts.plain_columns import (
    EXACT_DIGITS,
    EXACT_INTEGER,
    is_short,
    is_wide,
    plain_series,
)
from data_contracts.schema import arrow_type

State = Literal["pass", "fail", "crashed"]
_LOCK = threading.Lock()
_BATCH: dict[str, Any] = {}


@dataclass(frozen=True)
class Judgement:
    """What Great Expectations says of one rule; `detail` names the error of a crashed check."""

    state: State
    detail: str = ""


def judge_rows(rules: Iterable[RowRule], rows: pa.Table) -> dict[str, Judgement]:
    """Judges all rows at once by every rule that has an expectation, by the rule's text.

    A rule without a value to look at is kept. A check that raised is `crashed`, which says nothing
    about the data.
    """
    asked = [rule for rule in rules if _has_expectation(rule) and _is_exact(rule, rows)]
    told = {rule.text: Judgement("pass") for rule in asked}
    asked = [rule for rule in asked if _has_values(rule, rows)]
    if not asked:
        return told
    with _LOCK, _quiet():
        results = _validate(asked, rows)
    for result in results:
        rule = result.expectation_config.meta["rule"]
        told[rule] = _graver(told[rule], _judgement(result))
    return told


def _graver(one: Judgement, other: Judgement) -> Judgement:
    """Of two expectations of one rule, the one that decides."""
    return max(one, other, key=lambda each: ("pass", "fail", "crashed").index(each.state))


@contextmanager
def _quiet() -> Iterator[None]:
    """No telemetry, no progress bars, and none of its warnings about its own dependencies."""
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    logging.getLogger("great_expectations").setLevel(logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _has_expectation(rule: RowRule) -> bool:
    # Great Expectations has none for "differs from", and none for sums and products of columns.
    return rule.kind not in ("sum", "product") and (
        rule.comparison is None or rule.comparison.operator != "!="
    )


def _is_exact(rule: RowRule, rows: pa.Table) -> bool:
    """Whether a limit can be judged exactly: Great Expectations takes extremes as doubles.

    What no double holds (integers above 2^53, long decimals) is left to our own check alone.
    """
    if isinstance(rule.written, RequiredWhen):
        return _is_condition_exact(rule.written, rows)
    if rule.kind not in ("minimum", "maximum", "comparison") or len(_columns(rule)) == 2:
        return True
    values = rows[rule.column.name]
    if pa.types.is_decimal(values.type):
        return is_short(values.type)
    limit = rule.comparison.right if rule.comparison else rule.bound
    if not pa.types.is_integer(values.type) or not isinstance(limit, int | float):
        return True
    return abs(limit) <= EXACT_INTEGER and not is_wide(values)


def _is_condition_exact(rule: RequiredWhen, rows: pa.Table) -> bool:
    values = rows[rule.when]
    if not rule.listed:
        return True
    if pa.types.is_decimal(values.type):
        return is_short(values.type)
    listed = [value for value in rule.listed if isinstance(value, int)]
    return not pa.types.is_integer(values.type) or (
        all(abs(value) <= EXACT_INTEGER for value in listed) and not is_wide(values)
    )


def _has_values(rule: RowRule, rows: pa.Table) -> bool:
    names = _columns(rule)
    return rule.kind in ("present", "required_when") or all(
        rows[name].null_count < rows.num_rows for name in names
    )


def _columns(rule: RowRule) -> list[str]:
    right = rule.comparison.right if rule.comparison else None
    return [rule.column.name, *([right] if isinstance(right, str) else [])]


def _validate(rules: list[RowRule], rows: pa.Table) -> list[Any]:
    import great_expectations as gx

    paired = {name for rule in rules if len(_columns(rule)) == 2 for name in _columns(rule)}
    names = dict.fromkeys(name for rule in rules for name in _columns(rule))
    frame = pd.DataFrame({name: plain_series(rows[name], name in paired) for name in names})
    conditions = _Conditions(frame, rows)
    expectations = []
    for rule in rules:
        if isinstance(rule.written, RequiredWhen):
            expectations += conditions.expectations(rule.written, rule.text)
        else:
            expectations.append(_expectation(rule))
    suite = gx.ExpectationSuite(name="rows", expectations=expectations)
    batch = _batches().get_batch(batch_parameters={"dataframe": frame})
    return list(batch.validate(suite, result_format="BOOLEAN_ONLY").results)


def _batches() -> Any:
    """The batch definition of an ephemeral context, made once for each process."""
    if "rows" not in _BATCH:
        import great_expectations as gx
        from great_expectations.data_context.types.base import (
            DataContextConfig,
            InMemoryStoreBackendDefaults,
            ProgressBarsConfig,
        )

        # Stores in memory only: its default leaves a folder for web pages behind.
        settings = DataContextConfig(
            store_backend_defaults=InMemoryStoreBackendDefaults(), analytics_enabled=False
        )
        context = gx.get_context(mode="ephemeral", project_config=settings)
        context.variables.progress_bars = ProgressBarsConfig(
            globally=False, metric_calculations=False
        )
        asset = context.data_sources.add_pandas("tables").add_dataframe_asset("rows")
        _BATCH["rows"] = asset.add_batch_definition_whole_dataframe("rows")
    return _BATCH["rows"]


def _catalogue() -> Any:
    """Great Expectations' own expectations; a plain import of them has no types to check."""
    from great_expectations.expectations import core

    return core


def _expectation(rule: RowRule) -> Any:
    gxe = _catalogue()
    column, meta = rule.column.name, {"rule": rule.text}
    if rule.kind == "present":
        return gxe.ExpectColumnValuesToNotBeNull(column=column, meta=meta)
    if rule.kind == "minimum":
        bound = _bound(rule)
        return gxe.ExpectColumnMinToBeBetween(column=column, min_value=bound, meta=meta)
    if rule.kind == "maximum":
        bound = _bound(rule)
        return gxe.ExpectColumnMaxToBeBetween(column=column, max_value=bound, meta=meta)
    if rule.kind == "categories":
        values = [_number(rule, value) for value in rule.bound]
        return gxe.ExpectColumnDistinctValuesToBeInSet(column=column, value_set=values, meta=meta)
    if rule.kind == "pattern":
        return gxe.ExpectColumnValuesToMatchRegex(column=column, regex=rule.bound, meta=meta)
    return _comparison(rule, meta)


def _comparison(rule: RowRule, meta: dict[str, str]) -> Any:
    gxe = _catalogue()
    comparison = rule.comparison
    assert comparison is not None
    left, sign, right = comparison.left, comparison.operator, comparison.right
    if isinstance(right, str):
        if sign == "==":
            return gxe.ExpectColumnPairValuesToBeEqual(
                column_A=left, column_B=right, ignore_row_if="either_value_is_missing", meta=meta
            )
        larger, smaller = (left, right) if sign[0] == ">" else (right, left)
        return gxe.ExpectColumnPairValuesAToBeGreaterThanB(
            column_A=larger, column_B=smaller, or_equal=sign.endswith("="),
            ignore_row_if="either_value_is_missing", meta=meta,
        )  # fmt: skip
    number = _number(rule, right)
    if sign == "==":
        return gxe.ExpectColumnDistinctValuesToBeInSet(column=left, value_set=[number], meta=meta)
    strict = not sign.endswith("=")
    if sign[0] == ">":
        return gxe.ExpectColumnMinToBeBetween(
            column=left, min_value=number, strict_min=strict, meta=meta
        )
    return gxe.ExpectColumnMaxToBeBetween(
        column=left, max_value=number, strict_max=strict, meta=meta
    )


class _Conditions:
    """Presence on a condition; each column of a condition stands in the frame a second time.

    Conditions are written as text for pandas, which can't hold every name: the second one can.
    """

    def __init__(self, frame: pd.DataFrame, rows: pa.Table) -> None:
        self.frame, self.rows = frame, rows
        # Longer than any column's name, so that it is none of them.
        self.stem = "w" * (1 + max(map(len, rows.column_names)))

    def expectations(self, rule: RequiredWhen, text: str) -> list[Any]:
        from great_expectations.expectations.row_conditions import Column

        gxe = _catalogue()
        alias = f"{self.stem}{self.rows.column_names.index(rule.when)}"
        self.frame[alias] = plain_series(self.rows[rule.when], paired=True)
        when, listed = Column(alias), _listed(rule.listed, self.rows[rule.when].type)
        cases: list[Any] = [when.is_in(listed), when.is_not_in(listed)]
        if not listed:
            cases = [when.is_not_null(), when.is_null()]
        demands = [rule.missing, not rule.missing]
        kinds = {True: gxe.ExpectColumnValuesToBeNull, False: gxe.ExpectColumnValuesToNotBeNull}
        return [
            kinds[missing](column=rule.column, row_condition=case, meta={"rule": text})
            for case, missing in list(zip(cases, demands, strict=True))[: 1 + rule.otherwise]
        ]


def _listed(values: tuple[Scalar, ...], kind: pa.DataType) -> list[Any]:
    if pa.types.is_decimal(kind):
        return [float(Decimal(str(value))) for value in values]
    if pa.types.is_float32(kind):
        return [float(np.float32(value)) for value in values]
    return [int(value) if isinstance(value, bool) else value for value in values]


def _bound(rule: RowRule) -> Any:
    """The rule's limit as the frame holds such values (see `plain_series`)."""
    target = arrow_type(rule.column.physical_type)
    if pa.types.is_date32(target):
        return pd.Timestamp(np.datetime64(rule.bound, "D"))
    if pa.types.is_temporal(target):
        unit: Any = "ms" if pa.types.is_date64(target) else target.unit
        return pd.Timestamp(np.datetime64(rule.bound, unit))
    return _number(rule, rule.bound)


def _number(rule: RowRule, value: Any) -> Any:
    target = arrow_type(rule.column.physical_type)
    if pa.types.is_decimal(target):
        exact = Decimal(str(value))
        return float(exact) if target.precision <= EXACT_DIGITS else exact
    return float(np.float32(value)) if pa.types.is_float32(target) else value


def _judgement(result: Any) -> Judgement:
    crash = _crash(result.exception_info)
    if crash is not None:
        return Judgement("crashed", crash)
    return Judgement("pass" if result.success else "fail")


def _crash(information: Any) -> str | None:
    """The kind of error that a check raised, or None. Its message may quote values: left out."""
    if not isinstance(information, dict):
        return None
    if information.get("raised_exception") is True:
        last = str(information.get("exception_traceback") or "").strip().splitlines()
        kind = last[-1].split(":")[0][:80] if last else "error"
        return f"Great Expectations raised {kind}"
    inner = (_crash(value) for value in information.values())
    return next((crash for crash in inner if crash is not None), None)
