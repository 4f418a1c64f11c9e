"""Which of the rules that the first rows of a table keep are kept by all others too."""

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from data_contracts.contract import Table, WrittenRule
from data_contracts.masks import Mask, present
from data_contracts.written_checks import breaks_written

HashArray = npt.NDArray[np.uint64]

MOST_HASHES = 50_000_000
"""Rows beyond which no key is proposed: their hashes would fill the memory."""
_PRIME = np.uint64(1_099_511_628_211)


class HeldRules:
    """Candidates, and after each batch of rows those that are left of them.

    `rules` are row rules, `keys` columns that are unique together, `combinations` columns of which
    the first one named tells the others. Memory grows with the keys' rows and with the different
    combinations, as 64-bit hashes; equal hashes of different values lose a proposal, no more.
    """

    def __init__(
        self,
        table: Table,
        rules: list[WrittenRule],
        combinations: list[tuple[str, ...]],
        keys: list[tuple[str, ...]],
    ) -> None:
        self.table, self.rules = table, rules
        nothing = np.empty(0, dtype=np.uint64)
        self.combinations = dict.fromkeys(combinations, (nothing, nothing))
        self._keys: dict[tuple[str, ...], list[HashArray]] = {names: [] for names in keys}

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that candidates are about."""
        groups = [rule.columns for rule in self.rules]
        groups += [*self.combinations, *self._keys]
        named = {name for names in groups for name in names}
        return tuple(name for name in self.table.column_names if name in named)

    @property
    def keys(self) -> list[tuple[str, ...]]:
        """The groups of columns of which no row has repeated another one's values."""
        return [names for names, hashes in self._keys.items() if not _repeats(hashes)]

    def update(self, rows: pa.Table) -> None:
        """Take in rows in the table's types; candidates that one of them breaks are gone."""
        self.rules = [rule for rule in self.rules if not breaks_written(rule, rows).any()]
        for names, (told, joint) in list(self.combinations.items()):
            whole = _whole(rows, names)
            tellers = np.concatenate([told, _hashed(rows, names[:1])[whole]])
            both = np.concatenate([joint, _hashed(rows, names)[whole]])
            tellers, first = np.unique(tellers, return_index=True)
            if len(np.unique(both)) > len(tellers):
                del self.combinations[names]
            else:
                self.combinations[names] = tellers, both[first]
        for names, hashes in list(self._keys.items()):
            hashes.append(_hashed(rows, names)[_whole(rows, names)])
            if sum(map(len, hashes)) > MOST_HASHES:
                del self._keys[names]


def _repeats(hashes: list[HashArray]) -> bool:
    joined = np.concatenate(hashes) if hashes else np.empty(0, dtype=np.uint64)
    return len(np.unique(joined)) < len(joined)


def _whole(rows: pa.Table, names: tuple[str, ...]) -> Mask:
    """The rows in which none of the columns is missing."""
    known = [present(rows[name].combine_chunks()) for name in names]
    return np.asarray(np.logical_and.reduce(known), dtype=bool)


def _hashed(rows: pa.Table, names: tuple[str, ...]) -> HashArray:
    """A number for each row, the same for rows with the same values in these columns."""
    joint = np.zeros(rows.num_rows, dtype=np.uint64)
    for name in names:
        values = rows[name].combine_chunks()
        if pa.types.is_dictionary(values.type):
            values = values.cast(values.type.value_type)
        encoded = values.dictionary_encode()
        texts = encoded.dictionary.cast(pa.string()).to_numpy(zero_copy_only=False)
        own = np.append(pd.util.hash_array(texts, categorize=False), np.uint64(0))
        codes = encoded.indices.fill_null(len(texts)).to_numpy(zero_copy_only=False)
        joint = joint * _PRIME ^ own[codes]
    return joint
