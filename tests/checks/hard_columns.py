"""A table of columns that are hard to carry: rare and huge values, odd types, odd names."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa

from data_contracts.contract import Column, Contract, LogicalType, Source, Table
from data_contracts.dataset import Dataset
from data_contracts.schema import arrow_schema, to_frame, type_text

ROWS = 1_000
FEW = 5
"""Rows with a known value in the columns that hardly have any: too few to show one."""
SECRET = "held by two"
LONG = "long " * 5_000
_VIENNA, _YORK = "Europe/Vienna", "America/New_York"
_GAP = np.datetime64("2024-03-31T00:30:00", "ms")
"""In UTC; the clocks of Vienna skip from 2 to 3 half an hour later."""
_FOLD = np.datetime64("2024-10-27T00:10:00", "ms")
"""In UTC; the clocks of Vienna show this hour twice."""
_NAMES = (
    " ", "0", "a.b/c", "select * from", "new\nline", "🎭", "index", "__class__", "{x}", "%s",
)  # fmt: skip


class Hard(NamedTuple):
    """One column: its values, and what the contract says of it besides its type."""

    name: str
    values: pa.Array
    promises: dict[str, Any]


def hard(rows: int = ROWS) -> Dataset:
    """Rows of every hard column."""
    made = [*_texts(rows), *_numbers(rows), *_times(rows), *_empty(rows), *_odd_names(rows)]
    return _dataset("hard", made)


def _dataset(name: str, made: list[Hard]) -> Dataset:
    """A dataset whose contract is made of the columns' own types."""
    columns = tuple(
        Column(
            name=one.name,
            logical_type=_logical(one.values.type),
            physical_type=type_text(one.values.type),
            **one.promises,
        )
        for one in made
    )
    table = Table(name=name, columns=columns, source=Source(format="csv", path=f"{name}.csv"))
    schema = arrow_schema(table)
    arrays = [one.values.cast(field.type) for one, field in zip(made, schema, strict=True)]
    frame = to_frame(pa.Table.from_arrays(arrays, schema=schema))
    return Dataset(Contract(id=name, version="1.0.0", tables=(table,)), {name: frame})


def frame_of(data: Dataset) -> pd.DataFrame:
    return data.frame


def _texts(rows: int) -> Iterator[Hard]:
    random = np.random.default_rng(1)
    yield Hard("thousands", pa.array([f"town {row % (rows // 2)}" for row in range(rows)]), {})
    shared = [f"street {row % (rows // 10)}" for row in range(rows)]
    yield Hard("shared hundreds", pa.array(shared), {})
    listed = tuple(sorted(set(shared)))
    yield Hard("declared hundreds", _dictionary(shared), {"categories": listed})
    kinds = random.choice(["a", "b", "c"], rows).tolist()
    yield Hard("two of a kind", pa.array([SECRET] * 2 + kinds[2:]), {"required": True})
    yield Hard("listed two", _dictionary([SECRET] * 2 + kinds[2:]),
               {"categories": ("a", "b", "c", SECRET), "required": True})  # fmt: skip
    codes = [f"{one:03d}-{other:02d}" for one, other in random.integers(0, 100, (rows, 2))]
    yield Hard("patterned", pa.array(codes), {"pattern": r"^\d{3}-\d{2}$", "required": True})
    yield Hard("large text", pa.array(kinds, pa.large_string()), {})
    levels = random.choice(["low", "mid", "high"], rows).tolist()
    order = {"categories": ("low", "mid", "high"), "ordered": True}
    yield Hard("levels", _dictionary(levels), order)
    odd = [
        "",
        None,
        " ",
        "null",
        "ünï©ødé 漢字 🎭",
        "line\nbreak\ttab",
        "quote\"'",
        "\x00zero",
        LONG,
    ]
    yield Hard("odd text", pa.array([odd[row % len(odd)] for row in range(rows)]), {})
    flags = [(True, False, None)[one] for one in random.integers(0, 3, rows)]
    yield Hard("flag", pa.array(flags), {})
    yield Hard("codes", pa.array(random.choice([1, 5, 9], rows)), {"categories": (1, 5, 9)})


