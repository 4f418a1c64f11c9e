"""The currency between tasks and models: a contract and its tables as frames."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pandas as pd

from data_contracts.contract import Contract


@dataclass(frozen=True)
class Dataset:
    """A contract and `{table name: frame}`; frames have the contract's columns, in its order.

    Dtypes are those of `data_contracts.schema.to_frame`: nullable integers and booleans,
    Arrow-backed dates and decimals, `str` strings, pandas categoricals for dictionaries.
    """

    contract: Contract
    tables: dict[str, pd.DataFrame]

    def __post_init__(self) -> None:
        for name, frame in self.tables.items():
            declared = list(self.contract.table(name).column_names)
            if list(frame.columns) != declared:
                raise ValueError(
                    f"table {name!r}: columns {list(frame.columns)} are not the contract's "
                    f"{declared}"
                )

    @property
    def frame(self) -> pd.DataFrame:
        """The only table's frame; ValueError when there are several."""
        if len(self.tables) != 1:
            raise ValueError(f"{len(self.tables)} tables; name one of {sorted(self.tables)}")
        return next(iter(self.tables.values()))

    @property
    def rows(self) -> int:
        """How many rows `parts` gives in all."""
        return len(self.frame)

    def parts(self) -> Iterator[pd.DataFrame]:
        """All rows of the only table, part by part; each call starts anew."""
        yield self.frame


@dataclass(frozen=True)
class LargeDataset(Dataset):
    """One table of more rows than one frame should hold: `frame` is a choice of them.

    Who can learn from parts reads all rows through `parts`; everybody else learns from `frame`.
    """

    total_rows: int
    read: Callable[[], Iterator[pd.DataFrame]]

    @property
    def rows(self) -> int:
        return self.total_rows

    def parts(self) -> Iterator[pd.DataFrame]:
        return self.read()
