"""Vectors of floats in compiled code: load, store, multiply and add, as intrinsics that emit LLVM instructions.

Addition and multiplication are written ``a + b``, ``2.0 * a``. No bounds are checked: callers own their indices.
"""
# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

from .jit import jit
from .vector import (
    FLOAT,
    INT32,
    LANES,
    NARROW,
    VectorType,
    emit_fma,
    emit_is_there,
    emit_load,
    emit_masked_load,
    emit_masked_store,
    emit_pointer,
    emit_splat,
    emit_store,
    vector_type,
)  # fmt: skip


@intrinsic
def pointer(typing: Any, array: Any, index: Any) -> Any:
    """``pointer(array, index)``: the address of an element, of an empty array null; the array must outlive it.

    Arrays that are handed on inside a loop have their references counted, which costs as much as some of the work.
    """

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        place = emit_pointer(context, builder, sig.args[0], *args)
        if isinstance(array, types.CPointer):
            return place
        return builder.select(emit_is_there(context, builder, array, args[0]), place, place.type(None))

    return types.CPointer(types.float32)(array, types.intp), lower


@intrinsic
def is_there(typing: Any, array: Any) -> Any:
    """``is_there(array)``: whether an array has elements, or a pointer is not null."""

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return emit_is_there(context, builder, array, args[0])

    return types.boolean(array), lower


@intrinsic
def load(typing: Any, array: Any, index: Any) -> Any:
    """``load(array, index)``: 16 floats from a flat array."""

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return emit_load(builder, emit_pointer(context, builder, sig.args[0], *args), LANES)

    return vector_type(array, types.intp), lower


@intrinsic
def load_part(typing: Any, array: Any, index: Any, count: Any) -> Any:
    """``load_part(array, index, count)``: the first `count` lanes from memory, zeros in the others."""

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return emit_masked_load(builder, emit_pointer(context, builder, sig.args[0], *args[:2]), args[2], LANES)

    return vector_type(array, types.intp, types.intp), lower


@intrinsic
def load_like(typing: Any, kind: Any, array: Any, index: Any) -> Any:
    """``load_like(kind, array, index)``: as `load`, as many floats as the vector `kind` has."""

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return emit_load(builder, emit_pointer(context, builder, sig.args[1], *args[1:]), kind.lanes)

    return kind(kind, array, types.intp), lower


@intrinsic
def load_part_like(typing: Any, kind: Any, array: Any, index: Any, count: Any) -> Any:
    """``load_part_like(kind, array, index, count)``: as `load_part`, with as many lanes as the vector `kind`."""

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        pointer = emit_pointer(context, builder, sig.args[1], *args[1:3])
        return emit_masked_load(builder, pointer, args[3], kind.lanes)

    return kind(kind, array, types.intp, types.intp), lower


@intrinsic
def spread(typing: Any, array: Any, index: Any) -> Any:
    """``spread(array, index)``: an element in all 16 lanes."""

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        number = builder.load(emit_pointer(context, builder, sig.args[0], *args))
        return emit_splat(builder, number, LANES)

    return vector_type(array, types.intp), lower


@intrinsic
def width(typing: Any, kind: Any) -> Any:
    """``width(kind)``: how many lanes a vector has, a constant."""

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return context.get_constant(types.intp, kind.lanes)

    return types.intp(kind), lower


@intrinsic
def store(typing: Any, array: Any, index: Any, vector: Any) -> Any:
    """``store(array, index, vector)``: all lanes."""

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        emit_store(builder, args[2], emit_pointer(context, builder, sig.args[0], *args[:2]))
        return context.get_dummy_value()

    return types.void(array, types.intp, vector), lower


@intrinsic
def store_part(typing: Any, array: Any, index: Any, vector: Any, count: Any) -> Any:
    """``store_part(array, index, vector, count)``: the first `count` lanes."""

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        emit_masked_store(builder, args[2], emit_pointer(context, builder, sig.args[0], *args[:2]), args[3])
        return context.get_dummy_value()

    return types.void(array, types.intp, vector, types.intp), lower


@intrinsic(prefer_literal=True)
def prefetch(typing: Any, array: Any, index: Any, level: Any, write: Any) -> Any:
    """``prefetch(array, index, level, write)``: ask for the cache line of an element, to read or to write it (0 or 1).

    It shall be in the cache of this level (1 or 2) and above; both are constants. It does nothing but take time if the
    element does not exist.
    """

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        pointer = builder.bitcast(emit_pointer(context, builder, sig.args[0], *args[:2]), cgutils.voidptr_t)
        kind = ir.FunctionType(ir.VoidType(), [pointer.type, INT32, INT32, INT32])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        builder.call(function, [pointer, INT32(write.literal_value), INT32(4 - level.literal_value), INT32(1)])
        return context.get_dummy_value()

    return types.void(array, types.intp, level, write), lower


@intrinsic
def own(typing: Any, array: Any, index: Any) -> Any:
    """``own(array, index)``: write an element as it is, so that its cache line is no longer another core's too.

    The store waits for that beside the arithmetic that follows. On an AMD Zen 4 `prefetch` to write was measured to do
    nothing where this core had the line already, to read.
    """

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        place = builder.bitcast(emit_pointer(context, builder, sig.args[0], *args), INT32.as_pointer())
        builder.store_atomic(builder.load_atomic(place, "monotonic", 4), place, "monotonic", 4)  # or LLVM omits both
        return context.get_dummy_value()

    return types.void(array, types.intp), lower


@intrinsic
def fma(typing: Any, a: Any, b: Any, c: Any) -> Any:
    """``fma(a, b, c)``: a·b + c, lane by lane."""

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return emit_fma(builder, *args)

    return a(a, a, a), lower


@intrinsic
def zero(typing: Any) -> Any:
    """``zero()``: sixteen zeros."""

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return ir.Constant(ir.VectorType(FLOAT, LANES), [0.0] * LANES)

    return vector_type(), lower


@intrinsic
def narrow_zero(typing: Any) -> Any:
    """``narrow_zero()``: eight zeros, and with that the vector that says `kind` to the other intrinsics."""

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return ir.Constant(ir.VectorType(FLOAT, NARROW), [0.0] * NARROW)

    return VectorType(NARROW)(), lower


@jit
def line_up(floats: int) -> NDArray[np.float32]:
    """Return an array of so many floats that begins a cache line: a vector that straddles two costs twice."""
    buffer = np.empty(floats + LANES, np.float32)
    first = -buffer.ctypes.data % (4 * LANES) // 4
    return buffer[first : first + floats]
