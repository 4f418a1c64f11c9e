"""Relations between columns that no contract names: found in the training rows, then kept."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from data_contracts.contract import Comparison, Product, Sum, Table, WrittenRule
from data_contracts.dataset import Dataset
from data_contracts.linear_relations import find_equations, find_orderings
from data_contracts.paired_codes import determined_pairs
from data_contracts.product_relations import find_products
from data_contracts.row_rules import parse_rule, rule_text
from data_contracts.schema import to_arrow
from data_contracts.written_checks import breaks_written
from models.encoding.category import CategoryCodec
from models.encoding.column import (
    THRESHOLD,
    UNKNOWN,
    BoolArray,
    FloatArray,
    IntArray,
    unit_counts,
)
from models.encoding.measure import Measure
from models.encoding.table import TableCodec
from models.generators.states import Never, each_together, find_nevers, indicators, never_together

SCREENED_ROWS = 20_000
"""Rows in which relations are looked for; what is found there is then checked in all rows."""
PAIRED_ROWS = 1000
"""Rows by which columns are ruled out that cannot be paired value by value."""
FEWEST_UNITS = 200
"""Of fewer people nothing is said that holds without exception."""
MOST_VALUES = 1000
"""Columns of more values are not paired value by value."""


@dataclass(frozen=True)
class FoundRules:
    """What holds in every training row, and would not hold by chance.

    `rules` are comparisons and sums of columns; `combinations` pairs of columns of which one tells
    the other, with the first codes `(combinations, 2)` that enough units hold together; `nevers`
    pairs of states that no row has together, such as "nothing ordered" and "something paid".
    """

    rules: tuple[WrittenRule, ...] = ()
    combinations: dict[tuple[str, ...], IntArray] = field(default_factory=dict)
    nevers: tuple[Never, ...] = ()

    @property
    def idle(self) -> bool:
        """Whether nothing was found."""
        return not (self.rules or self.combinations or self.nevers)

    def table(self, table: Table) -> Table:
        """The table with the rules found as its only row rules."""
        return table.model_copy(update={"row_rules": self.rules})

    def broken(self, frame: pd.DataFrame, table: Table, codec: TableCodec) -> BoolArray:
        """Which rows break any of them."""
        broken = np.zeros(len(frame), dtype=np.bool_)
        if self.rules:
            rows = to_arrow(frame, table)
            for rule in self.rules:
                broken |= breaks_written(rule, rows)
        for names, tuples in self.combinations.items():
            broken |= ~among(codec.first_of(frame, names), tuples)
        return broken | never_together(self.nevers, frame, codec)

    def with_earlier(self, earlier: Self) -> Self:
        """These and those found earlier; of the same columns an equation tells most, then these.

        A comparison of columns that an equation ties together says nothing more.
        """
        both = (*self.rules, *earlier.rules)
        most: dict[frozenset[str], WrittenRule] = {}
        for rule in sorted(both, key=lambda rule: not _is_equation(rule)):
            most.setdefault(frozenset(rule.columns), rule)
        ties = [columns for columns, rule in most.items() if _is_equation(rule)]
        rules = [
            rule
            for rule in both
            if rule is most[columns := frozenset(rule.columns)]
            and (_is_equation(rule) or not any(columns < tie for tie in ties))
        ]
        nevers = dict.fromkeys((*self.nevers, *earlier.nevers))
        return type(self)(tuple(rules), earlier.combinations | self.combinations, tuple(nevers))

    def settings(self) -> dict[str, Any]:
        """What is stored as JSON: names of columns, and nothing of any row."""
        return {
            "rules": [rule_text(rule) for rule in self.rules],
            "combinations": [list(names) for names in self.combinations],
            "nevers": [list(never) for never in self.nevers],
        }

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """The combinations' codes by name."""
        return {str(number): one for number, one in enumerate(self.combinations.values())}

    @classmethod
    def restore(cls, settings: dict[str, Any], arrays: dict[str, npt.NDArray[Any]]) -> Self:
        """What `settings` and `arrays` were taken from."""
        rules = [parse_rule(text, None) for text in settings["rules"]]
        combinations = {
            tuple(names): arrays[str(number)]
            for number, names in enumerate(settings["combinations"])
        }
        nevers = tuple(Never(*each) for each in settings["nevers"])
        return cls(tuple(rule for rule in rules if rule is not None), combinations, nevers)


