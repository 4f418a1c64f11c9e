"""Texts that a pattern describes, numbered, so that the i-th differs from all others."""

import math
import re._parser as parser  # type: ignore[import-not-found]
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

DIGITS = "0123456789"
LOWER = "abcdefghijklmnopqrstuvwxyz"
UPPER = LOWER.upper()
HEX = DIGITS + "abcdef"
MOST_REPEATS = 8
"""How often at most a part is repeated that the pattern repeats without limit."""
_ANY = DIGITS + LOWER + UPPER
_PRINTED = "".join(map(chr, range(32, 127)))
_CATEGORIES = {"DIGIT": DIGITS, "WORD": _ANY + "_", "SPACE": " "}


@dataclass(frozen=True)
class Alphabet:
    """One character out of several."""

    letters: str

    @property
    def count(self) -> int:
        return len(self.letters)

    def text(self, index: int) -> str:
        """The `index`-th text, 0 <= index < count."""
        return self.letters[index]


@dataclass(frozen=True)
class Sequenced:
    """Texts of several patterns, one after the other."""

    items: tuple["Pattern", ...]

    @property
    def count(self) -> int:
        return math.prod(item.count for item in self.items)

    def text(self, index: int) -> str:
        """The `index`-th text: the last item counts fastest."""
        texts = []
        for item in reversed(self.items):
            index, place = divmod(index, item.count)
            texts.append(item.text(place))
        return "".join(reversed(texts))


@dataclass(frozen=True)
class Choice:
    """Texts of one of several patterns."""

    items: tuple["Pattern", ...]

    @property
    def count(self) -> int:
        return sum(item.count for item in self.items)

    def text(self, index: int) -> str:
        """The `index`-th text: those of the first item come first."""
        for item in self.items:
            if index < item.count:
                return item.text(index)
            index -= item.count
        raise IndexError(index)


Pattern = Alphabet | Sequenced | Choice


class _Unsupported(Exception):
    """The regular expression needs more than choices, sequences and repetitions."""


def parse_pattern(expression: str) -> Pattern | None:
    """The texts that a regular expression matches as a whole, or None where we can't number them.

    Unlimited repetition is cut at MOST_REPEATS more than its least; look-around and references
    back are not supported. Two numbers may give one text where the expression is ambiguous.
    """
    try:
        return _sequence(parser.parse(expression))
    except (_Unsupported, RecursionError, OverflowError):
        return None


def is_limited(expression: str) -> bool:
    """Whether the texts that match have a greatest length, so that none are cut from a count."""
    return int(parser.parse(expression).getwidth()[1]) < int(parser.MAXREPEAT)


def learn_pattern(texts: Sequence[str], least: int) -> Pattern:
    """The shape that most of `texts` share: character by character, what kind of character.

    A character that all of them have at a place stays; any other becomes any of its kind, so that
    no text is remembered. Texts of other lengths than the most frequent one are left aside. Where
    fewer than `least` different texts have it, nothing is theirs together: the shape is 8 digits.
    """
    different = list(dict.fromkeys(texts))
    lengths = Counter(map(len, different))
    length = max(lengths, key=lambda size: (lengths[size], size), default=8)
    if lengths[length] < max(least, 1):
        return Sequenced((Alphabet(DIGITS),) * 8)
    chosen = [text for text in different if len(text) == length]
    columns = [set(letters) for letters in zip(*chosen, strict=True)]
    return Sequenced(tuple(_kind_of(letters) for letters in columns))


def to_alphabets(pattern: Pattern) -> list[str]:
    """The characters at each place of a learned shape."""
    items = pattern.items if isinstance(pattern, Sequenced) else (pattern,)
    return [item.letters for item in items if isinstance(item, Alphabet)]


def of_alphabets(letters: Sequence[str]) -> Pattern:
    """The inverse of `to_alphabets`."""
    return Sequenced(tuple(Alphabet(one) for one in letters))


