"""Missing cells of real rows, filled in from what the rest of the row says."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from data_contracts.checks import RowRule, broken_rows, row_rules
from data_contracts.contract import Table
from data_contracts.errors import ModelError
from data_contracts.schema import to_arrow
from models.encoding.category import CategoryCodec
from models.encoding.column import UNKNOWN, BoolArray, FloatArray, IntArray
from models.encoding.fixed import FixedCodec
from models.encoding.table import TableCodec
from models.encoding.typed_values import with_columns
from models.generators.batches import Guidance, check_seed
from models.generators.guide import Guide
from models.generators.imputed_keys import ImputedKeys
from models.generators.kept_rules import Kept, in_order, mended, replace_rows, replaced

ROUNDS = 20
"""How often cells are filled in again in rows that then break a rule; then they are mended, and
once more as often where that leaves fewer of them."""
COPIES = 64
"""How often each of the last such rows is drawn at once before it is mended."""
MOST_TRIED = 2**12
"""So many draws are made of few such rows together where keys must differ: a row's only free one
may come up rarely."""
BATCH_ROWS = 2**16
POINT_DRAWS = 21
"""Draws behind a point estimate; odd, so that their median is one of them."""


_Fill = Callable[[pd.DataFrame, np.random.SeedSequence, ImputedKeys], pd.DataFrame]


@dataclass(frozen=True)
class Imputer:
    """Draws the missing cells of rows, each given all known cells of its row.

    Identifiers and columns without any value stay as they are; a column that had one value in every
    row learned from gets it. What breaks a rule of the contract however it is drawn is moved onto
    the known cells, or stays missing, as does what only repeats another row in columns that are
    unique together; ModelError where it is required.
    """

    codec: TableCodec
    table: Table
    guided: Guidance

    def draw(self, frame: pd.DataFrame, seed: int) -> pd.DataFrame:
        """The rows with every missing cell drawn; known cells, order and dtypes stay."""
        return self._by_batch(frame, seed, self._drawn_batch)

    def point(self, frame: pd.DataFrame, seed: int) -> pd.DataFrame:
        """The rows with each missing cell at the middle or commonest value of 21 draws.

        Cells of columns that a rule or a combination ties together are taken from one draw of the
        row, the one nearest the middles: each middle by itself would not keep the rule.
        """
        return self._by_batch(frame, seed, self._point_batch)

    def _by_batch(self, frame: pd.DataFrame, seed: int, fill: _Fill) -> pd.DataFrame:
        check_seed(seed)
        frame = self._prepared(frame)
        starts = range(0, max(len(frame), 1), BATCH_ROWS)
        seeds = np.random.SeedSequence(seed).spawn(len(starts))
        keys, filled = ImputedKeys(self.table, frame), []
        for start, child in zip(starts, seeds, strict=True):
            rows = frame.iloc[start : start + BATCH_ROWS].reset_index(drop=True)
            filled.append(fill(rows, child, keys))
            keys.add(filled[-1])
        return filled[0] if len(filled) == 1 else pd.concat(filled, ignore_index=True)

    def _drawn_batch(
        self, frame: pd.DataFrame, seed: np.random.SeedSequence, keys: ImputedKeys
    ) -> pd.DataFrame:
        return self._batch(frame, np.random.default_rng(seed), keys)

    def _point_batch(
        self, frame: pd.DataFrame, seed: np.random.SeedSequence, keys: ImputedKeys
    ) -> pd.DataFrame:
        """Rows whose points repeat another one's key are drawn once more instead."""
        points = self._points(frame, seed, keys)
        again = keys.repeated(points, self._missing(frame))
        rows = np.flatnonzero(again)
        if not len(rows):
            return points
        keys.add(points[~again])
        known = frame.iloc[rows].reset_index(drop=True)
        return replace_rows(points, rows, self._drawn_batch(known, seed.spawn(1)[0], keys))

    def _points(
        self, frame: pd.DataFrame, seed: np.random.SeedSequence, keys: ImputedKeys
    ) -> pd.DataFrame:
        draws = [self._drawn_batch(frame, one, keys) for one in seed.spawn(POINT_DRAWS)]
        columns = {name: frame[name].reset_index(drop=True) for name in frame.columns}
        gaps = self._missing(frame)
        for names in self._tied(list(gaps)):
            far = np.zeros((POINT_DRAWS, len(frame)))
            for name in names:
                rows = np.flatnonzero(gaps[name])
                if len(rows):
                    cells = [draw[name].iloc[rows] for draw in draws]
                    far[:, rows] += self._distances(name, cells)
                    # A draw that had to leave a cell out is taken where all had to.
                    far[:, rows] += np.where(np.stack([one.isna() for one in cells]), np.inf, 0.0)
            nearest = far.argmin(axis=0)
            for name in names:
                rows = np.flatnonzero(gaps[name])
                if len(rows):
                    pool = pd.concat([draw[name].iloc[rows] for draw in draws], ignore_index=True)
                    taken = pool.take(nearest[rows] * len(rows) + np.arange(len(rows)))
                    columns[name] = replaced(columns[name], rows, taken.reset_index(drop=True))
        return pd.DataFrame(columns)

    def _prepared(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The rows with room for all values that may be drawn, and with columns of one value whole.

        A categorical takes only what its frame lists: not "(other)", nor what no row of it has.
        """
        found = {}
        for name, codec in self.codec.codecs_.items():
            rows = np.flatnonzero(frame[name].isna().to_numpy(dtype=bool))
            if isinstance(codec, CategoryCodec | FixedCodec) and len(rows):
                fixed = isinstance(codec, FixedCodec)
                codes = np.full((len(rows) * fixed, len(codec.parts_)), UNKNOWN, dtype=np.int64)
                drawn = codec.decode(codes, np.random.default_rng(0))
                found[name] = _listing(frame[name], drawn.dtype)
                if fixed:
                    found[name] = replaced(found[name], rows, drawn)
        columns = {name: values.reset_index(drop=True) for name, values in found.items()}
        return with_columns(frame.reset_index(drop=True), columns)

    def _tied(self, names: list[str]) -> list[list[str]]:
        """The columns in groups: those of a rule or a combination, by itself or in a chain."""
        found = self.guided.found
        ties: list[Sequence[str]] = [rule.columns for rule in (*self.table.row_rules, *found.rules)]
        ties += [*self.codec.combinations_, *found.combinations, *self.table.unique_groups]
        ties += [(never.left, never.right) for never in found.nevers]
        groups = [{name} for name in names]
        for tie in ties:
            joined = [group for group in groups if not group.isdisjoint(tie)]
            groups = [group for group in groups if group.isdisjoint(tie)]
            groups += [set().union(*joined)] if joined else []
        return [[name for name in names if name in group] for group in groups]

    def _missing(self, frame: pd.DataFrame) -> dict[str, BoolArray]:
        return {
            name: frame[name].isna().to_numpy(dtype=bool)
            for name, parts in self.codec.columns_.items()
            if len(parts)
        }

    def _batch(
        self, frame: pd.DataFrame, random: np.random.Generator, keys: ImputedKeys
    ) -> pd.DataFrame:
        missing = self._missing(frame)
        rows = np.flatnonzero(np.any([np.zeros(len(frame), bool), *missing.values()], axis=0))
        if not len(rows):
            return frame
        filled = self._filled(frame.iloc[rows].reset_index(drop=True), random, keys)
        for name in missing:
            mine = np.flatnonzero(missing[name][rows])
            if len(mine):
                drawn = filled[name].iloc[mine].reset_index(drop=True)
                whole = replaced(frame[name], rows[mine], drawn)
                frame = with_columns(frame, {name: whole})
        return frame

    def _filled(
        self, frame: pd.DataFrame, random: np.random.Generator, keys: ImputedKeys
    ) -> pd.DataFrame:
        missing = self._missing(frame)
        codes = self.codec.encode(frame)
        for name, rows in missing.items():
            parts = self.codec.columns_[name]
            codes[rows, parts.start : parts.stop] = UNKNOWN
        whole, left = self._drawn(codes, frame, missing, random), len(frame) + 1
        # Rows that repeat keys are drawn so often in a round that a good part of them has to go.
        keyed = len(self.table.unique_groups) > 0
        for attempt in range(2 * ROUNDS):
            broken = np.flatnonzero(self._broken(whole, missing) | keys.repeated(whole, missing))
            if not len(broken):
                return whole
            if attempt > ROUNDS + keyed and len(broken) > (left * 3 // 4 if keyed else left - 1):
                break
            left, gaps = len(broken), {name: rows[broken] for name, rows in missing.items()}
            again = whole.iloc[broken].reset_index(drop=True)
            if attempt != ROUNDS:
                known = frame.iloc[broken].reset_index(drop=True)
                draw = self._drawn
                if attempt == ROUNDS - 1 or (attempt > ROUNDS and keyed):
                    choose = partial(keys.first_free, beside=whole.drop(index=whole.index[broken]))
                    draw = partial(self._first_kept, choose)
                again = draw(codes[broken], known, gaps, random)
            if attempt >= ROUNDS and self.table.row_rules:
                again = self._mended(again, gaps)
            whole = replace_rows(whole, broken, again[list(missing)])
        return self._opened(frame, keys.opened(frame, whole, missing), missing)

    def _first_kept(
        self,
        choose: Callable[[pd.DataFrame, dict[str, BoolArray], BoolArray], IntArray],
        codes: IntArray,
        frame: pd.DataFrame,
        missing: dict[str, BoolArray],
        random: np.random.Generator,
    ) -> pd.DataFrame:
        """As `_drawn`, each row many times over: the copy of each that `choose` names.

        It is told which ones `(rows, copies)` keep the rules.
        """
        tried = MOST_TRIED // len(frame) if self.table.unique_groups else 0
        copies = min(max(COPIES, tried), max(1, BATCH_ROWS // len(frame)))
        rows = np.repeat(np.arange(len(frame)), copies)
        gaps = {name: gap[rows] for name, gap in missing.items()}
        drawn = self._drawn(codes[rows], frame.iloc[rows].reset_index(drop=True), gaps, random)
        kept = ~self._broken(drawn, gaps).reshape(-1, copies)
        first = choose(drawn, gaps, kept) + copies * np.arange(len(frame))
        chosen: pd.DataFrame = drawn.iloc[first].reset_index(drop=True)
        return chosen

    def _drawn(
        self,
        codes: IntArray,
        frame: pd.DataFrame,
        missing: dict[str, BoolArray],
        random: np.random.Generator,
    ) -> pd.DataFrame:
        """The rows with their missing cells drawn."""
        guide = Guide(self.codec, self.table, len(frame), self.guided.found)
        guide.forbid_missing(missing)
        guide.fix({name: frame[name] for name in missing}, missing)
        drawn = self.guided.draw(codes, random, guide)
        filled = self.codec.decode(drawn, random, 0, guide.decoders())
        gaps = {name: np.flatnonzero(rows) for name, rows in missing.items()}
        cells = {name: _put(frame[name], at, filled[name]) for name, at in gaps.items() if len(at)}
        return with_columns(frame, cells)

    def _rules(self) -> list[RowRule]:
        """The rules between columns, and those of each column that they are about."""
        written = {name for rule in self.table.row_rules for name in rule.columns}
        return [
            rule
            for rule in row_rules(self.table)
            if rule.written is not None or rule.column.name in written
        ]

    def _broken(self, whole: pd.DataFrame, missing: dict[str, BoolArray]) -> BoolArray:
        """Which rows break a rule only once they are filled in."""
        broken, rules = np.zeros(len(whole), dtype=np.bool_), self._rules()
        table = to_arrow(whole, self.table) if rules else None
        for rule in rules:
            broken |= broken_rows(rule, table) & _touched(rule, missing, len(whole))
        return broken

    def _mended(self, whole: pd.DataFrame, missing: dict[str, BoolArray]) -> pd.DataFrame:
        """The rows with cells that were filled in moved onto what the known ones say."""
        written = {name for rule in self.table.row_rules for name in rule.columns}
        names = [name for name in missing if name in written]
        gaps = np.stack([missing[name] for name in names], axis=1)
        for pattern in np.unique(gaps, axis=0):
            rows = np.flatnonzero((gaps == pattern).all(1))
            free = {name for name, gap in zip(names, pattern, strict=True) if gap}
            given = frozenset(self.table.column_names) - free
            kept = Kept(self.table, self.codec, given, _nowhere)
            some = whole.iloc[rows].reset_index(drop=True)
            for rule in in_order(self.table.row_rules):
                some = mended(some, kept, rule)
            whole = replace_rows(whole, rows, some[list(free)])
        return whole

    def _opened(
        self, frame: pd.DataFrame, whole: pd.DataFrame, missing: dict[str, BoolArray]
    ) -> pd.DataFrame:
        """The rows with cells missing again with which they break a rule whatever is drawn.

        ModelError where a cell is required: nothing can be put there, and nothing left out.
        """
        for rule in self._rules():
            for name in rule.columns:
                if name not in missing or self.table.column(name).required:
                    continue
                broken = broken_rows(rule, to_arrow(whole, self.table))
                rows = np.flatnonzero(broken & missing[name])
                whole = with_columns(whole, {name: _put(whole[name], rows, frame[name])})
        table = to_arrow(whole, self.table)
        for rule in self._rules():
            left = int((broken_rows(rule, table) & _touched(rule, missing, len(whole))).sum())
            if left:
                raise ModelError(
                    f"table {self.table.name!r}: {left} rows cannot be filled in so that they keep "
                    f"{rule.text!r}, and their missing cells of {', '.join(rule.columns)} cannot "
                    "stay missing. Correct what is known of these rows, or relax the contract."
                )
        return whole

    def _distances(self, name: str, draws: list[pd.Series]) -> FloatArray:
        """How far each draw of a cell is from the middle one, 0 to about 1, `(draws, rows)`.

        By rank from the median, or by how much rarer it is than the commonest value where there is
        no order.
        """
        if name in self.codec.measures():
            numbers = np.stack([self.codec.numbers(name, draw) for draw in draws])
            ranks = numbers.argsort(axis=0, kind="stable").argsort(axis=0, kind="stable")
            middle = len(draws) // 2
            median = np.take_along_axis(numbers, (ranks == middle).argmax(0)[None], axis=0)
            return np.where(numbers == median, 0.0, np.abs(ranks - middle) / middle)
        firsts = np.stack(
            [self.codec.first_of(draw.to_frame(name), (name,))[:, 0] for draw in draws]
        )
        counts = (firsts[:, None, :] == firsts[None, :, :]).sum(1)
        rarer: FloatArray = (counts.max(0) - counts) / len(draws)
        return rarer


def _listing(values: pd.Series, drawn: Any) -> pd.Series:
    """A categorical with the categories of another dtype, too; anything else as it is."""
    if not isinstance(drawn, pd.CategoricalDtype):
        return values
    known = values.cat.categories
    more = [one for one in drawn.categories if one not in known]
    if drawn.ordered and bool(known.isin(drawn.categories).all()):
        return values.cat.set_categories(drawn.categories)
    return values.cat.add_categories(more)


def _put(values: pd.Series, rows: IntArray, others: pd.Series) -> pd.Series:
    """The values with those at some positions taken from others of as many rows."""
    return replaced(values, rows, others.iloc[rows].reset_index(drop=True))


def _touched(rule: RowRule, missing: dict[str, BoolArray], rows: int) -> BoolArray:
    """In which rows `(rows,)` a cell that the rule is about was missing."""
    touched = np.zeros(rows, dtype=np.bool_)
    for name in rule.columns:
        touched |= missing.get(name, False)
    return touched


def _nowhere(frame: pd.DataFrame) -> BoolArray:
    """Nothing is wished for."""
    return np.zeros(len(frame), dtype=np.bool_)
