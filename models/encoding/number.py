"""Numbers as codes: integers, floats and decimals, each on its lattice."""

from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from data_contracts.contract import Column
from data_contracts.doubles import decimal_words, doubles
from models.encoding.axis import Axis
from models.encoding.column import (
    THRESHOLD,
    BoolArray,
    FloatArray,
    IntArray,
    State,
)
from models.encoding.exact_values import ExactValues, Numbers
from models.encoding.lattice import Lattice
from models.encoding.measure import Measure

_MIDDLE = np.uint64(2**63)
SAFE = 2.0**50
"""Decimals of fewer steps of their last digit come back exactly from floats."""


class NumberCodec:
    """A number as a coarse and a fine code (see `Axis`) of its position on the column's lattice.

    Loss: see `Axis`. Infinite values count as the most extreme ones. Beyond 2**53 steps of the
    lattice, positions are rounded to the nearest float, but numbers that enough units share come
    back exactly.
    """

    kind: ClassVar[str] = "number"

    def __init__(self, column: Column, threshold: int = THRESHOLD) -> None:
        self.column, self.threshold = column, threshold

    def fit(self, values: pd.Series, units: IntArray | None = None) -> Self:
        """Learns lattice and axis; `units` (rows,) says whose each value is."""
        self.dtype_ = values.dtype
        integers = _integers(values)
        if integers is not None:
            self.lattice_ = Lattice.of_integers(integers)
        else:
            self.lattice_ = Lattice.of_floats(_floats(values))
        self.exact_ = ExactValues()
        positions = self._positions(values)
        numbers = self._rounded(values, positions)
        if numbers is not None:
            known = ~np.isnan(positions)
            owners = None if units is None else units[known]
            self.exact_ = ExactValues.of(numbers, positions[known], owners, self.threshold)
            positions = self._positions(values)
        self.axis_ = Axis.fit(
            positions, whole=self.lattice_.whole, threshold=self.threshold, units=units
        )
        self.parts_ = self.axis_.parts
        return self

    def encode(self, values: pd.Series) -> IntArray:
        """Codes (rows, parts) of the values (rows,)."""
        return self.axis_.encode(self._positions(values))

    def decode(self, codes: IntArray, random: np.random.Generator) -> pd.Series:
        """Values (rows,) of the codes (rows, parts), in the dtype that was learned."""
        return self._series(self.axis_.decode(codes, random))

    def decode_between(
        self, codes: IntArray, bounds: tuple[FloatArray, FloatArray], random: np.random.Generator
    ) -> pd.Series:
        """As `decode`, each value within its row's bounds `(rows,)` as far as the axis goes."""
        places = self.measure().positions(*bounds)
        return self._series(self.axis_.decode_between(codes, places, random))

    def measure(self) -> Measure:
        """Where the positions lie among the numbers."""
        if not self.lattice_.whole:
            return Measure("number", self.axis_)
        parts = 10.0**self.lattice_.decimals
        return Measure(
            "number", self.axis_, self.lattice_.step / parts, self.lattice_.origin / parts
        )

    def positions(self, values: pd.Series) -> FloatArray:
        """Where the values `(rows,)` lie on the lattice, NaN where missing."""
        return self._positions(values)

    def nearest(self, values: pd.Series) -> pd.Series:
        """Floats at the nearest places of the lattice; whole numbers and decimals as they are."""
        if isinstance(values.dtype, pd.ArrowDtype) or values.dtype.kind != "f":
            return values
        return self._series(self._positions(values)).astype(values.dtype).set_axis(values.index)

    def log_detail(self, values: pd.Series) -> FloatArray:
        """The log density of values `(rows,)` given their codes; on a lattice the probability.

        Minus infinity off the lattice: nothing is drawn there.
        """
        logs = self.axis_.log_detail(self._positions(values))
        known, integers = values.notna().to_numpy(dtype=bool), _integers(values)
        numbers = _floats(values)[known] if integers is None else integers
        logs[known] += np.where(self.lattice_.holds(numbers), 0.0, -np.inf)
        return logs

    def numbers(self, values: pd.Series) -> FloatArray:
        """The values as floats, NaN where missing."""
        return _floats(values)

    def ticks(self, values: pd.Series) -> IntArray | None:
        """Whole numbers as int64 in their order, 0 where missing; None for all others."""
        integers = _integers(values)
        if integers is None:
            return None
        ticks = np.zeros(len(values), dtype=np.int64)
        ticks[values.notna().to_numpy(dtype=bool)] = integers
        return ticks

    def outside(self, values: pd.Series) -> BoolArray:
        """Values beyond the contract's range, or missing ones where none was missing."""
        missing = values.isna().to_numpy(dtype=bool)
        numbers = _floats(values)
        outside = missing & (not self.axis_.missing)
        if self.column.minimum is not None:
            outside |= ~missing & (numbers < float(self.column.minimum))
        if self.column.maximum is not None:
            outside |= ~missing & (numbers > float(self.column.maximum))
        return outside

    @property
    def domain(self) -> str:
        """The contract's range, in words."""
        low, high = self.column.minimum, self.column.maximum
        ends = [f"from {low}"] * (low is not None) + [f"up to {high}"] * (high is not None)
        nothing = " or nothing" if self.axis_.missing else ""
        return f"a number {' '.join(ends)}".strip() + nothing

    def state(self) -> State:
        """What `restore` needs."""
        axis = self.axis_.state()
        lattice = [self.lattice_.step, self.lattice_.origin, self.lattice_.decimals]
        settings = {"axis": axis.settings, "lattice": lattice, "exact": self.exact_.texts}
        return State(settings, {**axis.arrays, "exact": self.exact_.positions})

    @classmethod
    def restore(cls, column: Column, dtype: Any, state: State) -> Self:
        """The codec that `state` was taken from."""
        codec = cls(column)
        codec.dtype_ = dtype
        codec.lattice_ = Lattice(*state.settings["lattice"])
        arrays = dict(state.arrays)
        codec.exact_ = ExactValues.restore(state.settings["exact"], arrays.pop("exact"))
        codec.axis_ = Axis.restore(State(state.settings["axis"], arrays))
        codec.parts_ = codec.axis_.parts
        return codec

    def _positions(self, values: pd.Series) -> FloatArray:
        integers = _integers(values)
        known = values.notna().to_numpy(dtype=bool)
        if integers is not None:
            positions = np.full(len(values), np.nan)
            positions[known] = self.lattice_.integer_positions(integers)
        else:
            positions = self.lattice_.positions(_floats(values))
        if len(self.exact_.numbers):
            numbers = _unscaled(values) if integers is None else integers
            positions = positions.copy()
            positions[known] = self.exact_.place(numbers, positions[known])
        return positions

    def _rounded(self, values: pd.Series, positions: FloatArray) -> Numbers | None:
        """The numbers of the known values, where their positions do not tell each from others."""
        integers = _integers(values)
        if integers is not None:
            back = self.lattice_.integers(positions[~np.isnan(positions)], -(2**63), 2**63 - 1)
            return None if bool((back == integers).all()) else integers
        if not isinstance(values.dtype, pd.ArrowDtype):
            return None
        most = float(np.nanmax(np.abs(_floats(values)), initial=0))
        return _unscaled(values) if most * 10.0**values.dtype.pyarrow_dtype.scale >= SAFE else None

    def _series(self, positions: FloatArray) -> pd.Series:
        missing = np.isnan(positions)
        if isinstance(self.dtype_, pd.ArrowDtype):
            return self._decimals(positions, self.dtype_)
        if self.dtype_.kind in "iu":
            numpy_dtype = np.dtype(str(self.dtype_).lower())
            integers = self._fitting(np.where(missing, 0, positions), numpy_dtype)
            if not isinstance(self.dtype_, np.dtype):
                return pd.Series(pd.arrays.IntegerArray(integers, missing))
            return pd.Series(integers)
        floats = self.lattice_.values(positions)
        return pd.Series(floats.astype(np.float32 if "32" in str(self.dtype_) else np.float64))

    def _fitting(self, positions: FloatArray, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
        """Whole values within what `dtype` can hold."""
        ends = np.iinfo(np.int64 if dtype == np.uint64 else dtype)
        rounded = self.lattice_.integers(positions, int(ends.min), int(ends.max))
        whole = self.exact_.put(rounded, positions)
        return whole.view(np.uint64) ^ _MIDDLE if dtype == np.uint64 else whole.astype(dtype)

    def _decimals(self, positions: FloatArray, dtype: pd.ArrowDtype) -> pd.Series:
        """Decimals of the declared precision and scale."""
        target = dtype.pyarrow_dtype
        missing = np.isnan(positions)
        scaled = np.rint(np.where(missing, 0, self.lattice_.values(positions)) * 10.0**target.scale)
        most = 10**target.precision - 1
        if most < 2**63:
            whole = np.clip(scaled, -float(most), float(most)).astype(np.int64).clip(-most, most)
            array = _decimal_array(self.exact_.put(whole, positions), missing, target)
        else:
            digits = np.empty(len(scaled), dtype=object)
            digits[:] = [int(value) for value in scaled]
            numbers = zip(self.exact_.put(digits, positions), missing, strict=True)
            array = pa.array(
                [None if gone else _scaled(one, most, target.scale) for one, gone in numbers],
                type=target,
            )
        return pd.Series(pd.arrays.ArrowExtensionArray(array))


def _integers(values: pd.Series) -> IntArray | None:
    """The values that are not missing as int64; None where they are not whole."""
    if isinstance(values.dtype, pd.ArrowDtype) or values.dtype.kind not in "iu":
        return None
    known = values.dropna().to_numpy(dtype=str(values.dtype).lower())
    if known.dtype == np.uint64:
        # Counted from the middle of their range, they fit into int64.
        return (known ^ _MIDDLE).view(np.int64)
    return known.astype(np.int64)


def _floats(values: pd.Series) -> FloatArray:
    """The values as floats, NaN where missing; float32 as the decimal that it prints as."""
    if isinstance(values.dtype, pd.ArrowDtype):
        return doubles(pa.array(values))
    if str(values.dtype).lower() == "float32":
        plain = values.to_numpy(dtype=np.float32, na_value=np.nan)
        distinct, index = np.unique(plain, return_inverse=True)
        return distinct.astype(str).astype(np.float64)[index]
    return values.to_numpy(dtype=np.float64, na_value=np.nan)


def _unscaled(values: pd.Series) -> Numbers:
    """The known decimals as whole numbers of their last digit."""
    array = pa.chunked_array([pa.array(values)]).combine_chunks().drop_null()
    low, high = decimal_words(array)
    if array.type.precision <= 18:
        narrow: Numbers = low.copy()
        return narrow
    # 128-bit two's complement, low word first.
    whole: Numbers = (high.astype(object) << 64) + low.view(np.uint64).astype(object)
    return whole


def _scaled(value: int, most: int, scale: int) -> Any:
    import decimal

    context = decimal.Context(prec=60)
    return decimal.Decimal(max(-most, min(most, value))).scaleb(-scale, context)


def _decimal_array(whole: IntArray, missing: BoolArray, target: pa.DataType) -> pa.Array:
    """Arrow decimals from unscaled values: 128-bit two's complement, low word first."""
    words = np.stack([whole, whole >> 63], 1)
    valid = np.packbits(~missing, bitorder="little").tobytes()
    buffers = [pa.py_buffer(valid), pa.py_buffer(np.ascontiguousarray(words))]
    return pa.Array.from_buffers(target, len(whole), buffers)
