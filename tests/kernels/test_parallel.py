"""The parallel loop: every item once, ranges that depend on the work alone, errors raised, forks and nesting safe."""

import os
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidl.kernels import jobs, parallel
from minidl.kernels.parallel import get_num_threads, parallel_for, set_num_threads


@pytest.fixture(autouse=True)
def threads_are_restored():
    before = get_num_threads()
    yield
    set_num_threads(before)


@given(st.integers(0, 60), st.integers(1, 70), st.integers(1, 4))
def test_ranges_partition_the_work_in_whole_grains(n, grain, threads):
    set_num_threads(threads)
    ranges = []
    parallel_for(lambda start, stop: ranges.append((start, stop)), n, grain)
    ranges.sort()
    assert [start for start, _ in ranges] + [n] == [0] + [stop for _, stop in ranges]
    assert all(start < stop and start % grain == 0 for start, stop in ranges)


@given(st.integers(1, 10**6), st.integers(1, 100), st.integers(1, 8))
def test_shares_fall_so_that_threads_end_together(left, grain, threads):
    claimed = []
    while left > 0:
        claimed.append(parallel.share(left, grain, threads))
        assert claimed[-1] == grain or threads == 1 or claimed[-1] * 2 * threads <= left  # as much is left for each
        left -= claimed[-1]
    assert sorted(claimed, reverse=True) == claimed
    assert all(size % grain == 0 and size <= jobs.MOST * grain for size in claimed)


def test_threads_work_at_the_same_time():
    set_num_threads(3)
    barrier = threading.Barrier(3, timeout=20)  # passes only if three threads wait at once
    parallel_for(lambda start, stop: barrier.wait(), 3, 1)


@pytest.mark.parametrize("threads", [1, 3])
def test_an_error_is_raised_and_cancels_what_has_not_begun(threads):
    set_num_threads(threads)
    seen = []

    def fail(start, stop):
        seen.append(start)
        raise KeyError(start)

    with pytest.raises(KeyError):
        parallel_for(fail, 1000, 1)
    assert len(seen) <= threads
    out = np.zeros(10)
    parallel_for(lambda start, stop: out.__setitem__(slice(start, stop), 1), 10, 1)  # the pool still works
    assert out.sum() == 10


def test_a_nested_call_runs_in_place():
    set_num_threads(2)
    pairs = []

    def outer(start, stop):
        me = threading.get_ident()
        parallel_for(lambda a, b: pairs.append((start, a, b, threading.get_ident() == me)), 2, 1)

    parallel_for(outer, 4, 1)  # of four items, two threads claim one after the other
    assert sorted(pairs) == [(i, 0, 2, True) for i in range(4)]


def test_loops_of_several_threads_do_not_mix():
    set_num_threads(3)
    outs = [np.zeros(200) for _ in range(4)]

    def count(start, stop, out):
        out[start:stop] += 1

    callers = [threading.Thread(target=parallel_for, args=(count, 200, 7, out)) for out in outs]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(20)
    assert all((out == 1).all() for out in outs)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_starts_a_pool_of_its_own():
    set_num_threads(2)
    parallel_for(lambda start, stop: None, 4, 1)
    child = os.fork()
    if child == 0:
        out = np.zeros(50)
        barrier = threading.Barrier(2, timeout=20)
        parallel_for(lambda start, stop: (barrier.wait(), out.__setitem__(slice(start, stop), 1)), 2, 1)
        os._exit(0 if out[:2].sum() == 2 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_blas_is_held_to_one_thread():
    threadpoolctl = pytest.importorskip("threadpoolctl")
    parallel_for(lambda start, stop: None, 1, 1)
    pytest.importorskip("scipy.linalg")  # may bring a library of its own after the first loop
    parallel_for(lambda start, stop: None, 1, 1)
    assert all(pool["num_threads"] == 1 for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas")


@pytest.mark.parametrize("n", [0, -1, 1.5, True, "2"])
def test_a_wrong_thread_count_is_refused(n):
    with pytest.raises(ValueError, match="expected an integer of 1 or more"):
        set_num_threads(n)
    with pytest.raises(ValueError, match="expected an integer of 1 or more"), parallel.num_threads(n):
        pass


def test_a_wrong_grain_is_refused():
    with pytest.raises(ValueError, match="grain"):
        parallel_for(lambda start, stop: None, 3, 0)


def test_the_default_is_what_this_process_may_use(monkeypatch):
    monkeypatch.setattr(parallel._state, "threads", None)
    assert 1 <= get_num_threads() <= (os.cpu_count() or 1)
