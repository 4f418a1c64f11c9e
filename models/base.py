"""The verbs as small protocols: what a codec, a generator and an evaluation must be able to do."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, Self, TypeVar, runtime_checkable

import numpy as np
import pandas as pd

from data_contracts.contract import Contract
from data_contracts.dataset import Dataset

Progress = Mapping[str, float]
Given = Mapping[str, Any] | pd.DataFrame
Seen = TypeVar("Seen", contravariant=True)
Told = TypeVar("Told", covariant=True)


class ProgressCallback(Protocol):
    """Told now and then how far a fit is: `done` in 0..1 and figures such as the loss."""

    def __call__(self, done: float, figures: Progress) -> None: ...


class Checkpoints(Protocol):
    """Where the last checkpoint of a fit is kept, whole or not at all, so that it can go on."""

    def read(self) -> bytes | None: ...

    def write(self, content: bytes) -> None: ...


@runtime_checkable
class Generator(Protocol):
    """Learns a dataset, then makes rows like it that keep the same contract.

    `fit` returns self and leaves its input as it was. `sample` gives exactly `n` rows of the
    single table, in the contract's columns, order and dtypes; `given` fixes columns exactly and
    never by rejection: `{column: value}` for all rows, or a frame of `n` rows with a value for each
    row. The same seed gives the same rows. `first_row` is the number of the first one in a larger
    whole that is drawn in parts, so that re-issued keys stay unique. What is learned ends in `_`.
    """

    def fit(
        self, data: Dataset, *, seed: int, progress: ProgressCallback | None = None
    ) -> Self: ...

    def sample(
        self, n: int, *, given: Given | None = None, seed: int, first_row: int = 0
    ) -> Dataset: ...

    def save(self, folder: Path) -> None: ...

    @classmethod
    def load(cls, folder: Path, contract: Contract) -> Self: ...


@runtime_checkable
class Embedder(Protocol):
    """Learns a dataset, then turns rows of the same table into points of a small space.

    `embed` gives a float array `(rows, dimensions)`, the same for the same rows, for other models
    to learn from: rows that are alike lie close together.
    """

    def fit(
        self, data: Dataset, *, seed: int, progress: ProgressCallback | None = None
    ) -> Self: ...

    def embed(self, data: Dataset) -> np.ndarray: ...


@runtime_checkable
class Codec(Protocol):
    """Turns one column into small integer codes, and codes back into values.

    `encode` gives an int array (rows, parts); `decode` takes the same shape and a random
    generator for the detail below the codes. A loss is declared in the codec's docstring.
    """

    def fit(self, values: pd.Series, units: np.ndarray | None = None) -> Self: ...

    def encode(self, values: pd.Series) -> np.ndarray: ...

    def decode(self, codes: np.ndarray, random: np.random.Generator) -> pd.Series: ...


class Evaluation(Protocol[Seen, Told]):
    """One attack, or a use: looks at what somebody would have, and tells what was found there.

    What is seen is a table of a release beside real rows, or codes with what is known of their
    rows; what is told are findings, or trials where several attacks share one alpha. The docstring
    of each says who attacks, with what and how ("Scenario: ..."), and how large a leak it finds
    beside how many rows ("Power: ..."): an attack of unknown power proves nothing by passing.
    """

    def evaluate(self, seen: Seen, /) -> tuple[Told, ...]: ...
