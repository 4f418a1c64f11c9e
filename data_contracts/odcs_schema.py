"""Is a document an ODCS contract at all? The standard's own JSON schema and model decide."""

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from jsonschema import Draft201909Validator, ValidationError
from open_data_contract_standard.model import OpenDataContractStandard
from pydantic import BaseModel

from data_contracts.faults import Faults, records_in, show, suggestion

API_VERSION = "v3.1.0"
_READABLE = ("v3.0.0", "v3.0.1", "v3.0.2", "v3.1.0", "v3.2.0")
_UNKNOWN_KEYS = ("unevaluatedProperties", "additionalProperties")


def check_standard(document: dict[str, Any], faults: Faults) -> None:
    """Add a fault for everything in `document` that ODCS does not allow, or that is older than 3.

    The keys are compared with the standard's model and the rest with its JSON schema: the schema
    alone blames every key of an object in which one value is wrong.
    """
    version = document.get("apiVersion")
    if version is not None and version not in _READABLE:
        faults.add(
            "apiVersion",
            f"found {show(version)}",
            f"Understudy reads ODCS 3; use {API_VERSION}.",
        )
    _check_keys(document, OpenDataContractStandard, "", faults)
    _check_server_keys(document, faults)
    errors = sorted(_validator().iter_errors(document), key=lambda error: len(error.absolute_path))
    for error in errors:
        if error.validator not in _UNKNOWN_KEYS or "logicalTypeOptions" in error.absolute_path:
            _add(error, faults)
    for error in errors:
        if not faults.touches(_path(error)):
            faults.add(_path(error) or "the file", _short(error.message), "See the ODCS schema.")


@cache
def _validator() -> Draft201909Validator:
    return Draft201909Validator(_schema())


@cache
def _schema() -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(
        files("open_data_contract_standard").joinpath("schema.json").read_text("utf-8")
    )
    return schema


def _path(error: ValidationError) -> str:
    path = ""
    for step in error.absolute_path:
        path += f"[{step}]" if isinstance(step, int) else f".{step}" if path else str(step)
    return path


def _short(message: str) -> str:
    return message if len(message) <= 160 else f"{message[:160]}..."


def _add(error: ValidationError, faults: Faults) -> None:
    path = _path(error)
    allowed: Any = error.validator_value
    if error.validator in ("required", "additionalProperties"):
        _add_keys(error, path, faults)
        return
    found, remedy = f"found {show(error.instance)}", "See the ODCS schema."
    if error.validator == "type":
        remedy = _type_remedy(error)
    elif error.validator == "enum":
        remedy = suggestion(error.instance, [str(word) for word in allowed])
    elif error.validator == "pattern":
        remedy = f"Must match {error.validator_value}."
    elif error.validator == "oneOf" and "quality[" in path:
        found, remedy = "no condition, or more than one", "Give one of mustBe, mustBeLessThan..."
    else:
        found = _short(error.message)
    faults.add(path or "the file", found, remedy)


def _add_keys(error: ValidationError, path: str, faults: Faults) -> None:
    dot = f"{path}." if path else ""
    needed: Any = error.validator_value
    instance: Any = error.instance
    schema: Any = error.schema
    if error.validator == "required":
        for key in needed:
            if key not in instance:
                faults.add(f"{dot}{key}", "missing", "Add it.")
        return
    known = schema.get("properties", {})
    for key in instance:
        if key not in known:
            faults.add(f"{dot}{key}", f"unknown key {key!r}", suggestion(key, known))


def _type_remedy(error: ValidationError) -> str:
    expected = error.validator_value
    if expected == "string":
        return "Must be text; put it in quotes."
    if expected in ("number", "integer") and isinstance(error.instance, str):
        return f"Must be of type {expected}, without quotes (1e5 is written 1.0e+5 in YAML)."
    return f"Must be of type {expected}."


def _check_keys(value: Any, model: type[BaseModel], path: str, faults: Faults) -> None:
    if not isinstance(value, Mapping):
        return
    known = {field.alias or name: field.annotation for name, field in model.model_fields.items()}
    for key, item in value.items():
        place = f"{path}.{key}" if path else str(key)
        if key not in known:
            faults.add(place, f"unknown key {key!r}", suggestion(key, known))
            continue
        inner = next(records_in(known[key]), None)
        for index, part in enumerate(item if isinstance(item, list) else [item]):
            inside = f"{place}[{index}]" if isinstance(item, list) else place
            if inner is not None:
                _check_keys(part, inner, inside, faults)


def _check_server_keys(document: dict[str, Any], faults: Faults) -> None:
    """Which keys a server may have depends on its type: `delimiter` is none of a local one's."""
    definitions = _schema()["$defs"]
    by_type = {
        "local": definitions["ServerSource"]["LocalServer"]["properties"],
        "custom": definitions["ServerSource"]["CustomServer"]["properties"],
    }
    servers = document.get("servers")
    for index, server in enumerate(servers if isinstance(servers, list) else []):
        if not isinstance(server, Mapping) or server.get("type") not in ("local", "custom"):
            continue
        known = {**definitions["Server"]["properties"], **by_type[server["type"]]}
        for key in server:
            if key not in known:
                faults.add(
                    f"servers[{index}].{key}",
                    f"the standard has no {key!r} for a server of type {server['type']}",
                    "Write it under the server's customProperties `understudy`.",
                )
