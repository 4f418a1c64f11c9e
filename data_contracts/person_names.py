"""Does a header speak of people, and does a text read like a person's name?

Word lists in English, German, French, Spanish and Italian; no list of names, which would miss most
of the world's. Headers come as lower-case words without accents (`identifiers.plain_words_of`).
"""

import re
from collections.abc import Sequence

_PERSON = re.compile(r"([^\W\d_][\w'’.-]*,? ){1,5}[^\W\d_][\w'’.-]*")
_ONE_NAME = re.compile(r"[^\W\d_][^\W\d_]+([-'’][^\W\d_]+)*")
_PLAIN_NAME_WORDS = frozenset({"name", "names", "namen", "nom", "noms", "nombre", "nome", "nomi"})
# Roles that people have, with their endings: `Kunde`, `Kundin`, `Betreuerinnen`, `clienti`.
_PEOPLE = re.compile(
    r"(customer|client|person|patient|employee|user|member|holder|contact|owner|doctor|physician"
    r"|nurse|manager|teacher|student|author|applicant|participant|supervisor|assignee|seller|buyer"
    r"|tenant|guest|driver|agent|advisor|adviser)s?"
    r"|(kund|patient|klient|kolleg|mitarbeiter|betreuer|berater|bearbeiter|sachbearbeiter|benutzer"
    r"|nutzer|inhaber|besitzer|arzt|aerzt|lehrer|schuler|schueler|fahrer|mieter|verkaufer"
    r"|verkaeufer|kaufer|kaeufer|ansprechpartner|teilnehmer|bewerber|autor|vertreter|leiter)"
    r"(e|en|er|s|in|innen)?"
    r"|(utilisateur|employe|medecin|proprietaire|eleve|auteur|conseiller|vendeur|locataire)e?s?"
    r"|(cliente|usuario|empleado|medico|paciente|titular|alumno|autor|profesor|vendedor)s?"
    r"|(utent|dipendent|client|pazient|medic|impiegat|proprietari|studentess|autor)[aeio]"
)
# A header with one of these names a thing or a property, even if its values read like people.
_THINGS = frozenset({
    "country", "city", "town", "state", "region", "county", "district", "province", "place",
    "location", "area", "continent", "nation", "nationality", "native", "race", "ethnicity",
    "language", "street", "station", "airport", "port", "site", "school", "university", "hospital",
    "company", "firm", "organization", "organisation", "institution", "employer", "brand",
    "product", "item", "article", "model", "vehicle", "car", "ship", "category", "class", "type",
    "kind", "group", "segment", "status", "level", "grade", "rating", "education", "degree",
    "occupation", "job", "profession", "department", "team", "role", "title", "position", "sector",
    "industry", "genre", "species", "breed", "variety", "color", "colour", "material", "method",
    "mode", "channel", "payment", "reason", "cause", "diagnosis", "disease", "treatment", "drug",
    "event", "weather", "file", "column", "field", "table", "dataset", "variable", "feature",
    "project", "plan", "device", "sensor", "machine", "shop", "store", "branch", "bank", "currency",
    "clinic", "ward", "lab", "laboratory", "business", "restaurant", "hotel", "building", "airline",
    "study", "experiment", "survey", "league", "club", "song", "album", "movie", "film", "book",
    "game", "storm", "hurricane", "river", "lake", "island", "mountain", "app", "server", "domain",
    "satisfaction", "answer", "response", "marital", "religion", "month", "day", "count", "label",
    "land", "stadt", "ort", "bundesland", "bezirk", "staat", "firma", "produkt", "artikel", "marke",
    "kategorie", "typ", "art", "gruppe", "beruf", "abteilung", "sprache", "farbe", "bildung",
    "pays", "ville", "produit", "entreprise", "categorie", "metier", "pais", "ciudad", "producto",
    "empresa", "categoria", "provincia", "paese", "citta", "prodotto", "azienda", "regione",
})  # fmt: skip
_PARTICLES = frozenset({
    "van", "von", "der", "den", "de", "del", "della", "di", "da", "dos", "du", "la", "le", "el",
    "al", "bin", "ibn", "zu", "zur", "vom", "y", "und", "ter", "ten",
})  # fmt: skip
# Words that open categories, not names: `Very Good`, `Credit Card`, `New York`.
_NO_NAMES = frozenset({
    "very", "not", "no", "non", "yes", "other", "unknown", "some", "any", "all", "high", "low",
    "new", "old", "good", "bad", "strongly", "somewhat", "never", "north", "south", "east", "west",
    "upper", "lower", "united", "credit", "debit", "bank", "direct", "full", "part", "self", "blue",
    "red", "light", "dark", "big", "small", "ja", "nein", "nicht", "sehr", "oui", "si", "none",
    "true", "false", "male", "female", "single", "married", "sonstige", "too", "about", "rather",
    "quite", "fairly", "more", "most", "much", "many", "less", "little", "few", "almost", "zu",
    "eher", "muy", "tres", "molto", "poco", "trop", "peu", "troppo",
})  # fmt: skip


def says_people(words: Sequence[str]) -> bool:
    """Whether a word is a role that people have: `Kunde`, `assigned nurse`."""
    return any(map(_PEOPLE.fullmatch, words))


def says_name(words: Sequence[str]) -> bool:
    """`name`, `nom`, `host_name`, and one word of a role and `name`: `Kundenname`."""
    joined = (re.sub(r"name[ns]?$", "", word) for word in words if "name" in word)
    return bool(_PLAIN_NAME_WORDS & set(words)) or says_people(tuple(joined))


def is_of_things(words: Sequence[str]) -> bool:
    """`country_name` and `customer type` are of things; `product_manager` is a person."""
    if not words or not _THINGS & set(words):
        return False
    return words[-1] in _THINGS or not _PEOPLE.fullmatch(words[-1])


def is_person(value: str) -> bool:
    """`Ann Miller`, `Müller, Anna`, `A. McDonald` and `Anna van der Berg`."""
    if _PERSON.fullmatch(value.strip()) is None:
        return False
    words = [word for word in value.split() if word.lower() not in _PARTICLES]
    return (
        2 <= len(words) <= 4
        and words[0].lower() not in _NO_NAMES
        and all(map(_is_capitalised, words))
        and any(len(word) > 2 for word in words)
    )


def _is_capitalised(word: str) -> bool:
    """An initial, or an upper-case letter and lower-case ones after it; `USA` is no name.

    Both halves of a double name begin so: `Anna-Maria` is a name, `Take-off` is none.
    """
    letters = [letter for letter in word if letter.isalpha()]
    if any(half[:1].islower() for half in word.split("-")[1:]):
        return False
    return letters[0].isupper() and (len(letters) == 1 or any(map(str.islower, letters)))


def is_loose_name(value: str) -> bool:
    """A name in capitals, or of one word: only telling under the header of a person."""
    words = value.replace(",", "").split()
    return (
        1 <= len(words) <= 4
        and words[0].lower() not in _NO_NAMES
        and all(_ONE_NAME.fullmatch(word) and word[0].isupper() for word in words)
    )
