"""Contracts between the Open Data Contract Standard (ODCS v3.1) and our records.

What the standard has words for is written in them, so that other tools read the file too; the rest
stands under `customProperties` with the property `understudy`, in our records' own names.
"""

from collections.abc import Mapping
from typing import Any

from data_contracts.contract import Contract, Freshness, Source, Table
from data_contracts.faults import Faults, build, show
from data_contracts.odcs_custom import custom_entry, custom_value, items, mapping
from data_contracts.odcs_schema import API_VERSION
from data_contracts.odcs_tables import (
    References,
    read_source,
    read_table,
    write_source,
    write_table,
)

OWN_KEYS = ("holdout", "generator", "sampling", "bars", "privacy", "share")
_HOURS = {
    "h": 1.0, "hr": 1.0, "hour": 1.0, "hours": 1.0,
    "d": 24.0, "day": 24.0, "days": 24.0,
    "m": 1 / 60, "min": 1 / 60, "minute": 1 / 60, "minutes": 1 / 60,
}  # fmt: skip


def read_contract(document: dict[str, Any], faults: Faults) -> Contract:
    """The contract that an ODCS document describes; what cannot be read becomes faults.

    The document has passed `check_standard` with the same `faults`; a contract comes back from a
    faulty one too, so that contradictions can be looked for in the rest of it.
    """
    sources = _read_sources(document, faults)
    references = References(document)
    tables = [
        _read_table(item, index, sources, references, faults)
        for index, item in enumerate(items(document, "schema"))
    ]
    if not tables:
        faults.add("schema", "no tables", "Describe at least one table.")
        tables = [read_table({"name": "none"}, "schema[0]", _no_source(), references, Faults())]
    tables = _read_freshness(document, tables, references, faults)
    values = {key: document.get(key) for key in ("id", "version", "name", "status")}
    values["description"] = mapping(document, "description").get("purpose")
    values |= custom_value(document, "", OWN_KEYS, faults)
    values = {key: value for key, value in values.items() if value is not None}
    fallback = {
        "id": "unnamed",
        "version": "0",
        "tables": [t.model_dump(mode="json") for t in tables],
    }
    return build(Contract, fallback | values, _place, faults, fallback)


def _place(field: str) -> str:
    if field == "description":
        return "description.purpose"
    return f"customProperties.understudy.{field}" if field in OWN_KEYS else field


def _no_source() -> Source:
    return Source(format="csv", path="missing")


def _read_sources(document: Mapping[str, Any], faults: Faults) -> dict[str, Source]:
    names = {str(item.get("name")) for item in items(document, "schema")}
    found: dict[str, Source] = {}
    for index, server in enumerate(items(document, "servers")):
        name = str(server.get("server"))
        if name in found:
            faults.add(f"servers[{index}].server", f"{name!r} again", "Keep one server per table.")
        elif name in names:
            found[name] = read_source(server, f"servers[{index}]", faults)
    return found


def _read_table(
    raw: Mapping[str, Any],
    index: int,
    sources: Mapping[str, Source],
    references: References,
    faults: Faults,
) -> Table:
    name = raw.get("name")
    if isinstance(name, str) and name not in sources:
        faults.add(
            "servers",
            f"no server called {name!r}, so the table has no source",
            f"Add `server: {name}` with type, format and path.",
        )
    source = sources.get(str(name)) or _no_source()
    return read_table(raw, f"schema[{index}]", source, references, faults)


def _read_freshness(
    document: Mapping[str, Any], tables: list[Table], references: References, faults: Faults
) -> list[Table]:
    promised: dict[str, Freshness] = {}
    for index, promise in enumerate(items(document, "slaProperties")):
        if promise.get("property") not in ("latency", "freshness"):
            continue
        path = f"slaProperties[{index}]"
        place = references.find(promise.get("element"))
        hours = _HOURS.get(str(promise.get("unit", "d")))
        value = promise.get("value")
        if place is None:
            found = show(promise.get("element"))
            faults.add(f"{path}.element", f"found {found}", "Name a column as table.column.")
        elif place[0] in promised:
            faults.add(f"{path}.element", f"{place[0]!r} again", "Keep one per table.")
        elif hours is None:
            faults.add(f"{path}.unit", f"found {show(promise['unit'])}", "Use h, d or min.")
        elif isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
            faults.add(f"{path}.value", f"found {show(value)}", "Must be a number above 0.")
        else:
            promised[place[0]] = Freshness(column=place[1], max_age_hours=value * hours)
    return [table.model_copy(update={"freshness": promised.get(table.name)}) for table in tables]


def write_contract(contract: Contract) -> dict[str, Any]:
    """The ODCS document that `read_contract` reads back as the same contract."""
    promises = [
        {
            "property": "latency",
            "value": table.freshness.max_age_hours,
            "unit": "h",
            "element": f"{table.name}.{table.freshness.column}",
        }
        for table in contract.tables
        if table.freshness is not None
    ]
    described = contract.description is not None
    written: dict[str, Any] = {
        "apiVersion": API_VERSION,
        "kind": "DataContract",
        "id": contract.id,
        "version": contract.version,
        "name": contract.name,
        "status": contract.status,
        "description": {"purpose": contract.description} if described else None,
        "servers": [write_source(table.name, table.source) for table in contract.tables],
        "schema": [write_table(table) for table in contract.tables],
        "slaProperties": promises or None,
        "customProperties": custom_entry(contract, OWN_KEYS),
    }
    return {key: value for key, value in written.items() if value is not None}
