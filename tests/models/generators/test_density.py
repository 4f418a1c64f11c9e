"""Log densities against those of a table whose distribution is known."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import lognorm

from data_contracts.dataset import Dataset
from data_contracts.errors import ModelError
from tests.models.generators.deliveries import (
    CITIES,
    CONTRACT,
    SHARES,
    TABLE,
    deliveries,
    delivery_model,
)
from tests.models.generators.tables import people


def true_density(frame: pd.DataFrame) -> np.ndarray:
    """Of city, country and weight, in nats: missing values fall out by chance."""
    weights = frame["weight"].to_numpy(float, na_value=np.nan)
    total = np.zeros(len(frame))
    for (city, country), share in zip(CITIES.items(), SHARES, strict=True):
        fits = (frame["country"] == country).to_numpy()
        named = (
            frame["city"].isna().to_numpy(),
            (frame["city"] == city).to_numpy(bool, na_value=False),
        )
        chance = share * fits * np.where(named[0], 0.05, 0.95 * named[1])
        spread = lognorm(0.5, scale=np.exp(0.5 * (city == "Bern")))
        total += chance * np.where(np.isnan(weights), 0.1, 0.9 * spread.pdf(weights))
    return np.log(total)


def test_it_is_the_density_of_unseen_rows() -> None:
    rows = deliveries(4000, seed=5)
    logs = delivery_model().log_density(rows, columns=["city", "country", "weight"])
    known = np.isfinite(logs)
    assert known.mean() > 0.98
    true = true_density(rows.frame)
    # What is lost against the truth is a divergence: never negative but by chance, and small.
    assert -0.05 < float((true - logs)[known].mean()) < 0.3
    assert np.corrcoef(true[known], logs[known])[0, 1] > 0.9


def test_one_number_alone_is_summed_over_all_others() -> None:
    rows = deliveries(3000, seed=6)
    logs = delivery_model().log_density(rows, columns=["weight"])
    missing = rows.frame["weight"].isna().to_numpy()
    assert np.exp(logs[missing]) == pytest.approx(0.1, abs=0.03)
    # Probabilities of a grid of weights add up to one.
    grid = rows.frame.head(2000).assign(weight=np.linspace(0.2, 5.2, 2000))
    density = np.exp(delivery_model().log_density(Dataset(CONTRACT, {TABLE.name: grid}),
                                                  columns=["weight"]))  # fmt: skip
    assert float(density.sum() * 5 / 2000) == pytest.approx(0.9, abs=0.05)


def test_what_is_never_drawn_has_no_density() -> None:
    frame = deliveries(3).frame.assign(weight=[1.0, 400.0, 1.0], goods=[10, 10, 10_000])
    logs = delivery_model().log_density(Dataset(CONTRACT, {TABLE.name: frame}))
    assert np.isneginf(logs).tolist() == [False, True, True]


def test_rows_of_other_columns_are_told() -> None:
    with pytest.raises(ModelError, match="not of the columns that any_order was fitted to"):
        delivery_model().log_density(people(3, seed=1))
    assert len(delivery_model().log_density(deliveries(3, seed=1))) == 3


def test_an_unknown_column_is_told() -> None:
    with pytest.raises(ModelError, match="height"):
        delivery_model().log_density(deliveries(3), columns=["height"])