def _numbers(rows: int) -> Iterator[Hard]:
    random = np.random.default_rng(2)
    yield Hard("pareto", pa.array(random.pareto(0.5, rows)), {"minimum": 0})
    yield Hard("lognormal", pa.array(np.exp(3 * random.normal(size=rows)), pa.float32()), {})
    yield Hard("huge", pa.array(random.normal(size=rows) * 1e300), {})
    extreme = random.choice([1e308, -1e308, 5e-324, np.inf, -np.inf, -0.0, np.nan], rows)
    yield Hard("extreme", pa.array(extreme, from_pandas=True), {})
    yield Hard("cents", pa.array(random.integers(0, 10**6, rows) * 5), {"minimum": 0})
    yield Hard("beyond floats", pa.array(2**60 + random.integers(0, 10**6, rows)), {})
    exact = [2**62 + 1, 2**62 + 2, -(2**62) - 1]
    yield Hard("exact codes", pa.array([exact[row % 3] for row in range(rows)]), {})
    yield Hard(
        "unsigned",
        pa.array([2**64 - 1 - int(one) for one in random.integers(0, 300, rows)], pa.uint64()),
        {},
    )
    yield Hard("tiny", pa.array(random.integers(0, 256, rows), pa.uint8()), {})
    yield Hard("small", pa.array(random.integers(-128, 128, rows), pa.int8()), {})
    yield Hard("port", pa.array(random.integers(0, 2**16, rows), pa.uint16()), {})
    money = [Decimal(int(one)).scaleb(-2) for one in random.integers(-(10**9), 10**9, rows)]
    yield Hard("money", pa.array(money, pa.decimal128(12, 2)), {})
    last_digit = Decimal(1).scaleb(-10)
    wide = [Decimal(int(one)) * 10**19 + last_digit for one in random.integers(1, 99, rows)]
    yield Hard("wide money", pa.array(wide, pa.decimal128(38, 10)), {})
    yield Hard("few or none", pa.array([1.5 if row % 3 else None for row in range(rows)]), {})
    scarce = [float(row) if row % 100 == 0 else None for row in range(rows)]
    yield Hard("99 % missing", pa.array(scarce), {})


def _times(rows: int) -> Iterator[Hard]:
    random = np.random.default_rng(3)
    hours = random.integers(0, 4 * 3_600_000, rows).astype("timedelta64[ms]")
    around = np.where(random.random(rows) < 0.5, _GAP, _FOLD) + hours
    local = pa.array(around).cast(pa.timestamp("ms", _VIENNA))
    yield Hard("clock change", local, {"timezone": _VIENNA})
    start = np.datetime64("2020-01-01", "ns")
    ticks = random.integers(0, 10**17, rows).astype("timedelta64[ns]")
    yield Hard("nanoseconds", pa.array(start + ticks), {})
    yield Hard("microseconds", pa.array((start + ticks).astype("datetime64[us]")), {})
    yield Hard("milliseconds", pa.array((start + ticks).astype("datetime64[ms]")), {})
    seconds = pa.array((start + ticks).astype("datetime64[s]"))
    yield Hard("seconds", seconds.cast(pa.timestamp("s", _YORK)), {"timezone": _YORK})
    days = np.datetime64("1970-01-01") + random.integers(-30_000, 30_000, rows)
    yield Hard("day", pa.array(days), {})
    yield Hard("day in ms", pa.array(days).cast(pa.date64()), {})
    forever = np.where(random.random(rows) < 0.3, np.datetime64("9999-12-31"), days)
    yield Hard("until", pa.array(forever), {})
    yield Hard("until, in us", pa.array(forever.astype("datetime64[us]")), {})


def _empty(rows: int) -> Iterator[Hard]:
    """Columns with one value, with none, or with too few known ones to show any."""
    examples: dict[str, Any] = {
        "float": pa.array([2.5]),
        "integer": pa.array([2**60 + 1]),
        "decimal": pa.array([Decimal("1.10")], pa.decimal128(9, 2)),
        "text": pa.array(["one"]),
        "category": _dictionary(["one"]),
        "flag": pa.array([True]),
        "day": pa.array(np.array(["2024-02-29"], "datetime64[D]")),
        "instant": pa.array(np.array([_GAP])).cast(pa.timestamp("ms", _VIENNA)),
    }
    for name, value in examples.items():
        zone = {"timezone": _VIENNA} if name == "instant" else {}
        always, never = [0] * rows, [None] * rows
        for which, places in (
            ("always one", always),
            ("never any", never),
            ("one or none", [0 if row % 2 else None for row in range(rows)]),
            ("hardly any", always[:FEW] + never[FEW:]),
        ):
            yield Hard(f"{name}: {which}", value.take(pa.array(places, pa.int32())), zone)


def _odd_names(rows: int) -> Iterator[Hard]:
    random = np.random.default_rng(4)
    for name in _NAMES:
        yield Hard(name, pa.array(random.integers(0, 5, rows)), {})


def _dictionary(values: list[Any]) -> pa.Array:
    return pa.array(values, pa.string()).dictionary_encode()


def _logical(kind: pa.DataType) -> LogicalType:
    if pa.types.is_boolean(kind):
        return "boolean"
    if pa.types.is_integer(kind):
        return "integer"
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return "number"
    if pa.types.is_date(kind):
        return "date"
    return "timestamp" if pa.types.is_timestamp(kind) else "string"


def wide(rows: int, columns: int) -> Dataset:
    """Flags, levels, counts and amounts in turn, all leaning on one hidden number."""
    random = np.random.default_rng(5)
    hidden = random.normal(size=rows)
    made: list[Hard] = []
    for number in range(columns):
        score = hidden + random.normal(size=rows)
        kinds = (
            pa.array(score > 0),
            _dictionary(np.array(["low", "mid", "high"])[np.digitize(score, [-1, 1])].tolist()),
            pa.array(np.maximum(score * 4, 0).astype(np.int64)),
            pa.array(np.round(np.exp(score), 2), mask=random.random(rows) < 0.1),
        )
        made.append(Hard(f"column {number}", kinds[number % len(kinds)], {}))
    return _dataset("wide", made)
