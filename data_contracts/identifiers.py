"""Does a column name people? Guesses from its header and a sample of its values.

Rules, no model: every guess can be explained in one sentence, and every guess is only a question to
a person. A miss costs more than a false alarm, so doubt is told.
"""

import re
import unicodedata
from collections.abc import Callable, Sequence
from typing import NamedTuple

from data_contracts.contract import IdentifierKind
from data_contracts.person_names import (
    is_loose_name,
    is_of_things,
    is_person,
    says_name,
    says_people,
)

_MOST = 0.7
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[A-Za-z]{2,}")
_IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}")
_PHONE = re.compile(r"\+?[0-9(][0-9 ()/.-]{5,24}[0-9]")
_NATIONAL = re.compile(
    r"[0-9]{3}-[0-9]{2}-[0-9]{4}"  # United States
    r"|[A-CEGHJ-PR-TW-Z]{2} ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[A-D]"  # United Kingdom
    r"|[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}"  # Brazil
    r"|[0-9XYZ][0-9]{7}-?[A-HJ-NP-TV-Z]"  # Spain
    r"|[A-Z]{6}[0-9]{2}[A-EHLMPRST][0-9]{2}[A-Z][0-9]{3}[A-Z]"  # Italy
    r"|[0-9]{6}[-+A][0-9]{3}[0-9A-Y]"  # Finland
)
_UUID = re.compile(r"\{?[0-9a-fA-F]{8}(-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}\}?")
_NETWORK = re.compile(r"([0-9]{1,3}\.){3}[0-9]{1,3}|([0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}")
_CARD = re.compile(r"[0-9]{13,19}")
_ADDRESS = re.compile(
    r"(?i).*[0-9].*\b(street|st|road|rd|avenue|ave|lane|ln|drive|dr|blvd|square|rue|via|calle)\b.*"
    r"|.*(straße|strasse|str\.|gasse|weg|platz|allee)\s+[0-9]+.*"
    r"|[0-9]+\s.*\b(street|st|road|rd|avenue|ave|lane|ln|drive|dr|blvd|rue)\b.*"
)

_EMAIL_WORDS = frozenset({"email", "mail", "emails"})
_PHONE_WORDS = frozenset({
    "phone", "telephone", "tel", "mobile", "cell", "fax", "telefon", "handy", "mobil", "festnetz",
    "telefono", "movil", "cellulare", "phonenumber", "telefonnummer", "telefonnr", "handynummer",
    "handynr", "mobilnummer", "mobiltelefon", "rufnummer", "faxnummer",
})  # fmt: skip
_ADDRESS_WORDS = frozenset({
    "address", "addr", "street", "strasse", "adresse", "addresse", "anschrift", "direccion",
    "indirizzo",
})  # fmt: skip
_NATIONAL_WORDS = frozenset({
    "ssn", "nino", "passport", "svnr", "pesel", "cpf", "dni", "aadhaar", "nationalid", "taxid",
    "insee", "bsn", "cnp", "personnummer",
})  # fmt: skip
_NAME_WORDS = frozenset({
    "surname", "firstname", "lastname", "fullname", "forename", "givenname", "familyname",
    "middlename", "maidenname", "nickname", "username", "login", "vorname", "nachname", "zuname",
    "familienname", "rufname", "geburtsname", "prenom", "patronyme", "apellido", "apellidos",
    "cognome", "nominativo",
})  # fmt: skip
_OWNERS = frozenset({
    "customer", "client", "person", "patient", "employee", "user", "member", "holder", "contact",
    "owner", "doctor",
})  # fmt: skip
_KEY_WORDS = frozenset({
    "id", "ids", "key", "uuid", "guid", "pk", "identifier", "pid", "uid", "rowid", "recid",
})  # fmt: skip
_NUMBER_WORDS = frozenset({"no", "nr", "num", "number", "nummer"})
_TEXT_WORDS = frozenset({
    "comment", "comments", "note", "notes", "remark", "remarks", "message", "description", "text",
    "review", "feedback", "bemerkung",
})  # fmt: skip


class Guess(NamedTuple):
    """What a column may hold, and the sentence that says why."""

    kind: IdentifierKind
    why: str


