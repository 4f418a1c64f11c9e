"""What can be wrong with the rules of several columns: row rules, combinations, keys of groups."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import combinations

from data_contracts.contract import (
    Column,
    Comparison,
    Product,
    RequiredWhen,
    Scalar,
    Sum,
    Table,
    WrittenRule,
)
from data_contracts.faults import Fault, show, suggestion

_NUMBERS = ("integer", "number")
_TIMES = ("date", "timestamp")
# Stands for a value that no rule lists.
_OTHER = object()


def rule_contradictions(table: Table, path: str) -> Iterator[Fault]:
    """Every contradiction in rules of several columns; `path` is the table's place in the file."""
    names = [rule.name or rule.text for rule in table.row_rules]
    for rule in table.row_rules:
        place = f"{path}.quality({rule.text})"
        if names.count(rule.name or rule.text) > 1:
            found = f"{rule.name or rule.text!r} is the name of several rules"
            yield Fault(place, found, "Give each its own name: proofs and rejects go by it.")
        unknown = list(unknown_columns(table, rule.columns, place, repeated=True))
        yield from unknown or _written_contradictions(table, rule, place)
    yield from _rival_contradictions(table, path)
    yield from _combination_contradictions(table, path)
    yield from _unique_contradictions(table, path)


def unknown_columns(
    table: Table, names: Iterable[str], path: str, repeated: bool = False
) -> Iterator[Fault]:
    """A fault for each name that is no column of the table, or (unless `repeated`) comes twice."""
    for name, count in Counter(names).items():
        if name not in table.column_names:
            found = f"no column is called {name!r} in table {table.name!r}"
            yield Fault(path, found, suggestion(name, table.column_names))
        elif count > 1 and not repeated:
            yield Fault(path, f"column {name!r} {count} times", "Name each column once.")


def _written_contradictions(table: Table, rule: WrittenRule, path: str) -> Iterator[Fault]:
    if isinstance(rule, Comparison):
        return _comparison_contradictions(table, rule, path)
    if isinstance(rule, Sum):
        return _sum_contradictions(table, rule, path)
    if isinstance(rule, Product):
        return _number_contradictions(table, rule, path)
    return _presence_contradictions(table, rule, path)


def _comparison_contradictions(table: Table, rule: Comparison, path: str) -> Iterator[Fault]:
    families = [_family(table.column(name)) for name in rule.columns]
    if not isinstance(rule.right, str):
        families.append("number")
    if len(set(families)) > 1:
        found = f"compares {' with '.join(families)}"
        yield Fault(path, found, "Compare columns of like types; a number only with a number.")
    elif families[0] in ("string", "boolean") and rule.operator not in ("==", "!="):
        yield Fault(path, f"orders {families[0]} values", "Use == or != for them.")
    made_up = [_made_up(table, table.column(name)) for name in rule.columns]
    told = [fault for fault in made_up if fault is not None]
    # That a value differs from a made-up one can be kept, that two made-up ones do cannot.
    if isinstance(rule.right, str) and len(told) > (rule.operator == "!="):
        yield Fault(path, f"compares {told[0][0]}", told[0][1])


def _made_up(table: Table, column: Column) -> tuple[str, str] | None:
    """What a column with made-up values is called, and what to do; None for any other.

    Rows of other kinds than `table` are proved, but not made.
    """
    if column.role == "identifier":
        found = f"the identifier {column.name!r}, whose values are made up"
        return found, "Leave it out, or give it another role."
    if table.kind == "table" and table.issues(column):
        found = f"column {column.name!r}, whose values are made up as none may occur twice"
        return found, "Leave it out, or do not promise that it is unique or a key."
    return None


def _family(column: Column) -> str:
    return "number" if column.logical_type == "integer" else column.logical_type


