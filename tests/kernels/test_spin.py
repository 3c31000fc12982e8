"""Waiting awake: it ends when the cell is raised, and soon when it is not."""

import threading
import time

import numpy as np
import pytest

pytest.importorskip("numba")

from minidl.kernels import parallel, spin
from minidl.kernels.parallel import get_num_threads, parallel_for, set_num_threads


def test_it_sees_what_another_thread_writes():
    told, cell = np.zeros(1, np.int64), np.zeros(1, np.int64)
    spin.tell_and_wait(told, cell, 0)  # compiles
    assert told[0] == 1
    other = threading.Thread(target=lambda: cell.__setitem__(0, 3))
    other.start()
    while not spin.wait(cell, 3):
        time.sleep(0)
    other.join()
    assert not spin.wait(cell, 4)


@pytest.mark.parametrize("waiter", [spin, None], ids=["awake", "asleep"])
def test_loops_end_whichever_way_their_threads_wait(monkeypatch, waiter):
    before, out = get_num_threads(), np.zeros(40)
    monkeypatch.setattr(parallel, "_spin", lambda: waiter)
    set_num_threads(3)
    try:
        for pause in (0.0, 0.0, 0.002, 0.0):  # 2 ms: longer than a helper stays awake
            time.sleep(pause)
            parallel_for(lambda start, stop: out.__setitem__(slice(start, stop), out[start:stop] + 1), 40, 1)
    finally:
        set_num_threads(before)
    np.testing.assert_array_equal(out, 4)


def test_nobody_waits_awake_without_a_core_of_its_own(monkeypatch):
    before = get_num_threads()
    monkeypatch.setattr(parallel, "available_cores", lambda: 2)
    try:
        set_num_threads(2)
        assert parallel._spin() is spin
        set_num_threads(3)
        assert parallel._spin() is None
    finally:
        set_num_threads(before)
