"""Steps one after the other, by a few threads that meet after each, all in compiled code.

Every thread has a part of each step that it takes first, so that it finds what it wrote itself in its caches; then it
takes what others have not begun, and goes on when all parts are done. Thus nobody waits for a helper that is late, and
a helper needs no interpreter: it watches the **desk**, where the caller lays the steps to be made.
"""
# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable, Iterable, Sequence
from queue import SimpleQueue
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from .entry import INT64, Loop
from .jit import jit
from .parallel import available_cores, get_num_threads

FUNCTION, ROW, ITEMS, PARTS, DONE, CLAIMED = range(6)  # the columns of a step; a column for each part from the last on
ROUND, INSIDE, AWAKE, STEPS, COUNT, WIDTH, THREADS = 0, 8, 16, 24, 25, 26, 27  # cells of the desk, some alone in a line
TURNS = 1 << 17  # some 80 µs: how long a helper watches the desk before it goes to sleep

# --- Numbers in memory that several threads read and write ------------------------------------------------------------


@intrinsic
def get(typing: Any, address: Any, index: Any) -> Any:
    """``get(address, index)``: the number there now, whoever wrote it."""

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.load_atomic(_place(builder, args), "seq_cst", 8)

    return types.intp(types.intp, types.intp), lower


@intrinsic
def add(typing: Any, address: Any, index: Any, number: Any) -> Any:
    """``add(address, index, number)``: add to the number there, and return what it was."""

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.atomic_rmw("add", _place(builder, args), args[2], "seq_cst")

    return types.intp(types.intp, types.intp, types.intp), lower


@intrinsic
def call(typing: Any, function: Any, start: Any, stop: Any, row: Any) -> Any:
    """``call(function, start, stop, row)``: the entry at an address."""

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        kind = ir.FunctionType(ir.VoidType(), [INT64] * 3)
        builder.call(builder.inttoptr(args[0], kind.as_pointer()), args[1:])
        return context.get_dummy_value()

    return types.void(*[types.intp] * 4), lower


def _place(builder: Any, args: Any) -> Any:
    return builder.gep(builder.inttoptr(args[0], INT64.as_pointer()), [args[1]])


# --- The loops --------------------------------------------------------------------------------------------------------


@jit
def take_part(me, threads, steps, count, width):
    """Make `count` steps, as thread `me` of so many."""
    for s in range(count):
        step = steps + 8 * width * s
        items, parts = get(step, ITEMS), get(step, PARTS)
        for i in range(parts):
            part = (me * parts // threads + i) % parts
            if add(step, CLAIMED + part, 1) == 0:
                start, stop = part * items // parts, (part + 1) * items // parts
                call(get(step, FUNCTION), start, stop, get(step, ROW))
                add(step, DONE, 1)
        while get(step, DONE) < parts:
            pass


@jit
def lead(desk):
    """Open a round for what lies on the desk, take part as thread 0, and return when all have left it."""
    add(desk, ROUND, 1)
    take_part(0, get(desk, THREADS), get(desk, STEPS), get(desk, COUNT), get(desk, WIDTH))
    add(desk, ROUND, 1)
    while get(desk, INSIDE) > 0:
        pass


@jit
def watch(me, desk):
    """Take part in every round, which an odd number means, until none has come for a while."""
    add(desk, AWAKE, 1)
    turns, last = 0, 0
    while turns < TURNS:
        turns += 1
        if get(desk, ROUND) % 2 == 1 and get(desk, ROUND) != last:
            add(desk, INSIDE, 1)  # before looking again: who sees the round open is waited for
            last = get(desk, ROUND)
            if last % 2 == 1 and me < get(desk, THREADS):
                take_part(me, get(desk, THREADS), get(desk, STEPS), get(desk, COUNT), get(desk, WIDTH))
            add(desk, INSIDE, -1)
            turns = 0
    add(desk, AWAKE, -1)


# --- Who runs them ----------------------------------------------------------------------------------------------------


class Crew:
    """The helpers and the desk that they watch; they help one caller at a time."""

    def __init__(self) -> None:
        self.desk = np.zeros(32, np.int64)
        self.address = self.desk.ctypes.data
        self.bells: list[SimpleQueue[None]] = []
        self.lock = threading.Lock()

    def run(self, row: Row) -> None:
        """Run a row with as many threads as it is for, or fewer where helpers come late."""
        self.desk[STEPS : THREADS + 1] = row.address, *row.table.shape, row.threads
        if self.desk[AWAKE] < row.threads - 1:
            self.wake(row.threads - 1)
        lead(self.address)

    def wake(self, helpers: int) -> None:
        """Ring for so many helpers; one that is awake watches the desk a little longer."""
        for me in range(1, helpers + 1):
            if me > len(self.bells):
                self.bells.append(SimpleQueue())
                threading.Thread(target=self.help, args=(me,), name="minidl-helper", daemon=True).start()
            if self.bells[me - 1].empty():
                self.bells[me - 1].put(None)

    def help(self, me: int) -> None:
        """Work for ever as thread `me`: asleep until the bell rings, then awake for a while."""
        while True:
            self.bells[me - 1].get()
            watch(me, self.address)


class _State:
    crew = Crew()


def _forget_crew() -> None:
    _State.crew = Crew()  # threads do not survive a fork


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_crew)


class Row:
    """Loops one after the other: a call that runs them, for the number of threads that is set now."""

    def __init__(self, loops: Sequence[Loop]) -> None:
        self.loops = loops  # they keep what the addresses are of
        self.threads = min(get_num_threads(), available_cores())
        parts = [min(loop.n, max(self.threads, -(-loop.n // loop.grain))) if self.threads > 1 else 1 for loop in loops]
        width = -(-(CLAIMED + max(parts)) // 8) * 8  # whole cache lines
        self.table = np.zeros((len(loops), width), np.int64)
        self.address = self.table.ctypes.data
        for line, loop, count in zip(self.table, loops, parts, strict=True):
            line[:DONE] = loop.function, loop.address, loop.n, count

    def __call__(self) -> None:
        """Run them."""
        self.table[:, DONE:] = 0
        crew = _State.crew
        if self.threads > 1 and crew.lock.acquire(blocking=False):
            try:
                crew.run(self)
            finally:
                crew.lock.release()
        else:  # one thread makes all parts
            take_part(0, 1, self.address, *self.table.shape)


def in_rows(calls: Iterable[Callable[[], object]]) -> list[Callable[[], object]]:
    """Return the calls with each run of neighbouring loops as one row."""
    found: list[Callable[[], object]] = []
    for are_loops, group in itertools.groupby(calls, lambda call: isinstance(call, Loop)):
        neighbours: list[Any] = list(group)
        found += [Row(neighbours)] if are_loops else neighbours
    return found
