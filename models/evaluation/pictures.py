"""Binned shares that the report draws: never a rare category, never a single unit's extreme."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from models.evaluation.coded import SIDES, CodedColumn, CodedTable, IntArray, Side
from models.evaluation.detection import Detection
from models.evaluation.fidelity import Fidelity
from models.evaluation.intervals import FloatArray

FEWEST_UNITS = 10
MOST_LABELS = 20
BINS = 20
OUTER_SHARE = 0.01
OTHER = "(other)"
SECONDS = (
    1, 2, 5, 10, 30, 60, 300, 600, 1_800, 3_600, 7_200, 14_400, 43_200, 86_400, 2 * 86_400,
    7 * 86_400, 14 * 86_400, 30 * 86_400, 90 * 86_400, 180 * 86_400, 365 * 86_400,
)  # fmt: skip


def table_pictures(fidelity: Fidelity, detection: Detection) -> dict[str, Any]:
    """Everything that is drawn about one table, as JSON-able values.

    For each column, the shares of training, synthetic and holdout rows per bin (missing beside
    them) and its shape error; the errors of all pairs; how much each column gives away. Drawn are
    the very rows on which the fidelity figures were measured. The report is published: a category
    is named, and a number stands as a bin's edge, only where at least ten training units hold it
    or lie beyond it.
    """
    coded = fidelity.compared
    return {
        "table": coded.table.name,
        "columns": [_column_picture(coded, column, fidelity) for column in coded.columns],
        "pairs": {
            "columns": [column.name for column in coded.columns],
            "error": _matrix(fidelity.pair_errors),
            "ceiling": _matrix(fidelity.pair_ceilings),
        },
        "detection_columns": [
            {"column": name, "importance": round(value, 4)}
            for name, value in sorted(detection.importance.items(), key=lambda at: (-at[1], at[0]))
        ],
    }


def _column_picture(coded: CodedTable, column: CodedColumn, fidelity: Fidelity) -> dict[str, Any]:
    drawn = _histogram(coded, column) if column.is_number else _bars(coded, column)
    return {
        "column": column.name,
        "kind": column.column.kind,
        **drawn,
        "missing": {side: _share(column.missing(side).sum(), coded.rows[side]) for side in SIDES},
        "shape_error": _rounded(fidelity.shape_errors.get(column.name)),
        "shape_ceiling": _rounded(fidelity.shape_ceilings.get(column.name)),
    }


# Numbers and dates


def _histogram(coded: CodedTable, column: CodedColumn) -> dict[str, Any]:
    """Even bins between robust ends; what lies beyond an end counts in the bin at that end."""
    edges = _edges(column, coded.units["training"])
    shares: dict[str, list[float]] = {side: [] for side in SIDES}
    if edges.size:
        for side in SIDES:
            known = column.values[side][~column.missing(side)]
            place = np.searchsorted(edges[1:-1], known, side="right")
            counts = np.bincount(place, minlength=edges.size - 1)
            shares[side] = [_share(count, coded.rows[side]) for count in counts]
    return {"edges": _edge_values(column, edges), "labels": [], **shares}


def _edges(column: CodedColumn, units: IntArray) -> FloatArray:
    """Edges on a round lattice; none where fewer than ten training units have a value."""
    known = ~column.missing("training")
    values = np.asarray(column.values["training"], dtype=np.float64)[known]
    ends = _robust_ends(values, units[known])
    if ends is None:
        return np.empty(0)
    distinct = np.unique(values[(values >= ends[0]) & (values <= ends[1])])
    if distinct.size <= BINS:
        return _around_levels(distinct, values, units[known])
    step = _round_step((ends[1] - ends[0]) / BINS, dates=column.column.kind == "datetime")
    first, last = np.floor(ends[0] / step), np.ceil(ends[1] / step)
    return np.asarray(step * np.arange(first, last + 1))


def _robust_ends(values: FloatArray, units: IntArray) -> tuple[float, float] | None:
    """The hundredth and the ninety-ninth percentile, or the tenth unit from the end if further in.

    None with fewer than ten units.
    """
    if np.unique(units).size < FEWEST_UNITS:
        return None
    order = np.argsort(values, kind="stable")
    low, high = (float(values[way][_tenth_unit(units[way])]) for way in (order, order[::-1]))
    inner_low, inner_high = np.quantile(values, [OUTER_SHARE, 1 - OUTER_SHARE])
    low, high = max(low, float(inner_low)), min(high, float(inner_high))
    return (low, high) if low <= high else (high, low)


def _tenth_unit(units: IntArray) -> int:
    """Where, from the start, the tenth different unit is met."""
    _, first = np.unique(units, return_index=True)
    return int(np.sort(first)[FEWEST_UNITS - 1])


def _around_levels(distinct: FloatArray, values: FloatArray, units: IntArray) -> FloatArray:
    """Edges half-way between few distinct values, leaving out those of fewer than ten units."""
    held = [level for level in distinct if np.unique(units[values == level]).size >= FEWEST_UNITS]
    if not held:
        return np.empty(0)
    levels = np.asarray(held)
    if levels.size == 1:
        return np.array([levels[0] - 0.5, levels[0] + 0.5])
    middles = (levels[1:] + levels[:-1]) / 2
    first, last = 2 * levels[0] - middles[0], 2 * levels[-1] - middles[-1]
    return np.concatenate([[first], middles, [last]])


def _round_step(least: float, *, dates: bool) -> float:
    """The smallest round step that is not below `least`: 1, 2 or 5 times ten, or calendar-like."""
    if dates and least <= SECONDS[-1]:
        return float(next(step for step in SECONDS if step >= least))
    power = 10.0 ** np.floor(np.log10(least))
    return float(next(times * power for times in (1, 2, 5, 10) if times * power >= least * 0.999))


def _edge_values(column: CodedColumn, edges: FloatArray) -> list[Any]:
    if column.column.kind != "datetime":
        return [float(f"{edge:.10g}") for edge in edges]
    moments = pd.to_datetime(np.round(edges).astype(np.int64), unit="s")
    whole_days = bool((np.round(edges) % 86_400 == 0).all())
    return list(moments.strftime("%Y-%m-%d" if whole_days else "%Y-%m-%dT%H:%M:%S"))


# Categories


def _bars(coded: CodedTable, column: CodedColumn) -> dict[str, Any]:
    """The most frequent training categories that at least ten units hold, then all others."""
    labels = column.labels or ()
    codes, units = np.asarray(column.values["training"]), coded.units["training"]
    frequent = range(1, min(len(labels), MOST_LABELS) + 1)
    named = [at for at in frequent if np.unique(units[codes == at]).size >= FEWEST_UNITS]
    shares: dict[Any, list[float]] = {
        side: _category_shares(column, side, named, coded.rows[side]) for side in SIDES
    }
    others = any(values[-1] > 0 for values in shares.values())
    texts = [labels[at - 1] for at in named]
    if not others:
        shares = {side: values[:-1] for side, values in shares.items()}
    return {"edges": [], "labels": [*texts, OTHER] if others else texts, **shares}


def _category_shares(
    column: CodedColumn, side: Side, named: Sequence[int], rows: int
) -> list[float]:
    counts = np.bincount(
        np.asarray(column.values[side], dtype=np.int64), minlength=len(column.labels or ()) + 1
    )
    shown = counts[list(named)]
    rest = int(counts[1:].sum() - shown.sum())
    return [_share(count, rows) for count in [*shown, rest]]


def _share(count: int, rows: int) -> float:
    return round(float(count) / rows, 4) if rows else 0.0


def _rounded(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else round(value, 4)


def _matrix(values: FloatArray) -> list[list[float | None]]:
    return [[_rounded(float(value)) for value in row] for row in values]
