"""Values of few: identifiers used again, text copied, rare categories and extremes shown (G0)."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from data_contracts.contract import Column
from data_contracts.report import Finding
from models.evaluation.coded import SIDES, CodedColumn, CodedTable, IntArray, Side
from models.evaluation.intervals import FloatArray
from models.evaluation.row_codes import rounding_step

FEWEST_UNITS = (5, 8)
# What names one person only: made-up values never happen to be a real one.
PERSONAL = {"email", "phone", "iban", "national_id", "address", "free_text"}
# For keys and names, which may stand in both by chance.
CHANCE = 1e-4


@dataclass(frozen=True)
class Shown:
    """A kind of value that a release must not show, and in which columns it does."""

    what: str
    columns: dict[str, int]


def evaluate_hygiene(coded: CodedTable, frames: dict[Side, pd.DataFrame]) -> Finding:
    """`hygiene` (G0): does the release show a value that points at few training units?

    The attacker only reads. Refused for any of: an identifier or free text of a training unit; a
    category that fewer than k training units hold; the value of a number or date of one of the
    fewer than k units beyond the k-th most extreme training unit. k is 5 to 7, drawn by the seed,
    so that nobody can count on one threshold. What the contract tells is public: the categories it
    lists, the side of a range whose end it declares; and so is what held-out units show as well.
    Fresh draws may go beyond the k-th extreme by chance; to show a training unit's very own value
    there is what gives it away. Names that people share, and keys that count up or follow a
    pattern, are held against chance: of the real ones that they repeat, the training units' share.
    """
    random = coded.random(60_000)
    fewest = int(random.integers(*FEWEST_UNITS))
    issued = [column for column in coded.table.columns if coded.table.issues(column)]
    found = (
        Shown("identifiers used again", _counted(frames, issued)),
        Shown(f"categories of fewer than {fewest} units", {
            column.name: count for column in coded.columns if not column.is_number
            and (count := _rare_categories(coded, column, fewest))
        }),
        Shown(f"values beyond the {fewest}-th most extreme unit", {
            column.name: count for column in coded.columns if column.is_number
            and (count := _extremes(coded, column, fewest))
        }),
    )  # fmt: skip
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


def _counted(frames: dict[Side, pd.DataFrame], issued: list[Column]) -> dict[str, int]:
    counts = {column.name: _used_again(column, frames) for column in issued}
    return {name: count for name, count in counts.items() if count}


def _used_again(column: Column, frames: dict[Side, pd.DataFrame]) -> int:
    """How many training values of an identifier the release shows, 0 where chance explains it."""
    values = {side: _distinct(frames[side][column.name]) for side in SIDES}
    own = values["training"] - values["holdout"]
    hits = len(own & values["synthetic"])
    if column.identifier_kind in PERSONAL and column.pattern is None:
        public = {_plain(str(value)) for value in column.categories or ()}
        real, held_out, made = ({_plain(text) for text in values[side]}
                                for side in ("training", "holdout", "synthetic"))  # fmt: skip
        return len((real & made) - held_out - public - {""})
    if not hits:
        return 0
    others = values["holdout"] - values["training"]
    votes = hits + len(others & values["synthetic"])
    pool = len(own) + len(others)
    chance = stats.hypergeom.sf(hits - 1, pool, len(own), votes)
    return hits if chance < CHANCE else 0


def _distinct(series: pd.Series) -> set[str]:
    known: list[Any] = series.dropna().unique().tolist()
    return {str(value) for value in known}


def _plain(text: str) -> str:
    """Letters and digits alone, small: an address in capitals or with other gaps is the same."""
    return "".join(letter for letter in text.casefold() if letter.isalnum())


def _rare_categories(coded: CodedTable, column: CodedColumn, fewest: int) -> int:
    """Labels of the release that 1 to k - 1 training units hold, neither declared nor held out."""
    labels = column.labels or ()
    declared = {str(value) for value in column.column.categories or ()}
    if column.column.kind == "boolean":
        return 0
    codes = {side: np.asarray(column.values[side], np.int64) for side in SIDES}  # noqa: PD011
    holders = _unit_counts(codes["training"], coded.units["training"], len(labels))
    rare = set(np.flatnonzero((holders > 0) & (holders < fewest)).tolist())
    shown = set(np.unique(codes["synthetic"]).tolist())
    common = set(np.unique(codes["holdout"]).tolist())
    told = (rare & shown) - common - {0}
    return sum(labels[int(code) - 1] not in declared for code in told)


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
        if declared is not None:
            continue
        bound = _kth(sign * values["training"], coded.units["training"], fewest)
        beyond = values["training"][sign * values["training"] > bound]
        count += len(_rounded(beyond, step) & shown)
    return count


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
