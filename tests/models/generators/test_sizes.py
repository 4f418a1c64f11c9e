"""Sizes follow rows and columns, within bounds."""

import pytest

from models.generators.sizes import (
    FEW_ROWS,
    FEW_ROWS_EPOCHS,
    MOST_EPOCHS,
    MOST_WORK,
    choose_sizes,
)


def test_more_rows_get_fewer_passes_but_more_steps() -> None:
    chosen = {rows: choose_sizes(rows, 500) for rows in (1, 100, 5_000, 50_000, 500_000, 10**7)}
    epochs = [sizes.epochs for rows, sizes in chosen.items() if rows >= FEW_ROWS]
    steps = [rows * sizes.epochs / sizes.batch_rows for rows, sizes in chosen.items()]
    assert epochs == sorted(epochs, reverse=True)
    assert steps == sorted(steps)
    assert chosen[1].dropout >= chosen[10**7].dropout


def test_few_rows_get_fewer_passes_and_more_dropout() -> None:
    chosen = [choose_sizes(rows, 500) for rows in (1, 700, 2_400, 4_000, FEW_ROWS)]
    epochs, dropout = [sizes.epochs for sizes in chosen], [sizes.dropout for sizes in chosen]
    assert epochs == sorted(epochs)
    assert epochs[0] == FEW_ROWS_EPOCHS < epochs[3] < epochs[4] == MOST_EPOCHS
    assert dropout == sorted(dropout, reverse=True)
    assert dropout[2] > dropout[3] > dropout[4]


def test_few_rows_get_small_batches() -> None:
    batches = [choose_sizes(rows, 500).batch_rows for rows in (1, 500, 1_500, 10_000, 10**6)]
    assert batches == sorted(batches)
    assert batches[0] >= 32
    assert 10_000 / batches[3] > 10


def test_detail_gets_a_larger_network_where_there_are_rows_for_it() -> None:
    assert choose_sizes(15_000, 1_200).width > choose_sizes(15_000, 500).width
    assert choose_sizes(2_000, 1_200).width == choose_sizes(2_000, 500).width
    assert choose_sizes(20_000, 25_000).width == choose_sizes(20_000, 500).width


@pytest.mark.parametrize(("rows", "values"), [(20_000, 25_000), (10**6, 30_000)])
def test_wide_tables_bound_the_work(rows: int, values: int) -> None:
    sizes = choose_sizes(rows, values)
    assert sizes.epochs == 1 or sizes.epochs * rows * values * sizes.width <= MOST_WORK
    assert sizes.epochs < choose_sizes(rows, 100).epochs
