"""Singling out: descriptions taken from the release that fit exactly one real unit."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from models.evaluation.coded import CodedColumn, CodedTable, IntArray, Side
from models.privacy.unit_rates import UnitRates

PREDICATES = 2_000
TRIED = 6_000
COLUMNS = 4
# Of a round's descriptions so many must fit one synthetic row alone, else they tell more columns.
ROUND, FEWEST_HELD = 200, 0.3
MOST_ROWS = 20_000
FEWEST_UNITS = 20
NOBODY = -1


class _Sides(NamedTuple):
    """Equally many units of each side: rows, and their units from 0."""

    rows: dict[Side, IntArray]
    units: dict[Side, IntArray]
    size: int


def singling_out_rates(coded: CodedTable) -> UnitRates | None:
    """Of each unit, whether a description that fits one synthetic row alone fits it alone, too.

    There are up to 2,000 descriptions (`risks.SinglingOut` tells how they are made). A unit counts
    once, however many of them single it out, so that the rates are of different units for each
    description.
    """
    sides = _equal_sides(coded)
    if sides.size < FEWEST_UNITS or not coded.columns:
        return None
    random = coded.random(95)
    release = np.sort(random.permutation(coded.rows["synthetic"])[: sides.size]).astype(np.int64)
    credit = {side: np.zeros(sides.size) for side in sides.rows}
    medians = {column.name: _median(column) for column in coded.columns}
    held, width = 0, COLUMNS
    for tried in range(1, TRIED + 1):
        if held == PREDICATES:
            break
        width += 2 * (tried % ROUND == 0 and held < FEWEST_HELD * tried)
        at = random.choice(len(coded.columns), min(width, len(coded.columns)), replace=False)
        columns = [coded.columns[place] for place in at]
        row = int(random.choice(release))
        above = [column.values["synthetic"][row] > medians[column.name] for column in columns]
        described = _Description(columns, row, above)
        if int(described.fits("synthetic", release).sum()) != 1:
            continue
        held += 1
        for side, rows in sides.rows.items():
            unit = _only_unit(sides.units[side][described.fits(side, rows)])
            if unit != NOBODY:
                credit[side][unit] = 1.0
    if not held:
        return None
    scale = sides.size / held
    return UnitRates(credit["training"] * scale, credit["holdout"] * scale)


def _equal_sides(coded: CodedTable) -> _Sides:
    random = coded.random(94)
    distinct = {side: np.unique(coded.units[side]) for side in ("training", "holdout")}
    rows_each = max(coded.rows["training"] / max(distinct["training"].size, 1), 1.0)
    count = int(min(*(len(found) for found in distinct.values()), MOST_ROWS / rows_each))
    rows: dict[Side, IntArray] = {}
    units: dict[Side, IntArray] = {}
    sides: tuple[Side, Side] = ("training", "holdout")
    for side in sides:
        chosen = np.sort(random.choice(distinct[side], count, replace=False))
        rows[side] = np.flatnonzero(np.isin(coded.units[side], chosen)).astype(np.int64)
        units[side] = np.searchsorted(chosen, coded.units[side][rows[side]]).astype(np.int64)
    return _Sides(rows, units, count)


class _Description(NamedTuple):
    """What an attacker says of somebody: some values of a synthetic row, and which are high."""

    columns: list[CodedColumn]
    row: int
    above: list[bool]

    def fits(self, side: Side, rows: IntArray) -> npt.NDArray[np.bool_]:
        """Which rows of a side are as described."""
        fits = np.ones(rows.size, dtype=np.bool_)
        for column, above in zip(self.columns, self.above, strict=True):
            value, values = column.values["synthetic"][self.row], column.values[side][rows]
            if not column.is_number:
                fits &= values == value
            elif np.isnan(value):
                fits &= np.isnan(values)
            else:
                fits &= values >= value if above else values <= value
        return fits


def _median(column: CodedColumn) -> float:
    values = np.asarray(column.values["synthetic"], dtype=np.float64)
    known = values[~np.isnan(values)]
    return float(np.median(known)) if known.size else 0.0


def _only_unit(units: IntArray) -> int:
    """The unit, if there is exactly one."""
    if units.size == 0 or bool((units != units[0]).any()):
        return NOBODY
    return int(units[0])
