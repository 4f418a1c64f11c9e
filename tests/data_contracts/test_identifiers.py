"""Guesses about columns that name people: what must be caught, and what must be left alone."""

import pytest

from data_contracts.identifiers import guess_identifier, looks_like_key, words_of

IBANS = ["GB82 WEST 1234 5698 7654 32", "DE89370400440532013000", "FR1420041010050500013M02606"]
CARDS = [
    "4111111111111111",
    "5500-0000-0000-0004",
    "340000000000009",
    "6011000000000004",
    "30000000000004",
]


@pytest.mark.parametrize(
    ("header", "values", "kind"),
    [
        ("contact", ["ann@example.org", "bob.b@mail.example.com"], "email"),
        ("x", ["d3b07384-d9a0-4c9b-8f5e-1b2c3d4e5f60", "D3B07384D9A04C9B8F5E1B2C3D4E5F61"], "key"),
        ("konto", IBANS, "iban"),
        ("pan", CARDS, "key"),
        ("ref", ["123-45-6789", "987-65-4321"], "national_id"),
        ("nr", ["AB 12 34 56 C", "CE123456D"], "national_id"),
        ("reach", ["+43 660 1234567", "+1 (555) 010-9999"], "phone"),
        ("Telefon", ["01/234 56 78", "0660 1234567"], "phone"),
        ("where", ["12 High Street", "7 Station Road"], "address"),
        ("wo", ["Hauptstraße 12", "Am Platz 3, Linzer Gasse 9"], "address"),
        ("ip", ["10.0.0.1", "192.168.1.20"], "key"),
        ("first_name", ["Ann", "Bob"], "name"),
        ("customerName", ["Ann Miller", "Bob Jones"], "name"),
        ("Nachname", ["Gruber", "Huber"], "name"),
        ("passport", ["X1", "Y2"], "national_id"),
        ("street", ["Hauptstraße", "Ringweg"], "address"),
    ],
)
def test_columns_that_name_people_are_caught(header: str, values: list[str], kind: str) -> None:
    guess = guess_identifier(header, values, 0.9, is_text=True)
    assert guess is not None
    assert guess.kind == kind
    assert guess.why


def test_texts_that_differ_everywhere_are_asked_about() -> None:
    story = [
        "the pump made a loud noise before it stopped",
        "we changed the filter and it was fine",
    ]
    assert guess_identifier("x", story, 0.9, is_text=True).kind == "free_text"  # type: ignore[union-attr]
    people = [f"{first} {last}" for first in ("Ann", "Bob") for last in ("Miller", "Jones")]
    assert guess_identifier("x", people, 0.9, is_text=True).kind == "name"  # type: ignore[union-attr]
    codes = [f"Q{number * 7919}" for number in range(40)]
    assert guess_identifier("x", codes, 1.0, is_text=True).kind == "key"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("header", "values"),
    [
        ("name", ["Ann", "Bob"]),
        ("Name", ["GRUBER A", "HUBER B"]),
        ("Nom", ["Dupont", "Durand"]),
        ("nombre", ["Ana", "Luis"]),
        ("Prénom", ["Chloé", "Zoé"]),
        ("cognome", ["Rossi", "Bianchi"]),
        ("Kundenname", ["Gruber", "Huber"]),
        ("host_name", ["Ann", "Bob"]),
        ("product_manager", ["Ann Miller", "Bob Jones"]),
        ("Kunde", ["Anna Gruber", "Acme GmbH", "Max Huber"]),
        ("Betreuerin", ["Müller, Anna", "Dr. Eva McDonald", "Lea van der Berg"]),
        ("Kundin", ["GRUBER", "HUBER", "MAIER", "BAUER", "WAGNER"]),
        ("x", ["A. Müller", "José O'Brien", "Anna-Maria Huber"]),
    ],
)
def test_names_that_stand_in_many_rows_are_caught(header: str, values: list[str]) -> None:
    guess = guess_identifier(header, values, 0.001, is_text=True)
    assert guess is not None
    assert guess.kind == "name"


