"""The global random state: begun at a seed, given back, and one thread's at a time."""

import threading

import torch

from models.training.chance import global_chance


def test_it_is_given_back() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    with global_chance(1):
        first = torch.rand(3)
    assert torch.equal(torch.get_rng_state(), before)
    with global_chance(1):
        assert torch.equal(torch.rand(3), first)


def test_another_thread_waits_for_its_turn() -> None:
    """Two fits at once would else take numbers from each other."""
    inside, drawn = threading.Event(), list[torch.Tensor]()

    def other() -> None:
        inside.set()
        with global_chance(2):
            drawn.append(torch.rand(1000))

    with global_chance(1):
        alone = torch.rand(2)
    thread = threading.Thread(target=other)
    with global_chance(1):
        halves = [torch.rand(1)]
        thread.start()
        assert inside.wait(10)
        thread.join(0.05)
        assert not drawn
        halves.append(torch.rand(1))
    thread.join()
    assert torch.equal(torch.cat(halves), alone)
    assert len(drawn) == 1
