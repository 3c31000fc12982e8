"""Sixteen floats as one value in compiled code: load, store, add, multiply, as intrinsics that emit LLVM vectors.

A vector is always 16 floats to the source; LLVM splits it into what the processor has (one AVX-512 register, two AVX,
four NEON or SSE registers), so the same source runs on all. No bounds are checked: callers own their indices.
"""
# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs

from __future__ import annotations

import operator
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, models, register_model

LANES = 16
FLOAT = ir.FloatType()
INT32 = ir.IntType(32)
VECTOR = ir.VectorType(FLOAT, LANES)
MASK = ir.VectorType(ir.IntType(1), LANES)

# --- The vector -------------------------------------------------------------------------------------------------------


class VectorType(types.Type):
    """Sixteen 32-bit floats in registers."""

    def __init__(self) -> None:
        super().__init__(name="Vector16")


vector_type = VectorType()


@register_model(VectorType)
class VectorModel(models.PrimitiveModel):
    """One LLVM value."""

    def __init__(self, manager: Any, fe_type: Any) -> None:
        super().__init__(manager, fe_type, VECTOR)


def _define_operator(function: Any, instruction: str) -> None:
    """Let compiled code write ``a + b`` for vectors, and ``number * a``: the number is spread over the lanes."""

    @infer_global(function)
    class _Template(AbstractTemplate):
        def generic(self, args: Any, kws: Any) -> Any:
            left, right = args
            if right is vector_type and (left is vector_type or isinstance(left, types.Number)):
                return signature(vector_type, vector_type if left is vector_type else types.float32, right)
            return None

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        left = args[0] if sig.args[0] is vector_type else emit_splat(builder, args[0])
        return getattr(builder, instruction)(left, args[1], flags=("contract",))

    lower_builtin(function, vector_type, vector_type)(lower)
    lower_builtin(function, types.float32, vector_type)(lower)


_define_operator(operator.add, "fadd")
_define_operator(operator.sub, "fsub")
_define_operator(operator.mul, "fmul")


def emit_splat(builder: Any, scalar: Any) -> Any:
    """Return a vector that holds `scalar` in every lane."""
    vector = ir.VectorType(scalar.type, LANES)
    first = builder.insert_element(ir.Constant(vector, ir.Undefined), scalar, INT32(0))
    zeros = ir.Constant(ir.VectorType(INT32, LANES), [0] * LANES)
    return builder.shuffle_vector(first, ir.Constant(vector, ir.Undefined), zeros)


def emit_pointer(context: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    """Return the address of ``array[index]`` of a flat array."""
    return builder.gep(context.make_array(array_type)(context, builder, array).data, [index])


def emit_load(builder: Any, pointer: Any) -> Any:
    """Return the 16 floats at `pointer`, which need not be aligned."""
    return builder.load(builder.bitcast(pointer, VECTOR.as_pointer()), align=4)


def emit_store(builder: Any, vector: Any, pointer: Any) -> None:
    """Write 16 floats to `pointer`, which need not be aligned."""
    builder.store(vector, builder.bitcast(pointer, VECTOR.as_pointer()), align=4)


def emit_fma(builder: Any, a: Any, b: Any, c: Any) -> Any:
    """Return a·b + c, fused where the processor can: a call of the C library's fma elsewhere would be slow."""
    kind = ir.FunctionType(VECTOR, [VECTOR] * 3)
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, "llvm.fmuladd.v16f32"), [a, b, c])


def emit_mask(builder: Any, count: Any) -> Any:
    """Return the mask of the first `count` lanes."""
    lanes = ir.Constant(ir.VectorType(INT32, LANES), list(range(LANES)))
    return builder.icmp_signed("<", lanes, emit_splat(builder, builder.trunc(count, INT32)))


def emit_masked_load(builder: Any, pointer: Any, count: Any) -> Any:
    """Return the first `count` floats at `pointer`, zeros in the other lanes, whose memory is not touched."""
    place = VECTOR.as_pointer()
    kind = ir.FunctionType(VECTOR, [place, INT32, MASK, VECTOR])
    function = cgutils.get_or_insert_function(builder.module, kind, "llvm.masked.load.v16f32.p0")
    zeros = ir.Constant(VECTOR, [0.0] * LANES)
    return builder.call(function, [builder.bitcast(pointer, place), INT32(4), emit_mask(builder, count), zeros])


def emit_masked_store(builder: Any, vector: Any, pointer: Any, count: Any) -> None:
    """Write the first `count` floats to `pointer`; the memory of the others is not touched."""
    place = VECTOR.as_pointer()
    kind = ir.FunctionType(ir.VoidType(), [VECTOR, place, INT32, MASK])
    function = cgutils.get_or_insert_function(builder.module, kind, "llvm.masked.store.v16f32.p0")
    builder.call(function, [vector, builder.bitcast(pointer, place), INT32(4), emit_mask(builder, count)])


@intrinsic
def load(typing: Any, array: Any, index: Any) -> Any:
    """``load(array, index)``: 16 floats from a flat array."""

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return emit_load(builder, emit_pointer(context, builder, sig.args[0], *args))

    return vector_type(array, types.intp), lower


@intrinsic
def load_part(typing: Any, array: Any, index: Any, count: Any) -> Any:
    """``load_part(array, index, count)``: the first `count` lanes from memory, zeros in the others."""

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return emit_masked_load(builder, emit_pointer(context, builder, sig.args[0], *args[:2]), args[2])

    return vector_type(array, types.intp, types.intp), lower


@intrinsic
def store(typing: Any, array: Any, index: Any, vector: Any) -> Any:
    """``store(array, index, vector)``: all 16 lanes."""

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


@intrinsic
def fma(typing: Any, a: Any, b: Any, c: Any) -> Any:
    """``fma(a, b, c)``: a·b + c, lane by lane."""

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return emit_fma(builder, *args)

    return vector_type(vector_type, vector_type, vector_type), lower


@intrinsic
def zero(typing: Any) -> Any:
    """``zero()``: sixteen zeros."""

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return ir.Constant(VECTOR, [0.0] * LANES)

    return vector_type(), lower
