"""What a convolution does with its sums while they are still in registers: add a residual, cut at a floor, store.

The ReLU is the floor 0; a convolution alone has the floor −∞ and no residual. The sums themselves are made elsewhere.
"""
# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

from .jit import jit
from .simd import zero
from .tile import emit_row_pointers, tile_load, tile_transpose
from .vector import LANES, emit_is_there, emit_load, emit_masked_load, emit_masked_store, emit_maximum, emit_store

Array = NDArray[Any]


class Finish(NamedTuple):
    """y = max(sums + residual, floor)."""

    residual: Array
    """Flat, its elements where y's are, counted from the first; empty for none."""
    floor: np.float32


def finish(residual: Array | None = None, relu: bool = False) -> Finish:
    """Return the `Finish` that adds an array of y's shape and applies a ReLU, or does without."""
    flat = np.empty(0, np.float32) if residual is None else residual.reshape(-1)
    return Finish(flat, np.float32(0 if relu else -np.inf))


@intrinsic
def finish_tile(
    typing: Any, tile: Any, residual: Any, floor: Any, y: Any, index: Any, stride: Any, rows: Any, lanes: Any
) -> Any:
    """``finish_tile(tile, residual, floor, y, index, stride, rows, lanes)``: row p to ``y[index + p * stride]`` on.

    Only the first `rows` rows' first `lanes` lanes are read and written. All branches are in this one intrinsic, since
    numba counts references of the arrays that are used inside its own.
    """

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        sums = cgutils.unpack_tuple(builder, args[0])
        at, step, count, inside = args[4:]
        width = tile.dtype.lanes
        sources = emit_row_pointers(context, builder, sig.args[1], args[1], at, step, tile.count)
        places = emit_row_pointers(context, builder, sig.args[3], args[3], at, step, tile.count)
        has_residual = emit_is_there(context, builder, sig.args[1], args[1])
        all_rows = builder.icmp_signed(">=", count, count.type(tile.count))
        all_lanes = builder.icmp_signed("==", inside, inside.type(width))
        with builder.if_else(builder.and_(all_rows, all_lanes)) as (whole, part):
            with whole:
                added = _emit_add(builder, sums, has_residual, lambda p: emit_load(builder, sources[p], width))
                for p, row in enumerate(added):
                    emit_store(builder, emit_maximum(builder, args[2], row), places[p])
            with part:
                read = [builder.icmp_signed("<", count.type(p), count) for p in range(tile.count)]
                lanes_of = [builder.select(flag, inside, inside.type(0)) for flag in read]
                added = _emit_add(
                    builder, sums, has_residual, lambda p: emit_masked_load(builder, sources[p], lanes_of[p], width)
                )
                for p, row in enumerate(added):
                    with builder.if_then(read[p]):
                        emit_masked_store(builder, emit_maximum(builder, args[2], row), places[p], inside)
        return context.get_dummy_value()

    return types.void(tile, residual, types.float32, y, types.intp, types.intp, types.intp, types.intp), lower


def _emit_add(builder: Any, sums: list[Any], condition: Any, load_row: Any) -> list[Any]:
    """Return sums[p] + load_row(p) where the condition holds, else the sums."""
    before = builder.block
    with builder.if_then(condition):
        added = [builder.fadd(row, load_row(p)) for p, row in enumerate(sums)]
        then = builder.block
    results = []
    for row, more in zip(sums, added, strict=True):
        result = builder.phi(row.type)
        result.add_incoming(row, before)
        result.add_incoming(more, then)
        results.append(result)
    return results


@jit
def store_turned(partial, at, stride, none, y, to, rows, lanes):
    """Store 16 vectors of `partial` as columns: lane q of all of them to ``y[to + q * stride]`` on, of `rows` lanes.

    Only the first `lanes` vectors are stored; `none` is a null pointer.
    """
    turned = tile_transpose(tile_load(LANES, zero(), partial, at, LANES))
    finish_tile(turned, none, np.float32(-np.inf), y, to, stride, rows, lanes)