@pytest.mark.parametrize(
    ("header", "values", "kind"),
    [
        ("IBAN", ["DE00370400440532013000", "GB00WEST12345698765432"], "iban"),
        ("Kunden-IBAN", [f"AT{n}" for n in range(30)], "iban"),
        ("Telefonnummer", ["0660 123 45 67", "01 234 56 78"], "phone"),
        ("Téléphone", ["06 12 34 56 78", "01 23 45 67 89"], "phone"),
    ],
)
def test_a_header_tells_the_kind_of_numbers(header: str, values: list[str], kind: str) -> None:
    guess = guess_identifier(header, values, 1.0, is_text=True)
    assert guess is not None
    assert guess.kind == kind


@pytest.mark.parametrize(
    ("header", "values", "share", "is_text"),
    [
        ("workclass", ["Private", "State-gov", "Self-emp"], 0.001, True),
        ("native-country", ["United States", "Mexico"], 0.001, True),
        ("city", ["New York", "Los Angeles"], 0.01, True),
        ("country_name", ["Costa Rica", "Sri Lanka"], 0.4, True),
        ("product name", ["Blue Chair", "Green Table"], 0.1, True),
        ("customer type", ["Retail Chain", "Private Person"], 0.01, True),
        ("Kunde", ["ja", "nein"], 0.01, True),
        ("satisfied", ["Very Good", "Not Good", "Very Bad"], 0.01, True),
        ("poverty", ["Too Little", "About Right", "Too Much"], 0.001, True),
        ("paid with", ["Credit Card", "Bank Transfer"], 0.01, True),
        ("iban_country", ["AT", "DE"], 0.01, True),
        ("grade", ["A", "B"], 0.01, True),
        ("period", ["2020-01", "2020-02"], 0.01, True),
        ("version", ["1.2.3", "1.2.4"], 0.1, True),
        ("age", ["17", "90"], 0.01, False),
        ("amount", ["1000000", "2500000"], 0.9, False),
        ("volume", ["44994500", "23005800", "18342800"], 0.9, False),
        ("address_type", ["home", "work"], 0.01, True),
        ("empty", [], 0.0, True),
        ("effect", ["Engine Shut-down", "Aborted Take-off", "Other"], 0.01, True),
        ("addr_state", ["CT", "MN", "OH"], 0.01, True),
        ("Street", ["Pave", "Grvl"], 0.001, True),
        ("X3Ssn.Porch", ["0", "168", "144", "1024"], 0.01, False),
        ("studyName", ["PAL0708", "PAL0809"], 0.01, True),
        ("name", ["QX-17", "QX-18"], 0.01, True),
        ("clinic_name", ["North Ward", "Clinical Lab"], 0.01, True),
    ],
)
def test_other_columns_are_left_alone(
    header: str, values: list[str], share: float, is_text: bool
) -> None:
    assert guess_identifier(header, values, share, is_text) is None


def test_card_numbers_need_their_checksum() -> None:
    assert guess_identifier("n", [*CARDS, "4111111111111111"], 1.0, is_text=False) is not None
    wrong = [card[:-1] + str((int(card[-1]) + 1) % 10) for card in CARDS]
    assert guess_identifier("n", wrong, 1.0, is_text=False) is None


def test_national_numbers_may_come_as_numbers() -> None:
    guess = guess_identifier("ssn", ["123456789", "987654321"], 1.0, is_text=False)
    assert guess is not None
    assert guess.kind == "national_id"


def test_headers_fall_into_words() -> None:
    assert words_of("customerFirst_name-2") == ("customer", "first", "name", "2")
    assert words_of("#") == ()


@pytest.mark.parametrize(
    "header",
    ["id", "ID", "customer_id", "orderKey", "Product ID", "userid", "pid", "idNum", "customer_no"],
)
def test_key_headers(header: str) -> None:
    assert looks_like_key(header)


@pytest.mark.parametrize(
    "header", ["paid", "width", "idle", "valid", "identity_type", "", "#", "number", "case number"]
)
def test_other_headers(header: str) -> None:
    assert not looks_like_key(header)
