"""What no row is at once: a column missing or zero while another one is not."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from data_contracts.linear_relations import NEGLIGIBLE
from models.encoding.column import BoolArray
from models.encoding.number import NumberCodec
from models.encoding.table import TableCodec

State = Literal["missing", "zero", "other"]
MOST_NEVERS = 5000
_MULTIPLIED = 2**31


class Never(NamedTuple):
    """No row has column `left` in one state and column `right` in another."""

    left: str
    left_state: State
    right: str
    right_state: State


Indicators = dict[tuple[str, State], BoolArray]
"""In which rows `(rows,)` a column is in a state."""


def indicators(frame: pd.DataFrame, codec: TableCodec, names: Iterable[str]) -> Indicators:
    """The states of the columns that can be missing, or zero as one of the values of a number."""
    found: Indicators = {}
    for name in names:
        zero = zero_code(codec, name) is not None
        if zero or codec.may_miss(name):
            missing = frame[name].isna().to_numpy(dtype=bool)
            nothing = codec.numbers(name, frame[name]) == 0 if zero else ~missing & missing
            found[name, "missing"], found[name, "zero"] = missing, nothing
            found[name, "other"] = ~(missing | nothing)
    return found


def zero_code(codec: TableCodec, name: str) -> int | None:
    """The first code of a number's zero; None where zero has no code of its own."""
    own = codec.codecs_[name]
    if not isinstance(own, NumberCodec):
        return None
    measure, axis = own.measure(), own.axis_
    zeros = np.flatnonzero(np.abs(measure.offset + measure.scale * axis.atoms) < 1e-12)
    return int(axis.missing + zeros[0]) if len(zeros) else None


def codes_in(codec: TableCodec, name: str, state: State) -> BoolArray:
    """Which first codes of a column are in a state, `(values,)`."""
    codes = np.zeros(codec.parts_[codec.columns_[name].start].cardinality, dtype=np.bool_)
    zero = zero_code(codec, name)
    if codec.may_miss(name):
        codes[0] = state == "missing"
    if zero is not None:
        codes[zero] = state == "zero"
    if state == "other":
        codes = ~codes
        codes[0] &= not codec.may_miss(name)
        if zero is not None:
            codes[zero] = False
    return codes


def find_nevers(states: Indicators, units: int) -> Iterator[Never]:
    """Pairs of states that no row has together although chance would have it often."""
    keys = list(states)
    if len(keys) < 2:
        return
    rows = np.stack([states[key] for key in keys], axis=1)
    few = rows[:: max(1, len(rows) * len(keys) ** 2 // _MULTIPLIED)].astype(np.float32)
    together = few.T @ few
    counts = rows.sum(0).astype(np.float64)
    expected = np.outer(counts, counts) / len(rows) ** 2 * units
    pairs = np.argwhere(np.triu((together == 0) & (expected >= NEGLIGIBLE), 1)).tolist()
    pairs.sort(key=lambda pair: -expected[pair[0], pair[1]])
    for one, other in pairs[:MOST_NEVERS]:
        (left, left_state), (right, right_state) = keys[one], keys[other]
        if left != right and not bool((rows[:, one] & rows[:, other]).any()):
            yield Never(left, left_state, right, right_state)


def never_together(nevers: Sequence[Never], frame: pd.DataFrame, codec: TableCodec) -> BoolArray:
    """Which rows are in two states that do not go together."""
    broken = np.zeros(len(frame), dtype=np.bool_)
    for hits in each_together(nevers, frame, codec):
        broken |= hits
    return broken


def each_together(
    nevers: Sequence[Never], frame: pd.DataFrame, codec: TableCodec
) -> Iterator[BoolArray]:
    """For each pair, which rows are in both states; each state is looked up once."""
    names = dict.fromkeys(name for one in nevers for name in (one.left, one.right))
    states = indicators(frame, codec, names)
    for one in nevers:
        yield states[one.left, one.left_state] & states[one.right, one.right_state]
