"""The codes of a table, from what its contract says in public and from what was paid for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from data_contracts.checks import own_bound
from data_contracts.contract import Column, Privacy, Table
from data_contracts.errors import ModelError
from data_contracts.schema import arrow_type, column_type
from models.differential_privacy.accounting import threshold_of
from models.differential_privacy.ledger import Ledger
from models.differential_privacy.noisy_tree import LEAST, Total
from models.differential_privacy.paid_axis import Bins, Counted, PublicLine, buy_axis, even_axis
from models.differential_privacy.secure_noise import noisy_counts
from models.encoding.axis import Axis
from models.encoding.category import MOST_MADE_UP, OTHER_SHARE, CategoryCodec, dtype_of
from models.encoding.column import THRESHOLD, FloatArray, State, prefixed
from models.encoding.issuers import has_issuer
from models.encoding.number import NumberCodec
from models.encoding.pattern import HEX, parse_pattern
from models.encoding.table import TableCodec
from models.encoding.temporal import TemporalCodec, day_parts

LISTED_SHARE = 0.05
"""Of the budget, for counting each value of listed columns once."""
LIST_DELTA = 0.1
"""Of delta, for lists of values that nobody has published."""
_SHAPE = [HEX] * 12


@dataclass(frozen=True)
class PaidCodec:
    """A table's codec and the counts that came with it, by part."""

    codec: TableCodec
    counted: Mapping[int, Counted]


def list_delta(table: Table, privacy: Privacy) -> float:
    """The part of delta that the table's unlisted columns need; 0 where all is listed."""
    return privacy.delta * LIST_DELTA if any(_unlisted(table, c) for c in table.columns) else 0.0


def buy_codec(
    frame: pd.DataFrame, table: Table, privacy: Privacy, bins: Bins, ledger: Ledger
) -> PaidCodec:
    """The codec of `frame`; numbers are cut into about so many codes as `bins` says.

    Looks at the rows only through `ledger`: bounds and lists come from the contract, spans and
    unlisted values from noisy counts.
    """
    buyer = _Buyer(frame, table, privacy, bins, ledger)
    settings: dict[str, Any] = {"combinations": []}
    arrays: dict[str, npt.NDArray[Any]] = {}
    found: dict[tuple[str, int], Counted] = {}
    for number, column in enumerate(table.columns):
        state, counted = buyer.buy(column)
        settings[str(number)] = state.settings
        arrays |= prefixed(state.arrays, str(number))
        found |= {(column.name, place): one for place, one in counted.items()}
    codec = TableCodec.restore(table, State(settings, arrays))
    by_part = {codec.columns_[name].start + place: one for (name, place), one in found.items()}
    return PaidCodec(codec, by_part)


def _unlisted(table: Table, column: Column) -> bool:
    return not table.issues(column) and column.kind == "category" and column.categories is None


