"""Loops one after the other, by a few threads that meet after each, all in compiled code.

Every thread has a part of each loop that it takes first, so that it finds what it wrote itself in its caches; then it
takes what others have not begun, and goes on when all parts are done. Thus nobody waits for a helper that has not come,
and a helper needs no interpreter: awake, it watches a **desk** where the caller lays what is to be done.
"""
# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from .atomic import add, call, get, give_way, put
from .entry import Loop, address, check
from .jit import jit
from .jobs import no_job
from .parallel import available_cores, get_num_threads, in_a_loop, pool

FUNCTION, ARGUMENTS, ITEMS, PARTS, DONE, CLAIMED = range(6)  # the columns of a loop; from the last on, of each part
# The cells of the desk: ROUND is odd while one is open, OUTSIDE −1 for each helper in it; from JOINED on: of a round.
ROUND, OUTSIDE, AWAKE, JOINED, FAILED, LOOPS, COUNT, WIDTH, THREADS = 0, 8, 16, 24, 25, 26, 27, 28, 29
TURNS = 1 << 17  # some 100 µs of watching: longer than the interpreter needs from one kernel to the next
PATIENCE = 1 << 12  # turns of waiting for a thread that has begun, before giving way to it


@jit
def wait(cell, value):
    """Return when the number in `cell` has reached `value`, or after a short while."""
    turns = 0
    while turns < 2 * TURNS and get(address(cell), 0) < value:
        turns += 1


@jit
def wait_for(address, cell, least):
    """Return when a number has reached `least`, which another thread sees to; give way to it if it takes long."""
    turns = 0
    while get(address, cell) < least:
        turns += 1
        if turns > PATIENCE:
            give_way()


@jit
def take_part(me, desk, loops, count, width, threads):
    """Run `count` loops, each `width` numbers further on, as thread `me` of so many."""
    for i in range(count):
        loop = loops + 8 * width * i
        items, parts = get(loop, ITEMS), get(loop, PARTS)
        for k in range(parts):
            part = (me * parts // threads + k) % parts
            if add(loop, CLAIMED + part, 1) == 0:
                start, stop = part * items // parts, (part + 1) * items // parts
                if call(get(loop, FUNCTION), start, stop, get(loop, ARGUMENTS)) == 0:
                    put(desk, FAILED, 1)
                add(loop, DONE, 1)
        wait_for(loop, DONE, parts)


@jit
def take_all(loops, count, width):
    """Run `count` loops, each `width` numbers further on, in the only thread; 0 if one got no memory, else 1."""
    for i in range(count):
        loop = loops + 8 * width * i
        if call(get(loop, FUNCTION), 0, get(loop, ITEMS), get(loop, ARGUMENTS)) == 0:
            return 0
    return 1


@jit
def lead(desk, table, threads):
    """Lay a table of loops on the desk, take part as thread 0, return when all have left; 0 if one failed, else 1."""
    table[:, DONE:] = 0
    desk[JOINED], desk[FAILED], desk[LOOPS] = 1, 0, address(table)
    desk[COUNT], desk[WIDTH], desk[THREADS] = table.shape[0], table.shape[1], threads
    cells = address(desk)
    add(cells, ROUND, 1)
    take_part(0, cells, address(table), table.shape[0], table.shape[1], threads)
    add(cells, ROUND, 1)
    wait_for(cells, OUTSIDE, 0)
    return 1 - get(cells, FAILED)


@jit
def watch(desk, told, offered, value):
    """Tell that a job is done, then take part in every round until a job is offered, or nothing comes for a while."""
    put(address(told), 0, 1)
    desk, offered = address(desk), address(offered)
    add(desk, AWAKE, 1)
    turns, last = 0, 0
    while turns < TURNS and get(offered, 0) < value:
        turns += 1
        if get(desk, ROUND) % 2 == 1 and get(desk, ROUND) != last:  # an odd number: it is open
            add(desk, OUTSIDE, -1)  # before looking again: who sees it open then is waited for
            last = get(desk, ROUND)
            if last % 2 == 1:
                me = add(desk, JOINED, 1)
                if me < get(desk, THREADS):
                    take_part(me, desk, get(desk, LOOPS), get(desk, COUNT), get(desk, WIDTH), get(desk, THREADS))
                    turns = 0
            add(desk, OUTSIDE, 1)
    add(desk, AWAKE, -1)


class Row:
    """Loops one after the other: a call that runs them, for the number of threads that is set now.

    It is for one caller at a time, and nothing interrupts it.
    """

    def __init__(self, loops: Sequence[Loop]) -> None:
        self.loops = loops  # they keep what the addresses are of
        self.threads = get_num_threads()
        parts = [min(loop.n, max(self.threads, -(-loop.n // loop.grain))) if self.threads > 1 else 1 for loop in loops]
        width = -(-(CLAIMED + max(parts)) // 8) * 8
        memory = np.zeros(len(loops) * width + 7, np.int64)
        first = -address(memory) % 64 // 8  # whole cache lines for each
        self.table = memory[first : first + len(loops) * width].reshape(len(loops), width)
        self.address = address(self.table)
        for line, loop, count in zip(self.table, loops, parts, strict=True):
            line[:DONE] = loop.function, loop.address, loop.n, count

    def __call__(self) -> None:
        """Run them."""
        if self.threads == 1 or in_a_loop() or not (helpers := pool()).desk_lock.acquire(blocking=False):
            check(take_all(self.address, *self.table.shape))
            return
        try:
            if helpers.desk[AWAKE] < self.threads - 1 and helpers.jobs.empty():
                helpers.call(no_job(), self.threads - 1)
            check(lead(helpers.desk, self.table, self.threads))
        finally:
            helpers.desk_lock.release()


def in_rows(calls: Iterable[Callable[[], object]]) -> list[Callable[[], object]]:
    """Return the calls with each run of neighbouring loops as one row, where every thread has a core of its own."""
    if get_num_threads() > available_cores():
        return list(calls)
    found: list[Callable[[], object]] = []
    for are_loops, group in itertools.groupby(calls, lambda call: isinstance(call, Loop)):
        neighbours: list[Any] = list(group)
        found += [Row(neighbours)] if are_loops else neighbours
    return found
