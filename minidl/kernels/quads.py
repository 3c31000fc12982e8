"""Quads: the four lanes in a row of which a vector has four. They change places, and are repeated, as intrinsics."""
# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils
from numba.extending import intrinsic

from .vector import LANES, emit_fma, emit_load, emit_pointer, emit_shuffle, vector_type

QUAD = 4


def shuffling(*lanes: int) -> Any:
    """Return the intrinsic of (a, b) that takes those lanes of 32, a's and then b's."""

    @intrinsic
    def shuffle(typing: Any, a: Any, b: Any) -> Any:
        def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            return emit_shuffle(builder, args[0], args[1], list(lanes))

        return vector_type(a, b), lower

    return shuffle


def of_quads(*quads: int) -> Any:
    """Return the intrinsic of (a, b) that takes those quads of 8, a's and then b's."""
    return shuffling(*[QUAD * quad + lane for quad in quads for lane in range(QUAD)])


def in_quads(*lanes: int) -> Any:
    """Return the intrinsic of (a, zeros) that takes those lanes of every quad; 4 is a zero."""
    return shuffling(*[QUAD * quad + lane if lane < QUAD else LANES for quad in range(QUAD) for lane in lanes])


@intrinsic
def fma_quads(typing: Any, tile: Any, u: Any, index: Any, x: Any) -> Any:
    """``fma_quads(tile, u, index, x)``: tile[o] += w · x, where w repeats the quad ``u[index + 4 o]``."""

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        first = emit_pointer(context, builder, sig.args[1], *args[1:3])
        again = [lane % QUAD for lane in range(LANES)]
        rows = []
        for o, sums in enumerate(cgutils.unpack_tuple(builder, args[0])):
            quad = emit_load(builder, builder.gep(first, [ir.IntType(64)(QUAD * o)]), QUAD)
            rows.append(emit_fma(builder, emit_shuffle(builder, quad, quad, again), args[3], sums))
        return context.make_tuple(builder, sig.return_type, rows)

    return tile(tile, u, index, x), lower
