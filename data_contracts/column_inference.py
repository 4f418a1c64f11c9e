"""From what a column holds to what it may promise: type, range, categories, role."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa

from data_contracts.column_contradictions import logical_type_of
from data_contracts.column_profile import ColumnProfile, Extremes, is_text
from data_contracts.contract import Column
from data_contracts.errors import ContractError, SourceError
from data_contracts.identifiers import guess_identifier, looks_like_key, plain_words_of
from data_contracts.schema import type_text
from data_contracts.time_inference import unread_time
from data_contracts.type_candidates import CANDIDATES, unread_number
from data_contracts.value_holders import Owners, rare_values

MOST_CATEGORIES = 50
MOST_CLASSES = 20
# Beyond it a bound might be no double any more.
_LARGEST = Decimal("1e300")
_BIRTH = frozenset({
    "birth", "birthday", "birthdate", "birthyear", "born", "dob", "geboren", "geburt",
    "geburtsdatum", "geburtstag", "geburtsjahr", "geburtsort", "gebdat", "naissance", "nacimiento",
    "nascita",
})  # fmt: skip
_QUASI = _BIRTH | frozenset({
    "age", "sex", "gender", "zip", "zipcode", "postcode", "postal", "plz", "nationality",
    "ethnicity", "race", "marital", "occupation", "profession", "education", "native",
    "citizenship", "latitude", "longitude", "alter", "geschlecht", "postleitzahl",
    "nationalitat", "staatsangehorigkeit", "staatsburgerschaft", "familienstand", "beruf", "sexe",
    "sexo", "sesso", "edad", "genero", "genere", "nationalite", "nacionalidad", "nazionalita",
})  # fmt: skip
_SENSITIVE = frozenset({
    "religion", "religious", "diagnosis", "disease", "hiv", "income", "salary", "wage", "health",
    "drug", "political", "orientation", "disability", "conviction", "pregnant", "debt",
})  # fmt: skip
_SUBSTITUTES: dict[Any, Any] = {
    pa.float16(): pa.float32(),
    pa.string_view(): pa.string(),
    pa.null(): pa.string(),
}


@dataclass
class ColumnDraft:
    """A column's promises so far, and what a person should know or confirm about them."""

    profile: ColumnProfile
    values: dict[str, Any]
    remarks: list[str] = field(default_factory=list)
    questions: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.profile.name

    @property
    def is_identifier(self) -> bool:
        return self.values.get("role") == "identifier"

    def ask(self, question: str) -> None:
        """Mark the column for a person, who answers the question."""
        self.questions.append(question)
        self.values["confirm"] = True

    def identify(self, kind: str) -> None:
        """Make the column an identifier, which promises no range and no categories."""
        self.values |= {"role": "identifier", "identifier_kind": kind}

    def record(self) -> Column:
        """The column as the contract holds it."""
        return Column.model_validate(self.values)


def draft_column(profile: ColumnProfile, target: bool) -> ColumnDraft:
    """The promises of one column apart from keys and time; `target` is a person's wish.

    Raises SourceError for a type that no contract can carry.
    """
    draft = ColumnDraft(profile, {"name": profile.name})
    _set_type(draft)
    whole = profile.missing == 0 and not profile.missing_elsewhere
    if whole and profile.rows and not draft.values.get("null_words"):
        draft.values["required"] = True
    if target:
        draft.values["role"] = "target"
    else:
        _guess_role(draft)
    return draft


def finish_column(draft: ColumnDraft, owners: Owners) -> None:
    """Adds categories or a range; `owners` say whose the rows are.

    After keys and units are known: an identifier promises neither, and only what enough units hold
    may be listed.
    """
    if draft.is_identifier:
        return
    categories = _categories(draft, owners)
    levels = draft.profile.levels
    if levels and (categories is None or len(levels) > MOST_CATEGORIES):
        draft.remarks.append("has an order in the source that no list of categories keeps")
    elif levels:
        draft.values |= {"categories": list(levels), "ordered": True}
        return
    if categories is not None:
        draft.values["categories"] = categories
    else:
        draft.values |= promised_range(draft)


def _set_type(draft: ColumnDraft) -> None:
    profile = draft.profile
    if profile.rows == profile.missing:
        draft.remarks.append("holds no value, so that its type is a guess")
    if profile.is_untyped:
        _set_found_type(draft)
        return
    found: Any = profile.arrow_type if profile.arrow_type is not None else pa.string()
    if pa.types.is_dictionary(found) and not is_text(found):
        found = found.value_type
    found = _SUBSTITUTES.get(found, found)
    try:
        physical = type_text(found)
    except ContractError as error:
        raise SourceError(
            f"column {profile.name!r} is of Arrow type {found}, which a contract cannot carry. "
            "Cast it, or leave it out of the source."
        ) from error
    draft.values |= {"physical_type": physical, "logical_type": logical_type_of(found)}


def _set_found_type(draft: ColumnDraft) -> None:
    alive = draft.profile.alive if draft.profile.sample else {}
    seen = [name for name in alive if alive[name].low is not None or name == "boolean"]
    if not seen:
        draft.values |= {"physical_type": "string", "logical_type": "string"}
        return
    kept = CANDIDATES[seen[0]]
    draft.values |= {"physical_type": kept.physical_type, "logical_type": kept.logical_type}
    if kept.format is not None:
        draft.values["format"] = kept.format
        rivals = [name for name in seen[1:] if name.count("%") == kept.format.count("%")]
        if rivals:
            draft.ask(f"its dates fit {kept.format}, but also {', '.join(rivals)}")
        if "%y" in kept.format:
            draft.ask("its years have two digits and are read as 1969 to 2068")
    if draft.profile.odd_null_words:
        words = tuple(draft.profile.odd_null_words)
        draft.values["null_words"] = (*draft.profile.source.null_words, *words)
        draft.remarks.append(f"{', '.join(map(repr, words))} is read as missing")


