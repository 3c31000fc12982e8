"""The vector and the register tile: what a compiled kernel needs beyond plain Python loops, as a handful of intrinsics.

**The register tile.** A convolution is a matrix product in disguise, and a processor reaches its peak only if the sums
live in registers: `rows` pixels times 16 channels are summed at once, tile[p] += x[p] · w, where x[p] is one number of
pixel p and w holds one number for each of 16 output channels. numba keeps such an array in memory, so here the whole
tile is ONE opaque value (a tuple of vectors) that an ordinary loop carries: `tile_zero` makes it, `tile_fma` advances it.
**Constant strides.** The distance between a tile's rows is a literal, so that one pointer serves all rows.
A vector is always 16 floats to the source; LLVM splits it into what the processor has (one AVX-512, two AVX, four NEON
or SSE registers), and only the number of rows follows the host. No bounds are checked: callers own their indices.
"""
# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs

from __future__ import annotations

import functools
import operator
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, models, register_model

from .jit import target

LANES = 16
FLOAT = ir.FloatType()
INT32 = ir.IntType(32)
VECTOR = ir.VectorType(FLOAT, LANES)
MASK = ir.VectorType(ir.IntType(1), LANES)

# --- How many rows a tile has on this host ----------------------------------------------------------------------------

ROWS = {"zmm": 8, "ymm": 4, "neon": 4, "xmm": 2}  # sums fill half of 32 (zmm: a quarter) or half of 16 registers


@functools.cache
def registers() -> str:
    """Return which registers LLVM uses for 16 floats on the processor numba compiles for: read from what it emits."""
    triple, cpu, features = target()
    module = llvm.parse_assembly(
        f'target triple = "{triple}"\ndefine <16 x float> @f(<16 x float> %a, ptr %p) {{\n'
        "%b = load <16 x float>, ptr %p\n%c = fadd <16 x float> %a, %b\nret <16 x float> %c\n}"
    )
    machine = llvm.Target.from_triple(triple).create_target_machine(cpu=cpu, features=features, opt=2)
    text = machine.emit_assembly(module)
    return next((name for name in ("zmm", "ymm", "xmm") if name in text), "neon")


def tile_rows() -> int:
    """Return the number of pixels in a register tile on this host."""
    return ROWS[registers()]


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
        left = args[0] if sig.args[0] is vector_type else _splat(builder, args[0])
        return getattr(builder, instruction)(left, args[1], flags=("contract",))

    lower_builtin(function, vector_type, vector_type)(lower)
    lower_builtin(function, types.float32, vector_type)(lower)


_define_operator(operator.add, "fadd")
_define_operator(operator.sub, "fsub")
_define_operator(operator.mul, "fmul")


def _splat(builder: Any, scalar: Any) -> Any:
    vector = ir.VectorType(scalar.type, LANES)
    first = builder.insert_element(ir.Constant(vector, ir.Undefined), scalar, INT32(0))
    zeros = ir.Constant(ir.VectorType(INT32, LANES), [0] * LANES)
    return builder.shuffle_vector(first, ir.Constant(vector, ir.Undefined), zeros)


def _pointer(context: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    return builder.gep(context.make_array(array_type)(context, builder, array).data, [index])


def _load(builder: Any, pointer: Any) -> Any:
    return builder.load(builder.bitcast(pointer, VECTOR.as_pointer()), align=4)


def _store(builder: Any, vector: Any, pointer: Any) -> None:
    builder.store(vector, builder.bitcast(pointer, VECTOR.as_pointer()), align=4)


def _fma(builder: Any, a: Any, b: Any, c: Any) -> Any:
    """Return a·b + c, fused where the processor can: a call of the C library's fma elsewhere would be slow."""
    kind = ir.FunctionType(VECTOR, [VECTOR] * 3)
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, "llvm.fmuladd.v16f32"), [a, b, c])


def _mask(builder: Any, count: Any) -> Any:
    lanes = ir.Constant(ir.VectorType(count.type, LANES), list(range(LANES)))
    return builder.icmp_signed("<", lanes, _splat(builder, count))


