"""Values of few: identifiers used again, text copied, rare categories and extremes shown (G0)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from data_contracts.contract import Column
from data_contracts.report import Finding
from models.encoding.pattern import is_limited, parse_pattern
from models.evaluation.coded import (
    SIDES,
    CodedColumn,
    CodedTable,
    IntArray,
    Side,
    code_table,
)
from models.evaluation.intervals import FloatArray
from models.evaluation.row_codes import rounding_step
from models.privacy.quoted_texts import units_with_texts

FEWEST_UNITS = (5, 8)
# What names one person only: made-up values never happen to be a real one.
PERSONAL = {"email", "phone", "iban", "national_id", "address", "free_text"}
# For keys, names and numbers up to a declared end, which may stand in both by chance.
CHANCE = 1e-4
MOST_DIGITS = 6
# Values so far off a whole number of steps lie between two of them.
BETWEEN = 0.01
# Where held-out values show how often fresh ones meet real ones by chance: the outer tenth.
OUTER = 0.9


@dataclass(frozen=True)
class Shown:
    """A kind of value that a release must not show, and in which columns it does."""

    what: str
    columns: dict[str, int]


Columns = Callable[[list[str]], dict[Side, pd.DataFrame]]
"""Gives all rows of all sides of a table, with the columns that are named."""


def evaluate_hygiene(
    coded: CodedTable, frames: dict[Side, pd.DataFrame], whole: Columns | None = None
) -> Finding:
    """`hygiene` (G0): does the release show a value that points at few training units?

    The attacker only reads. Refused for any of: an identifier or free text of a training unit; a
    category that fewer than k training units hold; the value of a number or date of one of the
    fewer than k units beyond the k-th most extreme training unit. k is 5 to 7, drawn by the seed,
    so that nobody can count on one threshold. What the contract tells is public: the categories it
    lists, the ends of a range that it declares; and so is what held-out units show as well.
    Fresh draws may go beyond the k-th extreme by chance; to show a training unit's very own value
    there is what gives it away. Up to a declared end fresh draws go as a rule, and few values may
    lie there: then the values of training units are held against chance, too. Names that people
    share, and keys that count up or follow a pattern, are held against chance: of the real ones
    that they repeat, the training units' share; what names one person, also against how many other
    names its pattern would have left to choose from. Where `frames` are samples of larger tables,
    `whole` reads these a column at a time: one address is one too many wherever it stands, and a
    value of many units is one of few in a sample.
    """
    random = coded.random(60_000)
    fewest = int(random.integers(*FEWEST_UNITS))
    issued: dict[str, int] = {}
    rare: dict[str, int] = {}
    extreme: dict[str, int] = {}
    for column in coded.table.columns:
        one, sides = (coded, frames) if whole is None else _whole_column(coded, column, whole)
        if coded.table.issues(column):
            units = one.units if coded.table.unit else None
            issued[column.name] = _used_again(column, sides, units)
        for each in one.columns:
            if each.name == column.name:
                into, count = (extreme, _extremes) if each.is_number else (rare, _rare_categories)
                into[column.name] = count(one, each, fewest)
    kinds = (
        Shown("identifiers used again", issued),
        Shown(f"categories of fewer than {fewest} units", rare),
        Shown(f"values beyond the {fewest}-th most extreme unit", extreme),
    )
    found = [Shown(each.what, {name: n for name, n in each.columns.items() if n}) for each in kinds]
    shown = [each for each in found if each.columns]
    words = "; ".join(f"{each.what} in {', '.join(sorted(each.columns))}" for each in shown)
    return Finding(
        name="hygiene",
        group="copies",
        value=float(sum(len(each.columns) for each in shown)),
        reference=0.0,
        reference_name="none may be",
        bar=0.0,
        unit="count",
        state="refuse" if shown else "pass",
        table=coded.table.name,
        detail=f"Columns that show {words}."
        if shown
        else "No column shows an identifier, a rare category or an extreme of the training units.",
    )


def _whole_column(
    coded: CodedTable, column: Column, whole: Columns
) -> tuple[CodedTable, dict[Side, pd.DataFrame]]:
    """One column with all rows, as if the table had no other."""
    unit = [] if coded.table.unit in (None, column.name) else [str(coded.table.unit)]
    sides = whole([column.name, *unit])
    alone = coded.table.model_copy(update={"columns": (column,)})
    return code_table(alone, coded.bars, sides, coded.seed), sides


def _used_again(
    column: Column, frames: dict[Side, pd.DataFrame], units: dict[Side, IntArray] | None
) -> int:
    """How many training values of an identifier the release shows, 0 where chance explains it.

    Without `units` each text is one by itself: rows that repeat it would hide whose it is.
    """
    public = {_plain(str(value)) for value in column.categories or ()}
    values = {side: _distinct(frames[side][column.name], public) for side in SIDES}
    plain = {side: {_plain(text) for text in values[side]} - {""} for side in SIDES}
    if column.identifier_kind in PERSONAL:
        shown = len((plain["training"] & plain["synthetic"]) - plain["holdout"])
        made = len(plain["synthetic"])
        if shown and not _explained(column, shown, len(plain["training"]), made):
            return shown
    if column.identifier_kind == "free_text":
        texts = {side: frames[side][column.name] for side in SIDES}
        own = units or {side: pd.factorize(texts[side])[0].astype(np.int64) for side in SIDES}
        return _beyond_chance(units_with_texts(texts, own, column.categories or ()))
    return _beyond_chance(values) or _beyond_chance(plain)


def _beyond_chance(values: dict[Side, set[str]] | dict[Side, set[int]]) -> int:
    """How many values that training units alone have are made again, 0 where chance explains it."""
    own = values["training"] - values["holdout"]
    others = values["holdout"] - values["training"]
    hits, other_hits = len(own & values["synthetic"]), len(others & values["synthetic"])
    if not hits:
        return 0
    chance = stats.hypergeom.sf(hits - 1, len(own) + len(others), len(own), hits + other_hits)
    return hits if chance < CHANCE else 0


def _explained(column: Column, shown: int, real: int, made: int) -> bool:
    """Whether so few values are left to a pattern that as many made ones meet real ones by chance.

    Without a pattern, or by one that sets no end to its values, none ever do.
    """
    pattern = parse_pattern(column.pattern) if column.pattern is not None else None
    if pattern is None or not is_limited(str(column.pattern)):
        return False
    return bool(stats.binom.sf(shown - 1, made, min(real / pattern.count, 1.0)) >= CHANCE)


def _distinct(series: pd.Series, public: set[str]) -> set[str]:
    known: list[Any] = series.dropna().unique().tolist()
    texts = {str(value) for value in known}
    return {text for text in texts if _plain(text) not in public} if public else texts


def _plain(text: str) -> str:
    """Letters and digits alone, small: an address in capitals or with other gaps is the same."""
    small = text.casefold()
    return small if small.isalnum() else "".join(filter(str.isalnum, small))


def _rare_categories(coded: CodedTable, column: CodedColumn, fewest: int) -> int:
    """Labels of the release that 1 to k - 1 training units hold, neither declared nor held out.

    One that no training unit has is held against theirs in small letters and without wide gaps.
    """
    if column.column.kind == "boolean":
        return 0
    labels = np.array([None, *(column.labels or ())], dtype=object)
    declared = {str(value) for value in column.column.categories or ()}
    codes = {side: np.asarray(column.values[side], np.int64) for side in SIDES}  # noqa: PD011
    told = _rare_codes(codes, coded.units["training"], fewest)
    count = sum(labels[code] not in declared for code in told)
    codes["synthetic"] = np.setdiff1d(codes["synthetic"], codes["training"])
    if not codes["synthetic"].any():
        return count
    alike, known = pd.factorize(pd.Series(labels).map(_alike, na_action="ignore"))
    told = _rare_codes(
        {side: alike[each] + 1 for side, each in codes.items()}, coded.units["training"], fewest
    )
    return count + len({known[code - 1] for code in told} - set(map(_alike, declared)))


def _alike(label: str) -> str:
    """Small letters and single gaps; signs stay, for they may tell one label from another."""
    return " ".join(label.casefold().split())


def _rare_codes(codes: dict[Side, IntArray], units: IntArray, fewest: int) -> set[int]:
    """Codes on the made side that 1 to k - 1 training units hold and no held-out row; 0 is none."""
    holders = _unit_counts(codes["training"], units, int(codes["training"].max(initial=0)))
    rare = np.flatnonzero((holders > 0) & (holders < fewest))
    shown = np.setdiff1d(codes["synthetic"], codes["holdout"])
    return set(np.intersect1d(rare, shown).tolist()) - {0}


def _unit_counts(codes: IntArray, units: IntArray, labels: int) -> IntArray:
    pairs = np.unique(np.stack([codes, units]), axis=1)[0]
    return np.bincount(pairs, minlength=labels + 1).astype(np.int64)


def _extremes(coded: CodedTable, column: CodedColumn, fewest: int) -> int:
    """Training units' own values beyond the k-th most extreme unit that the release shows."""
    values = {side: np.asarray(column.values[side], np.float64) for side in SIDES}  # noqa: PD011
    ends = {1.0: column.column.maximum, -1.0: column.column.minimum}
    step = rounding_step(values["training"])
    shown = _rounded(values["synthetic"], step) - _rounded(values["holdout"], step)
    count = 0
    for sign, declared in ends.items():
        bound = _kth(sign * values["training"], coded.units["training"], fewest)
        if declared is None:
            beyond = values["training"][sign * values["training"] > bound]
            count += len(_rounded(beyond, step) & shown)
        else:
            outwards = {side: sign * each for side, each in values.items()}
            count += _more_than_chance(outwards, bound, sign * _as_number(column.column, declared))
    return count


