"""Kernels called by address get the arguments they were bound to, and a row of loops is its loops one by one."""

import os
import threading
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("numba")

import minidl
from minidl import nn
from minidl.kernels import entry, lockstep, parallel
from minidl.kernels.atomic import get, put
from minidl.kernels.entry import DONE, Loop, arguments
from minidl.kernels.lockstep import Row, in_rows
from minidl.kernels.parallel import num_threads

KINDS = "pif3"


@entry.entry(KINDS)
def write_arguments(start, stop, address):
    out, number, factor, triple = arguments(address, KINDS)
    for i in range(start, stop):
        out[4 * i] = number * factor
        for k in range(3):
            out[4 * i + k + 1] = triple[k]
    return DONE


ADDING = "ppii"


@entry.entry(ADDING)
def add_neighbours(start, stop, address):
    """Each number is the sum of all that the step before wrote up to a distance, so no step may begin too early."""
    x, y, n, distance = arguments(address, ADDING)
    for i in range(start, stop):
        total = np.float32(0)
        for k in range(i - distance, i + distance + 1):
            total += x[k % n]
        y[i] = total % 1009
    return DONE


@entry.entry("pii")
def meet(start, stop, address):
    """Part 0 waits for part 1 to begin, a while, and tells whether it has."""
    seen, turns, _ = arguments(address, "pii")  # the last is raised when part 1 begins
    if start == 0:
        for _ in range(turns):
            if get(address, 2) == 1:
                seen[0] = 1.0
                break
    else:
        put(address, 2, 1)
    return DONE


@entry.entry("p")
def fail(start, stop, address):
    """Fail as a kernel does that gets no memory."""
    if stop > 2:
        raise MemoryError
    return DONE


@given(
    st.integers(-(2**20), 2**20),
    st.floats(-1, 1, width=32),
    st.tuples(*[st.integers(-(2**23), 2**23)] * 3),
    st.integers(0, 9),
)
def test_arguments_arrive_as_they_were_bound(number, factor, triple, n):
    out = np.full(4 * n + 4, 7, np.float32)
    Loop(write_arguments, n, 1, out, number, np.float32(factor), triple)()
    expected = np.array([number * np.float64(np.float32(factor)), *triple], np.float64).astype(np.float32)
    np.testing.assert_array_equal(out[: 4 * n].reshape(n, 4), np.tile(expected, (n, 1)))
    np.testing.assert_array_equal(out[4 * n :], 7)


def test_other_kinds_of_arguments_are_refused():
    out = np.zeros(4, np.float32)
    with pytest.raises(TypeError, match=r"write_arguments got arguments of kinds 'pip', expected 'pif3'"):
        Loop(write_arguments, 1, 1, out, 1, out)


def test_an_array_without_elements_has_no_address():
    assert entry.flatten((np.empty(0, np.float32), (1, 2), np.float32(1), 3)) == ("p2fi", [0, 1, 2, 0x3F800000, 3])


@pytest.mark.parametrize("wrong", [np.zeros(3), np.zeros(3, np.int32)])
def test_a_kernel_of_floats_takes_no_other_array(wrong):
    with pytest.raises(TypeError, match=f"an array of {wrong.dtype}, expected float32"):
        entry.flatten((wrong,))
    with pytest.raises(TypeError, match="integer"):
        entry.flatten((1.5,))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # numba writes the error, too
def test_an_error_in_a_kernel_reaches_the_caller():
    x = np.zeros(1, np.float32)
    for threads in (1, 2):
        with num_threads(threads):
            alone, fine = Loop(fail, 4, 1, x), Loop(fail, 2, 1, x)
            row, good_row = Row([fine, alone, fine]), Row([fine])
        for call in (alone, row):
            with pytest.raises(MemoryError, match="scratch"):
                call()
        good_row()


def test_helpers_take_part(monkeypatch):
    monkeypatch.setattr(parallel, "available_cores", lambda: 2)
    with num_threads(2):
        for _ in range(100):
            seen = np.zeros(1, np.float32)
            Row([Loop(meet, 2, 1, seen, 10**7, 0)])()
            if seen[0] == 1:
                return
    pytest.fail("no helper came")


