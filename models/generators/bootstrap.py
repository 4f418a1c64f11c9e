"""Rows drawn again with replacement: what every privacy gate must refuse."""

from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import pyarrow as pa

from data_contracts.contract import Contract
from data_contracts.dataset import Dataset
from data_contracts.errors import ModelError
from data_contracts.record import Record
from data_contracts.schema import arrow_schema, to_arrow, to_frame
from models.base import Given, ProgressCallback
from models.encoding.column import State
from models.generators.batches import check_fitted, check_seed, only_table, refuse_given
from models.generators.stored import StoredModel, read_model, types_of, write_model


class BootstrapOptions(Record):
    """`bootstrap` has no options."""


class BootstrapGenerator:
    """Repeats training rows word for word: perfect figures of quality, no privacy at all.

    It is here to be refused: a control for the gate, and a ceiling for benchmarks (Efron 1979).
    """

    name: ClassVar[str] = "bootstrap"

    def __init__(self, options: BootstrapOptions | None = None) -> None:
        self.options = options or BootstrapOptions()

    def fit(self, data: Dataset, *, seed: int, progress: ProgressCallback | None = None) -> Self:  # noqa: ARG002
        """Keeps the rows of the one table of `data`."""
        table, frame = only_table(data, self.name)
        self.contract_, self.table_ = data.contract, table
        self.rows_ = to_arrow(frame, table)
        if progress is not None:
            progress(1.0, {})
        return self

    def sample(
        self,
        n: int,
        *,
        given: Given | None = None,
        seed: int,
        first_row: int = 0,  # noqa: ARG002
    ) -> Dataset:
        """Exactly `n` rows; ModelError before `fit`, or if anything is given."""
        check_fitted(self, "rows_", "sample")
        if n < 0:
            raise ModelError(f"{self.name}: {n} rows asked for. Ask for 0 or more.")
        refuse_given(self.name, given)
        check_seed(seed)
        picked = np.random.default_rng(seed).integers(0, self.rows_.num_rows, n)
        frame = to_frame(self.rows_.take(pa.array(picked)))
        return Dataset(self.contract_, {self.table_.name: frame})

    def save(self, folder: Path) -> None:
        """Writes the rows into `folder`; ModelError before `fit`."""
        check_fitted(self, "rows_", "save")
        sink = pa.BufferOutputStream()
        with pa.ipc.new_file(sink, self.rows_.schema) as writer:
            writer.write_table(self.rows_)
        rows = np.frombuffer(sink.getvalue(), dtype=np.uint8)
        name, columns = self.table_.name, types_of(self.table_)
        write_model(folder, StoredModel(self.name, name, {}, State(), {"rows": rows}, columns))

    @classmethod
    def load(cls, folder: Path, contract: Contract) -> Self:
        """The model that `save` wrote; ModelError when the folder or the contract is another."""
        stored = read_model(folder)
        generator = cls()
        generator.contract_, generator.table_ = contract, stored.contract_table(contract)
        reader = pa.ipc.open_file(pa.py_buffer(stored.arrays["rows"].tobytes()))
        generator.rows_ = reader.read_all().cast(arrow_schema(generator.table_))
        return generator
