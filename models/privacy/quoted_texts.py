"""Passages of somebody's texts within made texts: quoted, cut or lengthened, a copy is one."""

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.evaluation.coded import IntArray, Side
from models.privacy.real_pool import NOBODY, owners_of

WORDS = 6
# Passages of a side that are kept, twice as many for a while, and words that are read at once.
MOST_PASSAGES = 1_000_000
WORDS_AT_ONCE = 200_000
# Any large odd number makes the place of each word count.
FACTOR = np.uint64(0x9E3779B97F4A7C15)
WORD = re.compile(r"[^\W_]+")

HashArray = npt.NDArray[np.uint64]


def units_with_texts(
    texts: dict[Side, pd.Series], units: dict[Side, IntArray], public: tuple[Any, ...] = ()
) -> dict[Side, set[int]]:
    """The units of each side that have a text, and as made ones the real units that are quoted.

    A unit is quoted where a made text holds six words in a row that it has and neither another unit
    nor a `public` text has. All its texts are one vote: they are about the same things, and one
    that is met by chance seldom is met alone. `units` (rows,) numbers each side's units from 0;
    held-out ones are numbered on. Letters' case and signs between words do not count. All texts are
    read; of more than a million different passages every second, fourth and so on is kept, chosen
    by its hash: what both sides have is met wherever it stands in its text or table.
    """
    held_out = units["holdout"] + 1 + units["training"].max(initial=-1)
    told = pd.Series(public, dtype=object)
    real = pd.concat([texts["training"], texts["holdout"], told])
    nobody = np.full(len(told), NOBODY)
    passages, owners = _passages(real, np.concatenate([units["training"], held_out, nobody]))
    made, _ = _passages(texts["synthetic"], np.zeros(len(texts["synthetic"]), dtype=np.int64))
    quoted = owners[np.isin(passages, made, assume_unique=True)]
    return {
        "training": set(units["training"][texts["training"].notna()].tolist()),
        "synthetic": set(quoted[quoted != NOBODY].tolist()),
        "holdout": set(held_out[texts["holdout"].notna()].tolist()),
    }


def _passages(texts: pd.Series, units: IntArray) -> tuple[HashArray, IntArray]:
    """Hashes of the different passages that are kept, and the only unit that has each, or -1."""
    found = [(np.empty(0, dtype=np.uint64), np.empty(0, dtype=np.int64))]
    every, waiting = 1, 0
    for hashes, owners in _read(texts, units):
        kept = hashes & np.uint64(every - 1) == 0
        found.append((hashes[kept], owners[kept]))
        waiting += int(kept.sum())
        if waiting > MOST_PASSAGES:
            hashes, owners = _of_one(found)
            while hashes.size > MOST_PASSAGES:
                every *= 2
                kept = hashes & np.uint64(every - 1) == 0
                hashes, owners = hashes[kept], owners[kept]
            found, waiting = [(hashes, owners)], 0
    return _of_one(found)


def _of_one(found: list[tuple[HashArray, IntArray]]) -> tuple[HashArray, IntArray]:
    """Each hash once, with the only unit that has it, or -1."""
    hashes, owners = (np.concatenate(part) for part in zip(*found, strict=True))
    distinct, place = np.unique(hashes, return_inverse=True)
    return distinct, owners_of(place.astype(np.int64), owners, distinct.size)


def _read(texts: pd.Series, units: IntArray) -> Iterator[tuple[HashArray, IntArray]]:
    """Hashes of all passages, and whose they are, of so many words at once as memory holds."""
    table = pd.DataFrame({"text": texts.to_numpy(dtype=object), "unit": units})
    known = table.dropna().drop_duplicates()
    words: list[str] = []
    lengths: list[int] = []
    owners: list[int] = []
    for text, unit in zip(known["text"], known["unit"], strict=True):
        told = WORD.findall(str(text).casefold())
        words += told
        lengths.append(len(told))
        owners.append(unit)
        if len(words) >= WORDS_AT_ONCE:
            yield _hashed(words, np.array(lengths), np.array(owners))
            words, lengths, owners = [], [], []
    yield _hashed(words, np.array(lengths, dtype=np.int64), np.array(owners, dtype=np.int64))


def _hashed(words: list[str], lengths: IntArray, owners: IntArray) -> tuple[HashArray, IntArray]:
    """Hashes of six words in a row of one text (the same in every run), and whose text it is."""
    starts = max(len(words) - WORDS + 1, 0)
    one = pd.util.hash_array(np.array(words, dtype=object), categorize=False)
    hashes = np.zeros(starts, dtype=np.uint64)
    for at in range(min(WORDS, len(words))):
        hashes = hashes * FACTOR + one[at : at + starts]
    text = np.repeat(np.arange(lengths.size), lengths)
    whole = text[:starts] == text[len(words) - starts :]
    return hashes[whole], owners[text[:starts][whole]]
