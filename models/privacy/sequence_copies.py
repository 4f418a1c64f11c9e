"""Whole stretches of somebody's rows: copies that no single row gives away (G1 for units)."""

import itertools
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from data_contracts.report import Finding, State
from models.evaluation.coded import SIDES, CodedColumn, CodedTable, IntArray
from models.evaluation.intervals import FloatArray
from models.evaluation.row_codes import column_codes, combined
from models.evaluation.verdicts import sentences
from models.privacy.copies import BROKEN_LEVEL, FEWEST_OWN, Copying, count_band, owning_share
from models.privacy.copy_controls import VERBATIM, mostly
from models.privacy.copy_votes import CopyTest
from models.privacy.real_pool import NOBODY, owners_of
from models.privacy.repeats import far_more_often
from models.privacy.trial import MORE, Trial

NAME = "sequence_copies"
# Rows of a run: short ones find parts of a unit, long ones tell units of few values apart.
LENGTHS = (2, 4, 8, 16)
BoolArray = npt.NDArray[np.bool_]


def has_sequences(coded: CodedTable) -> bool:
    """Whether training units can have several rows, so that `SequenceCopies` makes a trial."""
    units = coded.units["training"]
    return coded.table.unit is not None and bool(np.unique(units).size < units.size)


class SequenceCopies:
    """`sequence_copies`: does the release repeat runs of one training unit's rows?

    Scenario: the attacker holds the release and looks for 2, 4, 8 or 16 rows in a row that one real
    unit has and no other. In a panel of few values every single row is somebody else's as well, and
    a copy of everybody would pass all tests of rows. The time of the rows gives their order and is
    not compared: moved in time, a copy is a copy. Without one, and at the same time, a unit's rows
    are put into an order of their own, so that in any other they are the same. Where a unit has
    several series (`entity`), runs of each by itself are looked for as well: moved apart, or given
    to units of their own, they are copies, too. Votes and p-values are those of G1, by unit; all
    lengths share them (Bonferroni). Passes if copies of whole units, the contract's `leak_share` of
    the synthetic ones or fewer, were caught in the same run. Where they were not, it is
    inconclusive if rows have nobody's own either, so that no other test of copies judges; else it
    leaves the verdict to the rows.

    Power: told in each run: the smallest share of units that was caught when copied whole.
    """

    def evaluate(self, copying: Copying) -> tuple[Trial, ...]:
        """One trial where units have several rows, else none."""
        return _trials(copying.test)


def _trials(test: CopyTest) -> tuple[Trial, ...]:
    coded = test.coded
    if not has_sequences(coded) or not _compared(coded):
        return ()
    runs = _runs(coded)
    looked, fresh = _look(runs), _look(_with_held_out_units(runs, coded.random(97))).p_value()
    p_value, seen = looked.p_value(), _smallest_seen(test, looked)

    def findings(refused: bool) -> tuple[Finding, ...]:
        state, reason = _judged(test, looked, (seen, fresh), refused=refused)
        low, high = count_band(looked.votes(looked.most_telling())[0])
        told = "" if seen is None else f"Would have seen {100 * seen:g} % of units copied whole."
        detail = (
            "Training units of whom a run of rows was found; a band. "
            f"{looked.trained:,} training and {looked.size - looked.trained:,} held-out units."
        )
        return (
            Finding(
                name=NAME, group="copies", value=high, low=low, high=high, state=state,
                table=coded.table.name, detail=sentences((reason, detail, told)),
            ),
        )  # fmt: skip

    figures = {"votes": [list(looked.votes(at)) for at in range(len(looked.found))],
               "seen": seen, "fresh": fresh}  # fmt: skip
    return (Trial(NAME, p_value, findings, coded.table.name, figures=figures),)


