"""Passages of somebody's texts within made texts: quoted, cut or lengthened, a copy is one."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from models.evaluation.coded import IntArray, Side
from models.privacy.real_pool import NOBODY

WORDS = 6
# Texts of a side that are looked at: passages of all would not fit into memory.
MOST_TEXTS = 20_000


def units_with_texts(
    texts: dict[Side, pd.Series], units: dict[Side, IntArray]
) -> dict[Side, set[int]]:
    """The units of each side that have a text, and as made ones the real units that are quoted.

    A unit is quoted where a made text holds six words in a row that it has and no other unit. All
    its texts are one vote: they are about the same things, and one that is met by chance seldom is
    met alone. `units` (rows,) numbers each side's units from 0; held-out ones are numbered on.
    Letters' case and signs between words do not count. Of more than 20,000 texts of either side
    every n-th in alphabetical order is looked at.
    """
    held_out = units["holdout"] + 1 + units["training"].max(initial=-1)
    real = pd.concat([texts["training"], texts["holdout"]])
    told = _told(real, np.concatenate([units["training"], held_out]))
    owners: dict[tuple[str, ...], int] = {}
    for text, unit in _some(told):
        for passage in _passages(text):
            owners[passage] = unit if owners.get(passage, unit) == unit else NOBODY
    made = _some(_told(texts["synthetic"], np.zeros(len(texts["synthetic"]), dtype=np.int64)))
    quoted = {owners.get(passage, NOBODY) for text, _ in made for passage in _passages(text)}
    return {
        "training": set(units["training"][texts["training"].notna()].tolist()),
        "synthetic": quoted - {NOBODY},
        "holdout": set(held_out[texts["holdout"].notna()].tolist()),
    }


def _told(texts: pd.Series, units: IntArray) -> list[tuple[str, int]]:
    """Each unit's different texts."""
    table = pd.DataFrame({"text": texts.to_numpy(dtype=object), "unit": units})
    known = table.dropna().drop_duplicates()
    return list(zip(known["text"].map(str), known["unit"], strict=True))


def _some(told: list[tuple[str, int]]) -> list[tuple[str, int]]:
    return sorted(told)[:: -(-len(told) // MOST_TEXTS) or 1]


def _passages(text: str) -> Iterator[tuple[str, ...]]:
    small = "".join(letter if letter.isalnum() else " " for letter in text.casefold())
    words = small.split()
    return (tuple(words[at : at + WORDS]) for at in range(len(words) - WORDS + 1))
