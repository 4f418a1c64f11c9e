"""Drawn rows that keep the contract's rules: broken ones are drawn again, then mended."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from data_contracts.checks import broken_rows, row_rules
from data_contracts.contract import Comparison, Product, Sum, Table, WrittenRule
from data_contracts.errors import ModelError
from data_contracts.schema import column_type, to_arrow, to_series
from data_contracts.written_checks import breaks_written, multiplied
from models.encoding.column import BoolArray, IntArray
from models.encoding.fixed import FixedCodec
from models.encoding.number import NumberCodec
from models.encoding.table import TableCodec
from models.encoding.typed_values import with_columns
from models.generators.found_rules import NOTHING, FoundRules, among
from models.generators.issued_presence import with_presence

ROUNDS = 20
"""How often rows that break a rule are drawn again; then as often again, and mended."""
MOST_ROUNDS = 1000
"""The same where fewer of them are left every now and then."""
MOST_NAMED = 10
"""Given rows that a message names."""
FOUND_ROUNDS = 10
"""How often rows that break a rule found by itself, or that lead beyond what was learned, are drawn
again before that yields to a wish."""

Redraw = Callable[[IntArray], pd.DataFrame]
"""New values for the rows at these positions, in the same order; identifiers left out."""


class EarlierKeys:
    """What rows drawn before hold in columns that are unique together, as 64-bit hashes.

    Two keys with the same hash, one pair in 10^19, count as equal: a row more is drawn again.
    `hashes` holds sorted runs, each at least twice as long as the next: with all in one, a batch
    more of very many rows would sort them all again.
    """

    def __init__(self, table: Table) -> None:
        self.hashes: dict[tuple[str, ...], list[IntArray]] = {
            names: [] for names in table.unique_groups
        }

    def add(self, frame: pd.DataFrame) -> None:
        """Takes in rows; what is held already takes no room again."""
        for names, runs in self.hashes.items():
            new = np.unique(hashed(frame, names))
            new = new[~_in_runs(new, runs)]
            while runs and len(runs[-1]) < 2 * len(new):
                new = np.sort(np.concatenate([runs.pop(), new]), kind="stable")
            runs += [new] if len(new) else []

    def hold(self, frame: pd.DataFrame, names: tuple[str, ...]) -> BoolArray:
        """Which rows `(rows,)` repeat an earlier one's values."""
        runs = self.hashes[names]
        if not runs:
            return np.zeros(len(frame), dtype=np.bool_)
        return _in_runs(hashed(frame, names), runs)


def _in_runs(keys: IntArray, runs: Sequence[IntArray]) -> BoolArray:
    """Which keys one of the sorted runs holds."""
    found = np.zeros(len(keys), dtype=np.bool_)
    for run in runs:
        found |= run[np.searchsorted(run, keys).clip(max=len(run) - 1)] == keys
    return found


def hashed(frame: pd.DataFrame, names: tuple[str, ...]) -> IntArray:
    """The rows' values in these columns as one 64-bit hash each, `(rows,)`."""
    columns = frame[list(names)]
    # Categories as text: their numbers differ from batch to batch.
    texts = {
        name: columns[name].astype(object)
        for name in names
        if isinstance(columns[name].dtype, pd.CategoricalDtype)
    }
    hashes = pd.util.hash_pandas_object(with_columns(columns, texts), index=False).to_numpy()
    return hashes.astype(np.uint64).view(np.int64)


