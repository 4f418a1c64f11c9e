"""A fitted generator as a folder of JSON and safetensors: nothing in it can run."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from data_contracts.contract import Contract, Table
from data_contracts.errors import ModelError
from models.encoding.column import State, prefixed, unprefixed
from models.encoding.table import TableCodec

SETTINGS = "model.json"
ARRAYS = "arrays.safetensors"
LAYOUT = 2
"""Version of the folder's layout; a folder of another one is refused."""


class CodedGenerator(Protocol):
    """A fitted generator that sees its table through a `TableCodec`."""

    name: ClassVar[str]
    table_: Table
    codec_: TableCodec


@dataclass(frozen=True)
class StoredModel:
    """What a generator must keep: its registry name, its table, settings, codec and arrays.

    `columns` are the table's, in their order, with their types; None in models made before they
    were kept.
    """

    name: str
    table: str
    settings: dict[str, Any]
    codec: State
    arrays: dict[str, npt.NDArray[Any]]
    columns: dict[str, str] | None = None

    @classmethod
    def of(
        cls, generator: CodedGenerator, arrays: dict[str, npt.NDArray[Any]], **settings: Any
    ) -> Self:
        """What is kept of a fitted generator: its codec, and what else it names."""
        codec = generator.codec_.state()
        columns = types_of(generator.table_)
        return cls(generator.name, generator.table_.name, settings, codec, arrays, columns)

    def table_and_codec(self, contract: Contract) -> tuple[Table, TableCodec]:
        """The contract's table that was learned, and its codec as it was fitted."""
        table = self.contract_table(contract)
        return table, TableCodec.restore(table, self.codec)

    def contract_table(self, contract: Contract) -> Table:
        """The contract's table that was learned; ModelError when the contract has none such.

        Codecs are told apart by their place, so that other columns would decode to each other's
        values.
        """
        try:
            table = contract.table(self.table)
        except KeyError:
            raise ModelError(
                f"stored model: made for table {self.table!r}, which contract {contract.id!r} "
                "does not have. Load it with the contract that it was fitted under."
            ) from None
        if self.columns is not None and list(types_of(table).items()) != list(self.columns.items()):
            learned = ", ".join(f"{name} ({kind})" for name, kind in self.columns.items())
            raise ModelError(
                f"stored model: table {self.table!r} of contract {contract.id!r} has not the "
                f"columns that it was made for: {learned}. Load it with the contract that it was "
                "fitted under."
            )
        return table


def types_of(table: Table) -> dict[str, str]:
    """The exact type of each column, in their order."""
    return {column.name: column.physical_type for column in table.columns}


def write_model(folder: Path, stored: StoredModel) -> None:
    """Writes the model into `folder`, which is made if need be; equal models give equal bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {**prefixed(stored.codec.arrays, "codec"), **prefixed(stored.arrays, "model")}
    settings = {
        "layout": LAYOUT,
        "name": stored.name,
        "table": stored.table,
        "columns": stored.columns,
        "settings": stored.settings,
        "codec": stored.codec.settings,
    }
    text = json.dumps(settings, indent=1, allow_nan=False)
    save_file({key: np.ascontiguousarray(arrays[key]) for key in sorted(arrays)}, folder / ARRAYS)
    (folder / SETTINGS).write_text(text, encoding="utf-8")


def read_model(folder: Path) -> StoredModel:
    """Reads what `write_model` wrote; ModelError when the folder holds no such model."""
    settings = read_settings(folder)
    try:
        arrays = load_file(folder / ARRAYS)
    except (OSError, SafetensorError) as error:
        raise ModelError(
            f"{folder / ARRAYS}: not readable ({error}). Fit the model again."
        ) from None
    return StoredModel(
        name=settings["name"],
        table=settings["table"],
        columns=settings.get("columns"),
        settings=settings["settings"],
        codec=State(settings["codec"], unprefixed(arrays, "codec")),
        arrays=unprefixed(arrays, "model"),
    )


def read_settings(folder: Path) -> dict[str, Any]:
    """The JSON part of a stored model; ModelError when it is missing or of another layout."""
    path = folder / SETTINGS
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: not readable ({error}). Name a stored model's folder.") from None
    if not isinstance(settings, dict) or settings.get("layout") != LAYOUT:
        found = settings.get("layout") if isinstance(settings, dict) else None
        raise ModelError(f"{path}: layout {found}, not {LAYOUT}. Fit the model again.")
    return settings