def _more_than_chance(values: dict[Side, FloatArray], bound: float, end: float) -> int:
    """How many own values of training units the release shows, 0 where chance explains it.

    Asked of the values between the k-th most extreme one, the `bound`, and the declared `end`, all
    turned so that the end is the largest. The end itself is public.
    """
    grid = _Grid.of(values["training"])
    beyond = {side: each[(each > bound) & (each <= end)] for side, each in values.items()}
    public = grid.places(np.append(beyond["holdout"], end))
    own, made = (grid.places(beyond[side]) - public for side in ("training", "synthetic"))
    hits = len(own & made)
    if not hits:
        return 0
    # Where people round, or values lie on a lattice that nobody sees, fresh ones meet real ones.
    tail = np.nanquantile(values["training"], OUTER)
    outer = grid.places(values["holdout"][values["holdout"] >= tail])
    met = len(outer & grid.places(values["training"]))
    if met:
        chance = stats.binom.sf(hits - 1, len(made), (met + 1) / (len(outer) + 2))
    else:
        # Values lie nearer to the bound: twice their middle distance from it holds most of them.
        ahead = float(np.median(sorted(own))) - (bound - grid.origin) / grid.spacing
        chance = stats.hypergeom.sf(
            hits - 1, max(int(2 * ahead), len(own | made)), len(own), len(made)
        )
    return hits if chance < CHANCE else 0


