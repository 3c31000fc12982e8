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


@pytest.mark.parametrize("spins", [False, True])
def test_loops_end_whether_helpers_wait_awake_or_asleep(monkeypatch, spins):
    before, out = get_num_threads(), np.zeros(40)
    parallel_for(lambda start, stop: None, 1, 1)  # sets what the next line overrides
    monkeypatch.setattr(parallel._state, "spins", spins)
    set_num_threads(3)
    try:
        for pause in (0.0, 0.0, 0.002, 0.0):  # 2 ms: longer than a helper stays awake
            time.sleep(pause)
            parallel_for(lambda start, stop: out.__setitem__(slice(start, stop), out[start:stop] + 1), 40, 1)
    finally:
        set_num_threads(before)
    np.testing.assert_array_equal(out, 4)
