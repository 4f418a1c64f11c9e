"""Columns between ODCS and our records: `schema[].properties[]` in both directions."""

from collections.abc import Mapping
from typing import Any

from data_contracts.column_contradictions import logical_type_of
from data_contracts.contract import Column, LogicalType
from data_contracts.errors import ContractError
from data_contracts.faults import Faults, build, show, suggestion
from data_contracts.odcs_custom import custom_entry, custom_value, items, mapping
from data_contracts.schema import arrow_type

OWN_KEYS = ("role", "identifier_kind", "confirm", "ordered", "null_words", "tolerance")
DEFAULT_PHYSICAL = {
    "integer": "int64",
    "number": "float64",
    "boolean": "bool",
    "string": "string",
    "date": "date32",
    "timestamp": "timestamp[us]",
}
# The standard writes formats in Java's letters, Python and Arrow in strptime's.
_FORMAT_LETTERS = (
    ("yyyy", "%Y"), ("MM", "%m"), ("dd", "%d"), ("HH", "%H"), ("mm", "%M"), ("ss", "%S"),
    ("SSSSSS", "%f"),
)  # fmt: skip
_CLASSIFICATION = {
    "identifier": "restricted",
    "sensitive": "confidential",
    "quasi_identifier": "confidential",
}
_STANDARD_PLACES = {
    "logical_type": "logicalType",
    "physical_type": "physicalType",
    "primary_key": "primaryKey",
    "minimum": "logicalTypeOptions.minimum",
    "maximum": "logicalTypeOptions.maximum",
    "pattern": "logicalTypeOptions.pattern",
    "format": "logicalTypeOptions.format",
    "timezone": "logicalTypeOptions.defaultTimezone",
    "categories": "quality",
}
_PROVEN_OPTIONS = ("minimum", "maximum", "pattern", "format", "timezone", "defaultTimezone")


def read_column(raw: Mapping[str, Any], path: str, faults: Faults) -> Column:
    """The column that an ODCS property describes; what cannot be read becomes faults."""
    options = mapping(raw, "logicalTypeOptions")
    values = {
        "name": raw.get("name"),
        "logical_type": raw.get("logicalType"),
        "physical_type": raw.get("physicalType"),
        "required": raw.get("required"),
        "unique": raw.get("unique"),
        "primary_key": raw.get("primaryKey"),
        "description": raw.get("description"),
        "minimum": options.get("minimum"),
        "maximum": options.get("maximum"),
        "pattern": options.get("pattern"),
        "timezone": options.get("defaultTimezone"),
    }
    if raw.get("logicalType") in ("string", "date", "timestamp"):
        values["format"] = _read_format(options.get("format"), str(raw["logicalType"]))
    _read_types(values, options, path, faults)
    _read_quality(raw, values, path, faults)
    own = custom_value(raw, path, OWN_KEYS, faults)
    values = {key: value for key, value in values.items() if value is not None} | own
    for key in ("name", "logical_type", "physical_type"):
        if not isinstance(values.get(key), str):
            values.pop(key, None)
    fallback = _fallback(values, path)
    return build(Column, fallback | values, lambda field: _place(path, field), faults, fallback)


def _place(path: str, field: str) -> str:
    if field in OWN_KEYS:
        return f"{path}.customProperties.understudy.{field}"
    return f"{path}.{_STANDARD_PLACES.get(field, field)}"


def _fallback(values: Mapping[str, Any], path: str) -> dict[str, Any]:
    """Stand-ins, so that a column without a name or type can still be judged for the rest."""
    logical = values.get("logical_type")
    if not isinstance(logical, str) or logical not in DEFAULT_PHYSICAL:
        logical = _guess_logical(values.get("physical_type"))
    return {
        "name": values.get("name") or f"({path})",
        "logical_type": logical,
        "physical_type": values.get("physical_type") or DEFAULT_PHYSICAL[logical],
    }


def _guess_logical(physical: Any) -> LogicalType:
    try:
        return logical_type_of(arrow_type(str(physical)))
    except ContractError:
        return "string"


def _read_types(
    values: dict[str, Any], options: Mapping[str, Any], path: str, faults: Faults
) -> None:
    logical, physical = values["logical_type"], values["physical_type"]
    if logical is None:
        faults.add(f"{path}.logicalType", "missing", suggestion("", DEFAULT_PHYSICAL))
    elif not isinstance(logical, str) or logical not in DEFAULT_PHYSICAL:
        remedy = suggestion(logical, DEFAULT_PHYSICAL)
        faults.add(f"{path}.logicalType", f"found {show(logical)}", remedy)
        values["logical_type"] = None
    elif physical is None:
        zone = f", tz={values['timezone'] or 'UTC'}" if options.get("timezone") is True else ""
        values["physical_type"] = DEFAULT_PHYSICAL[logical].replace("]", f"{zone}]")
    zoned = isinstance(values["physical_type"], str) and "tz=" in values["physical_type"]
    if logical == "timestamp" and options.get("timezone") not in (None, zoned):
        faults.add(
            f"{path}.logicalTypeOptions.timezone",
            f"{show(options['timezone'])}, but physicalType is {show(physical)}",
            "Make both say the same: timezone true goes with timestamp[us, tz=...].",
        )
    for key in options:
        if key not in _PROVEN_OPTIONS:
            faults.add(
                f"{path}.logicalTypeOptions.{key}",
                "a promise that Understudy does not prove",
                f"Use one of: {', '.join(_PROVEN_OPTIONS)}.",
            )


