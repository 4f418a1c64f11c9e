"""Rows that are filled in repeat no other one in columns that are unique together."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from data_contracts.contract import Column, Contract, Source, Table
from data_contracts.dataset import Dataset
from data_contracts.errors import ModelError
from data_contracts.schema import arrow_schema, to_frame
from models.generators import imputing
from models.generators.any_order import AnyOrderGenerator, AnyOrderOptions


def stays(days: int, *, required: bool = False) -> tuple[AnyOrderGenerator, Contract, pd.DataFrame]:
    """A model of 12 rooms that are taken every day, and the rows it learned."""
    whole = {"logical_type": "integer", "physical_type": "int64"}
    columns = (
        Column.model_validate({"name": "room", **whole}),
        Column.model_validate({"name": "day", **whole, "required": required}),
    )
    table = Table(name="stays", columns=columns, source=Source(format="csv", path="s.csv"),
                  unique_together=(("room", "day"),))  # fmt: skip
    places = np.arange(12 * days)
    rows = to_frame(pa.table({"room": places // days, "day": places % days}, arrow_schema(table)))
    contract = Contract(id="stays", version="1", tables=(table,))
    options = AnyOrderOptions(width=16, blocks=0, epochs=1)
    return (
        AnyOrderGenerator(options).fit(Dataset(contract, {"stays": rows}), seed=1),
        contract,
        rows,
    )


@pytest.mark.parametrize("seed", range(3))
def test_the_only_free_key_is_found(seed: int) -> None:
    """Of four rows each has but one day, among 60, that no other row has; two share a room."""
    model, contract, rows = stays(60, required=True)
    holed = rows.copy()
    holed.loc[[5, 300, 330, 700], "day"] = None
    filled = model.impute(Dataset(contract, {"stays": holed}), seed=seed).frame
    assert sorted(filled.itertuples(index=False)) == sorted(rows.itertuples(index=False))


@pytest.mark.parametrize("point", [True, False])
def test_rows_that_are_filled_in_repeat_no_key(
    point: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 13 rows of one room at most 12 can have a day of their own: one stays without."""
    monkeypatch.setattr(imputing, "BATCH_ROWS", 50)
    model, contract, rows = stays(12)
    (table,) = contract.tables
    holed = pd.concat([rows, rows.tail(1)], ignore_index=True)
    holed.loc[holed["room"] == 11, "day"] = None
    filled = model.impute(Dataset(contract, {"stays": holed}), seed=2, point=point).frame
    assert not filled.dropna().duplicated().any()
    assert filled["day"].isna().sum() == 1
    promised = (table.columns[0], table.columns[1].model_copy(update={"required": True}))
    model.table_ = table.model_copy(update={"columns": promised})
    with pytest.raises(ModelError, match="1 rows cannot be filled in without repeating"):
        model.impute(Dataset(contract, {"stays": holed}), seed=2, point=point)
