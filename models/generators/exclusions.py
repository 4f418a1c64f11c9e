"""Values of two columns that no row has together, while rows are drawn."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from data_contracts.contract import RequiredWhen, Table
from data_contracts.masks import fitting
from data_contracts.schema import column_type
from models.encoding.column import UNKNOWN, BoolArray, IntArray
from models.encoding.table import TableCodec
from models.generators.states import Never, codes_in


@dataclass(frozen=True)
class Exclusion:
    """A row with one of these first codes of `left` has none of these of `right`, `(values,)`."""

    left: str
    left_codes: BoolArray
    right: str
    right_codes: BoolArray


class Exclusions:
    """Exclusions, and the first codes of their columns as far as they are drawn."""

    def __init__(self, exclusions: Iterable[Exclusion], rows: int) -> None:
        self.of: dict[str, list[tuple[BoolArray, str, BoolArray]]] = {}
        for one in exclusions:
            self.of.setdefault(one.left, []).append((one.left_codes, one.right, one.right_codes))
            self.of.setdefault(one.right, []).append((one.right_codes, one.left, one.left_codes))
        self.codes = {name: np.full(rows, UNKNOWN, dtype=np.int64) for name in self.of}

    def observe(self, name: str, values: IntArray) -> None:
        """Takes in the first code of a column, `(rows,)`."""
        if name in self.codes:
            self.codes[name] = values.astype(np.int64)

    def taken(self, rows: IntArray) -> None:
        """Goes on with these rows in the place of its own."""
        self.codes = {name: values[rows] for name, values in self.codes.items()}

    def allowed(self, name: str) -> BoolArray | None:
        """The values of a column that go with what is known, `(rows, values)`; None for all."""
        forbidden: dict[bytes, tuple[BoolArray, BoolArray]] = {}
        for own, other, codes in self.of.get(name, []):
            seen = self.codes[other]
            # What is not known forbids nothing.
            hit = np.append(codes, np.zeros(1, dtype=np.bool_))[seen]
            if not bool(hit.any()):
                continue
            _, before = forbidden.get(own.tobytes(), (own, np.zeros(len(hit), dtype=np.bool_)))
            forbidden[own.tobytes()] = own, before | hit
        if not forbidden:
            return None
        allowed: BoolArray | None = None
        for own, hit in forbidden.values():
            kept = ~(hit[:, None] & own[None, :])
            allowed = kept if allowed is None else allowed & kept
        return allowed


def exclusions_of(codec: TableCodec, nevers: Iterable[Never]) -> Iterator[Exclusion]:
    """States that do not go together, as first codes."""
    for one in nevers:
        yield Exclusion(
            one.left,
            codes_in(codec, one.left, one.left_state),
            one.right,
            codes_in(codec, one.right, one.right_state),
        )


def written_exclusions(codec: TableCodec, table: Table) -> Iterator[Exclusion]:
    """The contract's rules of presence on a condition, where first codes tell it."""
    for rule in table.row_rules:
        if not isinstance(rule, RequiredWhen):
            continue
        met = _meeting(codec, rule)
        if met is None or not codec.may_miss(rule.column):
            continue
        missing = codes_in(codec, rule.column, "missing")
        wrong = ~missing if rule.missing else missing
        yield Exclusion(rule.column, wrong, rule.when, met)
        if rule.otherwise:
            yield Exclusion(rule.column, ~wrong, rule.when, ~met)


def _meeting(codec: TableCodec, rule: RequiredWhen) -> BoolArray | None:
    """The first codes of the column `when` that meet the condition; None where none tells it."""
    if not len(codec.columns_[rule.when]) or not len(codec.columns_[rule.column]):
        return None
    if rule.values is None:
        return ~codes_in(codec, rule.when, "missing")
    held = fitting(rule.values, column_type(codec.table_.column(rule.when)))
    known = [value for value in held if codec.knows(rule.when, value)]
    met = np.zeros(codec.parts_[codec.columns_[rule.when].start].cardinality, dtype=np.bool_)
    if known and not codec.lists(rule.when, known):
        return None
    if known:
        met[codec.first_codes(rule.when, known)] = True
    return met
