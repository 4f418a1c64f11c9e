"""Row rules that an author wrote, each checked exactly: which rows of a typed table break it."""

import operator
from collections.abc import Sequence
from decimal import Decimal, localcontext

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.contract import Comparison, Product, RequiredWhen, Sum, WrittenRule
from data_contracts.doubles import doubles
from data_contracts.masks import Mask, among, present, true_mask

SUM_TOLERANCE = 1e-9
"""How far a sum of doubles may miss its total, relative to the largest number in the row."""
SINGLE_SUM_TOLERANCE = 1e-6
"""The same where a column is of single precision (float32)."""
PRODUCT_TOLERANCE = 1e-12
"""How far a product may miss its total, relative to it: what doubles lose on their way."""
SINGLE_PRODUCT_TOLERANCE = 1e-6
"""The same where a column is of single precision."""
# Digits in which any sum of Arrow's integers and decimals is exact.
_EXACT_DIGITS = 100
# Digits of Arrow's faster decimals.
_NARROW_DIGITS = 38
_COMPARE = {
    "<": pc.less, "<=": pc.less_equal, "==": pc.equal,
    "!=": pc.not_equal, ">=": pc.greater_equal, ">": pc.greater,
}  # fmt: skip
_PYTHON_COMPARE = {
    "<": operator.lt, "<=": operator.le, "==": operator.eq,
    "!=": operator.ne, ">=": operator.ge, ">": operator.gt,
}  # fmt: skip


def breaks_written(rule: WrittenRule, rows: pa.Table) -> Mask:
    """Which rows break the rule. A missing value breaks only `RequiredWhen`."""
    if isinstance(rule, Comparison):
        return _breaks_comparison(rule, rows)
    if isinstance(rule, Product):
        return _breaks_product(rule, rows)
    return _breaks_sum(rule, rows) if isinstance(rule, Sum) else _breaks_presence(rule, rows)


def meets_condition(rule: RequiredWhen, rows: pa.Table) -> Mask:
    """Which rows meet the rule's condition; a missing value is none of the values listed."""
    values = rows[rule.when].combine_chunks()
    return present(values) if rule.values is None else among(values, rule.values)


def _breaks_presence(rule: RequiredWhen, rows: pa.Table) -> Mask:
    met, missing = meets_condition(rule, rows), ~present(rows[rule.column].combine_chunks())
    wrong = missing != rule.missing
    if rule.otherwise:
        return np.asarray(wrong == met)
    return np.asarray(wrong & met)


def _breaks_product(rule: Product, rows: pa.Table) -> Mask:
    columns = [_plain(rows[name]) for name in rule.columns]
    single = any(pa.types.is_float32(column.type) for column in columns)
    *factors, total = [_doubles(column) for column in columns]
    made = multiplied(rule, factors)
    slack = SINGLE_PRODUCT_TOLERANCE if single else PRODUCT_TOLERANCE
    with np.errstate(invalid="ignore"):
        missed = np.abs(made - total) > slack * np.maximum(np.abs(made), np.abs(total)) + half(rule)
    return np.asarray(missed & np.isfinite(made))


def _doubles(column: pa.Array) -> np.ndarray:
    """Numbers as doubles, NaN where missing; a float32 as the decimal that it prints as."""
    if pa.types.is_float32(column.type):
        column = column.cast(pa.string())
    return doubles(column)


def multiplied(rule: Product, factors: Sequence[np.ndarray]) -> np.ndarray:
    """What the factors `(rows,)` of a rule make, not rounded; no finite number by zero."""
    made = np.full(len(factors[0]), float(rule.times))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        for factor, values in zip(rule.factors, factors, strict=True):
            made = made * values if factor.power > 0 else made / values
    return made


def half(rule: Product) -> float:
    """By how much the total may differ from the product: half a unit of its last decimal."""
    return 0.0 if rule.decimals is None else 0.5 * 10.0**-rule.decimals


def _breaks_sum(rule: Sum, rows: pa.Table) -> Mask:
    columns = [_plain(rows[name]) for name in rule.columns]
    types = [column.type for column in columns]
    floating = any(pa.types.is_floating(kind) for kind in types)
    if not isinstance(rule.total, str):
        columns.append(_repeated(rule.total, rows.num_rows, floating))
    if floating:
        return _misses(columns, rule, any(pa.types.is_float32(kind) for kind in types))
    try:
        return _differs(columns, rule)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return _differs_exactly(columns, rule)


def _repeated(total: float | int, rows: int, floating: bool) -> pa.Array:
    """A number as a column: exactly as it is written where the others are exact."""
    if floating:
        return pa.repeat(pa.scalar(float(total)), rows)
    whole = isinstance(total, int) and abs(total) < 2**63
    return pa.repeat(pa.scalar(total if whole else Decimal(str(total))), rows)


