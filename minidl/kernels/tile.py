"""The register tile: the first of the three ideas that make the convolutions fast, as intrinsics for compiled code.

A convolution is a matrix product in disguise, and a processor reaches its peak only if the sums live in registers:
`rows` pixels times 16 channels are summed at once, tile[p] += x[p] · w, where x[p] is one number of pixel p and w holds
one number for each of 16 output channels. numba keeps such an array in memory, so here the whole tile is ONE opaque
value (a tuple of vectors) that a plain loop carries: `tile_zero` makes, `tile_fma` advances, `tile_store` writes it.
The distance between a tile's rows is a literal, so that one pointer serves all rows instead of one for each.
"""
# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs

from __future__ import annotations

import functools
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .jit import target
from .vector import (
    FLOAT,
    LANES,
    emit_fma,
    emit_load,
    emit_pointer,
    emit_shuffle,
    emit_splat,
    emit_store,
    vector_type,
)

# --- How many rows a tile has on this host ----------------------------------------------------------------------------

ROWS = {"zmm": 8, "ymm": 4, "neon": 4, "xmm": 2}  # the sums fill half of the registers (zmm: a quarter)


MOST_ROWS = {"zmm": 16, "ymm": 6, "neon": 6, "xmm": 2}  # what there are registers for beside a vector and a weight


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


def most_rows() -> int:
    """Return the most rows that a tile can have on this host, for loops that have enough of them."""
    return MOST_ROWS[registers()]


# --- The register tile ------------------------------------------------------------------------------------------------


@intrinsic(prefer_literal=True)
def tile_zero(typing: Any, rows: Any) -> Any:
    """``tile_zero(rows)``: a tile of `rows` (a constant) vectors of zeros."""
    tile = types.UniTuple(vector_type, rows.literal_value)

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        zeros = ir.Constant(ir.VectorType(FLOAT, LANES), [0.0] * LANES)
        return context.make_tuple(builder, sig.return_type, [zeros] * tile.count)

    return tile(rows), lower


@intrinsic(prefer_literal=True)
def tile_fill(typing: Any, rows: Any, vector: Any) -> Any:
    """``tile_fill(rows, vector)``: a tile whose every row is `vector`."""
    tile = types.UniTuple(vector, rows.literal_value)

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return context.make_tuple(builder, sig.return_type, [args[1]] * tile.count)

    return tile(rows, vector), lower


@intrinsic(prefer_literal=True)
def tile_load(typing: Any, rows: Any, kind: Any, array: Any, index: Any, stride: Any) -> Any:
    """``tile_load(rows, kind, array, index, stride)``: row p from ``array[index + p * stride]``, as wide as `kind`."""
    tile = types.UniTuple(kind, rows.literal_value)

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        places = emit_row_pointers(context, builder, sig.args[2], args[2], args[3], args[4], tile.count)
        return context.make_tuple(builder, sig.return_type, [emit_load(builder, place, kind.lanes) for place in places])

    return tile(rows, kind, array, types.intp, types.intp), lower


def emit_row_pointers(
    context: Any, builder: Any, kind: Any, array: Any, index: Any, stride: Any, rows: int
) -> list[Any]:
    """Return the addresses of ``array[index + p * stride]`` for each of `rows` rows."""
    first = emit_pointer(context, builder, kind, array, index)
    return [builder.gep(first, [builder.mul(stride, stride.type(p))]) for p in range(rows)]


@intrinsic(prefer_literal=True)
def tile_fma(typing: Any, tile: Any, x: Any, at_x: Any, stride: Any, w: Any, at_w: Any) -> Any:
    """``tile_fma(tile, x, at_x, stride, w, at_w)``: tile[p] += x[at_x + p * stride] * w[at_w : at_w + lanes of tile].

    `stride` is a constant, so that the rows share one pointer.
    """

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        first = emit_pointer(context, builder, sig.args[1], args[1], args[2])
        lanes = tile.dtype.lanes
        weight = emit_load(builder, emit_pointer(context, builder, sig.args[4], args[4], args[5]), lanes)
        rows = []
        for p, sums in enumerate(cgutils.unpack_tuple(builder, args[0])):
            scalar = builder.load(builder.gep(first, [ir.IntType(64)(p * stride.literal_value)]))
            rows.append(emit_fma(builder, emit_splat(builder, scalar, lanes), weight, sums))
        return context.make_tuple(builder, sig.return_type, rows)

    return tile(tile, x, types.intp, stride, w, types.intp), lower


@intrinsic(prefer_literal=True)
def tile_fma_lanes(typing: Any, tile: Any, x: Any, at_x: Any, stride: Any, w: Any, at_w: Any, stride_w: Any) -> Any:
    """``tile_fma_lanes(tile, x, at_x, stride, w, at_w, stride_w)``: tile[p] += x[p] * w[p], lane by lane.

    Row p of x is at ``at_x + p * stride``, of w at ``at_w + p * stride_w``. Both strides are constants, and a stride_w
    of 0 gives all rows the same w.
    """

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        first = emit_pointer(context, builder, sig.args[1], args[1], args[2])
        weight = emit_pointer(context, builder, sig.args[4], args[4], args[5])
        rows = []
        for p, sums in enumerate(cgutils.unpack_tuple(builder, args[0])):
            a = emit_load(builder, builder.gep(first, [ir.IntType(64)(p * stride.literal_value)]), LANES)
            b = emit_load(builder, builder.gep(weight, [ir.IntType(64)(p * stride_w.literal_value)]), LANES)
            rows.append(emit_fma(builder, a, b, sums))
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
        places = emit_row_pointers(context, builder, sig.args[1], args[1], args[2], args[3], tile.count)
        for sums, place in zip(cgutils.unpack_tuple(builder, args[0]), places, strict=True):
            emit_store(builder, sums, place)
        return context.get_dummy_value()

    return types.void(tile, array, types.intp, types.intp), lower


@intrinsic(prefer_literal=True)
def across(typing: Any, tiles: Any, row: Any) -> Any:
    """``across(tiles, row)``: the tile of that row (a constant) of each of several tiles."""

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        picked = [builder.extract_value(args[0], [t, row.literal_value]) for t in range(tiles.count)]
        return context.make_tuple(builder, sig.return_type, picked)

    return types.UniTuple(tiles.dtype.dtype, tiles.count)(tiles, row), lower


@intrinsic
def tile_transpose(typing: Any, tile: Any) -> Any:
    """``tile_transpose(tile)``: row p's lane q to row q's lane p; of fewer rows than lanes every square."""

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        rows, lanes = list(cgutils.unpack_tuple(builder, args[0])), tile.dtype.lanes
        step = 1
        while step < len(rows):  # exchange the corners of blocks of 2·step by 2·step, all in step with one another
            for p in range(len(rows)):
                if not p & step:
                    a, b = rows[p], rows[p + step]
                    upper = [k if not k & step else lanes + k - step for k in range(lanes)]
                    lower_half = [k + step if not k & step else lanes + k for k in range(lanes)]
                    rows[p], rows[p + step] = (emit_shuffle(builder, a, b, order) for order in (upper, lower_half))
            step *= 2
        return context.make_tuple(builder, sig.return_type, rows)

    return tile(tile), lower
