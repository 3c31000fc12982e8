"""A vector of floats as a type of compiled code, and the LLVM instructions that work on it.

A vector is 16 floats to the source; LLVM splits it into what the processor has (one AVX-512 register, two AVX, four
NEON or SSE registers), so the same source runs on all. Where no more than 8 lanes are wanted there are vectors of 8,
which cost half. The operations that kernels call are in ``simd.py``, what they emit is here.
"""
# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs

from __future__ import annotations

import operator
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import lower_builtin, models, register_model

LANES = 16
NARROW = 8
FLOAT = ir.FloatType()
INT32 = ir.IntType(32)

# --- The type ---------------------------------------------------------------------------------------------------------


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


# --- What is emitted --------------------------------------------------------------------------------------------------


def emit_splat(builder: Any, scalar: Any, lanes: int) -> Any:
    """Return a vector that holds `scalar` in every lane."""
    vector = ir.VectorType(scalar.type, lanes)
    first = builder.insert_element(ir.Constant(vector, ir.Undefined), scalar, INT32(0))
    return emit_shuffle(builder, first, ir.Constant(vector, ir.Undefined), [0] * lanes)


def emit_shuffle(builder: Any, a: Any, b: Any, lanes: list[int]) -> Any:
    """Return the vector of those lanes of a and then b, counted through."""
    return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(INT32, len(lanes)), lanes))


def emit_pointer(context: Any, builder: Any, kind: Any, array: Any, index: Any) -> Any:
    """Return the address of ``array[index]`` of a flat array, or of what a pointer points to."""
    first = array if isinstance(kind, types.CPointer) else context.make_array(kind)(context, builder, array).data
    return builder.gep(first, [index])


def emit_is_there(context: Any, builder: Any, kind: Any, array: Any) -> Any:
    """Return whether an array has elements, or a pointer is not null."""
    if isinstance(kind, types.CPointer):
        return builder.icmp_unsigned("!=", array, array.type(None))
    size = context.make_array(kind)(context, builder, array).nitems
    return builder.icmp_signed(">", size, size.type(0))


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
