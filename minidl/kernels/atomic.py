"""Numbers in memory that several threads read and write, and functions at an address, for compiled code.

An address is an integer, as is every number: 64 bits. All orders are sequentially consistent: what a thread wrote
before it wrote a number is seen by whoever has seen that number.
"""
# mypy: allow-untyped-calls

from __future__ import annotations

import os
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

INT64 = ir.IntType(64)


@intrinsic
def get(typing: Any, address: Any, index: Any) -> Any:
    """``get(address, index)``: the number there now, whoever wrote it."""

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.load_atomic(_place(builder, args), "seq_cst", 8)

    return types.intp(types.intp, types.intp), lower


@intrinsic
def put(typing: Any, address: Any, index: Any, number: Any) -> Any:
    """``put(address, index, number)``: write it."""

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        builder.store_atomic(args[2], _place(builder, args), "seq_cst", 8)
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, types.intp), lower


@intrinsic
def add(typing: Any, address: Any, index: Any, number: Any) -> Any:
    """``add(address, index, number)``: add to the number there, and return what it was."""

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.atomic_rmw("add", _place(builder, args), args[2], "seq_cst")

    return types.intp(types.intp, types.intp, types.intp), lower


@intrinsic
def call(typing: Any, function: Any, start: Any, stop: Any, row: Any) -> Any:
    """``call(function, start, stop, row)``: an entry (``entry.py``) by its address; what it returns."""

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        kind = ir.FunctionType(INT64, [INT64] * 3)
        return builder.call(builder.inttoptr(args[0], kind.as_pointer()), args[1:])

    return types.intp(*[types.intp] * 4), lower


@intrinsic
def give_way(typing: Any) -> Any:
    """``give_way()``: let another thread have the core, if one waits for it and the system knows how."""

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        if os.name == "posix":
            kind = ir.FunctionType(ir.IntType(32), [])
            builder.call(cgutils.get_or_insert_function(builder.module, kind, "sched_yield"), [])
        return context.get_dummy_value()

    return types.void(), lower


def _place(builder: Any, args: Any) -> Any:
    """The address of the number that the first two arguments say."""
    return builder.gep(builder.inttoptr(args[0], INT64.as_pointer()), [args[1]])
