"""Tables between ODCS and our records: `schema[]` and the servers where the tables land."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from data_contracts.contract import ForeignKey, Source, Table
from data_contracts.faults import Faults, build, show
from data_contracts.odcs_columns import left_to_others, read_column, write_column
from data_contracts.odcs_custom import custom_entry, custom_value, items, mapping
from data_contracts.row_rules import FORMS, parse_rule, rule_text

OWN_KEYS = (
    "kind", "unit", "entity", "time", "cadence", "reject_tolerance", "fixed_combinations",
    "foreign_keys",
)  # fmt: skip
SOURCE_KEYS = (
    "delimiter", "quote", "decimal", "null_words", "true_words", "false_words", "header",
    "url", "url_env", "query", "table",
)  # fmt: skip
_SERVER_KEYS = ("format", "path", "encoding", "delimiter")
# What the standard's short references to a column can hold.
_REFERABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_ROW_COUNTS = {
    "mustBe": (0, 0),
    "mustBeGreaterOrEqualTo": (0, None),
    "mustBeGreaterThan": (1, None),
    "mustBeLessOrEqualTo": (None, 0),
    "mustBeLessThan": (None, -1),
}


def read_table(
    raw: Mapping[str, Any], path: str, source: Source, references: "References", faults: Faults
) -> Table:
    """The table that an ODCS schema object describes; what cannot be read becomes faults."""
    values: dict[str, Any] = {"name": raw.get("name"), "description": raw.get("description")}
    values |= custom_value(raw, path, OWN_KEYS, faults)
    keys = references.foreign_keys(raw, path, faults)
    own_keys = values.setdefault("foreign_keys", [])
    if isinstance(own_keys, list):
        values["foreign_keys"] = own_keys + keys
    _read_quality(raw, values, path, faults)
    columns = [
        read_column(item, f"{path}.properties[{index}]", faults)
        for index, item in enumerate(items(raw, "properties"))
    ]
    if not columns:
        faults.add(f"{path}.properties", "no columns", "Describe at least one column.")
        columns = [read_column({"name": "none", "logicalType": "string"}, path, Faults())]
    fallback: dict[str, Any] = {
        "name": path.replace("[", "_").rstrip("]"),
        "columns": [],
        "source": {},
    }
    fallback["columns"] = [column.model_dump(mode="json") for column in columns]
    fallback["source"] = source.model_dump(mode="json")
    values = {key: value for key, value in values.items() if value is not None}
    table = build(Table, fallback | values, lambda field: _place(path, field), faults, fallback)
    return table


def _place(path: str, field: str) -> str:
    return f"{path}.customProperties.understudy.{field}" if field in OWN_KEYS else f"{path}.{field}"


def _read_quality(
    raw: Mapping[str, Any], values: dict[str, Any], path: str, faults: Faults
) -> None:
    for index, rule in enumerate(items(raw, "quality")):
        place = f"{path}.quality[{index}]"
        if left_to_others(rule, place, faults):
            continue
        if rule.get("type") == "custom":
            _read_rule(rule, values, place, faults)
        elif rule.get("metric") == "rowCount":
            _read_row_count(rule, values, place, faults)
        elif rule.get("metric") == "duplicateValues":
            _read_duplicates(rule, values, place, faults)
        else:
            faults.add(
                place,
                f"a table rule that Understudy does not prove ({rule.get('metric')})",
                "It proves rowCount, duplicateValues, and row rules with type: custom, "
                "engine: understudy.",
            )


def _read_rule(rule: Mapping[str, Any], values: dict[str, Any], place: str, faults: Faults) -> None:
    text, name = rule.get("implementation"), rule.get("name")
    written = parse_rule(text, name) if isinstance(text, str) else None
    if written is None:
        faults.add(f"{place}.implementation", f"found {show(text)}", f"Write {FORMS}.")
    else:
        values.setdefault("row_rules", []).append(written.model_dump(mode="json"))


def _read_duplicates(
    rule: Mapping[str, Any], values: dict[str, Any], place: str, faults: Faults
) -> None:
    if rule.get("mustBe") != 0 or isinstance(rule.get("mustBe"), bool):
        faults.add(place, "duplicates that may be", "Understudy proves mustBe: 0.")
    arguments = mapping(rule, "arguments")
    names = arguments.get("properties")
    if set(arguments) - {"properties"} or not isinstance(names, list):
        faults.add(f"{place}.arguments", f"found {show(arguments)}", "Give properties: [a, b].")
        return
    for index, name in enumerate(names):
        if not isinstance(name, str):
            path = f"{place}.arguments.properties[{index}]"
            faults.add(path, f"found {show(name)}", "Must be the name of a column.")
    if not faults.touches(place):
        values.setdefault("unique_together", []).append(names)


def _read_row_count(
    rule: Mapping[str, Any], values: dict[str, Any], place: str, faults: Faults
) -> None:
    between = rule.get("mustBeBetween")
    bounds = list(between) if isinstance(between, list) and len(between) == 2 else []
    minimum, maximum = bounds or (None, None)
    for key, (above, below) in _ROW_COUNTS.items():
        count = rule.get(key)
        if isinstance(count, int | float):
            minimum = count + above if above is not None else minimum
            maximum = count + below if below is not None else maximum
    if (minimum is None and maximum is None) or rule.get("unit", "rows") != "rows":
        faults.add(place, "no number of rows that can be proven", "Use mustBeGreaterOrEqualTo: n.")
    for field, bound, whole in (
        ("min_rows", minimum, math.ceil),
        ("max_rows", maximum, math.floor),
    ):
        if bound is not None and field in values:
            faults.add(place, f"a second bound for {field}", "Keep one.")
        if bound is not None:
            values[field] = max(0, whole(bound))


class References:
    """Finds the table and column that a reference of the standard names.

    `table.column` in short, or `schema/<id>/properties/<id>` in full, where an element without an
    id goes by its name.
    """

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._short: dict[str, tuple[str, str]] = {}
        self._full: dict[str, tuple[str, str]] = {}
        for table in items(document, "schema"):
            for column in items(table, "properties"):
                found = (str(table.get("name")), str(column.get("name")))
                self._short.setdefault(".".join(found), found)
                ids = (table.get("id", found[0]), column.get("id", found[1]))
                self._full.setdefault(f"schema/{ids[0]}/properties/{ids[1]}", found)

    def find(self, reference: Any) -> tuple[str, str] | None:
        """The (table, column) that `reference` names, or None."""
        if not isinstance(reference, str):
            return None
        return self._short.get(reference) or self._full.get(reference.lstrip("/"))

    def foreign_keys(
        self, raw: Mapping[str, Any], path: str, faults: Faults
    ) -> list[dict[str, Any]]:
        """All relationships of a table and of its columns, as foreign keys."""
        name = str(raw.get("name"))
        found = []
        for index, relation in enumerate(items(raw, "relationships")):
            sides = [relation.get("from"), relation.get("to")]
            found.append(self._key(sides, name, f"{path}.relationships[{index}]", faults))
        for position, column in enumerate(items(raw, "properties")):
            for index, relation in enumerate(items(column, "relationships")):
                place = f"{path}.properties[{position}].relationships[{index}]"
                sides = [f"{name}.{column.get('name')}", relation.get("to")]
                found.append(self._key(sides, name, place, faults))
        return [key for key in found if key is not None]

    def _key(
        self, sides: Sequence[Any], table: str, place: str, faults: Faults
    ) -> dict[str, Any] | None:
        ends: list[list[tuple[str, str]]] = []
        for side, word in zip(sides, ("from", "to"), strict=True):
            references = side if isinstance(side, list) else [side]
            found = [self.find(reference) for reference in references]
            for reference, end in zip(references, found, strict=True):
                if end is None:
                    remedy = "Name an existing column as table.column."
                    faults.add(f"{place}.{word}", f"found {show(reference)}", remedy)
            ends.append([end for end in found if end is not None])
        children, parents = ends
        if faults.touches(place) or not children or not parents:
            return None
        if {end[0] for end in children} != {table} or len({end[0] for end in parents}) != 1:
            faults.add(place, "columns of several tables", "Go from this table to one other.")
            return None
        return ForeignKey(
            columns=tuple(end[1] for end in children),
            parent=parents[0][0],
            parent_columns=tuple(end[1] for end in parents),
        ).model_dump(mode="json")


def read_source(raw: Mapping[str, Any], path: str, faults: Faults) -> Source:
    """The source that an ODCS server describes."""
    values = {key: raw[key] for key in _SERVER_KEYS if key in raw}
    values |= custom_value(raw, path, SOURCE_KEYS, faults)
    if raw.get("type") not in ("local", "custom"):
        faults.add(
            f"{path}.type",
            f"found {show(raw.get('type'))}",
            "Understudy reads servers of type local (files) and custom (SQL).",
        )
    fallback = {"format": "csv", "path": "missing"}
    return build(Source, values, lambda field: _source_place(path, field), faults, fallback)


def _source_place(path: str, field: str) -> str:
    own = field in SOURCE_KEYS
    return f"{path}.customProperties.understudy.{field}" if own else f"{path}.{field}"


def write_source(name: str, source: Source) -> dict[str, Any]:
    """The ODCS server that `read_source` reads back as the same source."""
    encoding = None if source.encoding == "utf-8" else source.encoding
    written = {
        "server": name,
        "type": "custom" if source.format == "sql" or source.path is None else "local",
        "format": source.format,
        "path": source.path,
        "encoding": encoding,
        "customProperties": custom_entry(source, SOURCE_KEYS),
    }
    return {key: value for key, value in written.items() if value is not None}


def write_table(table: Table) -> dict[str, Any]:
    """The ODCS schema object that `read_table` reads back as the same table."""
    referable = all(_is_referable(table.name, key) for key in table.foreign_keys)
    relations = [_relation(table.name, key) for key in table.foreign_keys] if referable else []
    own_keys = OWN_KEYS[:-1] if referable else OWN_KEYS
    written: dict[str, Any] = {
        "name": table.name,
        "description": table.description,
        "logicalType": "object",
        "physicalType": "table",
        "properties": [write_column(column) for column in table.columns],
        "relationships": relations or None,
        "quality": _write_quality(table) or None,
        "customProperties": custom_entry(table, own_keys),
    }
    return {key: value for key, value in written.items() if value is not None}


def _is_referable(table: str, key: ForeignKey) -> bool:
    names = (table, key.parent, *key.columns, *key.parent_columns)
    return all(_REFERABLE.fullmatch(name) for name in names)


def _relation(table: str, key: ForeignKey) -> dict[str, Any]:
    children = [f"{table}.{column}" for column in key.columns]
    parents = [f"{key.parent}.{column}" for column in key.parent_columns]
    single = len(children) == 1
    return {
        "type": "foreignKey",
        "from": children[0] if single else children,
        "to": parents[0] if single else parents,
    }


def _write_quality(table: Table) -> list[dict[str, Any]]:
    rules: list[dict[str, Any]] = []
    for bound, key in ((table.min_rows, "GreaterOrEqualTo"), (table.max_rows, "LessOrEqualTo")):
        if bound is not None:
            rules.append({"type": "library", "metric": "rowCount", f"mustBe{key}": bound})
    for rule in table.row_rules:
        named = {"name": rule.name} if rule.name is not None else {}
        custom = {"type": "custom", "engine": "understudy", "implementation": rule_text(rule)}
        rules.append(named | custom)
    for names in table.unique_together:
        unique = {"type": "library", "metric": "duplicateValues", "mustBe": 0}
        rules.append({**unique, "arguments": {"properties": list(names)}})
    return rules
