"""Uniqueness and references over any number of rows: 64-bit hashes, a bounded share at a time."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from data_contracts.combinations import comparable
from data_contracts.manifest import ArtifactRef
from data_contracts.masks import Mask, true_mask
from tasks.storage import Store

# Hashes held at once: 128 MiB, twice that while they are sorted.
_HASHES_AT_ONCE = 16_000_000
# So many equal hashes are looked at again, value by value; more can't be chance.
_MOST_DOUBTS = 100_000
_ROWS = 1 << 18


class Keys:
    """The values of some columns over all parts of a table, one key for each row."""

    def __init__(self, store: Store, parts: list[ArtifactRef], columns: tuple[str, ...]) -> None:
        self.store, self.parts, self.columns = store, parts, columns
        self.rows = sum(part.rows or 0 for part in parts)

    def batches(self) -> Iterator[pa.Table]:
        """The key columns, some rows at a time."""
        for part in self.parts:
            with (
                self.store.fs.open_input_file(part.uri) as stream,
                pq.ParquetFile(stream, pre_buffer=False) as parquet,
            ):
                for batch in parquet.iter_batches(_ROWS, columns=list(self.columns)):
                    yield pa.Table.from_batches([batch]).select(list(self.columns))

    def hashes(self, share: int, shares: int) -> np.ndarray:
        """The hashes of one share of all keys; equal keys fall into the same share."""
        found = [np.zeros(0, dtype=np.uint64)]
        for rows in self.batches():
            hashed, whole = hash_rows(rows)
            hashed = hashed[whole]
            if shares > 1:
                hashed = hashed[hashed % np.uint64(shares) == share]
            found.append(hashed)
        return np.concatenate(found)

    def incomplete(self) -> int:
        """How many keys lack a value in one of their columns."""
        return sum(int(np.sum(~hash_rows(rows)[1])) for rows in self.batches())


def count_repeated(keys: Keys) -> int:
    """How many rows repeat the key of an earlier one; keys with a missing value don't count.

    Exact: equal hashes are only a doubt, settled by the values themselves (beyond a hundred
    thousand doubts, more than chance could make of any table, the hashes decide).
    """
    repeated, doubts = 0, []
    for share, shares in _shares(keys.rows):
        hashed = np.sort(keys.hashes(share, shares))
        again = hashed[1:] == hashed[:-1]
        repeated += int(again.sum())
        doubts.append(np.unique(hashed[1:][again]))
    doubtful = np.concatenate(doubts)
    return repeated if len(doubtful) > _MOST_DOUBTS else _count_exactly(keys, doubtful)


def count_absent(keys: Keys, parents: Keys) -> int:
    """How many keys are not among the parents' keys; keys with a missing value refer to nothing.

    Exact but for the chance of about (rows x parents) / 2^64 that an absent key has the hash of a
    parent's.
    """
    absent = 0
    for share, shares in _shares(max(keys.rows, parents.rows)):
        known = np.unique(parents.hashes(share, shares))
        hashed = keys.hashes(share, shares)
        if not len(known):
            absent += len(hashed)
            continue
        place = np.minimum(np.searchsorted(known, hashed), len(known) - 1)
        absent += int(np.sum(known[place] != hashed))
    return absent


def _shares(rows: int) -> list[tuple[int, int]]:
    shares = max(1, -(-rows // _HASHES_AT_ONCE))
    return [(share, shares) for share in range(shares)]


def _count_exactly(keys: Keys, doubtful: np.ndarray) -> int:
    if not len(doubtful):
        return 0
    names = [str(place) for place in range(len(keys.columns))]
    total = 0
    distinct: list[pa.Table] = []
    for rows in keys.batches():
        hashed, whole = hash_rows(rows)
        columns = pa.table(list(map(comparable, rows.columns)), names=names)
        chosen = columns.filter(pa.array(whole & np.isin(hashed, doubtful)))
        total += chosen.num_rows
        # Only distinct keys are carried on, so that memory stays bounded by the doubts.
        distinct = [pa.concat_tables([*distinct, chosen]).group_by(names).aggregate([])]
    return int(total - sum(found.num_rows for found in distinct))


def hash_rows(rows: pa.Table) -> tuple[np.ndarray, Mask]:
    """A 64-bit hash of each row over all columns, and whether all of them hold a value."""
    hashed = np.zeros(rows.num_rows, dtype=np.uint64)
    whole = np.ones(rows.num_rows, dtype=bool)
    for column in rows.columns:
        values = column.combine_chunks()
        whole &= true_mask(pc.is_valid(values))
        hashed = _mix(hashed ^ _hash_values(values))
    return hashed, whole


def _hash_values(values: pa.Array) -> np.ndarray:
    kind = values.type
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        values = values.cast(pa.uint64() if kind == pa.uint64() else pa.int64())
    elif pa.types.is_date32(kind):
        values = values.cast(pa.int32()).cast(pa.int64())
    elif pa.types.is_temporal(kind):
        values = values.cast(pa.int64())
    elif pa.types.is_floating(kind):
        # Adding zero makes one zero of two.
        numbers = pc.fill_null(values.cast(pa.float64()), 0.0).to_numpy(zero_copy_only=False) + 0.0
        return _mix(numbers.view(np.uint64))
    else:
        return _hash_texts(values)
    numbers = pc.fill_null(values, 0).to_numpy(zero_copy_only=False)
    return _mix(numbers.view(np.uint64))


def _hash_texts(values: pa.Array) -> np.ndarray:
    if not pa.types.is_dictionary(values.type):
        values = values.cast(pa.string()).dictionary_encode()
    texts = values.dictionary.cast(pa.string()).to_numpy(zero_copy_only=False)
    hashed = np.append(pd.util.hash_array(texts.astype(object), categorize=False), np.uint64(0))
    places = pc.fill_null(values.indices, len(texts)).to_numpy(zero_copy_only=False)
    return np.asarray(hashed[places])


def _mix(values: np.ndarray) -> np.ndarray:
    """SplitMix64's finalizer (Steele et al. 2014): spreads 64-bit integers evenly."""
    with np.errstate(over="ignore"):
        mixed = values + np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return np.asarray(mixed ^ (mixed >> np.uint64(31)))
