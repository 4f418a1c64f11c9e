"""Row rules as text: `starts <= ends`, `"unit price" > 0`."""

import json
import re

from data_contracts.contract import Comparison, WrittenRule

_WORD = re.compile(r"[^\W\d]\w*")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_RULE = re.compile(
    r"""\s*(?P<left>"(?:[^"\\]|\\.)*"|[^\W\d]\w*)
        \s*(?P<operator><=|>=|==|!=|<|>)
        \s*(?P<right>"(?:[^"\\]|\\.)*"|[^\W\d]\w*|[+-]?[\d.][\d.eE+-]*)\s*""",
    re.VERBOSE,
)


def parse_rule(text: str, name: str | None) -> Comparison | None:
    """The comparison that `text` writes, or None when it is not one.

    A side is a column (in double quotes when it is not one plain word), the right side may also be
    a number. Nothing is evaluated.
    """
    match = _RULE.fullmatch(text)
    if match is None:
        return None
    try:
        sides = {"left": _column(match["left"]), "right": _side(match["right"])}
        return Comparison.model_validate({**sides, "operator": match["operator"], "name": name})
    except ValueError:
        return None


def rule_text(rule: WrittenRule) -> str:
    """The text that `parse_rule` reads back as the same rule."""
    return rule.written(_quoted)


def _column(text: str) -> str:
    return str(json.loads(text)) if text.startswith('"') else text


def _side(text: str) -> str | float | int:
    if text[0] == '"' or _WORD.fullmatch(text):
        return _column(text)
    if not _NUMBER.fullmatch(text):
        raise ValueError(text)
    return int(text) if text.lstrip("+-").isdigit() else float(text)


def _quoted(name: str) -> str:
    return name if _WORD.fullmatch(name) else json.dumps(name, ensure_ascii=False)
