"""Training and holdout: the split by the unit of privacy, before anything is fitted."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from data_contracts.contract import Contract, Table
from data_contracts.errors import ModelError, ProofError
from data_contracts.schema import arrow_schema
from tasks.identity import content_id
from tasks.part_files import restored
from tasks.private_names import split_seed
from tasks.refresh import HoldoutMark, earlier_mark
from tasks.storage import Store

_MINIMUM_UNITS = 10
_NONE = np.zeros(0, dtype=np.uint64)

Batches = Iterator[tuple[pa.Table, np.ndarray]]
Names = list[str] | None
"""The columns that are read; None for all."""


class _Units(NamedTuple):
    """Hashes of units, smallest first: of all, and of those that the data name.

    A row without a unit is one of its own, and nobody else's in any other table.
    """

    all: np.ndarray
    named: np.ndarray

    def union(self, other: "_Units") -> "_Units":
        return _Units(*(np.union1d(mine, theirs) for mine, theirs in zip(self, other, strict=True)))

    def shares(self, other: "_Units") -> bool:
        return bool(np.isin(self.named, other.named).any())


class Split:
    """The two sides of one proven table, read part by part.

    With a holdout table of its own, that table is the holdout and all proven rows are training
    rows. Otherwise the units with the smallest seeded hash, as many as the declared share, are the
    holdout: the same units on every run, with no list of them kept anywhere. All rows of a unit
    fall on the same side, in all tables that it stands in. Where an earlier model is refreshed, no
    unit beyond the largest hash that was held out from it is held out now: it may have learned that
    unit.
    """

    def __init__(self, store: Store, contract: Contract, table: Table, ingest: str) -> None:
        self.store = store
        self.table = table
        self.parts = _parts(store, f"{ingest}/{table.name}")
        self.holdout_parts = _parts(store, f"{ingest}/holdout/{table.name}")
        self._private = contract.privacy is not None
        self._seed = split_seed(store, contract)
        self._threshold: np.uint64 | None = None
        self._beside = {
            other.name: (_parts(store, f"{ingest}/{other.name}"), other.unit)
            for other in contract.tables
            if table.unit is not None and other.unit is not None and other.name != table.name
        }
        if not self.holdout_parts:
            self._threshold = self._holdout_threshold(store, contract)

    @property
    def mark(self) -> HoldoutMark:
        """What was held out, for the manifest of a model that learns the rest."""
        if self._threshold is not None:
            return HoldoutMark(threshold=int(self._threshold))
        return HoldoutMark(content=content_id([self.store.sha256(p) for p in self.holdout_parts]))

    @property
    def content(self) -> str:
        """A name of the proven rows: the same one where a contract says other things of them."""
        return content_id([self.store.sha256(path) for path in self.parts])

    def training(self, max_rows: int | None = None, columns: Names = None) -> pa.Table:
        """The training rows; of more than `max_rows`, a seeded choice of whole units."""
        return self._collect(self._training_parts, max_rows, columns)

    def holdout(self, max_rows: int | None = None) -> pa.Table:
        """The rows that no fit ever sees; of more than `max_rows`, a seeded choice."""
        return self._collect(self._holdout_parts, max_rows)

    def shared_units(self) -> np.ndarray:
        """Hashes of the units with rows on both sides, as a holdout of its own can have them."""
        if self._threshold is not None or self.table.unit is None:
            return _NONE
        sides = (self.parts, self.holdout_parts)
        trained, held_out = (self._unit_hashes(parts, self.table.unit).named for parts in sides)
        return np.asarray(np.intersect1d(trained, held_out))

    def unseen(
        self, shared: np.ndarray, max_rows: int | None = None, columns: Names = None
    ) -> pa.Table:
        """The held-out rows of units that are not `shared`: no fit has seen these units at all."""

        def parts(columns: list[str] | None = None) -> Batches:
            for part, keys in self._holdout_parts(columns):
                apart = ~np.isin(keys, shared)
                yield part.filter(pa.array(apart)), keys[apart]

        return self._collect(parts, max_rows, columns)

    def training_parts(self) -> Iterator[pa.Table]:
        """All training rows, a row group of the proven Parquet at a time."""
        for part, _ in self._training_parts():
            yield restored(part, arrow_schema(self.table))

    def count_training(self) -> int:
        return sum(len(keys) for _, keys in self._training_parts(columns=[]))

    def count_holdout(self) -> int:
        return sum(len(keys) for _, keys in self._holdout_parts(columns=[]))

    def _training_parts(self, columns: list[str] | None = None) -> Batches:
        for part, keys in self._hashed(self.parts, columns):
            if self._threshold is None:
                yield part, keys
            else:
                keep = keys > self._threshold
                yield part.filter(pa.array(keep)), keys[keep]

    def _holdout_parts(self, columns: list[str] | None = None) -> Batches:
        if self._threshold is None:
            yield from self._hashed(self.holdout_parts, columns)
            return
        for part, keys in self._hashed(self.parts, columns):
            keep = keys <= self._threshold
            yield part.filter(pa.array(keep)), keys[keep]

    def _holdout_threshold(self, store: Store, contract: Contract) -> np.uint64:
        own = self._unit_hashes(self.parts, self.table.unit)
        units = own.all
        if len(units) < _MINIMUM_UNITS:
            what = f"units in column {self.table.unit!r}" if self.table.unit else "rows"
            raise ProofError(
                f"table {self.table.name!r}: {len(units)} {what}; a holdout and a model need at "
                f"least {_MINIMUM_UNITS}. Bring more data."
            )
        names, together = self._related(own)
        share = contract.holdout.share
        count = min(max(1, round(share * len(together))), len(together) - 1)
        last = int(share * 2.0**64) if self._private else int(together[count - 1])
        if not int(units[0]) <= last < int(units[-1]):
            raise ProofError(
                f"table {self.table.name!r}: all units fell on one side of the holdout. Bring "
                "more data, or choose another holdout.share."
            )
        earlier = (earlier_mark(store, contract, name) for name in names)
        marks = [mark.threshold for mark in earlier if mark and mark.threshold is not None]
        threshold = min([last, *marks])
        if int(units[0]) > threshold:
            raise ModelError(
                f"refresh, table {self.table.name!r}: no unit is left to hold out that the earlier "
                "model cannot have learned. Train anew: leave `refresh` out."
            )
        return np.uint64(threshold)

    def _related(self, units: "_Units") -> tuple[list[str], np.ndarray]:
        """The tables that share units with this one, over others too, and the units of all of them.

        They are cut at one place, or a person's rows would fall on either side.
        """
        names = [self.table.name]
        found = {name: self._unit_hashes(*place) for name, place in self._beside.items()}
        while near := [name for name, other in found.items() if other.shares(units)]:
            names += near
            for name in near:
                units = units.union(found.pop(name))
        return names, units.all

    def _unit_hashes(self, parts: list[str], unit: str | None) -> "_Units":
        """The units in a table's parts."""
        found, named = [_NONE], [_NONE]
        for part, keys in self._hashed_by(unit, parts, []):
            found.append(np.unique(keys))
            if unit is not None:
                named.append(np.unique(keys[pc.is_valid(part[unit]).to_numpy()]))
        return _Units(np.unique(np.concatenate(found)), np.unique(np.concatenate(named)))

    def _hashed(self, paths: list[str], columns: list[str] | None = None) -> Batches:
        return self._hashed_by(self.table.unit, paths, columns)

    def _hashed_by(self, unit: str | None, paths: list[str], columns: list[str] | None) -> Batches:
        first_row = 0
        for path in paths:
            names = columns if columns is None or unit is None else list({*columns, unit})
            with self.store.fs.open_input_file(path) as stream:
                file = pq.ParquetFile(stream)
                for group in range(file.num_row_groups):
                    part = file.read_row_group(group, columns=names)
                    keys = unit_keys(part, unit, first_row, self._seed)
                    first_row += part.num_rows
                    yield part, keys

    def _collect(
        self, batches: Callable[..., Batches], max_rows: int | None, columns: Names = None
    ) -> pa.Table:
        bound = np.uint64(0)
        if max_rows is not None:
            ranks = np.sort(np.concatenate([_NONE, *(keys for _, keys in batches(columns=[]))]))
            if len(ranks) > max_rows:
                # The largest hashes: a choice independent of the one that made the holdout.
                bound = ranks[-max_rows]
        kept = [part.filter(pa.array(keys >= bound)) for part, keys in batches(columns)]
        named = arrow_schema(self.table).names if columns is None else columns
        kept.insert(0, arrow_schema(self.table).empty_table())
        return pa.concat_tables(part.select(named) for part in kept)


def _parts(store: Store, folder: str) -> list[str]:
    return [path for path in store.list_files(folder) if path.endswith(".parquet")]


def unit_keys(part: pa.Table, unit: str | None, first_row: int, seed: int) -> np.ndarray:
    """A seeded 64-bit hash of each row's unit; a row without one is a unit of its own."""
    rows = np.arange(first_row, first_row + part.num_rows, dtype=np.uint64)
    if unit is None:
        return _mix(rows, seed)
    column = part[unit]
    # Text by Arrow: pandas would read 7 as 7.0 in those parts in which a unit is missing.
    texts = pc.fill_null(column.cast(pa.string()), "")
    hashed = pd.util.hash_array(texts.to_numpy(zero_copy_only=False).astype(object))
    missing = pc.is_null(column).to_numpy(zero_copy_only=False)
    return _mix(np.where(missing, _mix(rows, 7), hashed), seed)


def _mix(values: np.ndarray, seed: int) -> np.ndarray:
    """SplitMix64's finalizer (Steele et al. 2014): spreads 64-bit integers evenly."""
    with np.errstate(over="ignore"):
        mixed = values.astype(np.uint64) + np.uint64(seed + 1) * np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return np.asarray(mixed ^ (mixed >> np.uint64(31)))
