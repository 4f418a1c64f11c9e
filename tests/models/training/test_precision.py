"""Quick products are for those who ask for them, also where several threads do."""

import threading

import torch

from models.training.precision import quick_products

SETTINGS = torch.backends.mkldnn.matmul


def test_the_last_who_leaves_puts_back_what_the_first_has_found() -> None:
    before = SETTINGS.fp32_precision
    entered, leave = threading.Event(), threading.Event()

    def other() -> None:
        with quick_products():
            entered.set()
            assert leave.wait(60)

    thread = threading.Thread(target=other)
    with quick_products():
        thread.start()
        assert entered.wait(60)
    # This thread is out and the other one is still at it.
    assert SETTINGS.fp32_precision == "bf16"
    leave.set()
    thread.join()
    assert SETTINGS.fp32_precision == before
