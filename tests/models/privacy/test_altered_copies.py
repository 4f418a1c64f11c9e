"""Copies of which a column or two were changed: found whatever stands there, and no fresh rows."""

import numpy as np
import pyarrow as pa
import pytest

from models.evaluation.coded import CodedTable
from models.evaluation.row_codes import exact_codes
from models.privacy.altered_copies import altered_p_value
from models.privacy.copy_votes import CopyTest
from models.privacy.linkage_space import LinkageSpace
from models.privacy.real_pool import RealPool
from tests.models.evaluation.tables import coded, draw_people, splice, with_column

TRAINING, FRESH, HOLDOUT = (draw_people(1_500, seed) for seed in (1, 2, 3))
NAMES = tuple(TRAINING.column_names)


def p_value(table: CodedTable) -> float:
    pool = RealPool.of(table, exact_codes(table), LinkageSpace.of(table).rows)
    made = np.arange(table.rows["synthetic"], dtype=np.int64) + table.rows["training"]
    return altered_p_value(table, pool, made)


def leak(rows: int, altered: tuple[str, ...], copied: pa.Table = TRAINING) -> pa.Table:
    """Fresh rows with some real ones among them, whose `altered` columns are other people's."""
    copies = copied.slice(0, rows)
    for name in altered:
        copies = with_column(copies, name, FRESH[name].to_pylist()[-rows:])
    return splice(FRESH, copies)


@pytest.mark.parametrize("altered", [("work",), ("income",), ("town", "work"), ("height", "town")])
def test_a_copy_is_found_whatever_stands_in_one_or_two_columns(altered: tuple[str, ...]) -> None:
    assert p_value(coded(TRAINING, leak(45, altered), HOLDOUT)) < 1e-6
    assert p_value(coded(TRAINING, leak(45, altered, HOLDOUT), HOLDOUT)) > 0.01


def test_a_copy_is_found_where_each_row_has_another_column_changed() -> None:
    """Of each single choice of a column few are found: it takes their union."""
    copies = TRAINING.slice(0, 60)
    for place, name in enumerate(NAMES):
        values, others = copies[name].to_pylist(), FRESH[name].to_pylist()
        mixed = [others[-1 - row] if row % len(NAMES) == place else value
                 for row, value in enumerate(values)]  # fmt: skip
        copies = with_column(copies, name, mixed)
    assert p_value(coded(TRAINING, splice(FRESH, copies), HOLDOUT)) < 1e-4


def test_a_rare_category_in_the_place_of_another_is_what_distances_miss() -> None:
    """The copied row is not the nearest one any more: why this test is there."""
    random = np.random.default_rng(4)

    def towns(rows: pa.Table) -> pa.Table:
        return with_column(rows, "town", [f"t{town}" for town in random.integers(0, 300, 1_500)])

    training, fresh, holdout = towns(TRAINING), towns(FRESH), towns(HOLDOUT)
    copies = with_column(training.slice(0, 45), "town", fresh["town"].to_pylist()[:45])
    test = CopyTest.of(coded(training, splice(fresh, copies), holdout), 0.001)
    assert min(test.pool.p_value(votes) for votes in test.tail_votes()) > 0.001
    assert test.exact_p_value() > 0.01
    assert test.tail_p_value() == pytest.approx(3 * test.altered) and test.altered < 1e-6


def test_fresh_rows_are_found_no_more_often_than_chance() -> None:
    """Of 100 draws of few categories, where much agrees by chance, 5 % may be below .05."""
    below = 0
    for number in range(100):
        sides = [draw_people(rows, 3 * number + at).select(["town", "work", "bought", "height"])
                 for at, rows in enumerate((200, 200, 100), 70)]  # fmt: skip
        rounded = [with_column(rows, "height", np.round(rows["height"].to_numpy(), 1).tolist())
                   for rows in sides]  # fmt: skip
        below += p_value(coded(rounded[0], rounded[1], rounded[2], seed=number)) < 0.05
    assert below <= 12


def test_all_rows_of_one_person_are_one_vote() -> None:
    def people(seed: int) -> pa.Table:
        rows = draw_people(300, seed)
        names = [f"{seed}-{row // 20}" for row in range(300)]
        return rows.append_column("person", pa.array(names))

    training, fresh, holdout = (people(seed) for seed in (11, 12, 13))
    copies = with_column(training.slice(0, 60), "work", fresh["work"].to_pylist()[:60])
    table = coded(training, splice(fresh, copies), holdout, roles={"person": "identifier"},
                  unit="person")  # fmt: skip
    assert p_value(table) > 0.01


@pytest.mark.parametrize("columns", [1, 2])
def test_a_table_of_a_column_or_two_has_nothing_left_to_agree(columns: int) -> None:
    sides = [rows.select(NAMES[:columns]) for rows in (TRAINING, FRESH, HOLDOUT)]
    assert 0 < p_value(coded(*sides)) <= 1
