"""Declared tasks: what trees teach an encoder of a row does not come from the row's own unit."""

import numpy as np
import pytest

from data_contracts.errors import ModelError
from data_contracts.share import DeclaredTask
from models.representation.declared import Outcome, TaskReader, taught
from models.representation.rows import RowReader, units_of
from tests.models.representation.people import TABLE, people


@pytest.mark.parametrize("kind", ["classification", "regression"])
def test_a_row_is_taught_by_trees_that_saw_none_of_its_unit(kind: str) -> None:
    random = np.random.default_rng(1)
    units = np.tile(np.arange(400), 8)
    features = random.normal(size=(400, 3))[units]
    answers = (random.random(400) < 0.5).astype(float)[units]
    task = DeclaredTask.model_validate({"kind": kind, "column": "outcome"})
    outcome = Outcome(task, answers, 2 if kind == "classification" else 0)
    # Outcomes are tossed for each unit: who has not seen the unit cannot know them.
    said = taught(outcome, features, units, seed=1)[:, -1]
    assert np.corrcoef(said, answers)[0, 1] < 0.3
    remembered = taught(outcome, features, np.arange(3200), seed=1)[:, -1]
    assert np.corrcoef(remembered, answers)[0, 1] > 0.9


def test_units_are_counted_and_a_row_without_one_stands_alone() -> None:
    frame = people(5, seed=1)
    assert units_of(frame, TABLE).tolist() == [0, 1, 2, 3, 4]
    table = TABLE.model_copy(update={"unit": "group"})
    groups = frame["group"].astype(object)
    groups.iloc[:] = ["a", None, "b", "a", None]
    assert units_of(frame.assign(group=groups), table).tolist() == [0, 2, 1, 0, 3]


def test_a_class_that_too_few_units_hold_is_no_class() -> None:
    """Classes name columns of what recipients get: one person's eight rows must not make one."""
    table = TABLE.model_copy(update={"unit": "id"})
    tasks = (DeclaredTask(kind="classification", column="outcome"),)
    frame = people(400, seed=1)
    frame["outcome"] = ["y"] * 8 + ["n"] * 392
    reader = RowReader().fit(frame, table, ("outcome",))
    learned = TaskReader().fit(tasks, frame, table, reader)
    assert learned.outcomes_ == [{"classes": ["n", "y"]}]
    alone = frame.assign(id=np.maximum(frame["id"], frame["id"].iloc[7]))
    with pytest.raises(ModelError, match="each with at least 8 units"):
        TaskReader().fit(tasks, alone, table, reader)
    # Where each row is a unit of its own, whose the rows are is not known.
    assert TaskReader().fit(tasks, alone, TABLE, reader).outcomes_ == learned.outcomes_
