"""Parts of a table: each knows the keys of those before it, and draws no row twice."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from data_contracts.contract import Column, Contract, Source, Table
from data_contracts.dataset import Dataset
from data_contracts.errors import ModelError
from data_contracts.schema import arrow_schema, to_frame
from models.conditions import OneOf, Range, Shares
from models.generators.any_order import AnyOrderGenerator, AnyOrderOptions
from models.generators.independent import IndependentGenerator
from tasks import sample
from tasks.sample import Asked, draw, parts_of

GROUPS = (("room", "day"), ("guest", "day"))


def stays(rows: int = 3000) -> Dataset:
    random = np.random.default_rng(0)
    columns = {name: pa.array(random.integers(0, 30, rows)) for name in ("room", "day", "guest")}
    table = Table(
        name="stays",
        columns=tuple(
            Column(name=name, logical_type="integer", physical_type="int64") for name in columns
        ),
        source=Source(format="csv", path="stays.csv"),
        unique_together=GROUPS,
    )
    frame = to_frame(pa.table(columns).cast(arrow_schema(table)))
    return Dataset(Contract(id="stays", version="1", tables=(table,)), {"stays": frame})


def parts_drawn(generator: object, table: Table, total: int, asked: Asked) -> list[pd.DataFrame]:
    beside = asked.beside(table)
    return [
        to_frame(draw(generator, table, part, 1, beside))  # type: ignore[arg-type]
        for part in parts_of(table, total, asked)
    ]


def test_parts_repeat_no_key_of_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample, "PART_ROWS", 60)
    data = stays()
    (table,) = data.contract.tables
    generator = IndependentGenerator().fit(data, seed=1)
    parts = parts_drawn(generator, table, 240, Asked())
    whole = pd.concat(parts, ignore_index=True)
    assert [len(part) for part in parts] == [60] * 4
    assert not any(whole.duplicated(list(names)).any() for names in GROUPS)
    again = pd.concat(parts_drawn(generator, table, 240, Asked()), ignore_index=True)
    assert again.equals(whole)
    alone = [to_frame(draw(generator, table, part, 1)) for part in parts_of(table, 240)]
    assert pd.concat(alone).duplicated(list(GROUPS[0])).any()


def test_parts_repeat_no_key_under_conditions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample, "PART_ROWS", 30)
    data = stays()
    (table,) = data.contract.tables
    options = AnyOrderOptions(width=32, blocks=1, epochs=2, batch_rows=256)
    generator = AnyOrderGenerator(options).fit(data, seed=1)
    asked = Asked({"room": Range(3, 17), "day": OneOf(tuple(range(5, 25)))})
    whole = pd.concat(parts_drawn(generator, table, 60, asked), ignore_index=True)
    assert whole["room"].between(3, 17).all()
    assert whole["day"].between(5, 24).all()
    assert not any(whole.duplicated(list(names)).any() for names in GROUPS)


def test_stated_shares_stay_in_one_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample, "PART_ROWS", 150)
    (table,) = stays().contract.tables
    assert len(parts_of(table, 600, Asked({"room": Shares({1: 0.5})}))) == 1
    assert len(parts_of(table, 600, Asked({"room": 1}))) == 4


def test_too_few_keys_left_for_a_part_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample, "PART_ROWS", 12)
    data = stays()
    (table,) = data.contract.tables
    generator = IndependentGenerator().fit(data, seed=1)
    with pytest.raises(ModelError, match=r"repeat others in .* \(room, day; guest, day\)"):
        parts_drawn(generator, table, 36, Asked({"room": 4}))
