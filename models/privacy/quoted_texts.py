"""Passages of somebody's text within made texts: quoted, cut or lengthened, a copy is one."""

from collections.abc import Iterator

WORDS = 6
# Texts of a side that are looked at: passages of all would not fit into memory.
MOST_TEXTS = 20_000


def quoted_texts(real: set[str], made: set[str]) -> set[str]:
    """The real texts of which a made one holds six words in a row that no other real one has.

    Letters' case and signs between words do not count. Of more than 20,000 texts of either side
    every n-th in alphabetical order is looked at.
    """
    owners: dict[tuple[str, ...], str | None] = {}
    for text in _some(real):
        for passage in _passages(text):
            owners[passage] = text if owners.get(passage, text) == text else None
    found = {owners.get(passage) for text in _some(made) for passage in _passages(text)}
    return {text for text in found if text is not None}


def _some(texts: set[str]) -> list[str]:
    return sorted(texts)[:: -(-len(texts) // MOST_TEXTS) or 1]


def _passages(text: str) -> Iterator[tuple[str, ...]]:
    small = "".join(letter if letter.isalnum() else " " for letter in text.casefold())
    words = small.split()
    return (tuple(words[at : at + WORDS]) for at in range(len(words) - WORDS + 1))
