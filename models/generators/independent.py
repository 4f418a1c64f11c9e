"""Independent columns: the baseline that keeps every column and no relation between them."""

from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from data_contracts.contract import Contract
from data_contracts.dataset import Dataset
from data_contracts.record import Record
from models.base import Given, ProgressCallback
from models.encoding.column import UNKNOWN, IntArray, Part
from models.encoding.table import TableCodec
from models.generators.batches import (
    Request,
    check_fitted,
    only_table,
    sample_frame,
    unit_ids,
)
from models.generators.stored import StoredModel, read_model, write_model


class IndependentOptions(Record):
    """`independent` has no options."""


class IndependentGenerator:
    """Draws each column by itself from its own distribution; a fine code given its coarse one.

    A floor for every comparison: shapes are right, trends are absent.
    """

    name: ClassVar[str] = "independent"

    def __init__(self, options: IndependentOptions | None = None) -> None:
        self.options = options or IndependentOptions()

    def fit(self, data: Dataset, *, seed: int, progress: ProgressCallback | None = None) -> Self:  # noqa: ARG002
        """Counts the codes of the one table of `data`; nothing is drawn, so the seed is unused."""
        table, frame = only_table(data, self.name)
        codec = TableCodec().fit(frame, table, units=unit_ids(table, frame))
        codes = codec.encode(frame)
        self.shares_ = [_shares(codes, index, codec.parts_) for index in range(len(codec.parts_))]
        self.contract_, self.table_, self.codec_ = data.contract, table, codec
        if progress is not None:
            progress(1.0, {})
        return self

    def sample(
        self, n: int, *, given: Given | None = None, seed: int, first_row: int = 0
    ) -> Dataset:
        """Exactly `n` rows; ModelError before `fit`, or for what cannot be given."""
        check_fitted(self, "shares_", "sample")
        request = Request(n, given, seed, first_row)
        frame = sample_frame(self.codec_, self.table_, request, self._complete)
        return Dataset(self.contract_, {self.table_.name: frame})

    def save(self, folder: Path) -> None:
        """Writes the fitted model into `folder`; ModelError before `fit`."""
        check_fitted(self, "shares_", "save")
        arrays = {str(index): shares for index, shares in enumerate(self.shares_)}
        write_model(folder, StoredModel.of(self, arrays))

    @classmethod
    def load(cls, folder: Path, contract: Contract) -> Self:
        """The model that `save` wrote; ModelError when the folder or the contract is another."""
        stored = read_model(folder)
        generator = cls()
        generator.contract_ = contract
        generator.table_, generator.codec_ = stored.table_and_codec(contract)
        generator.shares_ = [stored.arrays[str(index)] for index in range(len(stored.arrays))]
        return generator

    def _complete(self, codes: IntArray, random: np.random.Generator) -> IntArray:
        drawn = codes.copy()
        for index, part in enumerate(self.codec_.parts_):
            unknown = drawn[:, index] == UNKNOWN
            groups = np.zeros(len(drawn), dtype=np.int64)
            if part.parent is not None:
                above = drawn[:, part.parent]
                unknown &= above >= part.applies_from
                groups = above.clip(min=0)
            rows = np.flatnonzero(unknown)
            drawn[rows, index] = _draw(self.shares_[index], groups[rows], random)
        return drawn


def _shares(codes: IntArray, index: int, parts: tuple[Part, ...]) -> np.ndarray:
    """Cumulated shares (groups, cardinality) of a code under each value of its parent."""
    part, values = parts[index], codes[:, index]
    groups = 1 if part.parent is None else parts[part.parent].cardinality
    above = np.zeros_like(values) if part.parent is None else codes[:, part.parent]
    known = (values != UNKNOWN) & (above >= 0)
    keys = above[known] * part.cardinality + values[known]
    counts = np.bincount(keys, minlength=groups * part.cardinality).astype(np.float64)
    counts = counts.reshape(groups, part.cardinality)
    counts[counts.sum(1) == 0] = 1
    cumulated = np.cumsum(counts, 1)
    shares: np.ndarray = cumulated / cumulated[:, -1:]
    return shares


def _draw(shares: np.ndarray, groups: IntArray, random: np.random.Generator) -> IntArray:
    """One value for each row, from the shares of the row's group."""
    # Each group's shares are moved by its number, so that one search serves all groups.
    ends = (shares + np.arange(len(shares))[:, None]).ravel()
    places = np.searchsorted(ends, groups + random.random(len(groups)), side="right")
    drawn: IntArray = (places - groups * shares.shape[1]).clip(0, shares.shape[1] - 1)
    return drawn
