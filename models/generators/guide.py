"""What a drawing must keep to beyond given values: wishes for columns, and rules between them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd

from data_contracts.contract import Table
from data_contracts.errors import ModelError
from models.conditions import OneOf, Range, Shares, Wish
from models.encoding.column import BoolArray, FloatArray, IntArray
from models.encoding.table import Decoder, TableCodec
from models.generators.bounds import Bounds
from models.generators.combinations import Combination
from models.generators.exclusions import Exclusions, exclusions_of, written_exclusions
from models.generators.found_rules import NOTHING, FoundRules
from models.generators.kept_rules import replaced
from models.generators.lines import Line, LineRule, allowed, left, linear_rules
from models.generators.product_lines import ProductRule, has_place, other_factor, product_rules
from models.generators.settling import settling_order
from models.generators.wishes import (
    Choice,
    Spans,
    choice_of,
    named,
    require_of_constant,
    shared_out,
    spans_of,
)

RAREST = -50.0
"""The log of the least weight of one of several numbers."""
REDRAWS = 30
"""How often a factor is drawn again that leaves the other one no place."""


class Guide:
    """Says of each code which values a row may still have, and takes in what was drawn.

    Numbers and dates are followed as spans, so that a rule between columns and a range are kept in
    whatever order the columns are drawn. `first` are the parts of columns with wishes: drawn first,
    the rest of the row follows from them. `kinds` tells rows of different wishes apart, `(rows,)`.
    """

    def __init__(
        self, codec: TableCodec, table: Table, rows: int, found: FoundRules = NOTHING
    ) -> None:
        self.codec, self.table, self.rows, self.found = codec, table, rows, found
        self.choices: dict[str, Choice] = {}
        self.wished: dict[str, Spans] = {}
        self.present: dict[str, BoolArray] = {}
        self.kinds = np.zeros(rows, dtype=np.int64)
        self.measures = codec.measures()
        self.rules = _line_rules(codec, table)
        self.found_rules = _line_rules(codec, found.table(table))
        self.lines: dict[str, Line] = {}
        for rule in (*self.rules, *self.found_rules):
            for name in rule.names:
                self._follow(name)
        self.combinations = [
            Combination(codec, names, tuples, rows) for names, tuples in codec.combinations_.items()
        ]
        self.found_combinations = [
            Combination(codec, names, tuples, rows) for names, tuples in found.combinations.items()
        ]
        self.exclusions = Exclusions(written_exclusions(codec, table), rows)
        self.found_exclusions = Exclusions(exclusions_of(codec, found.nevers), rows)

    def on(self, rows: IntArray) -> "Guide":
        """A guide with the same wishes for these rows, of which nothing is drawn yet."""
        guide = Guide(self.codec, self.table, len(rows), self.found)
        guide.kinds = self.kinds[rows]
        guide.choices = {name: choice.taken(rows) for name, choice in self.choices.items()}
        guide.present = {name: present[rows] for name, present in self.present.items()}
        for name, spans in self.wished.items():
            guide._follow(name)
            guide.wished[name] = spans.taken(rows)
        return guide

    @property
    def idle(self) -> bool:
        """Whether there is nothing to keep to."""
        asked = self.lines or self.choices or self.combinations or self.present
        return not (asked or self.exclusions.of) and self.found.idle

    @property
    def followed(self) -> set[str]:
        """The columns that rules are about."""
        together = (*self.combinations, *self.found_combinations)
        names = {name for one in together for name in one.names}
        return (
            names | self.lines.keys() | self.exclusions.of.keys() | self.found_exclusions.of.keys()
        )

    @property
    def crowded(self) -> bool:
        """Whether rows are weighed: wishes for several columns have to hold together."""
        return self.undecided or len(self.wished.keys() | self.choices.keys()) > 1

    @property
    def first(self) -> list[int]:
        """The parts of the columns with wishes."""
        names = [
            name for name in self.codec.columns_ if name in self.wished or name in self.choices
        ]
        return [part for name in names for part in self.codec.columns_[name]]

    def fix(self, values: Mapping[str, pd.Series], unknown: Mapping[str, BoolArray]) -> None:
        """Takes in columns whose values are given, `(rows,)` each, but for the unknown cells."""
        for name in self.lines.keys() & values.keys():
            rows = ~unknown.get(name, np.zeros(self.rows, dtype=np.bool_))
            self.lines[name].fix(self.codec.numbers(name, values[name]), rows)

    def wish(self, wishes: Mapping[str, Wish], random: np.random.Generator) -> None:
        """Takes in what is asked of columns; ModelError for what no row can have."""
        for name, wish in wishes.items():
            if isinstance(wish, Shares):
                self._share(name, wish, random)
            else:
                self._ask(name, [wish], np.zeros(self.rows, dtype=np.int64))

    @property
    def undecided(self) -> bool:
        """Whether any of several numbers may be had of a column."""
        return any(spans.points for spans in self.wished.values())

    def pick(self, random: np.random.Generator) -> FloatArray:
        """Picks one of several numbers for each row; the log of each row's weight then, `(rows,)`.

        A number that may lie anywhere counts by its density over a usual cell.
        """
        weights = np.zeros(self.rows)
        for name, spans in self.wished.items():
            if not spans.points:
                continue
            picked = spans.pick(random)
            self.wished[name], axis = picked, self.measures[name].axis
            numbers = np.asarray(picked.picked)
            known = np.isfinite(numbers)
            if not axis.whole and len(axis.cell_tops):
                usual = (axis.high - axis.low) / len(axis.cell_tops)
                dense = axis.encode(numbers[known])[:, 0] >= axis.missing + len(axis.atoms)
                weights[known] += np.where(dense, np.log(usual), 0.0)
                weights[known] += axis.log_detail(numbers[known])
        return weights.clip(min=RAREST)

    def forbid_missing(self, rows: Mapping[str, BoolArray]) -> None:
        """In these rows of a column `(rows,)` a value must be drawn."""
        for name in rows:
            if self.codec.may_miss(name):
                self.present[name] = rows[name]

    def weights(self, part: int) -> FloatArray | None:
        """The share of each value of a part that each row may have, `(rows, values)`.

        None where every row may have all.
        """
        name, place = self._place(part)
        shares = None
        values = self.codec.parts_[part].cardinality
        if name in self.lines and place < self.lines[name].measure.codes:
            shares = self.lines[name].weights(place, values, self._bounds(name))
            if name in self.wished and 0 < place < self.lines[name].measure.parts:
                shares = _both(shares, self.wished[name].second(self.lines[name], values))
        if place > 0:
            return shares
        for allowed_ in self._asked(name, part):
            shares = _both(shares, allowed_.astype(np.float64))
        for allowed_ in (*self._found(name), *self._fitting_atoms(name, values)):
            shares = allowed_.astype(np.float64) if shares is None else _yielding(shares, allowed_)
        return shares

    def _asked(self, name: str, part: int) -> Iterator[BoolArray | FloatArray]:
        """What the contract's rules and the wishes leave of a column's first code."""
        yield from _each_allowed(self.combinations, self.exclusions, name)
        if name in self.present:
            known = np.arange(self.codec.parts_[part].cardinality) > 0
            yield known | ~self.present[name][:, None]
        if name in self.choices:
            yield self.choices[name].allowed[self.choices[name].kinds]
        if name in self.wished:
            values = self.codec.parts_[part].cardinality
            line, may_miss = self.lines[name], self.codec.may_miss(name)
            yield self.wished[name].first(line, values, may_miss=may_miss)

    def _found(self, name: str) -> Iterator[BoolArray]:
        """What the rules found leave of a column's first code."""
        yield from _each_allowed(self.found_combinations, self.found_exclusions, name)

    def observe(self, part: int, values: IntArray) -> None:
        """Takes in the values `(rows,)` of a part."""
        name, place = self._place(part)
        if place == 0:
            for combination in (*self.combinations, *self.found_combinations):
                combination.observe(name, values)
            self.exclusions.observe(name, values)
            self.found_exclusions.observe(name, values)
        if name in self.lines and place < self.lines[name].measure.codes:
            self.lines[name].observe(place, values)

    def taken(self, rows: IntArray) -> None:
        """Goes on with these rows in the place of its own, what is asked of them included."""
        self.rows, self.kinds = len(rows), self.kinds[rows]
        self.choices = {name: choice.taken(rows) for name, choice in self.choices.items()}
        self.present = {name: present[rows] for name, present in self.present.items()}
        self.wished = {name: spans.taken(rows) for name, spans in self.wished.items()}
        for line in self.lines.values():
            line.taken(rows)
        for combination in (*self.combinations, *self.found_combinations):
            combination.codes = combination.codes[rows]
        self.exclusions.taken(rows)
        self.found_exclusions.taken(rows)

    def decoders(self) -> dict[str, Decoder]:
        """For each followed column, from its codes to values within what the others leave it.

        They are to be used in this order.
        """
        names = [name for name in self.codec.columns_ if name in self.lines]
        order = settling_order(names, (*self.rules, *self.found_rules))
        return {name: partial(self._decode, name) for name in order}

    def _decode(self, name: str, codes: IntArray, random: np.random.Generator) -> pd.Series:
        bounds = self._last_bounds(name)
        if name in self.wished:
            line = self.lines[name]
            gap = self.wished[name].gap(line.span.within(bounds), line.measure.step, random)
            bounds = bounds.within(gap)
        values = self.codec.decode_between(name, codes, bounds, random)
        for _ in range(REDRAWS):
            numbers = self.codec.numbers(name, values)
            fits = [one[:, 0] for one in self._fitting(name, numbers[:, None])]
            rows = np.flatnonzero(~np.logical_and.reduce(fits)) if fits else np.empty(0, np.int64)
            if not len(rows):
                break
            some = Bounds(bounds.low[rows], bounds.high[rows])
            again = self.codec.decode_between(name, codes[rows], some, random)
            values = replaced(values, rows, again)
        self.lines[name].settle(self.codec.numbers(name, values))
        return values

    @property
    def _products(self) -> list[ProductRule]:
        rules = (*self.rules, *self.found_rules)
        return [rule for rule in rules if isinstance(rule, ProductRule)]

    def _fitting(self, name: str, numbers: FloatArray) -> Iterator[BoolArray]:
        """Which numbers `(rows, numbers)` of a factor leave the other a place by a total asked for.

        Prices of whole cents lead to few totals of a given number.
        """
        for rule in self._products:
            other = other_factor(rule, name)
            if other is None or not self.measures[other].step or self.lines[other].settled:
                continue
            spans = self._spans()
            if rule.known is None:
                spans[rule.total] = self._bounds(rule.total).within(spans[rule.total])
            yield has_place(rule, name, numbers, spans, self.measures[other])

    def _fitting_atoms(self, name: str, values: int) -> Iterator[BoolArray]:
        """The same of the numbers that have a code of their own, `(rows, values)`."""
        if name not in self.lines or not len(self.measures[name].axis.atoms):
            return
        measure = self.measures[name]
        atoms = measure.offset + measure.scale * measure.axis.atoms
        for fits in self._fitting(name, atoms[None]):
            allowed_ = np.ones((self.rows, values), dtype=np.bool_)
            allowed_[:, measure.axis.missing : measure.axis.missing + len(atoms)] = fits
            yield allowed_

    def outside(self, frame: pd.DataFrame) -> BoolArray:
        """Which rows `(rows,)` do not keep a wish.

        Ends of a range can cut a day in two, and what is wished of a column can leave another one
        no value.
        """
        outside = np.zeros(self.rows, dtype=np.bool_)
        for name, spans in self.wished.items():
            ticks = self.codec.ticks(name, frame[name])
            outside |= ~spans.holds(self.codec.numbers(name, frame[name]), ticks)
        for name, choice in self.choices.items():
            outside |= ~choice.holds(self.codec.first_of(frame, (name,))[:, 0])
        return outside

    def _spans(self, *, sure: bool = False) -> dict[str, Bounds]:
        """Where each followed column lies, as far as it is drawn (or `sure`) and asked for."""
        spans = {name: line.sure if sure else line.span for name, line in self.lines.items()}
        wished = {name: spans[name].within(own.bounds) for name, own in self.wished.items()}
        return spans | wished

    def _bounds(self, name: str) -> Bounds:
        spans = self._spans()
        asked = allowed(name, spans, self.rules)
        # Codes that contradict each other are drawn again; until then each rule counts by itself.
        asked = left(name, spans, self.rules).where(asked.empty, asked)
        asked = asked.within(self.wished[name].bounds) if name in self.wished else asked
        if not self.found_rules:
            return asked
        both = asked.within(allowed(name, spans, (*self.rules, *self.found_rules)))
        # What was found yields where nothing else is left.
        return asked.where(both.empty, both)

    def _last_bounds(self, name: str) -> Bounds:
        """What is left of a column that is settled now.

        Codes that were drawn of columns to come can contradict each other, where several are worked
        out from the same ones. Then only what is settled, given or asked for counts.
        """
        bounds, rules = self._bounds(name), (*self.rules, *self.found_rules)
        torn = allowed(name, self._spans(), rules).empty
        if not bool(torn.any()):
            return bounds
        spans = self._spans(sure=True)
        asked = left(name, spans, self.rules)
        asked = asked.within(self.wished[name].bounds) if name in self.wished else asked
        both = asked.within(left(name, spans, rules))
        return asked.where(both.empty, both).where(torn, bounds)

    def _place(self, part: int) -> tuple[str, int]:
        for name, parts in self.codec.columns_.items():
            if part in parts:
                return name, part - parts.start
        raise KeyError(part)

    def _follow(self, name: str) -> None:
        if name not in self.lines:
            self.lines[name] = Line(self.measures[name], self.codec.columns_[name].start, self.rows)

    def _share(self, name: str, wish: Shares, random: np.random.Generator) -> None:
        """Each value's rows are as many as its share says, to within one, and spread at random."""
        wishes, kinds, added = shared_out(name, wish, self.rows, random)
        self._ask(name, wishes, kinds)
        if added <= 1 - 1e-9 and not self._leaves_others(name):
            raise ModelError(
                f"shares of {name}: they add up to {added:g}, and it has no other value for the "
                "rest. Give shares that add up to 1."
            )

    def _ask(self, name: str, wishes: Sequence[Wish], kinds: IntArray) -> None:
        self.kinds = np.unique(self.kinds * (len(wishes) + 1) + kinds, return_inverse=True)[1]
        ranges = any(isinstance(wish, Range) for wish in wishes)
        if any(isinstance(wish, OneOf) and not wish.of for wish in wishes):
            raise ModelError(f"given {name}: any of no values. Name one at least.")
        if not self.codec.columns_[name]:
            require_of_constant(self.codec, name, wishes)
        elif name in self.measures and (ranges or not self.codec.draws(name, named(wishes))):
            self._follow(name)
            self.wished[name] = spans_of(self.codec, name, wishes, kinds)
        elif ranges:
            raise ModelError(f"given {name}: it has no order, so no range. Name its values.")
        else:
            self.choices[name] = choice_of(self.codec, name, wishes, kinds)

    def _leaves_others(self, name: str) -> bool:
        """Whether the column has values beside those that are asked for."""
        if not self.codec.columns_[name]:
            return False
        if name in self.choices:
            return bool(self.choices[name].allowed[-1].any())
        values = self.codec.parts_[self.codec.columns_[name].start].cardinality
        rest = replace(self.wished[name], kinds=np.array([self.wished[name].others]))
        shares = rest.first(self.lines[name], values, may_miss=self.codec.may_miss(name))
        return bool((shares > 0).any())


def _line_rules(codec: TableCodec, table: Table) -> list[LineRule]:
    """The rules of a table that say where its columns lie on their lines."""
    asked = table, codec.measures(), codec.constants()
    return [*linear_rules(*asked), *product_rules(*asked)]


def _each_allowed(
    combinations: Sequence[Combination], exclusions: Exclusions, name: str
) -> Iterator[BoolArray]:
    for one in combinations:
        if name in one.names and (together := one.allowed(name)) is not None:
            yield together
    if (apart := exclusions.allowed(name)) is not None:
        yield apart


def _both(shares: FloatArray | None, others: FloatArray | None) -> FloatArray | None:
    """The product of two tables of shares, None where there is none of either."""
    if shares is None or others is None:
        return others if shares is None else shares
    return shares * others


def _yielding(shares: FloatArray, allowed_: BoolArray) -> FloatArray:
    """The shares of what is allowed, in rows in which that leaves any."""
    both = shares * allowed_
    left = both.max(axis=1, keepdims=True) > 0
    return both if bool(left.all()) else np.where(left, both, shares)