@dataclass(frozen=True)
class _Buyer:
    """Buys column by column; each costs the same as the others of its sort."""

    frame: pd.DataFrame
    table: Table
    privacy: Privacy
    bins: Bins
    ledger: Ledger

    def buy(self, column: Column) -> tuple[State, dict[int, Counted]]:
        """The state of the column's codec, and counts by the place of its parts."""
        if self.table.issues(column):
            return _issuer_state(column), {}
        if column.kind == "number":
            return self._number(column)
        return self._time(column) if column.kind == "datetime" else self._category(column)

    @property
    def _prices(self) -> tuple[float, float]:
        """Squared mu for a listed column, and for one whose values are to be found."""
        modelled = [column for column in self.table.columns if not self.table.issues(column)]
        sought = sum(_axes(column) for column in modelled)
        sought += sum(_unlisted(self.table, column) for column in modelled)
        listed = sum(column.kind in ("category", "boolean") for column in modelled)
        share = self.privacy.value_share * self.ledger.total / max(1, sought)
        return LISTED_SHARE * self.ledger.total / max(1, listed), share

    def _category(self, column: Column) -> tuple[State, dict[int, Counted]]:
        values = self.frame[column.name]
        listed: list[Any] = [False, True] if column.kind == "boolean" else []
        listed = list(column.categories) if column.categories is not None else listed
        if _unlisted(self.table, column):
            return self._found(column, values)
        codec = _category_codec(column, listed, other=False)
        size = codec.parts_[0].cardinality
        codes = codec.encode(values)[:, 0]
        variance = self.ledger.buy_counts(f"{column.name}: listed values", self._prices[0])
        noisy = noisy_counts(np.bincount(codes[codes >= 0], minlength=size), variance)
        state = codec.state()
        return State({"kind": codec.kind, **state.settings}), {
            0: Counted(noisy.astype(np.float64), variance)
        }

    def _found(self, column: Column, values: pd.Series) -> tuple[State, dict[int, Counted]]:
        """Values that no list has, where a noisy count shows that several units hold them."""
        sought = sum(_unlisted(self.table, other) for other in self.table.columns)
        delta = self.ledger.list_delta / sought
        index, found = pd.factorize(values.astype(object), sort=False)
        what = f"{column.name}: values that no list has"
        variance = self.ledger.buy_counts(what, self._prices[1], delta)
        counts = np.bincount(np.where(index < 0, len(found), index), minlength=len(found) + 1)
        noisy = noisy_counts(counts.astype(np.int64), variance)
        # A unit may bring as many values of its own as it has rows.
        sensitivity = self.ledger.sensitivity
        least = max(threshold_of(delta / sensitivity, variance, sensitivity), THRESHOLD)
        listed = [(str(value), n) for n, value in enumerate(found)]
        shown = sorted(listed[n] for n in np.flatnonzero(noisy[:-1] >= least).tolist())
        places = [len(found), *(place for _, place in shown)]
        kept = noisy[places[column.required :]].astype(np.float64)
        rest = Total(self.bins.total.rows - float(noisy[places].sum()),
                     self.bins.total.variance + variance * len(places))  # fmt: skip
        many = rest.rows > max(OTHER_SHARE * self.bins.total.rows, LEAST * rest.variance**0.5)
        codec = self._found_codec(column, [list(found)[place] for _, place in shown], many)
        state = State({"kind": codec.kind, **codec.state().settings})
        # How many the others are is not known as well as the rest: they are counted with it later.
        counted = codec.parts_[0].cardinality == len(kept)
        return state, {0: Counted(kept, variance)} if counted and shown else {}

    def _found_codec(self, column: Column, values: list[Any], many: bool) -> CategoryCodec:
        """The codec of found values, and of one that stands for the others where they are `many`.

        Left out, their rows would count in no marginal, and be missing from the sum of all.
        """
        words = column.pattern is None
        stands = many or (not values and column.required)
        made_up = MOST_MADE_UP * (stands and not words)
        codec = _category_codec(column, values, other=stands and words, made_up=made_up)
        if not values and column.required and not codec.parts_[0].cardinality:
            raise ModelError(
                f"column {column.name!r}: no value is held by so many units that it may be shown "
                f"under privacy.epsilon {self.privacy.epsilon:g}. List its values in the contract, "
                "or mark it as an identifier."
            )
        return codec

    def _number(self, column: Column) -> tuple[State, dict[int, Counted]]:
        lattice, line = _public_line(column)
        settings = {"lattice": lattice, "exact": []}
        bare = NumberCodec.restore(
            column, dtype_of(column), _number_state(settings, even_axis(line, 1))
        )
        positions = bare.positions(self.frame[column.name])
        axis, counted = self._axis(line, positions, column.name, self.bins)
        state = _number_state(settings, axis)
        return State({"kind": NumberCodec.kind, **state.settings}, state.arrays), counted

    def _axis(
        self, line: PublicLine, positions: FloatArray, what: str, bins: Bins
    ) -> tuple[Axis, dict[int, Counted]]:
        if self.privacy.value_share == 0:
            return even_axis(line, bins.most), {}
        purchase = (self.ledger, self._prices[1], f"{what}: where its values lie")
        axis, counted = buy_axis(line, positions, bins, purchase)
        return axis, {0: counted}

    def _time(self, column: Column) -> tuple[State, dict[int, Counted]]:
        values = self.frame[column.name]
        days, rest, known = day_parts(values)
        ticks = _ticks_per_day(column)
        low = own_bound(column, column.minimum or 0, upwards=True) // ticks
        high = own_bound(column, column.maximum or 0, upwards=False) // ticks
        if "tz=" in column.physical_type:
            # Bounds are instants; the day on the wall may be one off.
            low, high = low - 1, high + 1
        line = PublicLine(float(low), float(high), whole=True, missing=not column.required)
        positions = np.full(len(values), np.nan)
        positions[known] = days
        axis, counted = self._axis(line, positions, f"{column.name} (day)", self.bins)
        day = axis.state()
        settings: dict[str, Any] = {"kind": TemporalCodec.kind, "grain": "day", "day": day.settings}
        span = np.array([low * ticks, (high + 1) * ticks - 1], dtype=np.int64)
        arrays = {**prefixed(day.arrays, "day"), "span": span}
        if _axes(column) > 1:
            second = max(1, ticks // 86_400)
            clock_line = PublicLine(0.0, float(ticks // second - 1), whole=True, missing=False)
            seconds = (rest // second).astype(np.float64)
            what, bins = f"{column.name} (time of day)", self.bins
            if line.missing and 0 in counted:
                gone, noise = float(counted[0].counts[0]), counted[0].variance
                known_rows = Total(bins.total.rows - gone, bins.total.variance + noise)
                bins = Bins(bins.most, known_rows)
            clock_axis, of_clock = self._axis(clock_line, seconds, what, bins)
            counted |= {len(axis.parts): one for one in of_clock.values()}
            clock = clock_axis.state()
            settings |= {"clock": clock.settings, "clock_lattice": [second, 0]}
            arrays |= prefixed(clock.arrays, "clock")
        return State(settings, arrays), counted


def _axes(column: Column) -> int:
    """How many lines a column has: a timestamp one for the day and one for the time of day."""
    if column.kind == "number":
        return 1
    return (1 + (column.logical_type == "timestamp")) * (column.kind == "datetime")


def _category_codec(
    column: Column, values: list[Any], *, other: bool, made_up: int = 0
) -> CategoryCodec:
    texts = [value if isinstance(value, bool) else str(value) for value in values]
    settings: dict[str, Any] = {
        "missing": not column.required,
        "other": other,
        "made_up": made_up,
        "values": texts,
        "threshold": THRESHOLD,
        "categories": texts,
    }
    return CategoryCodec.restore(column, dtype_of(column), State(settings))


def _number_state(settings: dict[str, Any], axis: Axis) -> State:
    state = axis.state()
    return State({**settings, "axis": state.settings}, {**state.arrays, "exact": np.empty(0)})


def _public_line(column: Column) -> tuple[list[int], PublicLine]:
    """Step, origin and decimals of the type's own lattice, and the line of the bounds on it."""
    target = arrow_type(column.physical_type)
    low = own_bound(column, column.minimum or 0, upwards=True)
    high = own_bound(column, column.maximum or 0, upwards=False)
    if pa.types.is_integer(target):
        middle = 2**63 if pa.types.is_uint64(target) else 0
        lattice, zero = [1, int(low) - middle, 0], -float(int(low))
        ends = (0.0, float(int(high) - int(low)))
    elif pa.types.is_decimal(target):
        lattice, zero = [1, 0, target.scale], 0.0
        ends = (float(low * 10**target.scale), float(high * 10**target.scale))
    else:
        lattice, zero, ends = [0, 0, 0], 0.0, (float(low), float(high))
    line = PublicLine(*ends, whole=lattice[0] > 0, missing=not column.required, zero=zero)
    return lattice, line


def _ticks_per_day(column: Column) -> int:
    target = column_type(column)
    if pa.types.is_date32(target):
        return 1
    if pa.types.is_date64(target):
        return 86_400_000
    return 86_400 * {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[target.unit]


def _issuer_state(column: Column) -> State:
    """Issued anew from what the contract says; nothing is learned, not even how many miss one."""
    patterned = column.pattern is not None and parse_pattern(column.pattern) is not None
    plain = column.logical_type != "string" or patterned or has_issuer(column.identifier_kind)
    known = plain or column.identifier_kind == "iban"
    return State(
        {
            "kind": "identifier",
            "missing": 0.0,
            "shape": None if known else _SHAPE,
            "country": None,
        }
    )