def _number_contradictions(table: Table, rule: Sum | Product, path: str) -> Iterator[Fault]:
    """What cannot be reckoned with: other types, made-up values, one column twice."""
    what, result = ("adds up", "sums") if isinstance(rule, Sum) else ("multiplies", "products")
    for column in map(table.column, rule.columns):
        if column.logical_type not in _NUMBERS:
            found = f"{what} column {column.name!r} of type {column.logical_type}"
            yield Fault(path, found, f"Only integers and numbers have {result}.")
        elif (told := _made_up(table, column)) is not None:
            yield Fault(path, f"{what} {told[0]}", told[1])
    repeated = [name for name, count in Counter(rule.columns).items() if count > 1]
    if repeated:
        yield Fault(path, f"column {repeated[0]!r} twice", "Name each column once.")


def _sum_contradictions(table: Table, rule: Sum, path: str) -> Iterator[Fault]:
    columns = [table.column(name) for name in rule.columns]
    yield from _number_contradictions(table, rule, path)
    low, high = _range_of_sum(table, rule)
    fixed = None if isinstance(rule.total, str) else _double(rule.total, math.inf)
    total = _bounds(columns[-1]) if fixed is None else (fixed, fixed)
    beyond = [low > total[1]] * (rule.operator != ">=") + [high < total[0]] * (
        rule.operator != "<="
    )
    if any(beyond):
        found = f"terms between {low:g} and {high:g} for a total between {total[0]} and {total[1]}"
        yield Fault(path, found, "No row can keep it: mend the rule or the columns' ranges.")


def _range_of_sum(table: Table, rule: Sum) -> tuple[float, float]:
    low, high = 0.0, 0.0
    for term in rule.terms:
        ends = _bounds(table.column(term.column))
        ends = ends if term.sign > 0 else (-ends[1], -ends[0])
        low, high = low + ends[0], high + ends[1]
    # A hair of slack, as these are doubles.
    return low - 1e-9 * abs(low), high + 1e-9 * abs(high)


def _bounds(column: Column) -> tuple[float, float]:
    """Between which doubles the column's numbers lie; without a limit, as far as they go."""
    return _double(column.minimum, -math.inf), _double(column.maximum, math.inf)


def _double(value: float | int | str | None, without: float) -> float:
    try:
        return float(value) if isinstance(value, int | float) else without
    except OverflowError:
        return without


def _presence_contradictions(table: Table, rule: RequiredWhen, path: str) -> Iterator[Fault]:
    column, when = table.column(rule.column), table.column(rule.when)
    if column.name == when.name:
        yield Fault(path, f"column {column.name!r} hangs on itself", "Name another column.")
    if column.required or column.primary_key:
        found = f"column {column.name!r} is required, so that it is always present"
        yield Fault(path, found, "Remove the rule, or the promise that no value is missing.")
    if rule.values is not None:
        yield from _value_contradictions(table, when, rule.values, path)
    elif when.required or when.primary_key:
        found = f"column {when.name!r} is required, so that the condition always holds"
        yield Fault(path, found, "Name values of it, or remove the rule.")


def _value_contradictions(
    table: Table, when: Column, values: tuple[Scalar, ...], path: str
) -> Iterator[Fault]:
    if when.logical_type in _TIMES:
        found = f"lists values of column {when.name!r} of type {when.logical_type}"
        yield Fault(path, found, "Only text, numbers and booleans can be listed; use `present`.")
        return
    if (told := _made_up(table, when)) is not None:
        yield Fault(path, f"lists values of {told[0]}", "Use `present`, or another column.")
    odd = [value for value in values if not _is_of(value, when)]
    if odd:
        found = f"value {show(odd[0])} for column {when.name!r} of type {when.logical_type}"
        remedy = "Text stands in single quotes, numbers without, booleans are true and false."
        yield Fault(path, found, remedy)
        return
    if len(set(values)) < len(values):
        yield Fault(path, "a value twice", "List each value once.")
    strange = [v for v in values if when.categories is not None and v not in when.categories]
    if strange:
        found = f"{show(strange[0])} is no category of column {when.name!r}"
        yield Fault(path, found, suggestion(strange[0], map(str, when.categories or ())))


def _is_of(value: Scalar, column: Column) -> bool:
    if column.logical_type == "boolean" or isinstance(value, bool):
        return column.logical_type == "boolean" and isinstance(value, bool)
    return isinstance(value, str) == (column.logical_type == "string")