@dataclass(frozen=True)
class Kept:
    """What rows must keep: the table's rules, those of its codec, and what else was asked.

    `given` columns are not mended, nor those of one value. `outside` says which rows do not keep
    what was wished. `found` are rules that yield where a row cannot keep them beside all this,
    `earlier` the keys of rows that were drawn before. `issued` are the values of made-up columns
    of which a rule says when they are missing: not one is missing here. `first_given` is the
    number of the first row where each one was given values of its own.
    """

    table: Table
    codec: TableCodec
    given: frozenset[str]
    outside: Callable[[pd.DataFrame], BoolArray]
    found: FoundRules = NOTHING
    earlier: EarlierKeys | None = None
    issued: Mapping[str, pd.Series] = field(default_factory=dict)
    first_given: int | None = None

    @property
    def still(self) -> frozenset[str]:
        """The columns that are not mended: the given ones, and those of one value."""
        fixed = [name for name, one in self.codec.codecs_.items() if isinstance(one, FixedCodec)]
        return self.given.union(fixed)

    @property
    def idle(self) -> bool:
        """Whether every row keeps everything."""
        table = self.table
        asked = table.row_rules or table.unique_groups or self.codec.combinations_
        return not asked and self.found.idle

    def broken(self, frame: pd.DataFrame) -> BoolArray:
        """Which rows break a rule between columns, or do not keep a wish."""
        rows, broken = to_arrow(frame, self.table), self.outside(frame)
        written = {name for rule in self.table.row_rules for name in rule.columns}
        for rule in row_rules(self.table):
            if rule.written is not None or rule.column.name in written:
                broken |= broken_rows(rule, rows)
        for names, tuples in self.codec.combinations_.items():
            broken |= ~among(self.codec.first_of(frame, names), tuples)
        for names in self.table.unique_groups:
            broken |= self.repeated(frame, names)
        return broken

    def beyond(self, frame: pd.DataFrame) -> BoolArray:
        """In which rows a number that others decide lies beyond all that were learned.

        Where the others are drawn from coarse bins, an equation can lead anywhere.
        """
        beyond = np.zeros(len(frame), dtype=np.bool_)
        measures = self.codec.measures()
        tied = {
            name
            for rule in (*self.table.row_rules, *self.found.rules)
            if isinstance(rule, Sum | Product)
            for name in rule.columns
        }
        for name in tied & measures.keys() - self.given:
            low, high = measures[name].ends
            numbers = self.codec.numbers(name, frame[name])
            beyond |= (numbers < low) | (numbers > high)
        return beyond

    def repeated(self, frame: pd.DataFrame, names: tuple[str, ...]) -> BoolArray:
        """Which rows repeat another one's values, this frame's or of rows drawn before.

        Rows in which one of the columns is missing are different from all others.
        """
        repeated = frame.duplicated(list(names)).to_numpy(dtype=bool)
        if self.earlier is not None:
            repeated = repeated | self.earlier.hold(frame, names)
        known = frame[list(names)].notna().all(axis=1).to_numpy(dtype=bool)
        return np.asarray(known & repeated, dtype=np.bool_)


class Patience:
    """How long rows are drawn again without fewer of them being left to be drawn.

    At least so many rounds, and until as many rows were drawn in vain as there are: where nearly
    all values are taken that may not come twice, the last ones come up rarely.
    """

    def __init__(self, rows: int, rounds: int) -> None:
        self.rows, self.rounds = rows, rounds
        self.fewest, self.vain, self.drawn = rows + 1, 0, 0

    def ends(self, left: int) -> bool:
        """Whether it ends before the rows that are left are drawn again."""
        if left < self.fewest:
            self.fewest, self.vain, self.drawn = left, 0, 0
        self.vain, self.drawn = self.vain + 1, self.drawn + left
        return self.vain > self.rounds and self.drawn > self.rows


def keep_rules(frame: pd.DataFrame, kept: Kept, redraw: Redraw) -> pd.DataFrame:
    """The rows with those that break a rule replaced by `redraw`, and the last ones mended.

    Drawing again until a rule holds gives the learned distribution under the condition that it
    holds. A comparison or a sum that still fails after ROUNDS is mended by moving a side that is
    not given onto what the others say. ModelError where that is impossible.
    """
    if kept.idle and not bool(kept.outside(frame).any()):
        return frame
    patience = Patience(len(frame), 2 * ROUNDS)
    for attempt in range(MOST_ROUNDS):
        frame = with_presence(frame, kept.table, kept.issued)
        broken = kept.broken(frame)
        if attempt < FOUND_ROUNDS:
            broken |= kept.found.broken(frame, kept.table, kept.codec) | kept.beyond(frame)
        rows = np.flatnonzero(broken)
        if not len(rows):
            return frame
        if attempt >= FOUND_ROUNDS and patience.ends(len(rows)):
            break
        frame = replace_rows(frame, rows, redraw(rows))
        for rule in in_order(kept.found.rules) if attempt == FOUND_ROUNDS - 1 else ():
            frame = mended(frame, kept, rule)
        for rule in in_order(kept.table.row_rules) if attempt >= ROUNDS else ():
            frame = mended(frame, kept, rule)
    frame = with_presence(frame, kept.table, kept.issued)
    left = np.flatnonzero(kept.broken(frame))
    if len(left):
        raise ModelError(_unkept(frame, kept, left))
    return frame


def _unkept(frame: pd.DataFrame, kept: Kept, left: IntArray) -> str:
    """What rows that were drawn so often break, and what can be done."""
    table = kept.table
    rules = [rule.text for rule in table.row_rules]
    rules += [f"{', '.join(names)} as in the data" for names in table.fixed_combinations]
    for names in table.unique_groups:
        again = int(kept.repeated(frame, names).sum())
        found = f", of which {again} rows repeat others" if again else ""
        rules.append(f"{', '.join(names)} unique together{found}")
    unkept = int(kept.outside(frame).sum())
    asked = f"{unkept} do not keep what is asked of {', '.join(sorted(kept.given))}. "
    which = ""
    if kept.first_given is not None:
        shown = ", ".join(str(kept.first_given + int(row)) for row in left[:MOST_NAMED])
        which = f" Given rows, counted from 0: {shown}{', ...' * (len(left) > MOST_NAMED)}."
    return (
        f"table {table.name!r}: {len(left)} of {len(frame)} rows break a rule or a wish "
        f"({'; '.join(rules) or 'given ranges'}) however often they are drawn.{which} "
        f"{asked if unkept else ''}Give other values, "
        "ask for fewer rows, or relax the rule in the contract."
    )


