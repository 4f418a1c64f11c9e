"""Rules between columns for a drafted contract: sought in the first rows, then held against all."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from data_contracts.contract import Column, Comparison, Table, WrittenRule
from data_contracts.first_rows import FirstRows, line_of
from data_contracts.held_rules import HeldRules
from data_contracts.identifiers import words_of
from data_contracts.key_groups import equal_columns, find_combinations, find_keys
from data_contracts.linear_relations import FloatArray, find_equations, find_orderings
from data_contracts.presence_inference import find_presences
from data_contracts.product_relations import find_products
from data_contracts.rule_contradictions import rule_contradictions
from data_contracts.typing_rules import type_column

FIRST_ROWS = 20_000
FEWEST_ROWS = 200
"""In fewer rows, or of fewer people, too much holds by chance."""
MOST_RULES = 20
"""Of a kind; what less speaks for is told by number only."""
MOST_OF_COLUMN = 3
"""Sums and products that a column may be in: a whole of which many shares and a sum are told
leaves too few rows that keep them all, each rounded for itself."""
TOUCHING = 0.02
"""Of the usual distance: so near come the columns of an ordering to each other in some rows."""


class Proposals(NamedTuple):
    """What holds in every row that was read, and sentences that say so."""

    rules: tuple[WrittenRule, ...] = ()
    combinations: tuple[tuple[str, ...], ...] = ()
    keys: tuple[tuple[str, ...], ...] = ()
    notes: tuple[str, ...] = ()

    def added(self, table: Table) -> Table:
        """The table with them among its promises."""
        groups = [tuple(sorted(group, key=table.column_names.index)) for group in self.combinations]
        return table.model_copy(
            update={
                "row_rules": self.rules,
                "fixed_combinations": tuple(groups),
                "unique_together": self.keys,
            }
        )


class RuleSearch:
    """The rules that a table's rows keep, learned batch by batch.

    Types, roles and listed values are those of the drafted `table`. Memory holds the first rows,
    and hashes of keys and combinations.
    """

    def __init__(self, table: Table) -> None:
        self.table, self.rows = table, 0
        self._head: list[pa.Table] = []
        self._held: HeldRules | None = None
        self._more: list[str] = []

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that are still needed of the rows to come; none when nothing is left."""
        return self.table.column_names if self._held is None else self._held.columns

    def update(self, batch: pa.RecordBatch | pa.Table) -> None:
        """Take in the next rows, as they were read."""
        self.rows += batch.num_rows
        if self._held is not None:
            self._held.update(_typed(self.table, batch, self._held.columns))
            return
        self._head.append(_typed(self.table, batch, self.table.column_names))
        if self.rows >= FIRST_ROWS:
            self._search()

    def proposed(self) -> Proposals:
        """The rules that no row broke."""
        held = self._held or self._search()
        keys = held.keys
        groups = [
            group for group in held.combinations if not any(set(key) <= set(group) for key in keys)
        ]
        texts = [f'"{rule.text}"' for rule in held.rules]
        order = self.table.column_names.index
        texts += [
            f"the fixed combination ({', '.join(sorted(group, key=order))})" for group in groups
        ]
        texts += [f"that ({', '.join(key)}) are unique together" for key in keys]
        notes = [f"proposes {text}: so in all {self.rows:,} rows" for text in texts]
        return Proposals(tuple(held.rules), tuple(groups), tuple(keys), (*notes, *self._more))

    def _search(self) -> HeldRules:
        head = [rows for rows in self._head if rows.num_rows]
        self._head = []
        if self.rows < FEWEST_ROWS:
            self._held = HeldRules(self.table, [], [], [])
            return self._held
        whole = pa.concat_tables(head)
        first = FirstRows(self.table, whole.slice(0, FIRST_ROWS))
        if first.units < FEWEST_ROWS:
            self._held = HeldRules(self.table, [], [], [])
        else:
            rules, self._more = _rules(first)
            self._held = HeldRules(self.table, rules, _groups(first, rules), find_keys(first))
            self._held.update(whole)
        return self._held