def _masked_load(builder: Any, pointer: Any, count: Any) -> Any:
    place = VECTOR.as_pointer()
    kind = ir.FunctionType(VECTOR, [place, INT32, MASK, VECTOR])
    function = cgutils.get_or_insert_function(builder.module, kind, "llvm.masked.load.v16f32.p0")
    zeros = ir.Constant(VECTOR, [0.0] * LANES)
    return builder.call(function, [builder.bitcast(pointer, place), INT32(4), _mask(builder, count), zeros])


def _masked_store(builder: Any, vector: Any, pointer: Any, count: Any) -> None:
    place = VECTOR.as_pointer()
    kind = ir.FunctionType(ir.VoidType(), [VECTOR, place, INT32, MASK])
    function = cgutils.get_or_insert_function(builder.module, kind, "llvm.masked.store.v16f32.p0")
    builder.call(function, [vector, builder.bitcast(pointer, place), INT32(4), _mask(builder, count)])


@intrinsic
def load(typing: Any, array: Any, index: Any) -> Any:
    """``load(array, index)``: 16 floats from a flat array."""

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return _load(builder, _pointer(context, builder, sig.args[0], *args))

    return vector_type(array, types.intp), lower


@intrinsic
def load_part(typing: Any, array: Any, index: Any, count: Any) -> Any:
    """``load_part(array, index, count)``: the first `count` lanes from memory, zeros in the others."""

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return _masked_load(builder, _pointer(context, builder, sig.args[0], *args[:2]), args[2])

    return vector_type(array, types.intp, types.intp), lower


@intrinsic
def store(typing: Any, array: Any, index: Any, vector: Any) -> Any:
    """``store(array, index, vector)``: all 16 lanes."""

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        _store(builder, args[2], _pointer(context, builder, sig.args[0], *args[:2]))
        return context.get_dummy_value()

    return types.void(array, types.intp, vector), lower


@intrinsic
def store_part(typing: Any, array: Any, index: Any, vector: Any, count: Any) -> Any:
    """``store_part(array, index, vector, count)``: the first `count` lanes."""

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        _masked_store(builder, args[2], _pointer(context, builder, sig.args[0], *args[:2]), args[3])
        return context.get_dummy_value()

    return types.void(array, types.intp, vector, types.intp), lower


@intrinsic
def fma(typing: Any, a: Any, b: Any, c: Any) -> Any:
    """``fma(a, b, c)``: a·b + c, lane by lane."""

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return _fma(builder, *args)

    return vector_type(vector_type, vector_type, vector_type), lower


@intrinsic
def zero(typing: Any) -> Any:
    """``zero()``: sixteen zeros."""

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return ir.Constant(VECTOR, [0.0] * LANES)

    return vector_type(), lower


# --- The register tile ------------------------------------------------------------------------------------------------


@intrinsic(prefer_literal=True)
def tile_zero(typing: Any, rows: Any) -> Any:
    """``tile_zero(rows)``: a tile of `rows` (a constant) vectors of zeros."""
    tile = types.UniTuple(vector_type, rows.literal_value)

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return context.make_tuple(builder, sig.return_type, [ir.Constant(VECTOR, [0.0] * LANES)] * tile.count)

    return tile(rows), lower


@intrinsic(prefer_literal=True)
def tile_fill(typing: Any, rows: Any, vector: Any) -> Any:
    """``tile_fill(rows, vector)``: a tile whose every row is `vector`."""
    tile = types.UniTuple(vector_type, rows.literal_value)

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return context.make_tuple(builder, sig.return_type, [args[1]] * tile.count)

    return tile(rows, vector), lower


@intrinsic(prefer_literal=True)
def tile_load(typing: Any, rows: Any, array: Any, index: Any, stride: Any) -> Any:
    """``tile_load(rows, array, index, stride)``: row p from ``array[index + p * stride]`` on."""
    tile = types.UniTuple(vector_type, rows.literal_value)

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        places = _row_pointers(context, builder, sig.args[1], args[1], args[2], args[3], tile.count)
        return context.make_tuple(builder, sig.return_type, [_load(builder, place) for place in places])

    return tile(rows, array, types.intp, types.intp), lower