def widened(pattern: Pattern, least: int) -> Pattern:
    """A learned shape with room for `least` texts.

    Digits that all texts share begin to count, the last ones first; then digits come behind.
    """
    letters = to_alphabets(pattern)
    fixed = [place for place, one in enumerate(letters) if one in DIGITS]
    while math.prod(map(len, letters)) < least:
        if fixed:
            letters[fixed.pop()] = DIGITS
        else:
            letters.append(DIGITS)
    return of_alphabets(letters)


def levels(pattern: Pattern) -> Iterator[Pattern]:
    """A learned shape, then without end others that make no text of an earlier one.

    As in `widened`, digits that all texts share begin to count, then digits come behind: a text of
    a later shape has another digit in such a place than all before it, or is longer.
    """
    letters = to_alphabets(pattern)
    yield of_alphabets(letters)
    for place in reversed([place for place, one in enumerate(letters) if one in DIGITS]):
        letters[place] = DIGITS.replace(letters[place], "")
        yield of_alphabets(letters)
        letters[place] = DIGITS
    while True:
        letters.append(DIGITS)
        yield of_alphabets(letters)


def scattered(index: int, count: int) -> int:
    """A number below `count` for each index below it, all different, neighbours far apart."""
    stride = max(1, int(count * 0.6180339887498949))
    while math.gcd(stride, count) != 1:
        stride += 1
    return (index * stride + stride // 2) % count


def _kind_of(letters: set[str]) -> Alphabet:
    if len(letters) == 1:
        return Alphabet(next(iter(letters)))
    for kind in (DIGITS, HEX, HEX.upper(), UPPER, LOWER, DIGITS + UPPER, DIGITS + LOWER, _ANY):
        if letters <= set(kind):
            return Alphabet(kind)
    marks = sorted(letter for letter in letters if not letter.isalnum())
    return Alphabet(marks[0]) if len(marks) == len(letters) else Alphabet(_ANY)


def _sequence(items: Any) -> Pattern:
    return Sequenced(tuple(part for item in items if (part := _item(*item)) is not None))


def _item(operator: Any, argument: Any) -> Pattern | None:
    name = str(operator)
    if name == "LITERAL":
        return Alphabet(chr(argument))
    if name == "NOT_LITERAL":
        return Alphabet(_PRINTED.replace(chr(argument), ""))
    if name == "ANY":
        return Alphabet(_ANY)
    if name == "IN":
        return _character_class(argument)
    if name == "BRANCH":
        return Choice(tuple(_sequence(branch) for branch in argument[1]))
    if name in ("SUBPATTERN", "ATOMIC_GROUP"):
        return _sequence(argument[-1] if name == "SUBPATTERN" else argument)
    if name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
        return _repeat(*argument)
    if name == "AT":
        return None
    raise _Unsupported(name)


def _repeat(least: Any, most: Any, items: Any) -> Pattern:
    body, least = _sequence(items), int(least)
    most = least + MOST_REPEATS if str(most) == "MAXREPEAT" else int(most)
    if most - least > 64:
        most = least + 64
    if most == least:
        return Sequenced((body,) * least)
    return Choice(tuple(Sequenced((body,) * times) for times in range(least, most + 1)))


def _character_class(members: Any) -> Alphabet:
    letters: list[str] = []
    negated = False
    for operator, argument in members:
        name = str(operator)
        if name == "NEGATE":
            negated = True
        elif name == "LITERAL":
            letters.append(chr(argument))
        elif name == "RANGE":
            letters += [chr(code) for code in range(argument[0], min(argument[1], 0x2FF) + 1)]
        elif name == "CATEGORY":
            letters += _category(str(argument))
        else:
            raise _Unsupported(name)
    kept = (
        [one for one in _PRINTED if one not in letters] if negated else list(dict.fromkeys(letters))
    )
    if not kept:
        raise _Unsupported("empty class")
    return Alphabet("".join(kept))


def _category(name: str) -> list[str]:
    """The letters of a class such as digits, or of its opposite."""
    plain = name.removeprefix("CATEGORY_").removeprefix("NOT_")
    if plain not in _CATEGORIES:
        raise _Unsupported(name)
    if "NOT_" in name:
        return [letter for letter in _PRINTED if letter not in _CATEGORIES[plain]]
    return list(_CATEGORIES[plain])