def found_extremes(draft: ColumnDraft) -> Extremes:
    """The smallest and the largest value in the column's own type."""
    if not draft.profile.is_untyped:
        return draft.profile.extremes
    same = ("physical_type", "format")
    for name, extremes in draft.profile.alive.items():
        if all(getattr(CANDIDATES[name], key) == draft.values.get(key) for key in same):
            return extremes
    return Extremes()


def _guess_role(draft: ColumnDraft) -> None:
    logical, profile = draft.values["logical_type"], draft.profile
    words = set(plain_words_of(profile.name))
    if logical in ("string", "integer"):
        texts = list(dict.fromkeys(profile.sample))
        unread = unread_time(texts) or (unread_number(texts) if logical == "string" else None)
        if unread is not None:
            draft.remarks.append(unread)
        share = profile.distinct_share
        guess = guess_identifier(profile.name, texts, share, logical == "string")
        # A birth date that stays text differs in many rows, yet is no key.
        is_birth = bool(words & _BIRTH) and (guess is None or guess.kind in ("key", "free_text"))
        if guess is not None and not is_birth:
            draft.identify(guess.kind)
            draft.ask(guess.why)
            return
        if looks_like_key(profile.name) and _has_many(profile):
            draft.identify("key")
            draft.ask("has the header of a key")
            return
    for role, known in (("sensitive", _SENSITIVE), ("quasi_identifier", _QUASI)):
        if words & known:
            draft.values["role"] = role
            draft.remarks.append(f"has the role {role} by its header")
            return


def _has_many(profile: ColumnProfile) -> bool:
    return profile.counts is None or len(profile.counts) > MOST_CATEGORIES


def _categories(draft: ColumnDraft, owners: Owners) -> list[str | int] | None:
    """The values, where they are few and several units hold each of them."""
    logical, counts = draft.values["logical_type"], draft.profile.counts
    if logical not in ("string", "integer") or not draft.profile.sample:
        return None
    most = MOST_CATEGORIES
    if logical == "integer":
        most = MOST_CLASSES if draft.values.get("role") == "target" else 2
    if counts is None or len(counts) > most:
        if logical == "string":
            draft.remarks.append("holds too many different texts for a list of categories")
        return None
    rare = rare_values(draft.profile, owners)
    if rare.number:
        if logical == "string":
            draft.remarks.append(
                f"{rare.number} of its {len(counts)} texts {rare.why}, so no categories are listed"
            )
        return None
    return sorted(counts) if logical == "string" else _whole_numbers(counts)


def _whole_numbers(counts: Mapping[str, int]) -> list[str | int]:
    return [*sorted({int(word) for word in counts})]


def promised_range(draft: ColumnDraft) -> dict[str, Any]:
    """A range wider than the data: it shows no single extreme, and new rows find room in it.

    Times promise only a beginning, as new rows come later.
    """
    extremes = found_extremes(draft)
    low, high = extremes.low, extremes.high
    if low is None:
        return {}
    if isinstance(low, date):
        return _beginning(low, draft.values["physical_type"])
    found = outward(low, high)
    if found is None:
        return {}
    low, high = found
    if draft.values["logical_type"] == "integer":
        limits = np.iinfo(draft.values["physical_type"])
        low, high = max(low, int(limits.min)), min(high, int(limits.max))
    return {"minimum": low, "maximum": high}


def _beginning(low: date, physical_type: str) -> dict[str, Any]:
    """The start of the decade."""
    if low.year < 1000:
        return {}
    start = f"{low.year // 10 * 10}-01-01"
    if physical_type.startswith("date"):
        return {"minimum": start}
    return {"minimum": f"{start}T00:00:00{'Z' if 'tz=' in physical_type else ''}"}


def outward(low: Any, high: Any) -> tuple[float | int, float | int] | None:
    """Round bounds away from the data, to the leading digit of their distance.

    A bound that the data touch moves one step further, except for bounds that lie in the nature of
    a quantity: 0, and 1 or 100 for shares and percentages. None where that cannot be computed.
    """
    smallest, largest = Decimal(str(low)), Decimal(str(high))
    span = largest - smallest or abs(largest) or Decimal(1)
    exponent = math.floor(span.log10())
    step = Decimal(1).scaleb(exponent)
    lowest = _multiple(smallest, step, math.floor)
    highest = _multiple(largest, step, math.ceil)
    if lowest is None or highest is None:
        return None
    if lowest == smallest and lowest != 0:
        lowest -= step
    natural = (1, 100) if smallest >= 0 else (0,)
    if highest == largest and highest not in natural:
        highest += step
    lowest = max(lowest, Decimal(0)) if smallest >= 0 else lowest
    highest = min(highest, Decimal(0)) if smallest < 0 and largest <= 0 else highest
    if max(abs(lowest), abs(highest)) > _LARGEST:
        return None
    bounds = _plain(lowest), _plain(highest)
    return bounds if bounds[0] <= low and high <= bounds[1] else None


def _multiple(value: Decimal, step: Decimal, towards: Any) -> Decimal | None:
    quotient = value / step
    # Beyond a decimal's 28 digits the multiple would not be exact.
    return step * int(towards(quotient)) if abs(quotient) < Decimal("1e20") else None


def _plain(number: Decimal) -> float | int:
    return int(number) if number == number.to_integral_value() else float(number)