def chain(sizes, distance=3):
    """Loops of which each reads what the one before wrote, and the last array."""
    arrays = [np.arange(sizes[0], dtype=np.float32)]
    loops = []
    for n, grain in zip(sizes, (1, 5, 1000, 2, 1, 7), strict=False):
        x = arrays[-1]
        arrays.append(np.zeros(n, np.float32))
        loops.append(Loop(add_neighbours, n, grain, x, arrays[-1], len(x), distance))
    return loops, arrays


def clear(arrays):
    for array in arrays[1:]:
        array[:] = -1


@given(st.lists(st.integers(1, 60), min_size=1, max_size=6), st.integers(1, 4))
def test_a_row_is_its_loops_one_by_one(sizes, threads):
    former, parallel.available_cores = parallel.available_cores, lambda: 4
    try:
        with num_threads(threads):
            loops, arrays = chain(sizes)
            row = Row(loops)
        with num_threads(1):
            for loop in loops:
                loop()
        expected = [array.copy() for array in arrays]
        for _ in range(3):
            clear(arrays)
            row()
            for array, right in zip(arrays, expected, strict=True):
                np.testing.assert_array_equal(array, right)
    finally:
        parallel.available_cores = former


@pytest.mark.parametrize("pause", [0.0, 0.0001, 0.002])  # helpers are awake, fall asleep just now, sleep
def test_helpers_that_come_late_change_nothing(pause):
    with num_threads(2):
        loops, arrays = chain([40, 30, 50, 20, 60])
        row = Row(loops)
    row()
    expected = arrays[-1].copy()
    for _ in range(200 if pause < 0.001 else 20):
        clear(arrays)
        row()
        np.testing.assert_array_equal(arrays[-1], expected)
        time.sleep(pause)


def test_two_callers_at_a_time_get_their_own_results():
    def work(seed, wrong):
        with num_threads(2):  # the setting is the process's, and all ask for the same
            loops, arrays = chain([20 + seed, 30, 50 + seed])
            row = Row(loops)
        row()
        expected = arrays[-1].copy()
        for _ in range(300):
            clear(arrays)
            row()
            if not np.array_equal(arrays[-1], expected):
                wrong.append(seed)

    wrong = []
    workers = [threading.Thread(target=work, args=(seed, wrong)) for seed in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert wrong == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_has_helpers_of_its_own():
    with num_threads(2):
        loops, arrays = chain([40, 30])
        row = Row(loops)
    row()
    expected = arrays[-1].copy()
    clear(arrays)
    child = os.fork()
    if child == 0:
        row()
        os._exit(0 if np.array_equal(arrays[-1], expected) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_only_neighbouring_loops_are_bound_together():
    loops, _ = chain([4, 5, 6])
    other = lambda: None  # noqa: E731
    first, second, third = in_rows([loops[0], loops[1], other, loops[2]])
    assert first.loops == loops[:2]
    assert second is other
    assert third.loops == loops[2:]


def test_a_plan_bound_in_another_thread_leaves_the_number_of_threads(monkeypatch):
    before, inside, go = minidl.get_num_threads(), threading.Event(), threading.Event()

    def other():
        with num_threads(1):
            inside.set()
            go.wait(10)

    worker = threading.Thread(target=other)
    worker.start()
    inside.wait(10)
    with num_threads(None):
        assert minidl.get_num_threads() == before
        go.set()
        worker.join()
    assert minidl.get_num_threads() == before


def test_loops_stay_alone_where_threads_share_cores(monkeypatch):
    monkeypatch.setattr(lockstep, "available_cores", lambda: 2)
    loops, _ = chain([4, 5, 6])
    with num_threads(3):
        assert in_rows(loops) == loops


@pytest.mark.parametrize("name", ["resnet8", "tiny-mobile", "vgg9"])
def test_one_image_gives_the_same_bits_on_any_number_of_threads(name):
    net, x = nn.models.build(name, rng=0).eval(), np.random.default_rng(0).standard_normal((1, 32, 32, 3), np.float32)
    plan = minidl.runtime.compile(net, (32, 32, 3))
    found = []
    for threads in (1, *[2] * 100, 1):  # often: they own each other's cache lines
        with num_threads(threads):
            found.append(plan(x))
    for y in found[1:]:
        np.testing.assert_array_equal(y, found[0])
