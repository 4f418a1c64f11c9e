"""Row rules as text: `starts <= ends`, `net + tax == gross`, `reason present when left present`.

A column that is not one plain word stands in double quotes, a text value in single quotes, as in
SQL. Nothing is evaluated.
"""

import json
import re
from typing import Any, NamedTuple

from data_contracts.contract import (
    Comparison,
    Factor,
    Product,
    RequiredWhen,
    Scalar,
    Sum,
    WrittenRule,
)

FORMS = (
    '`column operator column-or-number` as in "starts <= ends" (operators: < <= == != >= >), '
    '`column + column == column-or-number` as in "net + tax == gross" (also - <= >=), `column * '
    'column == column` as in "round(amount * price, 2) == net" (also /), or `column '
    "present when condition` as in \"reason present when state in ('left', 'lost')\""
)
"""What a rule may look like, for those who wrote another one."""
_TOKEN = re.compile(
    r"""\s*(?:
        (?P<quoted>"(?:[^"\\]|\\.)*")
        | (?P<word>[^\W\d]\w*)
        | (?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![\w.]))
        | (?P<value>'(?:[^']|'')*')
        | (?P<sign><=|>=|==|!=|[-<>+*/(),])
    )\s*""",
    re.VERBOSE | re.DOTALL,
)
_WORD = re.compile(r"[^\W\d]\w*")
_TURNED = {"<=": ">=", "==": "==", ">=": "<="}
_OPPOSITE = {"present": "missing", "missing": "present"}


class _Token(NamedTuple):
    kind: str
    text: str

    @property
    def is_column(self) -> bool:
        return self.kind in ("quoted", "word")


_END = _Token("end", "")


def parse_rule(text: str, name: str | None) -> WrittenRule | None:
    """The row rule that `text` writes, or None when it is none."""
    tokens = _tokens(text)
    if tokens is None:
        return None
    try:
        if _word(tokens, 1) in _OPPOSITE and _word(tokens, 2) == "when":
            return _presence(tokens, name)
        signs = [token.text for token in tokens if token.kind == "sign"]
        if {"*", "/"} & set(signs):
            return _product(tokens, name)
        return _sum(tokens, name) if {"+", "-"} & set(signs) else _comparison(tokens, name)
    except ValueError:
        return None


def rule_text(rule: WrittenRule) -> str:
    """The text that `parse_rule` reads back as the same rule."""
    return rule.written(_quoted)


def _tokens(text: str) -> list[_Token] | None:
    found, place = [], 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None or match.lastgroup is None:
            return None
        found.append(_Token(match.lastgroup, match[match.lastgroup]))
        place = match.end()
    return found


def _word(tokens: list[_Token], place: int) -> str | None:
    """The plain word at a place, if one stands there: what may be a word of the language."""
    token = tokens[place] if place < len(tokens) else _END
    return token.text if token.kind == "word" else None


def _comparison(tokens: list[_Token], name: str | None) -> Comparison:
    left, sign, right = tokens
    other = _number(right) if right.kind == "number" else _column(right)
    values = {"left": _column(left), "operator": sign.text, "right": other, "name": name}
    return Comparison.model_validate(values)


def _sum(tokens: list[_Token], name: str | None) -> Sum:
    """Either side of the operator may be the total; the other one is the sum."""
    (place,) = [place for place, token in enumerate(tokens) if token.text in _TURNED]
    operator, terms, totals = tokens[place].text, tokens[:place], tokens[place + 1 :]
    if len(terms) == 1:
        operator, terms, totals = _TURNED[operator], totals, terms
    (total,) = totals
    if terms[0].is_column:
        terms = [_Token("sign", "+"), *terms]
    pairs = list(zip(terms[::2], terms[1::2], strict=True))
    if {sign.text for sign, _ in pairs} - {"+", "-"}:
        raise ValueError(terms)
    written = [
        {"column": _column(column), "sign": 1 if sign.text == "+" else -1} for sign, column in pairs
    ]
    other = _number(total) if total.kind == "number" else _column(total)
    values = {"terms": written, "operator": operator, "total": other, "name": name}
    return Sum.model_validate(values)


def _product(tokens: list[_Token], name: str | None) -> Product:
    """Either side may be the total; the other one is the product, rounded or not."""
    (place,) = [place for place, token in enumerate(tokens) if token.text == "=="]
    factors, totals = tokens[:place], tokens[place + 1 :]
    if len(factors) == 1:
        factors, totals = totals, factors
    (total,) = totals
    decimals = None
    if _word(factors, 0) == "round" and factors[1:2] == [_Token("sign", "(")]:
        *factors, comma, digits, closed = factors[2:]
        if (comma.text, closed.text) != (",", ")") or not digits.text.isdigit():
            raise ValueError(tokens)
        decimals = int(digits.text)
    times, columns = _multiplied([_Token("sign", "*"), *factors])
    return Product(factors=columns, times=times, total=_column(total), decimals=decimals, name=name)


def _multiplied(tokens: list[_Token]) -> tuple[float | int, tuple[Factor, ...]]:
    """The number and the columns in a chain of `*` and `/`, each before what it is about."""
    times: float | int = 1
    columns = []
    for sign, factor in zip(tokens[::2], tokens[1::2], strict=True):
        if sign.text not in ("*", "/"):
            raise ValueError(tokens)
        if factor.kind != "number":
            columns.append(Factor(column=_column(factor), power=1 if sign.text == "*" else -1))
            continue
        number = _number(factor)
        if not number:
            raise ValueError(tokens)
        times = times * number if sign.text == "*" else times / number
    return times, tuple(columns)


def _presence(tokens: list[_Token], name: str | None) -> RequiredWhen:
    demand, rest, otherwise = tokens[1].text, tokens[4:], False
    if len(rest) > 2 and rest[-2:] == [_Token("word", "else"), _Token("word", _OPPOSITE[demand])]:
        rest, otherwise = rest[:-2], True
    return RequiredWhen(
        column=_column(tokens[0]),
        missing=demand == "missing",
        when=_column(tokens[3] if len(tokens) > 3 else _END),
        values=_condition(rest),
        otherwise=otherwise,
        name=name,
    )


def _condition(tokens: list[_Token]) -> tuple[Scalar, ...] | None:
    if tokens == [_Token("word", "present")]:
        return None
    first = tokens[0] if tokens else _END
    if first == _Token("sign", "==") and len(tokens) == 2:
        return (_value(tokens[1]),)
    opened, closed = [_Token("sign", "(")], [_Token("sign", ")")]
    if first != _Token("word", "in") or tokens[1:2] != opened or tokens[-1:] != closed:
        raise ValueError(tokens)
    listed = tokens[2:-1]
    if len(listed) % 2 == 0 or set(listed[1::2]) - {_Token("sign", ",")}:
        raise ValueError(tokens)
    return tuple(_value(token) for token in listed[::2])


def _column(token: _Token) -> str:
    if not token.is_column:
        raise ValueError(token)
    return str(json.loads(token.text)) if token.kind == "quoted" else token.text


def _value(token: _Token) -> Scalar:
    if token.kind == "number":
        return _number(token)
    if token.kind == "value":
        return token.text[1:-1].replace("''", "'")
    words: dict[Any, bool] = {"true": True, "false": False}
    if token.kind != "word" or token.text not in words:
        raise ValueError(token)
    return words[token.text]


def _number(token: _Token) -> float | int:
    text = token.text
    return int(text) if text.lstrip("+-").isdigit() else float(text)


def _quoted(name: str) -> str:
    return name if _WORD.fullmatch(name) else json.dumps(name, ensure_ascii=False)
