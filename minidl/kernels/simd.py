"""Sixteen floats as one value in compiled code: load, store, add, multiply, as intrinsics that emit LLVM vectors.

A vector is 16 floats to the source; LLVM splits it into what the processor has (one AVX-512 register, two AVX, four
NEON or SSE registers), so the same source runs on all. Where no more than 8 lanes are wanted there are vectors of 8,
which cost half. No bounds are checked: callers own their indices.
"""
# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs

from __future__ import annotations

import operator
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, models, register_model
from numpy.typing import NDArray

from .jit import jit

LANES = 16
NARROW = 8
FLOAT = ir.FloatType()
INT32 = ir.IntType(32)
BIT = ir.IntType(1)

# --- The vector -------------------------------------------------------------------------------------------------------


class VectorType(types.Type):
    """So many 32-bit floats in registers."""

    def __init__(self, lanes: int) -> None:
        super().__init__(name=f"Vector{lanes}")
        self.lanes = lanes


vector_type = VectorType(LANES)


@register_model(VectorType)
class VectorModel(models.PrimitiveModel):
    """One LLVM value."""

    def __init__(self, manager: Any, fe_type: Any) -> None:
        super().__init__(manager, fe_type, ir.VectorType(FLOAT, fe_type.lanes))


def _define_operator(function: Any, instruction: str) -> None:
    """Let compiled code write ``a + b`` for vectors, and ``number * a``: the number is spread over the lanes."""

    @infer_global(function)
    class _Template(AbstractTemplate):
        def generic(self, args: Any, kws: Any) -> Any:
            left, right = args
            if isinstance(right, VectorType) and (left == right or isinstance(left, types.Number)):
                return signature(right, right if left == right else types.float32, right)
            return None

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        left = args[0] if sig.args[0] == sig.args[1] else emit_splat(builder, args[0], sig.args[1].lanes)
        return getattr(builder, instruction)(left, args[1], flags=("contract",))

    lower_builtin(function, VectorType, VectorType)(lower)
    lower_builtin(function, types.float32, VectorType)(lower)


_define_operator(operator.add, "fadd")
_define_operator(operator.sub, "fsub")
_define_operator(operator.mul, "fmul")


def emit_splat(builder: Any, scalar: Any, lanes: int) -> Any:
    """Return a vector that holds `scalar` in every lane."""
    vector = ir.VectorType(scalar.type, lanes)
    first = builder.insert_element(ir.Constant(vector, ir.Undefined), scalar, INT32(0))
    zeros = ir.Constant(ir.VectorType(INT32, lanes), [0] * lanes)
    return builder.shuffle_vector(first, ir.Constant(vector, ir.Undefined), zeros)


def emit_pointer(context: Any, builder: Any, kind: Any, array: Any, index: Any) -> Any:
    """Return the address of ``array[index]`` of a flat array, or of what a pointer points to."""
    first = array if isinstance(kind, types.CPointer) else context.make_array(kind)(context, builder, array).data
    return builder.gep(first, [index])


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


def emit_is_there(context: Any, builder: Any, kind: Any, array: Any) -> Any:
    """Return whether an array has elements, or a pointer is not null."""
    if isinstance(kind, types.CPointer):
        return builder.icmp_unsigned("!=", array, array.type(None))
    size = context.make_array(kind)(context, builder, array).nitems
    return builder.icmp_signed(">", size, size.type(0))


@intrinsic
def is_there(typing: Any, array: Any) -> Any:
    """``is_there(array)``: whether an array has elements, or a pointer is not null."""

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return emit_is_there(context, builder, array, args[0])

    return types.boolean(array), lower


def emit_load(builder: Any, pointer: Any, lanes: int) -> Any:
    """Return the `lanes` floats at `pointer`, which need not be aligned."""
    return builder.load(builder.bitcast(pointer, ir.VectorType(FLOAT, lanes).as_pointer()), align=4)


def emit_store(builder: Any, vector: Any, pointer: Any) -> None:
    """Write a vector to `pointer`, which need not be aligned."""
    builder.store(vector, builder.bitcast(pointer, vector.type.as_pointer()), align=4)


def emit_fma(builder: Any, a: Any, b: Any, c: Any) -> Any:
    """Return a·b + c, fused where the processor can: a call of the C library's fma elsewhere would be slow."""
    return _call(builder, "llvm.fmuladd.v{}f32", a.type, [a, b, c])


def emit_maximum(builder: Any, floor: Any, vector: Any) -> Any:
    """Return the larger of the number `floor` and each lane; a NaN in the vector stays."""
    floors = emit_splat(builder, floor, vector.type.count)
    return builder.select(builder.fcmp_ordered(">", floors, vector), floors, vector)


def emit_mask(builder: Any, count: Any, lanes: int) -> Any:
    """Return the mask of the first `count` of so many lanes."""
    numbers = ir.Constant(ir.VectorType(INT32, lanes), list(range(lanes)))
    return builder.icmp_signed("<", numbers, emit_splat(builder, builder.trunc(count, INT32), lanes))


def emit_masked_load(builder: Any, pointer: Any, count: Any, lanes: int) -> Any:
    """Return the first `count` floats at `pointer`, zeros in the other lanes, whose memory is not touched."""
    vector = ir.VectorType(FLOAT, lanes)
    place, zeros = builder.bitcast(pointer, vector.as_pointer()), ir.Constant(vector, [0.0] * lanes)
    return _call(
        builder, "llvm.masked.load.v{}f32.p0", vector, [place, INT32(4), emit_mask(builder, count, lanes), zeros]
    )


def emit_masked_store(builder: Any, vector: Any, pointer: Any, count: Any) -> None:
    """Write the first `count` floats to `pointer`; the memory of the others is not touched."""
    place, mask = builder.bitcast(pointer, vector.type.as_pointer()), emit_mask(builder, count, vector.type.count)
    _call(builder, "llvm.masked.store.v{}f32.p0", vector.type, [vector, place, INT32(4), mask], ir.VoidType())


def _call(builder: Any, name: str, vector: Any, args: list[Any], result: Any = None) -> Any:
    """Call LLVM's intrinsic for such vectors; its result is one unless told otherwise."""
    kind = ir.FunctionType(result or vector, [arg.type for arg in args])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name.format(vector.count)), args)


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
def prefetch(typing: Any, array: Any, index: Any, write: Any) -> Any:
    """``prefetch(array, index, write)``: ask for the cache line of an element, to read or (a constant 1) to write it.

    It does nothing but take time if the element does not exist.
    """

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        pointer = builder.bitcast(emit_pointer(context, builder, sig.args[0], *args[:2]), cgutils.voidptr_t)
        kind = ir.FunctionType(ir.VoidType(), [pointer.type, INT32, INT32, INT32])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        builder.call(function, [pointer, INT32(write.literal_value), INT32(2), INT32(1)])
        return context.get_dummy_value()

    return types.void(array, types.intp, write), lower


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
