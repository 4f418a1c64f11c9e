"""YAML from strangers: plain data only, no surprises, and no file that grows when it is read."""

import math
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from data_contracts.errors import ContractError, problem
from data_contracts.faults import Faults

MAXIMUM_BYTES = 5 * 1024 * 1024
MAXIMUM_DEPTH = 40
MAXIMUM_ALIAS_NODES = 10_000

# libyaml's loader knows the same safe tags and is much faster; not every build has it.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_text(path: Path) -> str:
    """The file's text; ContractError when it is missing, too large, empty or not UTF-8."""
    try:
        with path.open("rb") as file:
            content = file.read(MAXIMUM_BYTES + 1)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ContractError(
            problem(str(path), f"cannot be read ({reason})", "Check the path and its permissions.")
        ) from error
    if len(content) > MAXIMUM_BYTES:
        raise ContractError(
            problem(str(path), "larger than 5 MB", "A contract describes data, it holds none.")
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ContractError(
            problem(str(path), f"not UTF-8 at byte {error.start}", "Save the file as UTF-8.")
        ) from error


def parse_mapping(text: str, name: str) -> dict[str, Any]:
    """The mapping that the YAML text holds; `name` is the file's name for errors.

    Refuses tags, repeated keys, several documents, aliases that multiply the content, and
    anything but a mapping at the top: what a reader sees in the file is what is loaded.
    """
    try:
        _check_events(text, name)
        node = yaml.compose(text, Loader=_LOADER)
        if node is None:
            raise ContractError(problem(name, "empty", "Write a contract, or draft one."))
        _check_growth(node, name)
        for mapping in _mappings(node, set()):
            _check_keys(mapping, name)
        value = yaml.load(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        raise ContractError(_yaml_problem(name, error)) from error
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        raise ContractError(
            problem(name, f"not valid YAML ({type(error).__name__})", "Mend the file.")
        ) from error
    if not isinstance(value, dict):
        raise ContractError(
            problem(name, f"holds a {type(value).__name__}", "The top level must be a mapping.")
        )
    return value


def _check_events(text: str, name: str) -> None:
    depth = documents = 0
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        if isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if documents > 1:
            _refuse(event, name, "a second document", "Keep one document in the file.")
        if depth > MAXIMUM_DEPTH:
            _refuse(event, name, f"nested deeper than {MAXIMUM_DEPTH}", "Flatten it.")
        tag = getattr(event, "tag", None)
        if tag:
            _refuse(event, name, f"the tag {tag}", "Write plain values, without tags.")


def _refuse(event: Any, name: str, found: str, remedy: str) -> None:
    where = f"{name} line {event.start_mark.line + 1}"
    raise ContractError(problem(where, found, remedy))


def _check_growth(root: yaml.Node, name: str) -> None:
    """Compare the nodes written with the nodes that aliases make of them."""
    sizes: dict[int, int] = {}
    if _size(root, sizes, set(), name) - len(sizes) > MAXIMUM_ALIAS_NODES:
        raise ContractError(
            problem(name, "aliases that multiply its content", "Write the values out.")
        )


def _size(node: yaml.Node, sizes: dict[int, int], above: set[int], name: str) -> int:
    if id(node) in above:
        raise ContractError(problem(name, "an alias that holds itself", "Write the values out."))
    if id(node) not in sizes:
        inside = above | {id(node)}
        sizes[id(node)] = 1 + sum(_size(child, sizes, inside, name) for child in _children(node))
    return sizes[id(node)]


def _children(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield key
            yield value
    elif isinstance(node, yaml.SequenceNode):
        yield from node.value


def _mappings(node: yaml.Node, seen: set[int]) -> Iterator[yaml.MappingNode]:
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        yield node
    for child in _children(node):
        yield from _mappings(child, seen)


def _check_keys(mapping: yaml.MappingNode, name: str) -> None:
    seen: dict[str, int] = {}
    for key, _ in mapping.value:
        line = key.start_mark.line + 1
        where = f"{name} line {line}"
        if not isinstance(key, yaml.ScalarNode) or key.tag not in _TEXT_KEYS:
            raise ContractError(problem(where, "a key that is not text", "Put it in quotes."))
        if key.value in seen:
            raise ContractError(
                problem(
                    where,
                    f"the key {key.value!r} again (first on line {seen[key.value]})",
                    "Keep one of the two.",
                )
            )
        seen[key.value] = line


_TEXT_KEYS = ("tag:yaml.org,2002:str", "tag:yaml.org,2002:merge")


def _yaml_problem(name: str, error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark
    where = f"{name} line {mark.line + 1}, column {mark.column + 1}" if mark else name
    return problem(where, f"not valid YAML ({error.problem})", "Mend the line, or quote the value.")


def plain(value: Any, path: str, faults: Faults) -> Any:
    """`value` with only what JSON knows; dates and endless numbers become faults.

    YAML reads an unquoted 2024-01-31 as a date, while the standard asks for text: other tools
    would stumble over a file that we let pass.
    """
    if isinstance(value, dict):
        dot = f"{path}." if path else ""
        return {key: plain(item, f"{dot}{key}", faults) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item, f"{path}[{index}]", faults) for index, item in enumerate(value)]
    if isinstance(value, date):
        faults.add(path, f"the date {value.isoformat()}", "Put it in quotes.")
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        faults.add(path, f"found {value}", "Use a finite number, or leave the key out.")
        return 0
    return value