def _row_pointers(context: Any, builder: Any, kind: Any, array: Any, index: Any, stride: Any, rows: int) -> list[Any]:
    first = _pointer(context, builder, kind, array, index)
    return [builder.gep(first, [builder.mul(stride, stride.type(p))]) for p in range(rows)]


@intrinsic(prefer_literal=True)
def tile_fma(typing: Any, tile: Any, x: Any, at_x: Any, stride: Any, w: Any, at_w: Any) -> Any:
    """``tile_fma(tile, x, at_x, stride, w, at_w)``: tile[p] += x[at_x + p * stride] * w[at_w : at_w + 16].

    `stride` is a constant, so that the rows share one pointer.
    """

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        first = _pointer(context, builder, sig.args[1], args[1], args[2])
        weight = _load(builder, _pointer(context, builder, sig.args[4], args[4], args[5]))
        rows = []
        for p, sums in enumerate(cgutils.unpack_tuple(builder, args[0])):
            scalar = builder.load(builder.gep(first, [ir.IntType(64)(p * stride.literal_value)]))
            rows.append(_fma(builder, _splat(builder, scalar), weight, sums))
        return context.make_tuple(builder, sig.return_type, rows)

    return tile(tile, x, types.intp, stride, w, types.intp), lower


@intrinsic(prefer_literal=True)
def tile_fma_lanes(typing: Any, tile: Any, x: Any, at_x: Any, stride: Any, w: Any, at_w: Any, stride_w: Any) -> Any:
    """``tile_fma_lanes(tile, x, at_x, stride, w, at_w, stride_w)``: tile[p] += x[at_x + p * stride:] * w[at_w + p * stride_w:].

    Lane by lane; both strides are constants, and a `stride_w` of 0 gives all rows the same w.
    """

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        first = _pointer(context, builder, sig.args[1], args[1], args[2])
        weight = _pointer(context, builder, sig.args[4], args[4], args[5])
        rows = []
        for p, sums in enumerate(cgutils.unpack_tuple(builder, args[0])):
            a = _load(builder, builder.gep(first, [ir.IntType(64)(p * stride.literal_value)]))
            b = _load(builder, builder.gep(weight, [ir.IntType(64)(p * stride_w.literal_value)]))
            rows.append(_fma(builder, a, b, sums))
        return context.make_tuple(builder, sig.return_type, rows)

    return tile(tile, x, types.intp, stride, w, types.intp, stride_w), lower


@intrinsic
def tile_sum(typing: Any, tile: Any) -> Any:
    """``tile_sum(tile)``: the sum of the rows, first to last."""

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return functools.reduce(builder.fadd, cgutils.unpack_tuple(builder, args[0]))

    return vector_type(tile), lower


@intrinsic(prefer_literal=True)
def tile_store(typing: Any, tile: Any, array: Any, index: Any, stride: Any) -> Any:
    """``tile_store(tile, array, index, stride)``: row p to ``array[index + p * stride]`` on."""

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        places = _row_pointers(context, builder, sig.args[1], args[1], args[2], args[3], tile.count)
        for sums, place in zip(cgutils.unpack_tuple(builder, args[0]), places, strict=True):
            _store(builder, sums, place)
        return context.get_dummy_value()

    return types.void(tile, array, types.intp, types.intp), lower


@intrinsic(prefer_literal=True)
def tile_store_part(typing: Any, tile: Any, array: Any, index: Any, stride: Any, rows: Any, lanes: Any) -> Any:
    """``tile_store_part(tile, array, index, stride, rows, lanes)``: the first `rows` rows' first `lanes` lanes."""

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        places = _row_pointers(context, builder, sig.args[1], args[1], args[2], args[3], tile.count)
        for p, sums in enumerate(cgutils.unpack_tuple(builder, args[0])):
            with builder.if_then(builder.icmp_signed("<", args[4].type(p), args[4])):
                _masked_store(builder, sums, places[p], args[5])
        return context.get_dummy_value()

    return types.void(tile, array, types.intp, types.intp, types.intp, types.intp), lower