def in_order(rules: Sequence[WrittenRule]) -> list[WrittenRule]:
    """Products before sums of them; what a later rule has moved is looked at again."""
    ordered = sorted(rules, key=lambda rule: not isinstance(rule, Product))
    return [*ordered, *ordered]


def replace_rows(frame: pd.DataFrame, rows: IntArray, drawn: pd.DataFrame) -> pd.DataFrame:
    """The frame with other values in some rows of the drawn columns; dtypes stay."""
    columns = {name: replaced(frame[name], rows, drawn[name]) for name in drawn.columns}
    return with_columns(frame, columns)


def replaced(values: pd.Series, rows: IntArray, others: pd.Series) -> pd.Series:
    """The values with `others` in the place of those of some rows; the dtype stays."""
    picked = np.arange(len(values))
    picked[rows] = len(values) + np.arange(len(rows))
    pool = pd.concat([values, others.astype(values.dtype)], ignore_index=True)
    return pool.take(picked).reset_index(drop=True)


def mended(frame: pd.DataFrame, kept: Kept, rule: WrittenRule) -> pd.DataFrame:
    """The frame with one side of a rule moved onto the others, where it is broken and can be."""
    if isinstance(rule, Sum):
        moved = _summed(frame, rule, kept.still)
    elif isinstance(rule, Product):
        moved = _multiplied(frame, rule, kept)
    elif isinstance(rule, Comparison):
        moved = _levelled(frame, rule, kept.still)
    else:
        return frame
    if moved is None:
        return frame
    broken = breaks_written(rule, to_arrow(frame, kept.table))
    to, values = moved
    exact = with_columns(frame, {to: frame[to].where(~broken, values)})
    codec = kept.codec.codecs_[to]
    near = codec.nearest(values) if isinstance(codec, NumberCodec) else values
    if near is values:
        return exact
    # What doubles lose on their way leads off the lattice; what is given may lie off it as well.
    even = with_columns(frame, {to: frame[to].where(~broken, near)})
    off = breaks_written(rule, to_arrow(even, kept.table))
    return with_columns(frame, {to: even[to].where(~off, exact[to])})


def _levelled(
    frame: pd.DataFrame, rule: Comparison, still: frozenset[str]
) -> tuple[str, pd.Series] | None:
    """The side of a comparison that may be moved, and the other side's values."""
    if rule.operator not in ("<=", ">=", "==") or not isinstance(rule.right, str):
        return None
    to, source = (rule.left, rule.right) if rule.left not in still else (rule.right, rule.left)
    if to in still or frame[to].dtype != frame[source].dtype:
        return None
    return to, frame[source]


def _multiplied(frame: pd.DataFrame, rule: Product, kept: Kept) -> tuple[str, pd.Series] | None:
    """The total of a product, if it may be moved, and what the factors make of it."""
    to = rule.total
    numbers = kept.codec.measures().keys() | kept.codec.constants().keys()
    if to in kept.still or not numbers.issuperset(rule.columns):
        return None
    factors = [kept.codec.numbers(factor.column, frame[factor.column]) for factor in rule.factors]
    made = multiplied(rule, factors)
    made = made if rule.decimals is None else np.round(made, rule.decimals)
    kind = kept.table.column(to)
    known = pa.array(np.where(np.isfinite(made), made, np.nan), from_pandas=True)
    try:
        return to, to_series(known.cast(column_type(kind), safe=False)).astype(frame[to].dtype)
    except (TypeError, ValueError, OverflowError, pa.ArrowInvalid):
        return None


def _summed(frame: pd.DataFrame, rule: Sum, still: frozenset[str]) -> tuple[str, pd.Series] | None:
    """The column of a sum that may be moved, and what the others make of it."""
    signs = {term.column: int(term.sign) for term in rule.terms}
    constant: Any = 0
    if isinstance(rule.total, str):
        signs = {rule.total: -1, **signs}
    else:
        constant = rule.total
    free = [name for name in signs if name not in still]
    if not free:
        return None
    to = free[0]
    others = [
        frame[name] if sign > 0 else -frame[name] for name, sign in signs.items() if name != to
    ]
    rest = sum(others[1:], start=others[0])
    try:
        rest = rest - constant if constant else rest
        return to, (rest if signs[to] < 0 else -rest).astype(frame[to].dtype)
    except (TypeError, ValueError, OverflowError, pa.ArrowInvalid):
        return None
