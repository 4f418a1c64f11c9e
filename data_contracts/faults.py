"""Faults of a contract, gathered so that an author sees all of them at once, not one by one."""

import difflib
import json
import re
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError

from data_contracts.errors import ContractError, problem
from data_contracts.share import is_written_out

_LONGEST = 80
_INDEXES = re.compile(r"schema\[(\d+)\](?:\.properties\[(\d+)\])?")
_KINDS = ("table", "column")
R = TypeVar("R", bound=BaseModel)


class Fault(NamedTuple):
    """One thing wrong in a contract: its path in the file, what was found, what to do."""

    path: str
    found: str
    remedy: str


@dataclass
class Faults:
    """The faults found so far; a path that already has one takes no second opinion."""

    found: list[Fault] = field(default_factory=list)

    def add(self, path: str, found: str, remedy: str) -> None:
        """Note a fault, unless the same place (or one around it) is already known to be wrong."""
        if not self.covers(path):
            self.found.append(Fault(path, found, remedy))

    def covers(self, path: str) -> bool:
        """Whether `path`, or something that holds it, already has a fault."""
        return any(_inside(path, fault.path) for fault in self.found)

    def touches(self, path: str) -> bool:
        """Whether `path`, or something inside it, already has a fault."""
        return any(_inside(fault.path, path) for fault in self.found)

    def raise_if_any(self, file: str, document: Mapping[str, Any] | None = None) -> None:
        """Raise one ContractError that tells every fault of `file`; return when there is none.

        With the file's `document`, places in columns carry the column's name: nobody counts them.
        """
        if not self.found:
            return
        count = "1 fault" if len(self.found) == 1 else f"{len(self.found)} faults"
        lines = [
            f"  {_owner(fault.path, document)}{problem(fault.path, fault.found, fault.remedy)}"
            for fault in self.found
        ]
        raise ContractError("\n".join([f"{file}: {count} in the contract", *lines]))


def _owner(path: str, document: Any) -> str:
    """`column 'age': ` for a place in a column of the document, `table 'people': ` in a table."""
    indexes = _INDEXES.match(path)
    if indexes is None:
        return ""
    found, words = document, ""
    for step, key, kind in zip(indexes.groups(), ("schema", "properties"), _KINDS, strict=True):
        if step is None:
            break
        held = found.get(key) if isinstance(found, Mapping) else None
        if not isinstance(held, list) or int(step) >= len(held):
            break
        found = held[int(step)]
        name = found.get("name") if isinstance(found, Mapping) else None
        words = f"{kind} {name!r}: " if isinstance(name, str) else ""
    return words


def _inside(path: str, place: str) -> bool:
    return path == place or path.startswith((f"{place}.", f"{place}["))


def show(value: Any) -> str:
    """A value as a contract's author would know it again, with its kind, and never long.

    A secret key, in the place of a name as well, is not repeated: errors end in logs.
    """
    if isinstance(value, Mapping):
        return f"a mapping with {len(value)} keys"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}"
    text = json.dumps(value, default=str, ensure_ascii=False)
    if is_written_out(text):
        return "a secret key"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def suggestion(word: object, known: Iterable[str]) -> str:
    """The sentence that helps someone who wrote `word` where one of `known` is expected."""
    names = sorted(known)
    near = difflib.get_close_matches(str(word), names, n=1, cutoff=0.6)
    return f"Did you mean {near[0]!r}?" if near else f"Use one of: {', '.join(names) or '(none)'}."


def build(
    model: type[R],
    values: dict[str, Any],
    place: Callable[[str], str],
    faults: Faults,
    fallback: dict[str, Any],
) -> R:
    """A record from values of a file; each wrong value becomes a fault and is then left out.

    A record comes back even from faulty values, so that the rest of the file can still be judged:
    `fallback` has the fields without which the record cannot exist. `place` gives the path in the
    file of a field of the record. Types are strict: the text "5" is no number.
    """
    values = dict(values)
    try:
        return model.model_validate_json(json.dumps(values), strict=True)
    except ValidationError as error:
        wrong = error.errors()
    for detail in wrong:
        location = detail["loc"]
        path = _inner(place(str(location[0])), location[1:])
        faults.add(path, *_explain(model, detail))
        values.pop(str(location[0]), None)
    try:
        return model.model_validate_json(json.dumps({**fallback, **values}), strict=True)
    except ValidationError:
        return model.model_validate_json(json.dumps(fallback))


def _inner(path: str, location: tuple[int | str, ...]) -> str:
    for step in location:
        path += f"[{step}]" if isinstance(step, int) else f".{step}"
    return path


def _explain(model: type[BaseModel], detail: Any) -> tuple[str, str]:
    if detail["type"] == "extra_forbidden":
        *above, key = detail["loc"]
        return f"unknown key {key!r}", suggestion(key, _fields_at(model, above))
    if detail["type"] == "missing":
        return "missing", "Add it."
    return f"found {show(detail['input'])}", f"{detail['msg']}."


def _fields_at(model: type[BaseModel], location: list[int | str]) -> Iterable[str]:
    """The keys that the record at `location` inside a record of class `model` may have."""
    for step in location:
        field_info = model.model_fields.get(str(step))
        inner = next(records_in(field_info.annotation), None) if field_info else None
        model = inner or model
    return model.model_fields


def records_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """The record classes that an annotation such as `list[Server] | None` speaks of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in typing.get_args(annotation):
        yield from records_in(argument)