def _rival_contradictions(table: Table, path: str) -> Iterator[Fault]:
    """Two rules that ask for the opposite of one column in the same rows."""
    presences = [
        rule
        for rule in table.row_rules
        if isinstance(rule, RequiredWhen) and set(rule.columns) <= set(table.column_names)
    ]
    for one, other in combinations(presences, 2):
        if one.columns != other.columns:
            continue
        cases = _cases(table.column(one.when), (*(one.values or ()), *(other.values or ())))
        demands = [(_demand(one, case), _demand(other, case)) for case in cases]
        if any({True, False} == set(pair) for pair in demands):
            found = f"asks for the opposite of {one.text!r} in some rows"
            remedy = "Make one rule of the two, with `in (...)`, or mend one of them."
            yield Fault(f"{path}.quality({other.text})", found, remedy)


def _cases(when: Column, listed: tuple[Scalar, ...]) -> Iterator[object]:
    """What a row may hold in `when`: each listed value, another one, none."""
    yield from listed
    all_values = (True, False) if when.logical_type == "boolean" else when.categories
    if all_values is None or set(all_values) - set(listed):
        yield _OTHER
    if not when.required:
        yield None


def _demand(rule: RequiredWhen, case: object) -> bool | None:
    """Whether the rule wants the column missing in such a row; None: it does not care."""
    if case is not None and (rule.values is None or case in rule.values):
        return rule.missing
    return not rule.missing if rule.otherwise else None


def _combination_contradictions(table: Table, path: str) -> Iterator[Fault]:
    own = f"{path}.customProperties.understudy.fixed_combinations"
    for index, names in enumerate(table.fixed_combinations):
        place = f"{own}[{index}]"
        unknown = list(unknown_columns(table, names, place))
        yield from unknown
        yield from _group_contradictions(table.fixed_combinations, index, place)
        if unknown:
            continue
        for column in map(table.column, names):
            if column.role == "identifier" or column.name == table.unit:
                what = "unit" if column.name == table.unit else "identifier"
                found = f"{what} {column.name!r} in a combination that is kept as it is"
                yield Fault(place, found, "Leave it out: its combinations would publish it.")
        for unique in _unique_groups(table):
            if set(unique) <= set(names):
                found = f"({', '.join(unique)}) is unique, so that each combination is one row's"
                yield Fault(place, found, "Leave it out: made rows would be copies of real ones.")


def _unique_contradictions(table: Table, path: str) -> Iterator[Fault]:
    for index, names in enumerate(table.unique_together):
        place = f"{path}.quality(duplicateValues of {', '.join(names)})"
        unknown = list(unknown_columns(table, names, place))
        yield from unknown
        yield from _group_contradictions(table.unique_together, index, place)
        if unknown or table.min_rows is None:
            continue
        columns = [table.column(name) for name in names]
        room = math.prod(_room(column) for column in columns)
        if room < table.min_rows:
            found = f"at least {table.min_rows} rows, but {room} different keys at most"
            yield Fault(place, found, "Add a column to the key, or mend its columns' values.")


def _group_contradictions(
    groups: tuple[tuple[str, ...], ...], index: int, place: str
) -> Iterator[Fault]:
    if len(groups[index]) < 2:
        found = f"a list of {len(groups[index])}"
        yield Fault(place, found, "Name two columns or more; for one there is unique.")
    if set(groups[index]) in [set(group) for group in groups[:index]]:
        yield Fault(place, "the same columns again", "Keep one of the two.")


def _unique_groups(table: Table) -> list[tuple[str, ...]]:
    alone = [(column.name,) for column in table.columns if column.unique]
    key = [table.primary_key] if table.primary_key else []
    return [*alone, *key, *table.unique_together]


def _room(column: Column) -> float:
    """How many values a column has at most; without limit where one may be missing."""
    if not (column.required or column.primary_key):
        return math.inf
    if column.categories is not None:
        return len(column.categories)
    if column.logical_type == "boolean":
        return 2
    low, high = _bounds(column)
    if column.logical_type != "integer" or not math.isfinite(high - low):
        return math.inf
    return max(0, math.floor(high) - math.ceil(low) + 1)
