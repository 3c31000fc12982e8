"""One parallel loop: ranges of images or rows, run by a few ordinary Python threads that share a counter.

Kernels release the GIL, so plain threads suffice. What is computed for an item does not depend on the range it is in,
so results are the same bits for any number of threads; this file leaves out everything that a kernel does inside one.
"""

from __future__ import annotations

import os
import sys
import threading
from importlib import import_module
from importlib.util import find_spec
from queue import SimpleQueue
from typing import Any

import numpy as np

from .jobs import Job, Kernel, share
from .memory import keep_freed_memory

BLAS = "numpy", "scipy.linalg"  # what brings a library of its own into the process


class Pool:
    """Daemon threads that wait for jobs; started when first needed, forgotten in a forked child."""

    def __init__(self) -> None:
        self.jobs: SimpleQueue[Job] = SimpleQueue()
        self.offered = np.zeros(1, np.int64)  # how many times a job was put
        self.desk = np.zeros(32, np.int64)  # where ``lockstep.py`` lays what helpers that are awake take part in
        self.desk_lock = threading.Lock()
        self.helpers = 0
        self.lock = threading.Lock()

    def call(self, job: Job, helpers: int) -> None:
        """Offer the job to up to `helpers` threads."""
        with self.lock:
            while self.helpers < helpers:
                threading.Thread(target=self.help, name="minidl-kernel", daemon=True).start()
                self.helpers += 1
            for _ in range(helpers):
                self.jobs.put(job)
            self.offered += helpers

    def help(self) -> None:
        """Work for ever: asleep until a job comes, and awake for a short while after one, as often another follows."""
        _own.in_a_loop = True
        while True:
            job = self.jobs.get()
            job.work()
            offered = self.offered[0]  # read first: a job that comes later raises it, one that came is in the queue
            if self.jobs.empty() and job.finished.is_set() and (lockstep := _lockstep()) is not None:
                lockstep.watch(self.desk, job.told, self.offered, offered + 1)
            job.told[0] = 1


class _State:
    """The thread count and the pool, both set when first asked for."""

    threads: int | None = None
    pool: Pool | None = None
    libraries = 0  # how many of `BLAS` were there when BLAS was held to one thread


_state = _State()
_own = threading.local()  # of a thread: whether it is in a loop, and its own number of threads


def _forget_pool() -> None:
    _state.pool = None  # threads do not survive a fork: the child starts its own when it needs them
    _own.in_a_loop = False


def pool() -> Pool:
    """Return the threads of this process."""
    if _state.pool is None:
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=_forget_pool)
        _state.pool = Pool()
    return _state.pool


def _prepare() -> None:
    """Keep BLAS at one thread, as its own threads beside ours cost up to ten times, and keep freed memory.

    Done at the first loop, and again when SciPy has brought a BLAS of its own, as it does when numba first compiles.
    """
    libraries = sum(name in sys.modules for name in BLAS)
    if _state.libraries != libraries:
        _state.libraries = libraries
        keep_freed_memory()
        if find_spec("threadpoolctl"):
            import_module("threadpoolctl").threadpool_limits(limits=1, user_api="blas")


def set_num_threads(n: int) -> None:
    """Let kernels use `n` threads, the caller's included.

    Raises
    ------
    ValueError
        If `n` is not a positive integer.

    Examples
    --------
    >>> former = get_num_threads()
    >>> set_num_threads(2)
    >>> get_num_threads()
    2
    >>> set_num_threads(former)
    """
    _state.threads = _checked(n)


def _checked(n: int) -> int:
    if isinstance(n, bool) or not isinstance(n, int) or n < 1:
        raise ValueError(f"The number of threads is {n!r}; expected an integer of 1 or more.")
    return n


def get_num_threads() -> int:
    """Return the number of threads; until set, the number of cores this process may use.

    Examples
    --------
    >>> former = get_num_threads()
    >>> set_num_threads(1)  # to measure one core
    >>> get_num_threads()
    1
    >>> set_num_threads(former)
    """
    own: int | None = getattr(_own, "threads", None)
    if own is not None:
        return own
    if _state.threads is None:
        _state.threads = available_cores()
    return _state.threads


def _lockstep() -> Any:
    """Return ``lockstep.py``, which needs numba, where kernels are compiled and every thread has a core, else None."""
    if sys.modules.get("numba") is None or get_num_threads() > available_cores():
        return None
    return import_module("minidl.kernels.lockstep")


def available_cores() -> int:
    """Return how many cores this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def in_a_loop() -> bool:
    """Return whether this thread runs a kernel of a parallel loop, so that all it calls runs in place."""
    return bool(getattr(_own, "in_a_loop", False))


def parallel_for(kernel: Kernel, n: int, grain: int, *args: Any) -> None:
    """Run ``kernel(start, stop, *args)`` over ``[0, n)`` in ranges of whole grains, on `get_num_threads` threads.

    The ranges may run in any order and at the same time, so a kernel writes only what belongs to its items, and what
    it writes depends on the item, not on the range.
    Calls from inside a kernel run in place. The first exception of a range cancels those not yet begun and is raised.

    Parameters
    ----------
    kernel : callable
        Releases the GIL if it is to run beside others.
    n : int
        Number of items; nothing runs if it is 0.
    grain : int
        Items in a range at least: so many that their time is long beside that of a dispatch, some 10 µs.
    *args
        Handed to every call.

    Examples
    --------
    >>> squares = [0] * 5
    >>> def fill(start, stop, out):
    ...     for i in range(start, stop):
    ...         out[i] = i * i
    >>> parallel_for(fill, 5, 2, squares)
    >>> squares
    [0, 1, 4, 9, 16]
    """
    if grain < 1:
        raise ValueError(f"The grain of a parallel loop is {grain}; expected 1 or more.")
    _prepare()
    threads = min(get_num_threads(), -(-n // grain))
    if threads < 2 or in_a_loop():
        start = 0
        while start < n:
            stop = min(start + share(n - start, grain, 1), n)
            kernel(start, stop, *args)
            start = stop
        return
    job = Job(kernel, n, grain, args, threads)
    pool().call(job, threads - 1)
    _own.in_a_loop = True
    try:
        job.work()
        if not job.finished.is_set() and (lockstep := _lockstep()) is not None:
            lockstep.wait(job.told, 1)  # awake at first, as the helpers' last ranges take about as long as ours
        job.finished.wait()
    except BaseException:  # Ctrl-C between two ranges: let the helpers stop after theirs
        job.cancel()
        raise
    finally:
        _own.in_a_loop = False
    job.forget()  # a helper that wakes late shall not keep arrays alive
    if job.error is not None:
        raise job.error


class num_threads:  # noqa: N801 - a function to its users; a generator would take three times as long
    """Let kernels that this thread calls inside a block use `n` threads; None leaves the setting.

    Examples
    --------
    >>> with num_threads(1):
    ...     get_num_threads()
    1
    """

    __slots__ = ("former", "n")

    def __init__(self, n: int | None) -> None:
        self.n = n

    def __enter__(self) -> None:
        self.former = getattr(_own, "threads", None)
        if self.n is not None:
            _own.threads = _checked(self.n)

    def __exit__(self, *error: object) -> None:
        _own.threads = self.former
