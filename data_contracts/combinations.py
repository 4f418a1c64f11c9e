"""Values of several columns together: which rows have new ones, and which repeat an earlier row's.

Equal means equal as values: text is text however Arrow lays it out, and there is one zero.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.masks import Mask, present


def distinct_combinations(rows: pa.Table, names: tuple[str, ...]) -> pa.Table:
    """Each combination of values in the named columns once, in order of first sight.

    A missing value is a value like any other here.
    """
    columns = rows.select(list(names))
    _, first = np.unique(_numbers(columns), return_index=True)
    return columns.take(pa.array(np.sort(first)))


def outside_combinations(rows: pa.Table, names: tuple[str, ...], known: pa.Table) -> Mask:
    """Which rows have a combination of values in the named columns that `known` has not."""
    columns = rows.select(list(names))
    both = pa.concat_tables([columns, known.select(list(names)).cast(columns.schema)])
    numbers = _numbers(both)
    return ~np.isin(numbers[: rows.num_rows], numbers[rows.num_rows :])


def repeated_rows(rows: pa.Table, names: tuple[str, ...]) -> Mask:
    """Which rows repeat an earlier row's values in all named columns.

    As with a unique column, rows in which one of them is missing repeat nothing.
    """
    whole = np.ones(rows.num_rows, dtype=bool)
    for name in names:
        whole &= present(rows[name].combine_chunks())
    places = np.flatnonzero(whole)
    _, first = np.unique(_numbers(rows.select(list(names)))[places], return_index=True)
    repeated = whole.copy()
    repeated[places[first]] = False
    return repeated


def _numbers(columns: pa.Table) -> np.ndarray:
    """A number for each row, the same for rows that are equal in every column."""
    numbers = np.zeros(columns.num_rows, dtype=np.int64)
    for column in columns.columns:
        encoded = comparable(column).combine_chunks().dictionary_encode(null_encoding="encode")
        own = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
        # Counted anew each time, so that the product never grows beyond the rows squared.
        _, numbers = np.unique(numbers * (len(encoded.dictionary) + 1) + own, return_inverse=True)
    return numbers


def comparable(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column in which equal values are grouped as equal: text as text, one zero of two."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    return pc.add(column, 0) if pa.types.is_floating(column.type) else column