@dataclass(frozen=True)
class _Grid:
    """Where the numbers of a column lie: so far apart at least, counted from one of them."""

    origin: float
    spacing: float
    exact: bool

    @classmethod
    def of(cls, values: FloatArray) -> "_Grid":
        """By the digits of the values; where they have none, as fine as values are compared."""
        distinct = np.unique(values[np.isfinite(values)])
        origin = float(distinct[0]) if distinct.size else 0.0
        for digits in range(MOST_DIGITS + 1):
            scaled = distinct * 10.0**digits
            whole = np.rint(scaled)
            if np.abs(whole).max(initial=0) > 2**53:
                break
            if distinct.size > 1 and np.allclose(scaled, whole, rtol=0, atol=1e-4):
                steps = np.diff(whole).astype(np.int64)
                if not steps.any():
                    continue
                return cls(origin, float(np.gcd.reduce(steps)) / 10.0**digits, exact=True)
        return cls(origin, rounding_step(values) or 1.0, exact=False)

    def places(self, values: FloatArray) -> set[float]:
        """The whole numbers of steps from the origin; what lies between two by digits has none."""
        known = values[~np.isnan(values)]
        steps = (known - self.origin) / self.spacing
        whole = np.rint(steps)
        # Microseconds since 1970 are doubles to a quarter of a step only.
        between = BETWEEN + 2 * np.spacing(np.abs(known)) / self.spacing
        return set((whole[np.abs(steps - whole) < between] if self.exact else whole).tolist())


def _as_number(column: Column, declared: float | int | str) -> float:
    """A declared end as the column's values are compared: dates in seconds."""
    if column.kind != "datetime":
        return float(declared)
    moment = pd.Timestamp(str(declared))
    if moment.tz is None and column.timezone is not None:
        moment = moment.tz_localize(column.timezone, ambiguous=True, nonexistent="shift_forward")
    return moment.timestamp()


def _kth(values: FloatArray, units: IntArray, fewest: int) -> float:
    """The k-th largest of the units' largest values; infinite with fewer units."""
    known = ~np.isnan(values)
    _, place = np.unique(units[known], return_inverse=True)
    most = np.full(int(place.max(initial=-1)) + 1, -np.inf)
    np.maximum.at(most, place, values[known])
    return float(-np.partition(-most, fewest - 1)[fewest - 1]) if most.size >= fewest else np.inf


def _rounded(values: FloatArray, step: float) -> set[float]:
    known = values[~np.isnan(values)]
    return set(np.unique(np.round(known / step) if step else known).tolist())
