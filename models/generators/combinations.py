"""Columns whose values go together only as they do in the rows learned from, while drawing."""

import numpy as np

from models.encoding.column import UNKNOWN, BoolArray, IntArray
from models.encoding.table import TableCodec


class Combination:
    """Columns whose values go together only as they do in the rows learned from.

    `tuples` `(combinations, columns)` are first codes; `codes` `(rows, columns)` those drawn.
    """

    def __init__(
        self, codec: TableCodec, names: tuple[str, ...], tuples: IntArray, rows: int
    ) -> None:
        self.names, self.tuples = names, tuples
        self.sizes = {name: codec.parts_[codec.columns_[name].start].cardinality for name in names}
        self.whole = {name: np.unique(tuples[:, at]) for at, name in enumerate(names)}
        self.codes = np.full((rows, len(names)), UNKNOWN, dtype=np.int64)

    def observe(self, name: str, values: IntArray) -> None:
        """Takes in the first code of a column, `(rows,)`."""
        if name in self.names:
            self.codes[:, self.names.index(name)] = values

    def allowed(self, name: str) -> BoolArray | None:
        """The values of a column that go with what is known of the others, `(rows, values)`.

        None where nothing is known and each value goes with something.
        """
        own = self.names.index(name)
        others = np.delete(self.codes, own, axis=1)
        if bool((others == UNKNOWN).all()) and len(self.whole[name]) == self.sizes[name]:
            return None
        patterns, index = _patterns(others)
        known = np.delete(self.tuples, own, axis=1)
        allowed = np.zeros((len(patterns), self.sizes[name]), dtype=np.bool_)
        for row, pattern in enumerate(patterns):
            fits = ((known == pattern) | (pattern == UNKNOWN)).all(1)
            allowed[row, self.tuples[fits, own]] = True
        return allowed[index.ravel()]


def _patterns(codes: IntArray) -> tuple[IntArray, IntArray]:
    """The different rows of codes, and which of them each row is."""
    if codes.shape[1] == 1:
        # Sorting rows is far dearer than sorting numbers.
        single, index = np.unique(codes[:, 0], return_inverse=True)
        return single[:, None], index
    return np.unique(codes, axis=0, return_inverse=True)
