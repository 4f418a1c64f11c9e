"""Made-up names, addresses, numbers of accounts and phones: the i-th text of each kind."""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial

from models.encoding.pattern import Pattern, levels, scattered

Issuer = Callable[[int], str]

_ONSETS = ("b", "br", "d", "f", "g", "h", "j", "k", "l", "m", "n", "p", "r", "s", "t", "v")
_RIMES = ("a", "e", "i", "o", "u", "an", "el", "in", "or", "us")
_SYLLABLES = tuple(onset + rime for onset in _ONSETS for rime in _RIMES)
_STREETS = ("Street", "Road", "Lane", "Square")


def issuer_of(kind: str | None, pattern: Pattern | None, country: tuple[str, int] | None) -> Issuer:
    """The i-th text of a kind of identifier, or of a pattern, which goes before the kind."""
    if pattern is not None:
        return partial(_by_pattern, pattern)
    return partial(iban, country=country) if kind == "iban" else _ISSUERS[kind]


def has_issuer(kind: str | None) -> bool:
    """Whether texts of a kind can be made without knowing the shape of real ones."""
    return kind in _ISSUERS


def country_of(ibans: Sequence[str], threshold: int) -> tuple[str, int] | None:
    """Country and length of most account numbers, where enough of them agree."""
    shapes = Counter((text[:2], len(text)) for text in (iban.replace(" ", "") for iban in ibans))
    shape, count = shapes.most_common(1)[0] if shapes else (("", 0), 0)
    return shape if count >= threshold and shape[0].isalpha() and 15 <= shape[1] <= 34 else None


def iban(index: int, country: tuple[str, int] | None = None) -> str:
    """An account number with a right checksum at a bank 0000, which no country has given out.

    Without a country (code and length of its numbers) it is XX, which no country has.

    ISO 13616: the check digits make the rearranged number leave 1 modulo 97.
    """
    code, length = country or ("XX", 20)
    width = length - 4
    account = str(scattered(index, 10 ** min(width - 4, 12))).rjust(width, "0")
    digits = "".join(str(int(letter, 36)) for letter in f"{account}{code}00")
    return f"{code}{98 - int(digits) % 97:02d}{account}"


def texts_of_shape(shape: Pattern, first: int, rows: int) -> list[str]:
    """The texts number `first` to `first + rows - 1` of a learned shape, all different.

    Each follows from its number alone, so that parts of a release have no text in common.
    """
    texts: list[str] = []
    earlier = 0
    for level in levels(shape):
        numbers = range(max(first - earlier, 0), min(first + rows - earlier, level.count))
        texts += [_by_pattern(level, number) for number in numbers]
        earlier += level.count
        if earlier >= first + rows:
            break
    return texts


def _by_pattern(pattern: Pattern, index: int) -> str:
    count = pattern.count
    return pattern.text(scattered(index % count, count))


def _word(index: int, syllables: int) -> str:
    parts = []
    for _ in range(syllables):
        index, place = divmod(index, len(_SYLLABLES))
        parts.append(_SYLLABLES[place])
    return "".join(parts).capitalize()


def _name(index: int) -> str:
    """First and last name of two and three syllables."""
    first = len(_SYLLABLES) ** 2
    last, place = divmod(scattered(index, first * len(_SYLLABLES) ** 3), first)
    return f"{_word(place, 2)} {_word(last, 3)}"


def _email(index: int) -> str:
    """An address below example.org, which RFC 2606 keeps from ever being given out."""
    return f"{_name(index).lower().replace(' ', '.')}@example.org"


def _phone(index: int) -> str:
    """A number below +999, which no country has."""
    return f"+999 {scattered(index, 10**9):09d}"


def _address(index: int) -> str:
    streets = len(_SYLLABLES) ** 3
    rest, street = divmod(scattered(index, streets * 800), streets)
    return f"{rest // 4 + 1} {_word(street, 3)} {_STREETS[rest % 4]}"


def _free_text(index: int) -> str:
    return f"Text {index + 1}"


_ISSUERS: dict[str | None, Issuer] = {
    "name": _name,
    "email": _email,
    "phone": _phone,
    "iban": iban,
    "address": _address,
    "free_text": _free_text,
}
