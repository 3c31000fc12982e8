"""One parallel loop in flight: whoever comes takes the next range of items, until none is left."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np

Kernel = Callable[..., Any]
MOST = 16  # grains in a range


def share(left: int, grain: int, threads: int) -> int:
    """Return how many of the items left to claim next, a multiple of the grain: many at first, then ever fewer.

    So the threads meet seldom, and yet end together; a single one takes as much as it may. No more than `MOST` grains,
    as the twins' temporaries are so long.
    """
    wanted = left if threads == 1 else left // (2 * threads)
    return grain * max(1, min(MOST, wanted // grain))


class Job:
    """A kernel over [0, n); the last to end sets `finished`."""

    def __init__(self, kernel: Kernel, n: int, grain: int, args: tuple[Any, ...], threads: int) -> None:
        self.kernel, self.n, self.grain, self.args, self.threads = kernel, n, grain, args, threads
        self.next_start = 0
        self.running = 0
        self.error: BaseException | None = None
        self.lock = threading.Lock()
        self.finished = threading.Event()
        self.told = np.zeros(1, np.int64)  # raised when a helper has set `finished`, for who waits awake

    def take(self) -> tuple[int, int] | None:
        """Claim the next items and return their range, or None when none is left."""
        with self.lock:
            if self.next_start >= self.n:
                return None
            start = self.next_start
            self.next_start = stop = min(start + share(self.n - start, self.grain, self.threads), self.n)
            self.running += 1
            return start, stop

    def cancel(self) -> None:
        """Let nobody claim anything more."""
        with self.lock:
            self.next_start = self.n

    def leave(self, error: BaseException | None) -> None:
        """Report the end of a claimed range; an error cancels what nobody has claimed yet."""
        with self.lock:
            self.running -= 1
            if error is not None:
                self.error = self.error or error
                self.next_start = self.n
            if self.running == 0 and self.next_start >= self.n:
                self.finished.set()

    def work(self) -> None:
        """Run ranges until none is left."""
        while (claimed := self.take()) is not None:
            error: BaseException | None = None
            try:
                self.kernel(*claimed, *self.args)
            except BaseException as raised:
                error = raised
            self.leave(error)

    def forget(self) -> None:
        """Let go of the kernel and its arguments."""
        self.kernel, self.args = print, ()


def no_job() -> Job:
    """Return a job without work, which wakes a helper and is finished."""
    job = Job(print, 0, 1, (), 1)
    job.finished.set()
    return job
