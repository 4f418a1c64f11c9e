"""Packed training rows: all of them, in two bytes each code, units watched whole."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
import torch

from data_contracts.contract import Column, Contract, Source, Table
from data_contracts.dataset import Dataset, LargeDataset
from models.encoding.table import TableCodec
from models.generators import packing
from models.generators.code_layout import CodeLayout
from models.generators.packing import pack_rows, unpacked

ROWS = 3000
COLUMNS = (
    Column(name="person", logical_type="string", physical_type="string", role="identifier"),
    Column(name="plan", logical_type="string", physical_type="string"),
    Column(name="spent", logical_type="number", physical_type="float64"),
)


def dataset(unit: str | None = None) -> Dataset:
    random = np.random.default_rng(1)
    frame = pd.DataFrame(
        {
            "person": pd.Series(
                [f"p{number}" for number in random.integers(0, 400, ROWS)], dtype="str"
            ),
            "plan": pd.Series(random.choice(["a", "b", "c"], ROWS), dtype="str"),
            "spent": random.exponential(10.0, ROWS),
        }
    )
    frame.loc[:2, "plan"] = "rare"
    source = Source(format="csv", path="x.csv")
    table = Table(name="bills", columns=COLUMNS, source=source, unit=unit)
    return Dataset(Contract(id="c", version="1", tables=(table,)), {"bills": frame})


def coded(data: Dataset) -> tuple[TableCodec, CodeLayout]:
    codec = TableCodec().fit(data.frame, data.contract.tables[0])
    return codec, CodeLayout.of(codec.parts_)


def test_rows_come_back_in_two_bytes_and_what_is_hidden_is_told_from_what_is_not_there() -> None:
    data = dataset()
    codec, layout = coded(data)
    rows = pack_rows(data, codec, layout, seed=1)
    assert rows.codes.dtype == torch.int16
    codes, hidden = unpacked(rows.codes)
    plain = layout.to_network(codec.encode(data.frame))
    assert torch.equal(codes, plain.long())
    assert torch.equal(hidden, layout.hidden(plain))
    assert hidden.any(0).tolist()[0] and not hidden.all()


def test_parts_give_the_rows_that_one_frame_gives() -> None:
    data = dataset()
    codec, layout = coded(data)

    def read() -> Iterator[pd.DataFrame]:
        for start in range(0, ROWS, 700):
            yield data.frame.iloc[start : start + 700].reset_index(drop=True)

    few = {"bills": data.frame.head(100)}
    parts = LargeDataset(data.contract, few, total_rows=ROWS, read=read)
    whole, parted = (pack_rows(one, codec, layout, seed=1) for one in (data, parts))
    assert torch.equal(whole.codes, parted.codes)
    assert torch.equal(whole.watched, parted.watched)


def test_a_unit_is_watched_whole_or_not_at_all() -> None:
    data = dataset(unit="person")
    codec, layout = coded(data)
    rows = pack_rows(data, codec, layout, seed=1)
    watched = np.zeros(ROWS, bool)
    watched[rows.watched.numpy()] = True
    assert 0.05 < watched.mean() <= 0.1
    by_person = pd.Series(watched).groupby(data.frame["person"])
    assert by_person.nunique().max() == 1


def watched_people(data: Dataset, seed: int) -> set[str]:
    codec, layout = coded(data)
    rows = pack_rows(data, codec, layout, seed=seed)
    assert len(rows.watched) <= 0.1 * ROWS
    return set(data.frame["person"].iloc[rows.watched.numpy()])


def test_the_seed_decides_which_units_are_watched() -> None:
    data = dataset(unit="person")
    first, again, other = (watched_people(data, seed) for seed in (1, 1, 2))
    assert first == again != other
    assert first and other


@pytest.mark.parametrize("heavy", [0.3, 0.9])
def test_a_heavy_unit_is_never_watched(heavy: float) -> None:
    data = dataset(unit="person")
    data.frame.loc[: int(heavy * ROWS), "person"] = "heavy"
    for seed in range(5):
        people = watched_people(data, seed)
        assert people and "heavy" not in people


def test_few_units_leave_rows_to_learn_from() -> None:
    data = dataset(unit="person")
    data.frame["person"] = "p" + (data.frame.index % 3).astype(str)
    assert watched_people(data, 1) == set()


def test_rows_without_a_unit_are_units_of_their_own() -> None:
    data = dataset(unit="person")
    data.frame.loc[: ROWS // 2, "person"] = None
    codec, layout = coded(data)
    watched = pack_rows(data, codec, layout, seed=1).watched.numpy()
    missing = data.frame["person"].isna().to_numpy()
    assert 0 < missing[watched].sum() < missing.sum() / 5


def test_few_rows_are_all_trained_on_and_many_are_watched_sparingly() -> None:
    data = dataset()
    codec, layout = coded(data)
    few = Dataset(data.contract, {"bills": data.frame.head(packing.FEWEST_ROWS - 1)})
    assert len(pack_rows(few, codec, layout, seed=1).watched) == 0
    many = LargeDataset(
        data.contract,
        {"bills": data.frame},
        total_rows=200_000,
        read=lambda: iter([data.frame] * 60),
    )
    rows = pack_rows(many, codec, layout, seed=1)
    assert len(rows.codes) == 60 * ROWS
    assert len(rows.watched) == packing.MOST_WATCHED
