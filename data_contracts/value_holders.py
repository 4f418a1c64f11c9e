"""How many people hold a value: what one of them has is his, in however many rows it stands."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from data_contracts.column_profile import HEAD_ROWS, ColumnProfile

FEWEST_HOLDERS = 5
"""A value of fewer units of privacy is told to nobody."""


class Owners(NamedTuple):
    """The columns that say whose a table's rows are.

    That is its unit of privacy, or, where none is known, the columns that may name somebody.
    Without either each row is a unit of its own.
    """

    unit: ColumnProfile | None = None
    likely: tuple[ColumnProfile, ...] = ()


class Rare(NamedTuple):
    """How many values of a column may not be listed, and why, in words."""

    number: int
    why: str


def rare_values(column: ColumnProfile, owners: Owners) -> Rare:
    """The values of too few units: of FEWEST_HOLDERS, or where no unit is known, rows.

    A value of which all rows share one value of a likely unit is taken as that one's. Units are
    counted in the first rows only: of a value that comes later, it isn't known that many hold it.
    """
    counts = column.counts or {}
    unit = owners.unit
    if unit is not None and not unit.is_unique:
        held = _holders(column, unit, gaps_are_one=True)
        some = f" in its first {HEAD_ROWS:,} rows" if column.rows > HEAD_ROWS else ""
        few = sum(held.get(word, 0) < FEWEST_HOLDERS for word in counts)
        return Rare(few, f"are of fewer than {FEWEST_HOLDERS} units each{some}")
    rare = {word for word, count in counts.items() if count < FEWEST_HOLDERS}
    why = f"stand in fewer than {FEWEST_HOLDERS} rows each"
    for other in owners.likely if unit is None else ():
        if other is column:
            continue
        held = _holders(column, other, gaps_are_one=False)
        alone = {word for word in counts if held.get(word, 0) < 2} - rare
        if alone:
            rare |= alone
            why += f", or only beside one value of {other.name!r}"
    return Rare(len(rare), why)


def _holders(column: ColumnProfile, owner: ColumnProfile, gaps_are_one: bool) -> dict[str, int]:
    """How many different values of `owner` stand beside each value of `column` in the first rows.

    Rows without an owner are one's together, or each somebody else's. Nothing is known (and the
    answer empty) where the source changed a column's type from part to part.
    """
    own, whose = column.first_codes, owner.first_codes
    if not len(own) or len(own) != len(whose):
        return {}
    found, place = np.unique(own, return_inverse=True)
    unit = np.unique(whose, return_inverse=True)[1].astype(np.int64)
    if not gaps_are_one:
        unit = np.where(whose == 0, len(unit) + np.arange(len(unit)), unit)
    width = int(unit.max()) + 1
    pairs = np.unique(place.astype(np.int64) * width + unit)
    held = dict(zip(found.tolist(), np.bincount(pairs // width).tolist(), strict=True))
    words = np.array(list(column.counts or ()), dtype=object)
    hashes = pd.util.hash_array(words, categorize=False).tolist()
    return {word: held.get(code, 0) for word, code in zip(words.tolist(), hashes, strict=True)}
