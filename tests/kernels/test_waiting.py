"""Waiting awake: it ends when the number is reached, and soon when it is not."""

import threading
import time

import numpy as np
import pytest

pytest.importorskip("numba")

from minidl.kernels import lockstep, parallel
from minidl.kernels.parallel import get_num_threads, parallel_for, set_num_threads


def test_it_sees_what_another_thread_writes():
    cell = np.zeros(1, np.int64)
    lockstep.wait(cell, 0)  # compiles
    threading.Timer(0.001, lambda: cell.__setitem__(0, 3)).start()
    for _ in range(10_000):
        lockstep.wait(cell, 3)
        if cell[0] == 3:
            return
    pytest.fail("the number never came")


def test_a_helper_tells_that_its_job_is_done_and_leaves_the_desk_as_it_was():
    desk, told, offered = np.zeros(32, np.int64), np.zeros(1, np.int64), np.ones(1, np.int64)
    for value in (1, 2):  # the next job is there already; none comes
        told[0] = 0
        lockstep.watch(desk, told, offered, value)
        assert told[0] == 1 and not desk.any()


@pytest.mark.parametrize("waiter", [lockstep, None], ids=["awake", "asleep"])
def test_loops_end_whichever_way_their_threads_wait(monkeypatch, waiter):
    before, out = get_num_threads(), np.zeros(40)
    monkeypatch.setattr(parallel, "_lockstep", lambda: waiter)
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
        assert parallel._lockstep() is lockstep
        set_num_threads(3)
        assert parallel._lockstep() is None
    finally:
        set_num_threads(before)