@dataclass(frozen=True)
class _Looked:
    """For each sort of run the real units whose own was found, and those who have one of their own.

    Training units are numbered below `first_held_out`; `present` are all real units. Where these
    were dealt anew to the two sides, `dealt` are the numbers of those on the training side.
    """

    found: tuple[IntArray, ...]
    owning: tuple[IntArray, ...]
    first_held_out: int
    present: IntArray
    dealt: IntArray | None = None

    def votes(self, at: int) -> tuple[int, int]:
        """Training and held-out units found by the sort of run at this place."""
        found = self.found[at]
        trained = found < self.first_held_out if self.dealt is None else np.isin(found, self.dealt)
        training = int(trained.sum())
        return training, found.size - training

    def p_value(self) -> float:
        """How likely as many training units are in blind draws, of the most telling runs."""
        return min(1.0, len(self.found) * min(self._tails()))

    def most_telling(self) -> int:
        """The place of the sort of run with the smallest p-value."""
        return int(np.argmin(self._tails()))

    def _tails(self) -> list[float]:
        return [
            float(stats.hypergeom.sf(self.votes(at)[0] - 1, self.size, self.trained, units.size))
            for at, units in enumerate(self.found)
        ]

    def with_copied(self, units: IntArray, random: np.random.Generator) -> "_Looked":
        """The same test where these units were copied whole, and no others.

        All others are dealt anew to the two sides, so that what the release has copied helps no
        planted copy to be found.
        """
        others = random.permutation(np.setdiff1d(self.present, units))
        dealt = np.concatenate([units, others[: self.trained - units.size]])
        found = tuple(
            np.union1d(before, np.intersect1d(units, owning))
            for before, owning in zip(self.found, self.owning, strict=True)
        )
        return replace(self, found=found, dealt=dealt)

    @property
    def size(self) -> int:
        """How many real units there are."""
        return int(self.present.size)

    @property
    def trained(self) -> int:
        """How many of them are training units."""
        return int((self.present < self.first_held_out).sum())

    @property
    def own(self) -> IntArray:
        """The training units with a run of their own, of any length."""
        units = np.unique(np.concatenate(self.owning))
        return np.asarray(units[units < self.first_held_out])


def _judged(
    test: CopyTest, looked: _Looked, controls: tuple[float | None, float], *, refused: bool
) -> tuple[State, str]:
    (seen, fresh), bar = controls, test.coded.bars.leak_share
    if refused:
        return "refuse", "More training units than chance explains."
    if fresh <= BROKEN_LEVEL:
        return "refuse", (
            "The test fails its own control: it refuses held-out units. Check the contract's unit "
            "of privacy."
        )
    if seen is not None and seen <= bar:
        return "pass", ""
    if looked.own.size < FEWEST_OWN * looked.trained:
        return "info", "Hardly any training unit has a run of rows of its own: none to copy."
    missed = f"{100 * bar:g} % of units copied whole were not caught: too few units."
    if owning_share(test.pool) >= FEWEST_OWN:
        return "info", f"{missed} The tests of rows judge."
    return "inconclusive", f"{missed} {MORE}"


def _smallest_seen(test: CopyTest, looked: _Looked) -> float | None:
    """The smallest share of synthetic units that was caught where they were copied whole."""
    random = test.coded.random(96)
    made = min(np.unique(test.coded.units[side]).size for side in ("synthetic", "training"))

    def is_caught(count: int) -> bool:
        copied = random.choice(looked.own, count, replace=False)
        return looked.with_copied(copied, random).p_value() <= test.level

    for leak in VERBATIM:
        count = test.leaked(leak.share, made)
        if count <= looked.own.size and mostly(partial(is_caught, count)):
            return leak.share
    return None


@dataclass(frozen=True)
class _Runs:
    """All rows of all sides: their units and sides, and the runs that each begins.

    `units` (rows,) are numbered over training units, then from `first_held_out` over held-out ones,
    made ones by themselves; `real` and `made` tell whose rows they are; `codes` holds for each sort
    of run (a unit's rows or one series', and a length) its code, -1 where they end before.
    """

    units: IntArray
    real: BoolArray
    made: BoolArray
    first_held_out: int
    codes: tuple[IntArray, ...]


def _compared(coded: CodedTable) -> list[int]:
    return [at for at, column in enumerate(coded.columns) if column.name != coded.table.time]