def _read_format(text: Any, logical: str) -> Any:
    if not isinstance(text, str) or logical == "string" or "%" in text:
        return text
    for letters, sign in _FORMAT_LETTERS:
        text = text.replace(letters, sign)
    return text


def _write_format(text: str, logical: str) -> str:
    if logical == "string":
        return text
    java = text
    for letters, sign in _FORMAT_LETTERS:
        java = java.replace(sign, letters)
    return java if _read_format(java, logical) == text else text


def _read_quality(
    raw: Mapping[str, Any], values: dict[str, Any], path: str, faults: Faults
) -> None:
    for index, rule in enumerate(items(raw, "quality")):
        place = f"{path}.quality[{index}]"
        if left_to_others(rule, place, faults):
            continue
        metric, arguments = rule.get("metric"), mapping(rule, "arguments")
        if rule.get("mustBe") != 0 or isinstance(rule.get("mustBe"), bool):
            _not_proven(place, faults)
        elif metric == "nullValues" and not arguments:
            values["required"] = True
        elif metric == "duplicateValues" and not arguments:
            values["unique"] = True
        elif metric == "invalidValues" and set(arguments) == {"validValues"}:
            values["categories"] = _categories(arguments["validValues"], place, values, faults)
        elif metric == "invalidValues" and set(arguments) == {"pattern"}:
            values["pattern"] = arguments["pattern"]
        else:
            _not_proven(place, faults)


def _categories(found: Any, place: str, values: Mapping[str, Any], faults: Faults) -> Any:
    path = f"{place}.arguments.validValues"
    if values.get("categories") is not None:
        faults.add(path, "a second list of categories", "Keep one.")
    if not isinstance(found, list) or not found:
        faults.add(path, f"found {show(found)}", "Must be a list of at least one value.")
        return None
    odd = [
        index
        for index, value in enumerate(found)
        if not isinstance(value, bool | int | float | str)
    ]
    for index in odd:
        faults.add(f"{path}[{index}]", f"found {show(found[index])}", "Must be text or a number.")
    return None if odd else found


def left_to_others(rule: Mapping[str, Any], place: str, faults: Faults) -> bool:
    """Whether a quality rule is not ours to prove: prose, or another engine's.

    SQL is refused: it is written for a server's dialect, and a proof that skips it would lie.
    """
    kind = rule.get("type", "library")
    if kind == "sql":
        faults.add(
            place,
            "an SQL rule, which Understudy cannot prove on files",
            "Write a row rule (type: custom, engine: understudy), or name the engine that "
            "runs it (type: custom, engine: ...).",
        )
    return kind in ("sql", "text") or (kind == "custom" and rule.get("engine") != "understudy")


def _not_proven(place: str, faults: Faults) -> None:
    faults.add(
        place,
        "a column rule that Understudy does not prove",
        "It proves nullValues, duplicateValues, and invalidValues with the argument validValues "
        "or pattern, each with mustBe: 0.",
    )


def write_column(column: Column) -> dict[str, Any]:
    """The ODCS property that `read_column` reads back as the same column."""
    options: dict[str, Any] = {
        "minimum": column.minimum,
        "maximum": column.maximum,
        "pattern": column.pattern,
        "format": column.format and _write_format(column.format, column.logical_type),
        "timezone": True if "tz=" in column.physical_type else None,
        "defaultTimezone": column.timezone,
    }
    written: dict[str, Any] = {
        "name": column.name,
        "description": column.description,
        "logicalType": column.logical_type,
        "physicalType": column.physical_type,
        "required": column.required or None,
        "unique": column.unique or None,
        "primaryKey": column.primary_key or None,
        "classification": _CLASSIFICATION.get(column.role),
        "logicalTypeOptions": {k: v for k, v in options.items() if v is not None} or None,
        "quality": [_valid_values(column)] if column.categories is not None else None,
        "customProperties": custom_entry(column, OWN_KEYS),
    }
    return {key: value for key, value in written.items() if value is not None}


def _valid_values(column: Column) -> dict[str, Any]:
    return {
        "type": "library",
        "metric": "invalidValues",
        "arguments": {"validValues": list(column.categories or ())},
        "mustBe": 0,
    }
