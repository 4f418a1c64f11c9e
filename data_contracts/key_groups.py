"""Columns that are unique together, and columns of which one tells the others."""

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np

from data_contracts.contract import Column
from data_contracts.first_rows import FirstRows
from data_contracts.linear_relations import NEGLIGIBLE, IntArray
from data_contracts.paired_codes import determined_pairs

MOST_VALUES = 5000
"""Columns of more values are no part of a fixed combination."""
SHARED_ROWS = 8
"""A combination of fewer rows is never made."""
COVERED = 0.95
"""Share of the rows whose combinations are shared, at least."""
FEWEST_COMBINATIONS = 3
FEW_NUMBERS = 200
"""Whole numbers of more values are quantities, not codes."""
NUMBER_ROWS = 20
"""Each whole number of a combination stands in so many rows, at least."""
MOST_KEYS = 3
_KEY_COLUMNS = 100
_TRIED_TRIPLES = 10
_TRIED = 2000


def find_combinations(rows: FirstRows) -> list[tuple[str, ...]]:
    """Groups of columns of which the first one named tells all others: a city its country.

    Only values that rows share count; what few rows hold would be lost in made rows.
    """
    columns = [column for column in rows.columns if _may_combine(rows, column)]
    if len(columns) < 2:
        return []
    codes = np.stack([rows.codes(column.name) for column in columns], axis=1)
    tells: dict[int, set[int]] = {at: set() for at in range(len(columns))}
    for one, other in determined_pairs(codes, rows.units):
        both = codes[(codes[:, one] >= 0) & (codes[:, other] >= 0)][:, [one, other]]
        if min(len(np.unique(both[:, at])) for at in (0, 1)) < 2:
            # Of columns that are hardly ever there together, the gaps tell, and not the values.
            continue
        joint = len(np.unique(both, axis=0))
        for left, right, at in ((one, other, 0), (other, one, 1)):
            if joint == len(np.unique(both[:, at])):
                tells[left].add(right)
    found: list[list[int]] = []
    for one in sorted(tells, key=lambda at: (-len(tells[at]), at)):
        group = [one, *sorted(tells[one])]
        if len(group) > 1 and not any(set(group) <= set(other) for other in found):
            if _is_shared(codes[:, group]):
                found.append(group)
    return [tuple(columns[at].name for at in group) for group in found]


def _may_combine(rows: FirstRows, column: Column) -> bool:
    if column.logical_type not in ("string", "boolean", "integer"):
        return False
    codes = rows.codes(column.name)
    counts = np.bincount(codes[codes >= 0])
    if not 2 <= len(counts) <= MOST_VALUES:
        return False
    if column.logical_type != "integer" or column.categories is not None:
        return True
    # A number needs a code of its own wherever rows are held out.
    few = len(counts) <= FEW_NUMBERS and int(counts.min()) >= NUMBER_ROWS
    return few and rows.table.unit is None


def _is_shared(codes: IntArray) -> bool:
    """Whether nearly all rows have a combination that other rows have as well."""
    counts = np.unique(codes, axis=0, return_counts=True)[1]
    shared = counts[counts >= SHARED_ROWS]
    return len(shared) >= FEWEST_COMBINATIONS and shared.sum() >= COVERED * counts.sum()


def find_keys(rows: FirstRows) -> list[tuple[str, ...]]:
    """Pairs of columns, or else triples, of which no row repeats another row's values.

    Many repeats must be expected if the columns had nothing to do with each other: what is unique
    by itself, or could hardly repeat, says nothing.
    """
    columns = [column for column in rows.table.columns if _may_be_key(column)]
    codes = {column.name: rows.codes(column.name) for column in columns}
    alike = {name: _chance_alike(own) for name, own in codes.items()}
    names = sorted(
        (name for name in codes if 1 / rows.count < alike[name] * 0.5 and (codes[name] >= 0).all()),
        key=lambda name: alike[name],
    )[:_KEY_COLUMNS]
    found: list[tuple[str, ...]] = []
    tried: list[tuple[list[str], int]] = [(names, 2), (names[:_TRIED_TRIPLES], 3)]
    for some, size in tried[: 1 if rows.table.primary_key else 2]:
        if not found:
            groups = combinations(some, size)
            found = [group for group in groups if _is_key(rows, group, codes, alike)]
    order = rows.table.column_names.index
    return [tuple(sorted(group, key=order)) for group in found[:MOST_KEYS]]


def _may_be_key(column: Column) -> bool:
    return column.logical_type not in ("number", "boolean") and not column.unique


def _chance_alike(codes: IntArray) -> float:
    """How likely two rows have the same value."""
    counts = np.bincount(codes[codes >= 0]).astype(np.float64)
    return float(((counts / max(counts.sum(), 1.0)) ** 2).sum())


def _is_key(
    rows: FirstRows,
    names: Sequence[str],
    codes: dict[str, IntArray],
    alike: dict[str, float],
) -> bool:
    expected = rows.count**2 / 2 * float(np.prod([alike[name] for name in names]))
    if expected < NEGLIGIBLE:
        return False
    joint = np.zeros(rows.count, dtype=np.int64)
    for name in names:
        joint = joint * (int(codes[name].max()) + 1) + codes[name]
    few = joint[:_TRIED]
    return len(np.unique(few)) == len(few) and len(np.unique(joint)) == len(joint)


def equal_columns(rows: FirstRows) -> Iterator[tuple[str, str]]:
    """Pairs of columns of text or booleans with the same value in every row, gaps included."""
    seen: dict[tuple[str, bytes], list[str]] = {}
    for column in rows.columns:
        if column.logical_type not in ("string", "boolean"):
            continue
        codes = rows.codes(column.name)
        counts = np.bincount(codes[codes >= 0])
        if len(codes) - counts.max(initial=0) < NEGLIGIBLE:
            continue
        # Codes count values in the order in which they come: those of other values may be equal.
        alike = seen.setdefault((column.logical_type, codes.tobytes()), [])
        values = rows.rows[column.name].to_pylist()
        first = next((name for name in alike if rows.rows[name].to_pylist() == values), None)
        if first is None:
            alike.append(column.name)
        else:
            yield first, column.name
