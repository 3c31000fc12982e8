"""Kernels that compiled code can call: by an address, with their arguments as a row of integers.

A call from Python costs one or two microseconds beside the kernel, much where an image has fifty layers of fifteen. A
`Loop` is such a kernel bound to its arrays; a row of them runs with no Python in between (``lockstep.py``).
"""
# mypy: allow-untyped-calls

from __future__ import annotations

import functools
from collections.abc import Callable
from operator import index
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from .atomic import INT64
from .jit import cached, jit
from .parallel import get_num_threads, parallel_for

Array = NDArray[Any]
FLOAT32 = np.dtype(np.float32)
FLOATS = types.CPointer(types.float32)
TYPES = {"p": FLOATS, "f": types.float32, "i": types.intp}  # and a digit: a tuple of so many integers


@intrinsic(prefer_literal=True)
def arguments(typing: Any, address: Any, kinds: Any) -> Any:
    """``arguments(address, kinds)``: what `flatten` laid there, as a tuple; an array as a pointer to its floats."""
    found = [TYPES.get(kind) or types.UniTuple(types.intp, int(kind)) for kind in kinds.literal_value]

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        first, at, values = builder.inttoptr(args[0], INT64.as_pointer()), 0, []
        for kind in found:
            count = getattr(kind, "count", 1)
            numbers = [builder.load(builder.gep(first, [INT64(at + i)])) for i in range(count)]
            if kind is FLOATS:
                values.append(builder.inttoptr(numbers[0], ir.FloatType().as_pointer()))
            elif kind is types.float32:
                values.append(builder.bitcast(builder.trunc(numbers[0], ir.IntType(32)), ir.FloatType()))
            else:
                values.append(context.make_tuple(builder, kind, numbers) if kind is not types.intp else numbers[0])
            at += count
        return context.make_tuple(builder, sig.return_type, values)

    return types.Tuple(found)(address, kinds), lower


@jit
def address(array: Array) -> int:
    """Return where an array begins; ``array.ctypes.data`` takes six times as long from Python."""
    found: int = array.ctypes.data
    return found


def flatten(args: tuple[Any, ...]) -> tuple[str, list[int]]:
    """Return the kinds of arguments, and all of them as integers; an array without elements has the address 0."""
    kinds, numbers = "", list[int]()
    for arg in args:
        if isinstance(arg, np.ndarray):
            if arg.dtype != FLOAT32:
                raise TypeError(f"a kernel got an array of {arg.dtype}, expected float32")
            kinds += "p"
            numbers.append(address(arg) if arg.size else 0)
        elif isinstance(arg, tuple):
            kinds += str(len(arg))
            numbers += arg
        elif isinstance(arg, np.float32):
            kinds += "f"
            numbers.append(int(arg.view(np.int32)))
        else:
            kinds += "i"
            numbers.append(index(arg))
    return kinds, numbers


DONE = 1


class Entry:
    """A kernel of (start, stop, address of its arguments), compiled when it is first bound, called without the GIL.

    It returns `DONE`: numba prints an error in a function for C, and returns 0.
    """

    def __init__(self, kinds: str, function: Callable[..., int]) -> None:
        self.kinds, self.function = kinds, function

    @functools.cached_property
    def compiled(self) -> Any:
        """The function of C."""
        return cached(numba.cfunc, types.intp(types.intp, types.intp, types.intp))(self.function)


def entry(kinds: str) -> Callable[[Callable[..., int]], Entry]:
    """Make a kernel of a function whose first line takes its `arguments`, of these kinds."""
    return functools.partial(Entry, kinds)


class Loop:
    """``kernel`` over [0, n), bound to its arrays for the number of threads that is set now: a call that runs it."""

    def __init__(self, kernel: Entry, n: int, grain: int, *args: Any) -> None:
        kinds, numbers = flatten(args)
        if kinds != kernel.kinds:
            raise TypeError(f"{kernel.function.__name__} got arguments of kinds {kinds!r}, expected {kernel.kinds!r}")
        self.n, self.grain, self.args = n, grain, args  # the arrays live as long as their addresses
        self.numbers = np.array(numbers, np.int64)
        self.function, self.address = kernel.compiled.address, address(self.numbers)
        self.call = kernel.compiled.ctypes
        self.alone = n <= grain or get_num_threads() == 1

    def __call__(self) -> None:
        """Run it, in ranges of `grain` at least where several threads do."""
        if self.alone:
            self.run(0, self.n)
        else:
            parallel_for(self.run, self.n, self.grain)  # a method: who runs it holds the arrays, even after a Ctrl-C

    def run(self, start: int, stop: int) -> None:
        """Run items [start, stop)."""
        check(self.call(start, stop, self.address))


def check(status: int) -> None:
    """Raise the one error that a kernel may have, unless it returned `DONE`."""
    if status != DONE:
        raise MemoryError("a kernel got no memory for its scratch arrays")