def words_of(header: str) -> tuple[str, ...]:
    """The lower-case words of a header: `customerFirst_name` is customer, first, name."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", header)
    return tuple(word for word in re.split(r"[\W_]+", spaced.lower()) if word)


def plain_words_of(header: str) -> tuple[str, ...]:
    """`words_of` without accents: `Prénom` is prenom, `Straße` is strasse."""
    spread = unicodedata.normalize("NFKD", header.replace("ß", "ss"))
    return words_of("".join(letter for letter in spread if not unicodedata.combining(letter)))


def looks_like_key(header: str) -> bool:
    """Whether the header says that the column identifies rows: `id`, `customer_id`, `idNum`."""
    words = words_of(header)
    if not words:
        return False
    if len(words) > 1 and words[-1] in _NUMBER_WORDS:
        return words[-2] in _KEY_WORDS | _OWNERS
    joined = "".join(words)
    is_owner = len(words) == 1 and joined.endswith("id") and joined[:-2] in _OWNERS
    return words[-1] in _KEY_WORDS or is_owner


def guess_identifier(
    header: str, values: Sequence[str], distinct_share: float, is_text: bool
) -> Guess | None:
    """The kind of identifier that a column seems to hold, or None.

    `values` is a sample of its different values; `distinct_share` says how many of its values are
    different (1: all). Numbers can only be told by their header or by a checksum.
    """
    found = _by_value(values) if is_text else _by_digits(values)
    found = found or _by_header(header, values, is_text)
    if found is None and is_text:
        found = _by_person(header, values) or _by_shape(header, values, distinct_share)
    return found


def _by_value(values: Sequence[str]) -> Guess | None:
    rules: tuple[tuple[Callable[[str], bool], Guess], ...] = (
        (_full(_EMAIL), Guess("email", "looks like e-mail addresses")),
        (_is_iban, Guess("iban", "looks like bank account numbers (IBAN, checksums fit)")),
        (_full(_NATIONAL), Guess("national_id", "looks like national identity numbers")),
        (_full(_UUID), Guess("key", "looks like UUIDs")),
        (_full(_NETWORK), Guess("key", "looks like network addresses")),
        (_is_card, Guess("key", "looks like payment card numbers (checksums fit)")),
        (_is_international_phone, Guess("phone", "looks like phone numbers")),
        (_full(_ADDRESS), Guess("address", "looks like street addresses")),
    )
    return next((guess for holds, guess in rules if _share(values, holds) >= _MOST), None)


def _by_digits(values: Sequence[str]) -> Guess | None:
    if len(values) >= 5 and _share(values, _is_card) >= _MOST:
        return Guess("key", "looks like payment card numbers (checksums fit)")
    return None


def _by_header(header: str, values: Sequence[str], is_text: bool) -> Guess | None:
    words = plain_words_of(header)
    found, joined = set(words), "".join(words)
    # Not only where the checksums fit: mistyped and made-up numbers are still what they are.
    if "iban" in found and not is_of_things(words):
        return Guess("iban", "has the header of bank account numbers (IBAN)")
    if found & _EMAIL_WORDS and _share(values, lambda value: "@" in value) > 0:
        return Guess("email", "has a header and values of e-mail addresses")
    if found & _PHONE_WORDS and _share(values, _full(_PHONE)) >= _MOST:
        return Guess("phone", "has a header and values of phone numbers")
    says_national = found & _NATIONAL_WORDS or joined in _NATIONAL_WORDS
    # An area such as `3SsnPorch` (three seasons) has numbers too short to name anybody.
    if (says_national or {"social", "security"} <= found) and (
        is_text or not values or _share(values, lambda value: len(value) >= 4) >= 0.5
    ):
        return Guess("national_id", "has the header of national identity numbers")
    if found & _NAME_WORDS or joined in _NAME_WORDS:
        return Guess("name", "has the header of people's names")
    # Codes below a header such as `addr_state` or `Street` (`Pave`) are no addresses.
    if (
        found & _ADDRESS_WORDS
        and not found & {"type", "kind", "count"}
        and (not values or _share(values, lambda value: len(value) >= 6) >= 0.3)
    ):
        return Guess("address", "has the header of addresses")
    return None


def _by_person(header: str, values: Sequence[str]) -> Guess | None:
    """People's names, however often each of them stands in the column."""
    words = plain_words_of(header)
    if not values or is_of_things(words):
        return None
    if says_name(words) and _share(values, _has_digit) < _MOST:
        return Guess("name", "has the header of people's names")
    of_people = says_people(words)
    # Under a header such as `Kunde`, some companies among the people change nothing.
    if _share(values, is_person) >= (0.3 if of_people else _MOST):
        return Guess("name", "looks like people's names")
    if of_people and len(values) >= 5 and _share(values, is_loose_name) >= _MOST:
        return Guess("name", "has the header of a person and values like names")
    return None


def _by_shape(header: str, values: Sequence[str], distinct_share: float) -> Guess | None:
    """For text without a telling pattern: what differs in almost every row can name someone."""
    if not values or distinct_share < 0.3:
        return None
    many = sum(len(value.split()) for value in values) / len(values)
    long = sum(map(len, values)) / len(values)
    said = bool(set(words_of(header)) & _TEXT_WORDS)
    if many >= 5 or long >= 60 or (said and many >= 2):
        return Guess("free_text", "looks like free text")
    if distinct_share >= 0.5 and len(values) >= 20:
        kind: IdentifierKind = "free_text" if many >= 2 else "key"
        return Guess(kind, "holds a different text in most rows")
    return None


def _full(pattern: re.Pattern[str]) -> Callable[[str], bool]:
    return lambda value: pattern.fullmatch(value.strip()) is not None


def _has_digit(value: str) -> bool:
    return any(map(str.isdigit, value))


def _share(values: Sequence[str], holds: Callable[[str], bool]) -> float:
    return sum(map(holds, values)) / len(values) if values else 0.0


def _is_international_phone(value: str) -> bool:
    plain = value.strip()
    return plain.startswith(("+", "00", "(0")) and _PHONE.fullmatch(plain) is not None


def _is_iban(value: str) -> bool:
    """ISO 13616: moved to the end and read as digits, the number leaves 1 modulo 97."""
    plain = re.sub(r"[ -]", "", value).upper()
    if _IBAN.fullmatch(plain) is None:
        return False
    digits = "".join(str(int(letter, 36)) for letter in plain[4:] + plain[:4])
    return int(digits) % 97 == 1


def _is_card(value: str) -> bool:
    """ISO 7812: every second digit from the right doubled, the digit sum ends in 0 (Luhn)."""
    plain = re.sub(r"[ -]", "", value)
    if _CARD.fullmatch(plain) is None or plain[0] == "0":
        return False
    doubled = [int(digit) * 2 for digit in plain[-2::-2]]
    kept = sum(int(digit) for digit in plain[-1::-2])
    return (kept + sum(digit // 10 + digit % 10 for digit in doubled)) % 10 == 0
