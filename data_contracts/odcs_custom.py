"""Our own part of an ODCS file: `customProperties: [{property: understudy, value: {...}}]`."""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel

from data_contracts.faults import Faults, show, suggestion

PROPERTY = "understudy"


def mapping(raw: Mapping[str, Any], key: str) -> dict[str, Any]:
    """The mapping under `key`, empty when absent or wrong (which the schema check tells)."""
    value = raw.get(key)
    return value if isinstance(value, dict) else {}


def items(raw: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    """The list of mappings under `key`; an entry of another type stands as an empty mapping."""
    value = raw.get(key)
    found = value if isinstance(value, list) else []
    return [item if isinstance(item, dict) else {} for item in found]


def custom_value(
    raw: Mapping[str, Any], path: str, known: Iterable[str], faults: Faults
) -> dict[str, Any]:
    """What stands under our custom property, without the keys that are not `known`."""
    own = [item for item in items(raw, "customProperties") if item.get("property") == PROPERTY]
    place = f"{path}.customProperties.{PROPERTY}" if path else f"customProperties.{PROPERTY}"
    if len(own) > 1:
        faults.add(place, f"given {len(own)} times", "Keep one.")
    value = own[0].get("value") if own else {}
    if not isinstance(value, dict):
        faults.add(place, f"found {show(value)}", "Must be a mapping.")
        return {}
    names = tuple(known)
    for key in value:
        if key not in names:
            faults.add(f"{place}.{key}", f"unknown key {key!r}", suggestion(key, names))
    return {key: item for key, item in value.items() if key in names}


def custom_entry(record: BaseModel, keys: Iterable[str]) -> list[dict[str, Any]] | None:
    """Our custom property with those `keys` of a record that differ from their defaults."""
    value = record.model_dump(mode="json", include=set(keys), exclude_defaults=True)
    ordered = {key: value[key] for key in keys if key in value}
    return [{"property": PROPERTY, "value": ordered}] if ordered else None
