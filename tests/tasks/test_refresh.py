"""Going on from an earlier model: only where nothing that it learned can be held out now."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data_contracts.choice import ModelChoice
from data_contracts.contract import (
    Column,
    Contract,
    Holdout,
    Privacy,
    Sampling,
    Source,
    Table,
)
from data_contracts.errors import ModelError
from data_contracts.loading import dump_contract
from data_contracts.schema import arrow_schema
from tasks.refresh import HoldoutMark, open_earlier
from tasks.split import Split
from tasks.storage import Store

PEOPLE = [f"p{number}" for number in range(1000)]
REFRESH = ModelChoice(name="any_order", options={"refresh": "m"})
SOURCE = Source(format="csv", path="x.csv")


def contract(**more: Any) -> Contract:
    person = Column(
        name="person",
        logical_type="string",
        physical_type="string",
        required=more.pop("sure", True),
    )
    other = Column(name="x", logical_type="integer", physical_type="int64", required=True)
    table = Table(
        name="visits", columns=(person, other), source=SOURCE, unit=more.pop("unit", "person")
    )
    return Contract(id="c", version="1.0.0", tables=(table,), **more)


def write_rows(store: Store, folder: str, people: list[str]) -> None:
    """Two visits of each of the people."""
    rows = pa.table(
        {"person": people * 2, "x": np.arange(2 * len(people))},
        schema=arrow_schema(contract().tables[0]),
    )
    store.make_folder(folder)
    pq.write_table(rows, f"{folder}/part-00000.parquet", filesystem=store.fs)


def split(store: Store, made: Contract, ingest: str) -> Split:
    return Split(store, made, made.tables[0], f"c/ingests/{ingest}")


def write_model(store: Store, made: Contract, mark: HoldoutMark) -> None:
    """The manifest and contract of a model `m`, as a fit leaves them."""
    store.write_bytes("draft/contract.odcs.yaml", dump_contract(made).encode())
    manifest = {"model": "m", "holdout": {"visits": mark.model_dump()}}
    store.commit("draft", "c/models/m", manifest)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(str(tmp_path))
    write_rows(made, "c/ingests/old/visits", PEOPLE)
    return made


def people_of(rows: pa.Table) -> set[str]:
    return set(rows["person"].to_pylist())


def test_nobody_whom_the_earlier_model_learned_is_held_out(store: Store) -> None:
    before = split(store, contract(), "old")
    write_model(store, contract(), before.mark)
    learned, held = (people_of(rows) for rows in (before.training(), before.holdout()))
    # Half of those who were held out have left and others have come: the share reaches further.
    gone = set(sorted(held)[: len(held) // 2])
    come = [f"new{number}" for number in range(100)]
    write_rows(store, "c/ingests/new/visits", [*(set(PEOPLE) - gone), *come])
    anew = split(store, contract(), "new")
    now = split(store, contract(generator=REFRESH), "new")
    assert people_of(anew.holdout()) & learned
    assert people_of(now.holdout()) and not people_of(now.holdout()) & learned
    assert people_of(now.holdout()) & set(come)
    assert (
        now.count_training() + now.count_holdout() == anew.count_training() + anew.count_holdout()
    )
    assert not people_of(now.training()) & people_of(now.holdout())
    # Whoever goes on from this model keeps to the same bound.
    assert now.mark == before.mark != anew.mark


def test_nobody_left_to_hold_out_is_told(store: Store) -> None:
    before = split(store, contract(), "old")
    write_model(store, contract(), before.mark)
    write_rows(store, "c/ingests/new/visits", sorted(people_of(before.training())))
    with pytest.raises(ModelError, match="no unit is left to hold out"):
        split(store, contract(generator=REFRESH), "new")


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        ({"unit": None}, {"unit": None}, "Name a unit"),
        ({}, {"unit": None}, "without a `unit`"),
        ({"unit": "x"}, {}, "unit was 'x' and is 'person'"),
        ({"sure": False}, {}, "may be missing"),
        ({}, {"sampling": Sampling(seed=2)}, "`sampling.seed` was 1 and is 2"),
        ({}, {"holdout": Holdout(share=0.4)}, "`holdout.share` was 0.2 and is 0.4"),
        ({}, {"privacy": Privacy(epsilon=1, delta=1e-6)}, "`privacy` was False and is True"),
    ],
    ids=str,
)
def test_a_holdout_that_may_hold_learned_rows_is_refused(
    before: dict[str, Any], now: dict[str, Any], said: str, store: Store
) -> None:
    write_model(store, contract(**before), split(store, contract(**before), "old").mark)
    made = contract(**now, generator=REFRESH)
    with pytest.raises(ModelError, match=said):
        open_earlier(store, made, "visits", split(store, made, "old").mark)


def test_a_holdout_table_must_be_the_one_that_was_kept(store: Store) -> None:
    write_rows(store, "c/ingests/old/holdout/visits", ["q1", "q2"])
    write_rows(store, "c/ingests/new/visits", PEOPLE)
    made = contract(generator=REFRESH, holdout=Holdout(sources={"visits": SOURCE}))
    write_model(store, made, split(store, made, "old").mark)
    write_rows(store, "c/ingests/new/holdout/visits", ["p1", "q2"])
    with pytest.raises(ModelError, match="own holdout is not the one that was kept"):
        open_earlier(store, made, "visits", split(store, made, "new").mark)
    write_rows(store, "c/ingests/new/holdout/visits", ["q1", "q2"])
    # The holdout is accepted: what fails is that this test's model has no weights.
    with pytest.raises(ModelError, match="not readable"):
        open_earlier(store, made, "visits", split(store, made, "new").mark)


def test_what_was_refused_is_not_gone_on_from(store: Store) -> None:
    mark = split(store, contract(), "old").mark
    write_model(store, contract(), mark)
    store.make_folder("draft")
    release = {"release": "r", "model": "m", "verdict": "refused", "content": "c", "rows": {}}
    store.commit("draft", "c/releases/r", release)
    with pytest.raises(ModelError, match=r"release r of model m was refused.*report\.html"):
        open_earlier(store, contract(generator=REFRESH), "visits", mark)


def test_a_model_that_does_not_tell_its_holdout_is_not_gone_on_from(store: Store) -> None:
    store.make_folder("draft")
    store.commit("draft", "c/models/m", {"model": "m"})
    with pytest.raises(ModelError, match="does not tell what was held out"):
        split(store, contract(generator=REFRESH), "old")
