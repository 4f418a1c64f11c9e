"""Does the synthetic table look like the real one? Shape and trend errors beside their ceilings.

Columns that are issued anew are left out everywhere: they are not modelled. Every figure compares
all synthetic with all training rows, its ceiling all held-out with all training rows (at most
100,000 of each). A distance between samples shrinks with their rows, and a holdout is mostly
smaller than a release: what bars judge is therefore the ceiling scaled to the rows of the release.
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
from models.evaluation.coded import SIDES, CodedTable
from models.evaluation.contingency import Cells
from models.evaluation.distributions import shape_distance
from models.evaluation.intervals import FloatArray, around, row_weights
from models.evaluation.verdicts import against_bar, sentences, too_few

REPLICATES = 24
MOST_ROWS = 100_000


@dataclass(frozen=True)
class Fidelity:
    """Findings, and what the report draws: errors by column and by pair, in percent.

    `compared` holds the rows that all of them were measured on.
    """

    compared: CodedTable
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
    the larger of the contract's floor and its ratio times what a perfect sampler of as many rows
    would get (see `_at_rows`).
    """
    if min(coded.rows.values()) == 0 or not coded.columns:
        return _nothing_to_compare(coded)
    table = coded.sampled(dict.fromkeys(SIDES, MOST_ROWS), purpose=13)
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
        compared=table,
        findings=_findings(table, shapes, pairs, weights),
        shape_errors={name: 100 * error.value for name, error in shapes.items()},
        shape_ceilings={name: 100 * error.ceiling for name, error in shapes.items()},
        pair_errors=100 * pairs.matrix if pairs else empty,
        pair_ceilings=100 * pairs.ceiling_matrix if pairs else empty,
    )


def _at_rows(ceiling: float, table: CodedTable) -> float:
    """A ceiling measured on the holdout, scaled to as many rows as were made.

    Between independent samples of m and n rows of one population, Kolmogorov-Smirnov statistics,
    total variation and differences of correlations all grow with sqrt(1/m + 1/n) (Smirnov 1948 for
    the first). Without this a small holdout would make a lax bar for a large release, and a small
    release would be held to what only a large one can reach.
    """
    noise = {side: 1 / table.rows["training"] + 1 / table.rows[side] for side in SIDES}
    return ceiling * float(np.sqrt(noise["synthetic"] / noise["holdout"]))


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
    scaled = 100 * _at_rows(error.ceiling, table)
    bar = max(ratio * scaled, floor)
    shortage = too_few(dict(table.rows.items()))
    interval = around(100 * error.value, 100 * error.replicates, highest=100.0)
    compared = (
        f"{table.rows['synthetic']:,} synthetic rows against {table.rows['training']:,} training "
        f"rows; ceiling of {table.rows['holdout']:,} held-out rows. A perfect sampler of as many "
        f"rows as were made: about {scaled:.2g} %."
    )
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
    return Fidelity(coded, findings, {}, {}, empty, empty)
