"""What every column codec offers beyond `Codec`: its code layout, its domain, its stored state."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, Self, runtime_checkable

import numpy as np
import numpy.typing as npt
import pandas as pd

from data_contracts.contract import Column

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

UNKNOWN = -1
"""The code of what is not known (a protected value) or does not apply (no detail below a code)."""

THRESHOLD = 8
"""Fewest units of privacy that must share a value before it may be shown."""


@dataclass(frozen=True)
class Part:
    """One code of a column: `cardinality` values 0..cardinality-1.

    `parent` is the index, within the column, of the code that this one refines; it applies only
    where the parent's code is at least `applies_from`. `nested` says that its distribution differs
    from parent code to parent code even before anything else is known. `line` are the values that
    stand for places on a line (numbers, dates), in their order there: neighbours behave alike.
    """

    cardinality: int
    parent: int | None = None
    applies_from: int = 0
    nested: bool = False
    line: tuple[int, ...] = ()


@dataclass(frozen=True)
class State:
    """A fitted codec as plain data: JSON settings and numpy arrays, nothing that runs."""

    settings: dict[str, Any] = field(default_factory=dict)
    arrays: dict[str, npt.NDArray[Any]] = field(default_factory=dict)


@runtime_checkable
class ColumnCodec(Protocol):
    """A `Codec` of one contract column that knows its parts, its domain and how to be stored."""

    kind: ClassVar[str]
    parts_: tuple[Part, ...]

    def fit(self, values: pd.Series, units: IntArray | None = None) -> Self: ...

    def encode(self, values: pd.Series) -> IntArray: ...

    def decode(self, codes: IntArray, random: np.random.Generator) -> pd.Series: ...

    def outside(self, values: pd.Series) -> BoolArray:
        """Which of `values` cannot be given as a condition."""
        ...

    @property
    def domain(self) -> str:
        """What may be given as a condition, in words; never lists values of rows."""
        ...

    def state(self) -> State: ...

    @classmethod
    def restore(cls, column: Column, dtype: Any, state: State) -> Self: ...


def unit_counts(codes: IntArray, size: int, units: IntArray | None) -> IntArray:
    """How many different units hold each of the codes 0..size-1; negative codes count for nothing.

    `units` (rows,) are non-negative ids; without them every row is a unit of its own.
    """
    known = codes >= 0
    if units is None:
        return np.bincount(codes[known], minlength=size).astype(np.int64)
    width = np.int64(units.max(initial=0)) + 1
    pairs = np.unique(codes[known] * width + units[known])
    return np.bincount(pairs // width, minlength=size).astype(np.int64)


def protected_range(
    positions: FloatArray, units: IntArray | None, threshold: int
) -> tuple[float, float] | None:
    """The `threshold`-th most extreme unit's value at either end; None when too few units remain.

    Values beyond it are held by fewer than `threshold` units, so that showing them would point at
    one of few. Missing (NaN) and infinite positions are left out.
    """
    finite = np.isfinite(positions)
    values = positions[finite]
    if units is None:
        lowest = highest = values
    else:
        owners = np.unique(units[finite], return_inverse=True)[1]
        count = int(owners.max(initial=-1)) + 1
        lowest, highest = np.full(count, np.inf), np.full(count, -np.inf)
        np.minimum.at(lowest, owners, values)
        np.maximum.at(highest, owners, values)
    if len(lowest) < threshold:
        return None
    low = float(np.partition(lowest, threshold - 1)[threshold - 1])
    high = float(-np.partition(-highest, threshold - 1)[threshold - 1])
    return (low, high) if low <= high else None


def mid_mean(positions: FloatArray, units: IntArray | None) -> float:
    """The mean of the middle half, nobody's own; it stands for all where no spread may be shown.

    Each unit counts once, by the mean of its rows. Missing and infinite positions are left out.
    """
    finite = np.isfinite(positions)
    values = positions[finite]
    if units is not None:
        _, owners, rows = np.unique(units[finite], return_inverse=True, return_counts=True)
        # Divided first: sums of huge numbers overflow.
        values = np.bincount(owners, values / rows[owners]).astype(np.float64)
    values = np.sort(values)
    half = values[len(values) // 4 : len(values) - len(values) // 4]
    return float((half / len(half)).sum()) if len(half) else 0.0


def prefixed(arrays: Mapping[str, npt.NDArray[Any]], prefix: str) -> dict[str, npt.NDArray[Any]]:
    """The arrays under `prefix/name` keys, so that several parts share one safetensors file."""
    return {f"{prefix}/{name}": array for name, array in arrays.items()}


def unprefixed(arrays: Mapping[str, npt.NDArray[Any]], prefix: str) -> dict[str, npt.NDArray[Any]]:
    """The inverse of `prefixed`: only the keys under `prefix`, without it."""
    start = f"{prefix}/"
    return {name[len(start) :]: array for name, array in arrays.items() if name.startswith(start)}
