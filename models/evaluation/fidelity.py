"""Does the synthetic table look like the real one? Shape and trend errors beside their ceilings.

Identifier columns are left out everywhere: they are re-issued, not modelled. Synthetic and holdout
rows are compared in equal numbers, so that the ceiling is what a perfect sampler of as many rows
would get.
"""

from dataclasses import dataclass

import numpy as np

from data_contracts.report import Finding
from models.evaluation.associations import (
    Error,
    PairErrors,
    Weights,
    pair_errors,
    pattern_error,
    triple_error,
)
from models.evaluation.coded import CodedTable
from models.evaluation.contingency import Cells
from models.evaluation.distributions import shape_distance
from models.evaluation.intervals import FloatArray, around, row_weights
from models.evaluation.verdicts import against_bar, sentences, too_few

REPLICATES = 24
MOST_ROWS = 100_000


@dataclass(frozen=True)
class Fidelity:
    """Findings, and what the report draws: errors by column and by pair, in percent."""

    findings: tuple[Finding, ...]
    shape_errors: dict[str, float]
    shape_ceilings: dict[str, float]
    pair_errors: FloatArray
    pair_ceilings: FloatArray


def evaluate_fidelity(coded: CodedTable) -> Fidelity:
    """Shape, trend, mutual-information, three-way and missingness errors, all in percent.

    `shape_error` is the mean over columns of the Kolmogorov-Smirnov statistic (numbers, dates)
    or total variation (categories); `trend_error` the mean over pairs (see `pair_errors`).
    Intervals are 95 %, from 24 bootstraps over rows. Only shape and trend are judged: their bar is
    the larger of the contract's floor and its ratio times the ceiling.
    """
    if min(coded.rows.values()) == 0 or not coded.columns:
        return _nothing_to_compare(coded)
    table = _equal_rows(coded)
    random = coded.random(10)
    weights = Weights(
        row_weights(table.rows["training"], REPLICATES, random),
        row_weights(table.rows["synthetic"], REPLICATES, random),
    )
    shapes = {column.name: _shape(table, index, weights) for index, column in
              enumerate(table.columns)}  # fmt: skip
    pairs = pair_errors(table, weights) if len(table.columns) > 1 else None
    empty = np.full((len(table.columns),) * 2, np.nan)
    return Fidelity(
        findings=_findings(table, shapes, pairs, weights),
        shape_errors={name: 100 * error.value for name, error in shapes.items()},
        shape_ceilings={name: 100 * error.ceiling for name, error in shapes.items()},
        pair_errors=100 * pairs.matrix if pairs else empty,
        pair_ceilings=100 * pairs.ceiling_matrix if pairs else empty,
    )


def _equal_rows(coded: CodedTable) -> CodedTable:
    compared = min(coded.rows["synthetic"], coded.rows["holdout"], MOST_ROWS)
    most = {"training": MOST_ROWS, "synthetic": compared, "holdout": compared}
    return coded.sampled({side: most[side] for side in coded.rows}, purpose=13)


def _shape(table: CodedTable, index: int, weights: Weights) -> Error:
    column = table.columns[index]
    errors = shape_distance(column, "synthetic", (weights.training, weights.synthetic))
    held_out = np.ones((1, table.rows["holdout"]))
    ceiling = shape_distance(column, "holdout", (weights.plain.training, held_out))
    return Error(float(errors[0]), float(ceiling[0]), errors[1:])


def _findings(
    table: CodedTable, shapes: dict[str, Error], pairs: PairErrors | None, weights: Weights
) -> tuple[Finding, ...]:
    bars = table.bars
    shape = Error(
        float(np.mean([error.value for error in shapes.values()])),
        float(np.mean([error.ceiling for error in shapes.values()])),
        np.mean([error.replicates for error in shapes.values()], axis=0),
    )
    found = [_judged(table, "shape_error", shape, (bars.shape_ratio, bars.shape_floor))]
    if pairs is not None:
        trend = _judged(table, "trend_error", pairs.trend, (bars.trend_ratio, bars.trend_floor))
        looked = f"{pairs.pairs:,} of {pairs.all_pairs:,} column pairs, drawn by the seed."
        if pairs.pairs < pairs.all_pairs:
            trend = trend.model_copy(update={"detail": sentences((trend.detail, looked))})
        found += [trend, _told(table, "mutual_information_error", pairs.information)]
    triples = triple_error(table, weights)
    if triples is not None:
        found.append(_told(table, "three_way_error", triples))
    patterns = pattern_error(Cells.of_patterns(table.columns), weights)
    return (*found, _told(table, "missingness_error", patterns))


def _told(table: CodedTable, name: str, error: Error) -> Finding:
    """A finding that no bar judges, beside its ceiling, in percent."""
    interval = around(100 * error.value, 100 * error.replicates, highest=100.0)
    return Finding(
        name=name,
        group="fidelity",
        value=100 * error.value,
        low=interval.low,
        high=interval.high,
        reference=100 * error.ceiling,
        reference_name=f"{name.removesuffix('_error')}_ceiling",
        unit="%",
        table=table.table.name,
    )


def _judged(
    table: CodedTable, name: str, error: Error, ratio_and_floor: tuple[float, float]
) -> Finding:
    ratio, floor = ratio_and_floor
    bar = max(ratio * 100 * error.ceiling, floor)
    shortage = too_few(dict(table.rows.items()))
    interval = around(100 * error.value, 100 * error.replicates, highest=100.0)
    compared = f"{table.rows['synthetic']:,} synthetic and as many holdout rows against training."
    return _told(table, name, error).model_copy(
        update={
            "bar": bar,
            "state": against_bar(100 * error.value, interval, bar, shortage),
            "detail": sentences((shortage, compared)),
        }
    )


def _nothing_to_compare(coded: CodedTable) -> Fidelity:
    detail = too_few(dict(coded.rows.items()))
    missing_rows = min(coded.rows.values()) == 0
    findings = tuple(
        Finding(
            name=name,
            group="fidelity",
            value=None,
            unit="%",
            state="inconclusive" if missing_rows else "info",
            table=coded.table.name,
            detail=detail if missing_rows else "Every column is an identifier: none to compare.",
        )
        for name in ("shape_error", "trend_error")
    )
    empty = np.full((len(coded.columns),) * 2, np.nan)
    return Fidelity(findings, {}, {}, empty, empty)
