"""What one column holds, learned batch by batch in bounded memory.

A text column keeps the set of types that every value so far fits, judged by the very rules that
ingest types it with (`typing_rules.py`): what a draft promises, the proof keeps.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.contract import Source
from data_contracts.errors import SourceError
from data_contracts.type_candidates import CANDIDATES, SHAPES, TIME_CANDIDATES
from data_contracts.typing_rules import type_column

IntArray = npt.NDArray[np.int64]
HashArray = npt.NDArray[np.uint64]

MOST_COUNTED = 1_000
MOST_DISTINCT = 1_000_000
HEAD_ROWS = 50_000
_SAMPLE = 2_000
_SAMPLE_PER_BATCH = 200
_PEEK = 50
_LONGEST = 300
# Words for "missing" that statistics programs write; only taken as such among numbers and dates.
_ODD_NULL_WORDS = ("?", "-", "--", ".", "n/a", "#N/A", "<NA>", "NaT", "missing", "(null)")
# What a number would lose: leading zeros (postcodes), a phone's plus, digits beyond a double's.
_NOT_A_QUANTITY = r"^\s*(\+[0-9]{7,}|[+-]?0[0-9]|[+-]?[0-9]{17,}$)"


class Distinct:
    """The different values of a column as 64-bit hashes, until there are too many of them.

    Exact in the direction that counts: different hashes are different values, so that "all
    different" is never claimed wrongly.
    """

    def __init__(self) -> None:
        self._hashes: HashArray = np.zeros(0, np.uint64)
        self._pending: list[HashArray] = []
        self._size = 0
        self.overflowed = False

    def add(self, hashes: HashArray) -> None:
        """Take in hashes that differ among themselves."""
        if self.overflowed:
            return
        self._pending.append(hashes)
        self._size += len(hashes)
        if self._size > 2 * len(self._hashes) + 10_000:
            self._merge()

    @property
    def hashes(self) -> HashArray:
        """All different hashes, sorted; empty after an overflow."""
        self._merge()
        return self._hashes

    def _merge(self) -> None:
        if not self._pending:
            return
        joined = np.concatenate([self._hashes, *self._pending])
        self._hashes = np.unique(joined)
        self._pending, self._size = [], 0
        if len(self._hashes) > MOST_DISTINCT:
            self.overflowed = True
            self._hashes = np.zeros(0, np.uint64)


@dataclass
class Extremes:
    """The smallest and the largest value seen."""

    low: Any = None
    high: Any = None

    def add(self, values: Any) -> None:
        """Take in an Arrow array; missing values are left out."""
        both: Any = pc.min_max(values)
        found = both.as_py()
        self.join(Extremes(found["min"], found["max"]))

    def join(self, other: "Extremes") -> None:
        """Take in what another has seen."""
        if other.low is not None:
            self.low = other.low if self.low is None else min(self.low, other.low)
            self.high = other.high if self.high is None else max(self.high, other.high)


@dataclass
class ColumnProfile:
    """One column of a source: counts, types that fit, extremes, different values, a sample.

    `codes` and `head_values` hold the first HEAD_ROWS rows in their order: a hash of each value,
    and, while the column may hold points in time, the values. `codes_elsewhere` are hashes of the
    first rows of sources beside this one. `levels` are the words of an ordered dictionary in their
    order; empty where there is none or parts of the source disagree.
    """

    name: str
    source: Source
    arrow_type: Any = None
    rows: int = 0
    missing: int = 0
    missing_elsewhere: bool = False
    alive: dict[str, Extremes] = field(
        default_factory=lambda: {name: Extremes() for name in CANDIDATES}
    )
    extremes: Extremes = field(default_factory=Extremes)
    counts: dict[str, int] | None = field(default_factory=dict)
    distinct: Distinct = field(default_factory=Distinct)
    sample: list[str] = field(default_factory=list)
    odd_null_words: dict[str, None] = field(default_factory=dict)
    codes: list[HashArray] = field(default_factory=list)
    codes_elsewhere: list[HashArray] = field(default_factory=list)
    head_values: list[Any] = field(default_factory=list)
    head: int = 0
    levels: tuple[str, ...] | None = None

    @property
    def is_untyped(self) -> bool:
        """Whether the source gave text, so that the type is for us to find."""
        typed = self.source.format == "parquet" or self.arrow_type is None
        return not typed and is_text(self.arrow_type)

    def update(self, values: Any) -> None:
        """Take in the column's next rows, as an Arrow array or chunked array."""
        if isinstance(values, pa.ChunkedArray):
            values = values.combine_chunks()
        self._see_type(values.type)
        self.levels = _agreed(self.levels, _levels_of(values))
        if pa.types.is_floating(values.type):
            if pa.types.is_float16(values.type):
                values = values.cast(pa.float32())
            values = pc.if_else(pc.is_nan(values), pa.scalar(None, values.type), values)
        if pa.types.is_dictionary(values.type):
            values = values.cast(values.type.value_type)
        if is_text(values.type):
            values = self._without_null_words(values)
        self.rows += len(values)
        self.missing += values.null_count
        if is_text(values.type) or pa.types.is_integer(values.type) or is_time(values.type):
            self._count(values)
        elif pa.types.is_null(values.type):
            # A part of the source without a value: its rows stand beside those of other columns.
            self._remember(np.zeros(len(values), np.uint64), values)
        if not is_text(values.type) and is_ordered(values.type):
            self.extremes.add(values)

    def widen(self, other: "ColumnProfile") -> None:
        """Allow for what `other` holds, a source beside this one, such as a holdout's.

        Types, ranges, categories and missing values come to fit both; keys and order stay as found
        here, as each source numbers its own rows.
        """
        self.missing_elsewhere |= other.missing > 0
        if self.is_untyped:
            self.alive = {n: each for n, each in self.alive.items() if n in other.alive}
        for name, extremes in self.alive.items():
            extremes.join(other.alive[name] if name in other.alive else Extremes())
        self.extremes.join(other.extremes)
        self.levels = _agreed(self.levels, other.levels)
        self.odd_null_words |= other.odd_null_words
        self.sample += other.sample
        self.codes_elsewhere += other.codes
        if self.counts is not None and other.counts is not None:
            words = {**self.counts, **other.counts}
            self.counts = {w: self.counts.get(w, 0) + other.counts.get(w, 0) for w in words}
        else:
            self.counts = None

    def _see_type(self, found: Any) -> None:
        """Widen the type, where a database or another part of a source has a wider one."""
        if pa.types.is_dictionary(found):
            # Whether it is ordered is told by `levels`.
            found = pa.dictionary(found.index_type, found.value_type)
        if self.arrow_type is None or self.arrow_type == found:
            self.arrow_type = found
            return
        kinds = [pa.schema([pa.field(self.name, each)]) for each in (self.arrow_type, found)]
        try:
            both = pa.unify_schemas(kinds, promote_options="permissive")
        except pa.ArrowException as error:
            raise SourceError(
                f"column {self.name!r} is {self.arrow_type} in some rows and {found} in others. "
                "Make all parts of the source agree."
            ) from error
        self.arrow_type = both.field(0).type

    def _without_null_words(self, text: Any) -> Any:
        if self.source.format not in ("csv", "jsonl"):
            return text
        missing = pc.is_in(text, value_set=pa.array(self.source.null_words, pa.string()))
        return pc.if_else(missing, pa.scalar(None, text.type), text)

    def _count(self, values: Any) -> None:
        encoded = values.dictionary_encode()
        typed = encoded.dictionary
        if not len(typed):
            self._remember(np.zeros(len(values), np.uint64), values)
            return
        text = typed.cast(pa.string())
        places = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
        often = np.bincount(places[places >= 0], minlength=len(text))
        if self.is_untyped:
            self._narrow(text)
        words = text.to_numpy(zero_copy_only=False)
        hashes = pd.util.hash_array(words, categorize=False)
        self.distinct.add(hashes)
        self._count_words(words, often)
        self._take_sample(words)
        self._remember(np.where(places >= 0, hashes[places], np.uint64(0)), values)

    def _remember(self, codes: HashArray, values: Any) -> None:
        room = HEAD_ROWS - self.head
        if room <= 0:
            return
        self.codes.append(codes[:room])
        self.head += len(self.codes[-1])
        if is_time(values.type) or (self.is_untyped and TIME_CANDIDATES & self.alive.keys()):
            self.head_values.append(values.slice(0, room))
        else:
            self.head_values.clear()

    def _count_words(self, words: Any, often: IntArray) -> None:
        if self.counts is None:
            return
        if len(words) > MOST_COUNTED or max(map(len, words)) > _LONGEST:
            self.counts = None
            return
        for word, count in zip(words, often.tolist(), strict=True):
            self.counts[word] = self.counts.get(word, 0) + count
        if len(self.counts) > MOST_COUNTED:
            self.counts = None

    def _take_sample(self, words: Any) -> None:
        if len(self.sample) < _SAMPLE:
            step = max(1, len(words) // _SAMPLE_PER_BATCH)
            self.sample += [word[:_LONGEST] for word in words[::step][:_SAMPLE_PER_BATCH]]

    def _narrow(self, text: Any) -> None:
        """Drop the types that a value of `text` (different values, none missing) does not fit."""
        odd = pc.is_in(text, value_set=pa.array(_ODD_NULL_WORDS, pa.string()))
        if pc.any(odd).as_py():
            self.odd_null_words |= dict.fromkeys(text.filter(odd).to_pylist())
            text = text.filter(pc.invert(odd))
        if not len(text):
            return
        if {"integer", "number"} & self.alive.keys():
            if pc.any(pc.match_substring_regex(text, _NOT_A_QUANTITY)).as_py():
                self._drop("integer", "number")
        sign = self.source.decimal
        if "integer" in self.alive and pc.any(pc.match_substring(text, sign)).as_py():
            self._drop("integer")
        if "boolean" in self.alive and pc.any(pc.is_in(text, value_set=_ZERO_ONE)).as_py():
            self._drop("boolean")
        first = text[0].as_py().strip()
        for name in tuple(self.alive):
            # Parsing by each of so many formats takes long; one value rules most of them out.
            if name in SHAPES and SHAPES[name].fullmatch(first) is None:
                self._drop(name)
            elif not self._fits(text.slice(0, _PEEK), name) or not self._fits(text, name, True):
                self._drop(name)

    def _fits(self, text: Any, name: str, note: bool = False) -> bool:
        typed = type_column(text, CANDIDATES[name], self.source)
        if typed.broken:
            return False
        if note and is_ordered(typed.array.type):
            self.alive[name].add(typed.array)
        return True

    def _drop(self, *names: str) -> None:
        for name in names:
            self.alive.pop(name, None)

    @property
    def distinct_share(self) -> float:
        """Different values as a share of those present; 1.0 when there were too many to tell."""
        present = self.rows - self.missing
        if self.distinct.overflowed:
            return 1.0
        return len(self.distinct.hashes) / present if present else 0.0

    @property
    def first_codes(self) -> HashArray:
        """A hash for each of the first rows of all sources, 0 where the value is missing."""
        return np.concatenate([np.zeros(0, np.uint64), *self.codes, *self.codes_elsewhere])

    @property
    def is_unique(self) -> bool:
        """Whether all rows hold a value and no two the same; False when there were too many."""
        return self.missing == 0 and 0 < self.rows == len(self.distinct.hashes)


_ZERO_ONE = pa.array(["0", "1"])


def _levels_of(values: Any) -> tuple[str, ...]:
    """The words of an ordered dictionary of text in their order, of anything else none."""
    if not pa.types.is_dictionary(values.type) or not values.type.ordered:
        return ()
    return tuple(values.dictionary.drop_null().to_pylist()) if is_text(values.type) else ()


def _agreed(
    levels: tuple[str, ...] | None, others: tuple[str, ...] | None
) -> tuple[str, ...] | None:
    """The longer of two orders if the shorter one is a part of it; else none."""
    if levels is None or others is None:
        return others if levels is None else levels
    longer, shorter = sorted((levels, others), key=len, reverse=True)
    known = set(shorter)
    return longer if known and tuple(word for word in longer if word in known) == shorter else ()


def is_text(data_type: Any) -> bool:
    """Whether an Arrow type holds text, plain or dictionary-encoded."""
    if pa.types.is_dictionary(data_type):
        return is_text(data_type.value_type)
    return bool(
        pa.types.is_string(data_type)
        or pa.types.is_large_string(data_type)
        or pa.types.is_string_view(data_type)
    )


def is_time(data_type: Any) -> bool:
    """Whether an Arrow type holds points in time."""
    return bool(pa.types.is_date(data_type) or pa.types.is_timestamp(data_type))


def is_ordered(data_type: Any) -> bool:
    """Whether a range can be promised of an Arrow type."""
    return is_time(data_type) or bool(
        pa.types.is_integer(data_type)
        or pa.types.is_floating(data_type)
        or pa.types.is_decimal(data_type)
    )
