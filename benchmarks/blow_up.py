"""Tables of any size: a real one drawn with replacement and noise, and a wide made-up one."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.landing import DATA

_NOISE = {"age": 3, "fnlwgt": 5000, "capital-gain": 50, "capital-loss": 50, "hours-per-week": 4}
_BLOCK = 500_000
_FACTORS = 8


def read_adult(part: str) -> pd.DataFrame:
    """The Adult census' `train` or `holdout` rows."""
    return pd.read_csv(DATA / "tabular" / f"adult_{part}.csv.gz")


def write_blown_up(adult: pd.DataFrame, rows: int, path: Path, seed: int = 7) -> None:
    """Rows of the census drawn with replacement, numbers with noise, as CSV."""
    for number, block in enumerate(_blocks(adult, rows, seed)):
        block.to_csv(path, mode="a" if number else "w", header=number == 0, index=False)


def _blocks(adult: pd.DataFrame, rows: int, seed: int) -> Iterator[pd.DataFrame]:
    random = np.random.default_rng(seed)
    for first in range(0, rows, _BLOCK):
        block = adult.iloc[random.integers(0, len(adult), min(_BLOCK, rows - first))].copy()
        for name, width in _NOISE.items():
            noise = random.integers(-width, width + 1, len(block))
            block[name] = (block[name] + noise).clip(lower=0)
        yield block


def wide_table(rows: int, columns: int, seed: int) -> pd.DataFrame:
    """A made-up table whose columns hang together through eight hidden factors.

    In turn a number with a heavy tail, a whole number with many zeros, a bounded share, and
    categories of 2 to 40 levels; every seventh column lacks a tenth of its values. The last
    column, `target`, is true where two factors and noise say so. The loadings don't depend on
    `seed`: tables of two seeds come from one distribution.
    """
    shape, random = np.random.default_rng(11), np.random.default_rng(seed)
    factors = random.normal(size=(rows, _FACTORS))
    made: dict[str, np.ndarray] = {}
    for number in range(columns - 1):
        loadings = shape.normal(size=_FACTORS) * (shape.random(_FACTORS) < 0.4)
        levels = int(shape.integers(2, 41))
        score = factors @ loadings + random.normal(size=rows)
        score /= max(float(np.sqrt((loadings**2).sum() + 1)), 1.0)
        values = _column(number % 4, score, levels)
        if number % 7 == 3:
            values = values.astype(object)
            values[random.random(rows) < 0.1] = None
        made[f"column_{number:03d}"] = values
    chance = factors[:, 0] + factors[:, 1] + random.normal(size=rows)
    made["target"] = np.where(chance > 1, "yes", "no")
    return pd.DataFrame(made)


def _column(kind: int, score: np.ndarray, levels: int) -> np.ndarray:
    if kind == 0:
        return np.asarray(np.round(np.exp(1.2 * score) * 100, 2))
    if kind == 1:
        return np.asarray(np.maximum(np.floor(6 * score), 0), dtype=np.int64)
    if kind == 2:
        return np.asarray(np.round(1 / (1 + np.exp(-2 * score)), 4))
    bins = np.clip(np.floor((score + 2.5) / 5 * levels), 0, levels - 1).astype(np.int64)
    names = np.array([f"level {level:02d}" for level in range(levels)], dtype=object)
    return np.asarray(names[bins])
