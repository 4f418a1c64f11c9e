"""When columns are missing: with another one, without it, or below some of its values."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from data_contracts.contract import Column, RequiredWhen
from data_contracts.first_rows import FirstRows
from data_contracts.linear_relations import FEWEST_DIFFERENT, NEGLIGIBLE, BoolArray, FloatArray

MOST_LISTED = 10
"""Values that a proposed condition names at most."""
_TELLING = 5.0
"""A value of which less speaks for it is not listed."""


@dataclass(frozen=True)
class _Gaps:
    """A column that is missing in some rows and present in others; `alike` have the same gaps."""

    column: Column
    missing: BoolArray
    alike: tuple[Column, ...]

    @property
    def share(self) -> float:
        return float(self.missing.mean())


def find_presences(rows: FirstRows) -> Iterator[RequiredWhen]:
    """Rules of presence that no row breaks, and that chance would practically never bring about.

    Columns with the same gaps are tied to the first one of them; that one to the values of another
    column, or, where no value tells it, to the presence of another.
    """
    scale = rows.units / max(rows.count, 1)
    gaps = list(_gaps(rows, scale))
    for one in gaps:
        for other in one.alike:
            yield RequiredWhen(column=other.name, when=one.column.name, otherwise=True)
    conditions = [column for column in rows.columns if _values(column) is not None]
    for one in gaps:
        own = {one.column.name, *(each.name for each in one.alike)}
        told = [
            found
            for column in conditions
            if column.name not in own and (found := _by_values(rows, one, column, scale))
        ]
        if told:
            yield max(told, key=lambda pair: (pair[1].otherwise, pair[0]))[1]
        else:
            yield from _by_presence(one, gaps, scale * rows.count)


def _gaps(rows: FirstRows, scale: float) -> Iterator[_Gaps]:
    groups: dict[bytes, list[Column]] = {}
    masks: dict[bytes, BoolArray] = {}
    for column in rows.table.columns:
        if column.required or column.primary_key:
            continue
        missing = rows.missing(column.name)
        fewer = min(int(missing.sum()), len(missing) - int(missing.sum()))
        if fewer * scale >= FEWEST_DIFFERENT:
            key = np.packbits(missing).tobytes()
            groups.setdefault(key, []).append(column)
            masks[key] = missing
    for key, columns in groups.items():
        yield _Gaps(columns[0], masks[key], tuple(columns[1:]))


def _values(column: Column) -> tuple[Any, ...] | None:
    """The values that a condition may name: those that the contract lists anyway."""
    if column.logical_type == "boolean":
        return (False, True)
    return column.categories


def _by_values(
    rows: FirstRows, gaps: _Gaps, when: Column, scale: float
) -> tuple[float, RequiredWhen] | None:
    """A rule by the values of a column, and how much speaks for it; None if there is none."""
    codes = rows.codes(when.name)
    known = codes >= 0
    counts = np.bincount(codes[known]).astype(np.float64)
    missing = np.bincount(codes[known], gaps.missing[known], len(counts))
    never, always = missing == 0, missing == counts
    evidence = scale * np.where(
        always, counts * -np.log(gaps.share), np.where(never, counts * -np.log1p(-gaps.share), 0.0)
    )
    whole = bool((never | always).all()) and bool(never.any()) and bool(always.any())
    rest = gaps.missing[~known]
    words = _words(rows, when.name, codes, len(counts))
    if whole and evidence.sum() >= NEGLIGIBLE:
        sides = sorted([(never, False), (always, True)], key=lambda side: int(side[0].sum()))
        for chosen, absent in sides:
            # Rows without a value of the condition are among the others.
            if bool((rest != absent).all()) and chosen.sum() <= MOST_LISTED:
                return float(evidence.sum()), _listed(gaps, when, (words, chosen, absent), True)
    for chosen, absent in ((always, True), (never, False)):
        clear = chosen & (evidence >= _TELLING)
        if 0 < clear.sum() <= MOST_LISTED and evidence[clear].sum() >= NEGLIGIBLE:
            return float(evidence[clear].sum()), _listed(gaps, when, (words, clear, absent), False)
    return None


def _words(rows: FirstRows, name: str, codes: FloatArray | Any, size: int) -> list[Any]:
    """The value of each code, by a row that has it."""
    first = np.zeros(size, dtype=np.int64)
    known = np.flatnonzero(codes >= 0)
    first[codes[known][::-1]] = known[::-1]
    return list(rows.rows[name].take(first).to_pylist())


def _listed(
    gaps: _Gaps, when: Column, what: tuple[list[Any], BoolArray, bool], otherwise: bool
) -> RequiredWhen:
    words, chosen, absent = what
    return RequiredWhen(
        column=gaps.column.name,
        missing=absent,
        when=when.name,
        values=tuple(sorted(words[code] for code in np.flatnonzero(chosen))),
        otherwise=otherwise,
    )


def _by_presence(gaps: _Gaps, others: list[_Gaps], units: float) -> Iterator[RequiredWhen]:
    """By the presence of one other column: the one that tells most."""
    found: list[tuple[float, RequiredWhen]] = []
    for other in others:
        if other is gaps:
            continue
        apart = not bool((~gaps.missing & ~other.missing).any())
        below = not bool((gaps.missing & ~other.missing).any())
        expected = (1 - other.share) * ((1 - gaps.share) if apart else gaps.share) * units
        if not (apart or below) or expected < NEGLIGIBLE:
            continue
        # One of the two alone says that they keep apart.
        if apart and other.column.name > gaps.column.name:
            continue
        rest = bool((gaps.missing != other.missing).all()) if apart else False
        rule = RequiredWhen(
            column=gaps.column.name, missing=apart, when=other.column.name, otherwise=rest
        )
        found.append((expected, rule))
    if found:
        yield max(found, key=lambda pair: pair[0])[1]