def _typed(table: Table, batch: pa.RecordBatch | pa.Table, names: Sequence[str]) -> pa.Table:
    arrays = {}
    for name in names:
        # A value that does not fit its type is missing here; the proof rejects its row.
        column = table.column(name).model_copy(update={"required": False})
        values = batch.column(name)
        whole = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
        arrays[name] = type_column(whole, column, table.source).array
    return pa.table(arrays)


def _rules(first: FirstRows) -> tuple[list[WrittenRule], list[str]]:
    """Row rules that the first rows keep, and how many more there are of a kind."""
    rules: list[WrittenRule] = []
    more: list[str] = []
    for kind, found in _rules_of(first):
        sound = [rule for rule in found if not _contradicts(first.table, rule)]
        rules += sound[:MOST_RULES]
        if len(sound) > MOST_RULES:
            more.append(
                f"keeps {len(sound) - MOST_RULES:,} more {kind} in its first rows than the "
                f"{MOST_RULES} proposed"
            )
    return rules, more


def _groups(first: FirstRows, rules: list[WrittenRule]) -> list[tuple[str, ...]]:
    """Fixed combinations, but for columns that are equal anyway."""
    equal = [set(rule.columns) for rule in rules if isinstance(rule, Comparison)]
    return [group for group in find_combinations(first) if set(group) not in equal][:MOST_RULES]


def _rules_of(first: FirstRows) -> Iterator[tuple[str, list[WrittenRule]]]:
    equations: list[WrittenRule] = []
    orderings: list[WrittenRule] = []
    products: list[WrittenRule] = []
    for columns in first.lines():
        numbers = np.stack([first.numbers(column) for column in columns], axis=1)
        names = [column.name for column in columns]
        own: list[WrittenRule] = list(find_equations(numbers, names, first.units))
        if line_of(columns[0]) == "number":
            made = find_products(numbers, names, first.units)
            products = [rule for rule in made if not _follows(rule, own)]
        else:
            own = [rule for rule in own if isinstance(rule, Comparison)]
        equations += own
        for rule in find_orderings(numbers, names, first.units):
            meant = _is_meant(rule, numbers, names, columns)
            if meant and not _follows(rule, [*own, *products]):
                orderings.append(rule)
    texts = [Comparison(left=a, operator="==", right=b) for a, b in equal_columns(first)]
    yield "equations", [*equations, *texts]
    yield "products", _apart(products, equations)
    yield "orderings", orderings
    yield "rules of presence", list(find_presences(first))


def _apart(products: list[WrittenRule], others: list[WrittenRule]) -> list[WrittenRule]:
    """The products without a column that too many rules are about."""
    named = Counter(name for rule in (*products, *others) for name in set(rule.columns))
    return [
        rule for rule in products if all(named[name] <= MOST_OF_COLUMN for name in rule.columns)
    ]


def _follows(rule: WrittenRule, others: Iterable[WrittenRule]) -> bool:
    """Whether the columns are tied together by an equation already."""
    return any(set(rule.columns) <= set(other.columns) for other in others)


def _is_meant(
    rule: Comparison, numbers: FloatArray, names: list[str], columns: list[Column]
) -> bool:
    """Whether an ordering looks meant, and not like two sizes that never meet.

    Times are ordered for a reason. Numbers come near to each other where one bounds the other, or
    are called alike, such as `lowest_price` and `highest_price`.
    """
    if columns[0].logical_type in ("date", "timestamp"):
        return True
    left, right = rule.columns
    if set(words_of(left)) & set(words_of(right)):
        return True
    distance = numbers[:, names.index(right)] - numbers[:, names.index(left)]
    known = distance[np.isfinite(distance)]
    return bool(np.quantile(known, 0.01) <= TOUCHING * np.median(known))


def _contradicts(table: Table, rule: WrittenRule) -> bool:
    """Whether the contract could not be loaded with the rule."""
    alone = table.model_copy(
        update={"row_rules": (rule,), "fixed_combinations": (), "unique_together": ()}
    )
    return next(rule_contradictions(alone, table.name), None) is not None
