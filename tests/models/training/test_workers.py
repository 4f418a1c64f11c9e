import threading

import pytest
import torch

from models.training.workers import side_by_side


@pytest.fixture(autouse=True)
def two_threads() -> object:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_every_item_is_worked_on_by_several_that_compute_alone() -> None:
    done, who = torch.zeros(500), {}
    # Both must be at work at once, or this would wait for ever.
    both = threading.Barrier(2, timeout=30)

    def work(item: int) -> None:
        if item < 2:
            both.wait()
        done[item] += item
        who[threading.get_ident()] = torch.get_num_threads(), torch.is_inference_mode_enabled()

    with side_by_side() as each:
        each(work, range(500))
        each(work, range(2, 500))
    assert done.tolist() == [0, 1, *range(4, 1000, 2)]
    assert list(who.values()) == [(1, True)] * 2
    assert torch.get_num_threads() == 2
    assert not who.keys() & {thread.ident for thread in threading.enumerate()}


def test_threads_to_come_compute_as_before() -> None:
    with side_by_side() as each:
        each(str, range(5))
        told = []
        later = threading.Thread(target=lambda: told.append(torch.get_num_threads()))
        later.start()
        later.join()
    assert told == [2]


@pytest.mark.parametrize("items", [[3], []])
def test_a_single_item_is_the_callers(items: list[int]) -> None:
    who = []
    with side_by_side() as each:
        each(lambda item: who.append((item, threading.get_ident())), items)
    assert who == [(item, threading.get_ident()) for item in items]


def test_what_goes_wrong_is_told() -> None:
    def work(item: int) -> None:
        if item == 7:
            raise ValueError("the seventh")

    with pytest.raises(ValueError, match="seventh"), side_by_side() as each:
        each(work, range(100))
    assert torch.get_num_threads() == 2
