"""Waiting awake for a short while, as to wake a sleeping thread takes longer than many a kernel.

A cell is an array of one integer that one thread raises and another watches; the interpreter is free meanwhile.
"""
# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs

from __future__ import annotations

from typing import Any

from numba import types
from numba.extending import intrinsic

from .jit import jit

TURNS = 1 << 18  # some 80 µs: longer than the interpreter needs from one kernel to the next


@intrinsic
def _read(typing: Any, cell: Any) -> Any:
    """``_read(cell)``: what is in the cell now, whoever wrote it."""

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        place = context.make_array(cell)(context, builder, args[0]).data
        return builder.load_atomic(place, "acquire", 8)

    return types.int64(cell), lower


@intrinsic
def _write(typing: Any, cell: Any, value: Any) -> Any:
    """``_write(cell, value)``: after everything that was written before."""

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        place = context.make_array(cell)(context, builder, args[0]).data
        builder.store_atomic(args[1], place, "release", 8)
        return context.get_dummy_value()

    return types.void(cell, types.int64), lower


@jit
def wait(cell, value):
    """Return whether the cell has reached `value`, after a short while at most."""
    turns = 0
    while turns < TURNS and _read(cell) < value:
        turns += 1
    return turns < TURNS


@jit
def tell_and_wait(told, cell, value):
    """Raise the cell `told` to 1, then `wait` for the other."""
    _write(told, 1)
    return wait(cell, value)