NOTHING = FoundRules()


def find_rules(
    data: Dataset, table: Table, codec: TableCodec, units: IntArray | None
) -> FoundRules:
    """The relations that hold in all training rows of `data`; `units` says whose each row is.

    Each must have a negligible chance to hold in so many units if its columns had nothing to do
    with each other, and be borne by enough of them that it tells of nobody in particular. What the
    contract asks for itself is left out.
    """
    step = max(1, -(-len(data.frame) // SCREENED_ROWS))
    frame = data.frame.iloc[::step].reset_index(drop=True)
    owners = None if units is None else units[::step]
    count = len(frame) if owners is None else len(np.unique(owners))
    if count < FEWEST_UNITS:
        return NOTHING
    rules = tuple(_linear(frame, table, codec, count))
    joined = [set(rule.columns) for rule in rules if _is_equation(rule)]
    joined += [set(names) for names in table.fixed_combinations]
    candidates = FoundRules(
        rules,
        {
            names: np.empty((0, 2), dtype=np.int64)
            for names in _pairs(frame, table, codec, count)
            if not any(set(names) <= columns for columns in joined)
        },
        tuple(find_nevers(indicators(frame, codec, _free(table, codec)), count)),
    )
    held = _held(candidates, data.parts(), table, codec)
    combinations = {}
    for names in held.combinations:
        tuples = _shared(codec.first_of(data.frame, names), units)
        if all(_covers(tuples[:, at], codec, name) for at, name in enumerate(names)):
            combinations[names] = tuples
    return FoundRules(held.rules, combinations, held.nevers)


def still_held(earlier: FoundRules, data: Dataset, table: Table, codec: TableCodec) -> FoundRules:
    """Those relations of an earlier model, of this codec, that hold in all rows of `data` as well.

    They had their evidence in the rows that they were found in: here few rows will do.
    """
    return _held(earlier, data.parts(), table, codec)


def _free(table: Table, codec: TableCodec) -> list[str]:
    """The columns that are modelled, but for the unit of privacy."""
    return [name for name, parts in codec.columns_.items() if len(parts) and name != table.unit]


def _linear(
    frame: pd.DataFrame, table: Table, codec: TableCodec, units: int
) -> Iterator[Comparison | Sum | Product]:
    """Comparisons, sums and products that hold in `frame`, of columns in one unit."""
    asked = {frozenset(rule.columns) for rule in table.row_rules}
    measures = codec.measures()
    for unit in ("number", "day", "month"):
        names = [name for name in _free(table, codec)
                 if name in measures and measures[name].unit == unit]  # fmt: skip
        if len(names) < 2:
            continue
        numbers = np.stack([codec.numbers(name, frame[name]) for name in names], axis=1)
        equations: list[Comparison | Sum | Product] = [*find_equations(numbers, names, units)]
        if unit == "number":
            equations += _products(numbers, names, equations, units)
        else:
            equations = [rule for rule in equations if rule.kind == "comparison"]
        joined = [frozenset(rule.columns) for rule in equations]
        orderings = find_orderings(numbers, names, units)
        yield from (rule for rule in equations if frozenset(rule.columns) not in asked)
        for rule in orderings:
            own = frozenset(rule.columns)
            if own not in asked and not any(own <= columns for columns in joined):
                yield rule


def _products(
    numbers: FloatArray,
    names: list[str],
    equations: Sequence[Comparison | Sum | Product],
    units: int,
) -> list[Product]:
    """Products that hold, of columns that no equation makes equal to another one."""
    twice = {rule.columns[1] for rule in equations if isinstance(rule, Comparison)}
    once = [at for at, name in enumerate(names) if name not in twice]
    found = find_products(numbers[:, once], [names[at] for at in once], units)
    tied = [frozenset(rule.columns) for rule in equations]
    return [rule for rule in found if not any(set(rule.columns) <= own for own in tied)]


def _is_equation(rule: WrittenRule) -> bool:
    return not isinstance(rule, Comparison) or rule.operator == "=="


def _pairs(
    frame: pd.DataFrame, table: Table, codec: TableCodec, units: int
) -> Iterator[tuple[str, ...]]:
    """Pairs of columns of listed values of which one tells the other in every row of `frame`."""
    measures = codec.measures()
    names = [name for name in _free(table, codec) if _is_listed(codec, name, measures.get(name))]
    if len(names) < 2:
        return
    # A few rows rule out nearly all columns before the others are encoded.
    few = _told(codec, codec.first_of(frame.iloc[:PAIRED_ROWS], names), names)
    likely = {at for pair in determined_pairs(few, units) for at in pair}
    names = [names[at] for at in sorted(likely)]
    codes = _told(codec, codec.first_of(frame, names), names)
    for left, right in determined_pairs(codes, units):
        yield names[left], names[right]


def _is_listed(codec: TableCodec, name: str, measure: Measure | None) -> bool:
    """Whether a column's first code is all there is of its value, and one of not too many."""
    parts = codec.columns_[name]
    whole = len(parts) == 1 and (measure is None or not len(measure.axis.cell_tops))
    return whole and codec.parts_[parts.start].cardinality <= MOST_VALUES


def _told(codec: TableCodec, codes: IntArray, names: list[str]) -> IntArray:
    """First codes `(rows, columns)`, UNKNOWN also where one stands for many protected values."""
    told = codes.copy()
    for at, name in enumerate(names):
        own = codec.codecs_[name]
        if isinstance(own, CategoryCodec):
            told[told[:, at] >= own.missing_ + len(own.values_), at] = UNKNOWN
    return told


def _held(
    candidates: FoundRules, parts: Iterable[pd.DataFrame], table: Table, codec: TableCodec
) -> FoundRules:
    """Those of the candidates that hold in every row of every part."""
    rules, nevers = list(candidates.rules), list(candidates.nevers)
    known: dict[tuple[str, ...], IntArray] = dict(candidates.combinations)
    for part in parts:
        if rules:
            columns = list(dict.fromkeys(name for rule in rules for name in rule.columns))
            narrow = table.model_copy(update={"columns": tuple(map(table.column, columns))})
            rows = to_arrow(part[columns], narrow)
            rules = [rule for rule in rules if not bool(breaks_written(rule, rows).any())]
        hits = each_together(nevers, part, codec)
        nevers = [one for one, both in zip(nevers, hits, strict=True) if not bool(both.any())]
        for names in list(known):
            codes = _told(codec, codec.first_of(part, names), list(names))
            seen = np.unique(np.concatenate([known[names], codes[(codes >= 0).all(1)]]), axis=0)
            if len(np.unique(seen[:, 0])) < len(seen) > len(np.unique(seen[:, 1])):
                del known[names]
            else:
                known[names] = seen
    return FoundRules(tuple(rules), known, tuple(nevers))


def _shared(codes: IntArray, units: IntArray | None) -> IntArray:
    """The codes `(combinations, columns)` that enough units hold together."""
    rows = np.flatnonzero((codes != UNKNOWN).all(1))
    tuples, index = np.unique(codes[rows], axis=0, return_inverse=True)
    held = unit_counts(index.ravel(), len(tuples), None if units is None else units[rows])
    return tuples[held >= THRESHOLD]


def _covers(codes: IntArray, codec: TableCodec, name: str) -> bool:
    """Whether every value of a column's first code is among the codes: none may get lost."""
    cardinality = codec.parts_[codec.columns_[name].start].cardinality
    return len(np.unique(codes)) == cardinality


def among(codes: IntArray, tuples: IntArray) -> BoolArray:
    """Which rows of codes `(rows, columns)` are one of the tuples; one with an unknown code is."""
    both = np.concatenate([tuples, codes])
    _, index = np.unique(both, axis=0, return_inverse=True)
    known = np.isin(index.ravel()[len(tuples) :], index.ravel()[: len(tuples)])
    found: BoolArray = known | (codes < 0).any(1)
    return found
