"""Threads that compute side by side, each with one of torch's own threads."""

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Protocol, TypeVar

import torch

Item = TypeVar("Item")


class Each(Protocol):
    """Does some work for each item, in any order and several at a time."""

    def __call__(self, work: Callable[[Item], None], items: Iterable[Item], /) -> None: ...


@contextmanager
def side_by_side() -> Iterator[Each]:
    """As many workers as torch has threads now, for work without gradients.

    Many small pieces of work of many small steps are done sooner so than by all threads at each
    step, where they wait for each other; and what a piece gives does not depend on how many threads
    there are. A single item is worked on by the caller, with all of torch's threads.
    """
    pools: list[ThreadPoolExecutor] = []

    def each(work: Callable[[Item], None], items: Iterable[Item]) -> None:
        listed, threads = list(items), torch.get_num_threads()
        if len(listed) < 2 or threads < 2:
            for item in listed:
                work(item)
            return

        def alone(item: Item) -> None:
            # Each thread has its own say on whether gradients are kept.
            with torch.inference_mode():
                work(item)

        if not pools:
            pools.append(_pool(threads))
        for _ in pools[0].map(alone, listed):
            pass

    try:
        yield each
    finally:
        for pool in pools:
            pool.shutdown(cancel_futures=True)


def _pool(threads: int) -> ThreadPoolExecutor:
    """Workers that have all been told to compute alone.

    Torch remembers what any thread was told last, for threads to come; so the caller says again
    what holds for all others.
    """
    pool = ThreadPoolExecutor(threads, "worker", _alone)
    all_there = threading.Barrier(threads + 1)
    try:
        for _ in range(threads):
            pool.submit(all_there.wait)
        all_there.wait()
    except RuntimeError:
        # The system gives no more threads: those that wait must not do so for ever.
        all_there.abort()
        raise
    finally:
        torch.set_num_threads(threads)
    return pool


def _alone() -> None:
    """From now on this thread computes alone.

    It is asked first, for its first answer would start it afresh.
    """
    torch.get_num_threads()
    torch.set_num_threads(1)