def _runs(coded: CodedTable) -> _Runs:
    numbered = [np.unique(coded.units[side], return_inverse=True) for side in SIDES]
    training, made, held_out = (found[1] for found in numbered)
    size = numbered[0][0].size
    units = np.concatenate([training, made, held_out + size]).astype(np.int64)
    side = np.repeat([0, 1, 2], [coded.rows[each] for each in SIDES])
    columns = column_codes(coded)
    rows = combined([columns[at] for at in _compared(coded)])
    time = _pooled(coded.time, units.size)
    groups: list[tuple[npt.NDArray[Any], ...]] = [(units, side == 1)]
    if coded.entity is not None:
        groups.append((_pooled(coded.entity, units.size), *groups[0]))
    codes = tuple(each for group in groups for each in _run_codes(rows, time, group))
    return _Runs(units, side != 1, side == 1, size, codes)


def _pooled(column: CodedColumn | None, rows: int) -> FloatArray:
    """A column's values of training, synthetic and held-out rows in turn; zeros without one."""
    if column is None:
        return np.zeros(rows)
    return np.concatenate([column.values[side] for side in SIDES]).astype(np.float64)


def _run_codes(
    rows: IntArray, time: FloatArray, group: tuple[npt.NDArray[Any], ...]
) -> list[IntArray]:
    """For each length the code of the run that a row begins among those of its group, by time."""
    order = np.lexsort((rows, time, *group))
    same = np.stack([each[order] for each in group])
    codes: list[IntArray] = []
    half = rows[order]
    for length in LENGTHS:
        half = _doubled(half, length, same)
        placed = np.empty_like(half)
        placed[order] = half
        codes.append(placed)
    return codes


def _doubled(half: IntArray, length: int, same: IntArray) -> IntArray:
    """Codes of runs twice as long as those of `half`; -1 where the unit has too few rows left."""
    step = length // 2
    codes = np.full(half.size, NOBODY, dtype=np.int64)
    if half.size < length:
        return codes
    first, second = half[:-step], half[step:]
    whole = (first >= 0) & (second >= 0) & (same[:, :-step] == same[:, step:]).all(axis=0)
    if whole.any():
        codes[:-step][whole] = combined([first[whole], second[whole]])
    return codes


def _look(runs: _Runs) -> _Looked:
    """Looks for each sort of run; of held-out units that the candidate has seen, half go from them.

    As `repeats.without_repeats` does with rows; where runs show that it has seen them, those of the
    other half go from the candidate.
    """
    found, owning = [], []
    for codes in runs.codes:
        real = runs.real & (codes >= 0)
        owners = owners_of(codes[real], runs.units[real], int(codes.max(initial=0)) + 1)
        pointed = owners[np.unique(codes[runs.made & (codes >= 0)])]
        found.append(np.unique(pointed[pointed != NOBODY]))
        owning.append(np.unique(owners[owners != NOBODY]))
    present = np.unique(runs.units[runs.real])
    seen = [_has_seen(runs, codes) for codes in runs.codes]
    if any(seen):
        met = np.unique(np.concatenate([*itertools.compress(found, seen)]))
        held_out = met[met >= runs.first_held_out]
        present = np.setdiff1d(present, held_out[: held_out.size // 2])
        trained = present[present < runs.first_held_out]
        # Other runs meet real ones of both sides by chance: there both have to count.
        counted = [trained if here else present for here in seen]
        found = [np.intersect1d(*both) for both in zip(found, counted, strict=True)]
    return _Looked(tuple(found), tuple(owning), runs.first_held_out, present)


def _has_seen(runs: _Runs, codes: IntArray) -> bool:
    """Whether made rows meet held-out units' own runs far more often than training rows do."""
    held_out = runs.real & (runs.units >= runs.first_held_out)
    whole, count = codes >= 0, int(codes.max(initial=0)) + 1
    owners = owners_of(codes[held_out & whole], runs.units[held_out & whole], count)
    trained = runs.real & ~held_out
    met = [np.unique(owners[codes[side & whole]]) for side in (runs.made, trained)]
    made, real = (units[units != NOBODY] for units in met)
    return far_more_often(made, real, runs.made.sum() / max(trained.sum(), 1))


def _with_held_out_units(runs: _Runs, random: np.random.Generator) -> _Runs:
    """Half of the held-out units in the place of the release, the others held out."""
    present = np.unique(runs.units[runs.real])
    held_out = present[present >= runs.first_held_out]
    standing_in = random.permutation(held_out)[: held_out.size // 2]
    chosen = runs.real & np.isin(runs.units, standing_in)
    return replace(runs, real=runs.real & ~chosen, made=chosen)