def _misses(columns: list[pa.Array], rule: Sum, single: bool) -> Mask:
    """Rows in which doubles add up to something else, by more than rounding can explain."""
    tolerance = SINGLE_SUM_TOLERANCE if single else SUM_TOLERANCE
    whole = np.logical_and.reduce([present(column) for column in columns])
    numbers = [doubles(pc.fill_null(column, pa.scalar(0, column.type))) for column in columns]
    largest = np.max(np.abs(numbers), axis=0)
    with np.errstate(invalid="ignore", over="ignore"):
        missed = -numbers[-1]
        for term, number in zip(rule.terms, numbers, strict=False):
            missed = missed + term.sign * number
        wrong = {"<=": missed, "==": np.abs(missed), ">=": -missed}[rule.operator]
        # Written so that what is no number breaks the rule.
        return np.asarray(whole & ~(wrong <= tolerance * largest))


def _differs(columns: list[pa.Array], rule: Sum) -> Mask:
    """Raises pa.ArrowInvalid where Arrow has no room for a number on the way."""
    signs = [term.sign for term in rule.terms]
    *terms, total = _with_room(columns)
    added = pc.subtract_checked(pa.scalar(0, total.type), terms[0]) if signs[0] < 0 else terms[0]
    for sign, term in zip(signs[1:], terms[1:], strict=True):
        added = (pc.add_checked if sign > 0 else pc.subtract_checked)(added, term)
    return true_mask(pc.invert(_COMPARE[rule.operator](added, total)))


def _with_room(columns: list[pa.Array]) -> list[pa.Array]:
    """Exact numbers in types that can be added: integers, or decimals no wider than need be."""
    if all(pa.types.is_integer(column.type) for column in columns):
        return [column.cast(pa.int64()) for column in columns]
    digits = [
        (20, 0) if pa.types.is_integer(column.type) else (column.type.precision, column.type.scale)
        for column in columns
    ]
    # Each addition may need a digit more.
    most = max(many - scale for many, scale in digits) + max(scale for _, scale in digits)
    wide = most + len(columns) > _NARROW_DIGITS
    make = pa.decimal256 if wide else pa.decimal128
    return [column.cast(make(*each)) for column, each in zip(columns, digits, strict=True)]


def _differs_exactly(columns: list[pa.Array], rule: Sum) -> Mask:
    """Slow and exact, for numbers that Arrow has no room for."""
    broken = np.zeros(len(columns[0]), dtype=bool)
    keeps = _PYTHON_COMPARE[rule.operator]
    with localcontext(prec=_EXACT_DIGITS):
        lists = [column.to_pylist() for column in columns]
        for place, values in enumerate(zip(*lists, strict=True)):
            if None not in values:
                *terms, total = (Decimal(value) for value in values)
                signed = zip(rule.terms, terms, strict=True)
                broken[place] = not keeps(sum(one.sign * value for one, value in signed), total)
    return broken


def _breaks_comparison(comparison: Comparison, rows: pa.Table) -> Mask:
    left = _plain(rows[comparison.left])
    if isinstance(comparison.right, str):
        left, right = _alike(left, _plain(rows[comparison.right]))
    else:
        right = _number(comparison.right, left.type)
    try:
        return true_mask(pc.invert(_COMPARE[comparison.operator](left, right)))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return _breaks_exactly(left, comparison.operator, right)


def _alike(*sides: pa.Array) -> list[pa.Array]:
    """Decimals beside doubles as the doubles of their text, any others as they are."""
    if not any(pa.types.is_float64(side.type) for side in sides):
        return list(sides)
    return [
        pa.array(doubles(side), from_pandas=True) if pa.types.is_decimal(side.type) else side
        for side in sides
    ]


def _breaks_exactly(left: pa.Array, sign: str, right: pa.Array | pa.Scalar) -> Mask:
    """Slow and exact, for numbers that Arrow can't bring to one type without loss."""
    lefts = left.to_pylist()
    rights = right.to_pylist() if isinstance(right, pa.Array) else [right.as_py()] * len(lefts)
    compare = _PYTHON_COMPARE[sign]
    return np.array(
        [
            one is not None and other is not None and not compare(one, other)
            for one, other in zip(lefts, rights, strict=True)
        ],
        dtype=bool,
    )


def _plain(values: pa.ChunkedArray) -> pa.Array:
    """Text as text, instants as UTC: types that compare whatever their layout and zone."""
    whole = values.combine_chunks()
    if pa.types.is_dictionary(whole.type):
        whole = whole.cast(whole.type.value_type)
    if pa.types.is_timestamp(whole.type) and whole.type.tz is not None:
        return whole.cast(pa.timestamp(whole.type.unit, tz="UTC")).cast(
            pa.timestamp(whole.type.unit)
        )
    return whole.cast(pa.string()) if pa.types.is_large_string(whole.type) else whole


def _number(value: float | int, target: pa.DataType) -> pa.Scalar:
    if pa.types.is_decimal(target):
        return pa.scalar(Decimal(str(value)))
    return pa.scalar(np.float32(value)) if pa.types.is_float32(target) else pa.scalar(value)
