"""Gaussian copula: every column's own distribution, tied together by one correlation matrix."""

from dataclasses import fields
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from data_contracts.contract import Contract
from data_contracts.dataset import Dataset
from data_contracts.record import Record
from models.base import Given, ProgressCallback
from models.encoding.column import UNKNOWN, BoolArray, IntArray, unprefixed
from models.encoding.table import TableCodec
from models.generators.batches import (
    Request,
    check_fitted,
    check_seed,
    only_table,
    sample_frame,
    unit_ids,
)
from models.generators.copula_cells import Cells, arrange, places
from models.generators.latent_normal import Spans, draw_given, fit_correlation
from models.generators.stored import StoredModel, read_model, write_model

BATCH_ROWS = 2**16


class GaussianCopulaOptions(Record):
    """`gaussian_copula` has no options."""


class GaussianCopulaGenerator:
    """Keeps each column's distribution, and of relations what one correlation per pair can say.

    Each column is the image of one standard normal: numbers, dates and categories are spans of
    it, as wide as they are frequent; categories are put in the order that goes best with the other
    columns. The normals' correlations are all that is learned of relations, and all that can leak.
    Given values hold exactly, and the other columns follow their distribution given these: by
    Gibbs sampling, exact in the limit of many sweeps. Choose it where seconds count, where rows
    are few (hundreds), or where a model must be explained; not where relations are bent, depend
    on a third column, or tie categories to each other one by one.

    Sources: Nelsen 2006; Hoff 2007 (correlations of ranks with ties).
    """

    name: ClassVar[str] = "gaussian_copula"

    def __init__(self, options: GaussianCopulaOptions | None = None) -> None:
        self.options = options or GaussianCopulaOptions()

    def fit(self, data: Dataset, *, seed: int, progress: ProgressCallback | None = None) -> Self:
        """Learns the one table of `data`; ModelError when there is none that it can learn."""
        check_seed(seed)
        table, frame = only_table(data, self.name)
        codec = TableCodec().fit(frame, table, units=unit_ids(table, frame))
        codes = codec.encode(frame)
        self.cells_ = arrange(codec.parts_, codes)
        self.correlation_ = fit_correlation(self._spans(codes), np.random.default_rng(seed))
        self.contract_, self.table_, self.codec_ = data.contract, table, codec
        if progress is not None:
            progress(1.0, {})
        return self

    def sample(
        self, n: int, *, given: Given | None = None, seed: int, first_row: int = 0
    ) -> Dataset:
        """Exactly `n` rows; ModelError before `fit`, or for what cannot be given."""
        check_fitted(self, "cells_", "sample")
        request = Request(n, given, seed, first_row)
        frame = sample_frame(self.codec_, self.table_, request, self._complete)
        return Dataset(self.contract_, {self.table_.name: frame})

    def save(self, folder: Path) -> None:
        """Writes the fitted model into `folder`; ModelError before `fit`."""
        check_fitted(self, "cells_", "save")
        arrays: dict[str, npt.NDArray[Any]] = {"correlation": self.correlation_}
        for number, cells in enumerate(self.cells_):
            arrays |= {f"{number}/{name}": getattr(cells, name) for name in _STORED}
        write_model(folder, StoredModel.of(self, arrays))

    @classmethod
    def load(cls, folder: Path, contract: Contract) -> Self:
        """The model that `save` wrote; ModelError when the folder or the contract is another."""
        stored = read_model(folder)
        generator = cls()
        generator.contract_ = contract
        generator.table_, generator.codec_ = stored.table_and_codec(contract)
        generator.cells_ = [
            Cells(place, **unprefixed(stored.arrays, str(number)))
            for number, place in enumerate(places(generator.codec_.parts_))
        ]
        generator.correlation_ = stored.arrays["correlation"]
        return generator

    def _complete(self, codes: IntArray, random: np.random.Generator) -> IntArray:
        """The codes `(rows, parts)` with every unknown one that applies drawn given the others."""
        if not self.cells_:
            return codes
        batches = [
            self._complete_batch(codes[start : start + BATCH_ROWS].copy(), random)
            for start in range(0, max(len(codes), 1), BATCH_ROWS)
        ]
        return np.concatenate(batches)

    def _complete_batch(self, codes: IntArray, random: np.random.Generator) -> IntArray:
        known = codes[:, [cells.place.part for cells in self.cells_]] != UNKNOWN
        spans = self._spans(codes)
        everywhere = np.ones(len(self.cells_), dtype=np.bool_)
        for pattern in np.unique(known, axis=0):
            rows = (known == pattern).all(1)
            scores = draw_given(spans.take(rows, everywhere), pattern, self.correlation_, random)
            self._write(codes, rows, pattern, scores)
        for index, part in enumerate(self.codec_.parts_):
            if part.parent is not None:
                codes[codes[:, part.parent] < part.applies_from, index] = UNKNOWN
        return codes

    def _write(
        self, codes: IntArray, rows: BoolArray, pattern: BoolArray, scores: npt.NDArray[np.float64]
    ) -> None:
        """Puts the codes of drawn scores where nothing was known."""
        part_of_rows = codes[rows]
        for number in np.flatnonzero(~pattern):
            self.cells_[number].write(scores[:, number], part_of_rows)
        codes[rows] = part_of_rows

    def _spans(self, codes: IntArray) -> Spans:
        """The spans `(rows, dimensions)` of rows of codes."""
        ends = [cells.spans(codes) for cells in self.cells_]
        if not ends:
            return Spans(np.empty((len(codes), 0)), np.empty((len(codes), 0)))
        return Spans(*(np.stack(side, 1) for side in zip(*ends, strict=True)))


_STORED = tuple(field.name for field in fields(Cells) if field.name != "place")
