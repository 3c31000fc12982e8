"""Stochastic rounding of 64 floats at once, in registers, for the most frequent call: 32-bit floats to int8.

LLVM vectorizes `encode_some` by itself, but narrows sums of 32 bits to codes of 8 with twice the shuffles it takes.
"""
# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload

from .vector import INT32, LANES, emit_load, emit_pointer, emit_shuffle, emit_splat

MANY = 64
BYTE, HALF = ir.IntType(8), ir.IntType(16)
INTS, HALVES = ir.VectorType(INT32, LANES), ir.VectorType(HALF, LANES)


def encode_many(
    x: Any,
    codes: Any,
    draws: Any,
    first: int,
    last: int,
    inverse: Any,
    offset: Any,
    lowest: Any,
    highest: Any,
    rest: Any,
) -> Any:
    """Write the codes of elements `first` on, before `last`; return whether any was clipped, and where it stopped.

    What is left is for `encode_some`: fewer than 64, or all where the types are others, or with an offset or a rest.
    """
    raise NotImplementedError("called in compiled code only")


@overload(encode_many, jit_options={"error_model": "numpy"})
def _encode_many(x, codes, draws, first, last, inverse, offset, lowest, highest, rest):
    plain = isinstance(offset, types.NoneType) and isinstance(rest, types.NoneType)
    if not (plain and x.dtype == types.float32 and codes.dtype == types.int8):
        return lambda x, codes, draws, first, last, inverse, offset, lowest, highest, rest: (np.int32(0), first)

    def encode(x, codes, draws, first, last, inverse, offset, lowest, highest, rest):
        clipped, at = np.int32(0), first
        while at + MANY <= last:
            clipped = np.int32(clipped | encode_64(x, at, draws, at - first, codes, at, inverse, lowest, highest))
            at += MANY
        return clipped, at

    return encode


@intrinsic
def encode_64(
    typing: Any, x: Any, at: Any, draws: Any, at_draw: Any, codes: Any, to: Any, inverse: Any, lowest: Any, highest: Any
) -> Any:
    """``encode_64(x, at, draws, at_draw, codes, to, inverse, lowest, highest)``: 64 codes; not 0 if any was clipped.

    A code is byte 2 of a position, in units of the last of 16 bits, plus a draw: what lies before the point.
    """

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        number, draw, code = (
            emit_pointer(context, builder, kind, *args[2 * k : 2 * k + 2]) for k, kind in enumerate((x, draws, codes))
        )
        factor, low, high = (emit_splat(builder, value, LANES) for value in args[6:])
        changed, sums = ir.Constant(INTS, None), []
        for k in range(0, MANY, LANES):
            position = builder.fmul(emit_load(builder, builder.gep(number, [INT32(k)]), LANES), factor)
            clipped = builder.select(builder.fcmp_ordered(">", position, low), position, low)  # a NaN to the lowest
            clipped = builder.select(builder.fcmp_ordered(">", clipped, high), high, clipped)
            different = builder.xor(builder.bitcast(clipped, INTS), builder.bitcast(position, INTS))
            changed = builder.or_(changed, different)
            place = builder.bitcast(builder.gep(draw, [INT32(k)]), HALVES.as_pointer())
            drawn = builder.zext(builder.load(place, align=2), INTS)
            sums.append(builder.add(_emit_round(builder, clipped), drawn))
        former, latter = (_emit_bytes(builder, sums[k], sums[k + 1], 2, 4) for k in (0, 2))
        all_codes = _emit_bytes(builder, former, latter, 0, 1)
        builder.store(all_codes, builder.bitcast(code, all_codes.type.as_pointer()), align=1)
        lanes = builder.icmp_signed("!=", changed, ir.Constant(INTS, None))
        return builder.zext(builder.bitcast(lanes, HALF), INT32)

    numbers = types.float32, types.float32, types.float32
    return types.int32(x, types.intp, draws, types.intp, codes, types.intp, *numbers), lower


def _emit_round(builder: Any, values: Any) -> Any:
    """Return each float as the nearest integer, halves to even."""
    kind = ir.FunctionType(INTS, [values.type])
    function = cgutils.get_or_insert_function(builder.module, kind, "llvm.lrint.v16i32.v16f32")
    return builder.call(function, [values])


def _emit_bytes(builder: Any, a: Any, b: Any, first: int, step: int) -> Any:
    """Return bytes first, first + step, … of two vectors, one behind the other."""
    count = a.type.count * a.type.element.width // 8
    bytes_of = ir.VectorType(BYTE, count)
    order = list(range(first, 2 * count, step))
    return emit_shuffle(builder, builder.bitcast(a, bytes_of), builder.bitcast(b, bytes_of), order)
