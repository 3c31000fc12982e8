"""What a convolution sees of a lanewise plane: its pixels, and beyond the edge zeros or what the next block has there.

The next block of an image in blocks lies in the next lane or four lanes on. So a pixel beyond the edge is the vector of
the opposite edge with its lanes moved, and zeros moved in where the image ends.
"""
# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils
from numba.extending import intrinsic

from .jit import jit
from .lanewise import GRID
from .simd import load, pointer, store, zero
from .vector import FLOAT, LANES, emit_shuffle, vector_type


@intrinsic(prefer_literal=True)
def neighbour(typing: Any, vector: Any, down: Any, right: Any) -> Any:
    """``neighbour(vector, down, right)``: to each block what the block so far away has, zero beyond the image."""

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return emit_neighbour(builder, args[0], down.literal_value, right.literal_value)

    return vector_type(vector, down, right), lower


@intrinsic(prefer_literal=True)
def tile_neighbour(typing: Any, tile: Any, down: Any, right: Any) -> Any:
    """``tile_neighbour(tile, down, right)``: the same for each row of a tile."""

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        rows = cgutils.unpack_tuple(builder, args[0])
        moved = [emit_neighbour(builder, row, down.literal_value, right.literal_value) for row in rows]
        return context.make_tuple(builder, sig.return_type, moved)

    return tile(tile, down, right), lower


def emit_neighbour(builder: Any, vector: Any, down: int, right: int) -> Any:
    """Return the vector with its lanes moved."""
    found = []
    for lane in range(LANES):
        i, j = lane // GRID + down, lane % GRID + right
        found.append(i * GRID + j if 0 <= i < GRID and 0 <= j < GRID else LANES)  # the first of the zeros
    zeros = ir.Constant(ir.VectorType(FLOAT, LANES), [0.0] * LANES)
    return emit_shuffle(builder, vector, zeros, found)


def row_copy(down):
    """Return the function that copies a row of this block, or of the next one above (−1) or below (1)."""

    @jit
    def copy_row(x, left, cols, width, blocks, scratch):
        """Copy `cols` pixels from column `left` ≥ −1 on of a row of so many."""
        start, inside = max(-left, 0), min(cols, width - left)
        if start:
            store(scratch, 0, neighbour(load(x, (width - 1) * LANES), down, -1) if blocks else zero())
        for j in range(start, inside):
            pixel = load(x, (left + j) * LANES)
            store(scratch, j * LANES, neighbour(pixel, down, 0) if blocks or down == 0 else zero())
        if inside < cols:
            store(scratch, inside * LANES, neighbour(load(x, 0), down, 1) if blocks else zero())
        for j in range(inside + 1, cols):  # of a patch that is not whole: any number that is finite
            store(scratch, j * LANES, zero())

    return copy_row


copy_above, copy_own, copy_below = row_copy(-1), row_copy(0), row_copy(1)


@jit
def copy_seen(x, row, top, left, rows, cols, height, width, blocks, scratch):
    """Copy `rows` × `cols` pixels from (top, left), −1 at least, of a plane of so many, an image's or of `blocks`.

    Its rows lie `row` floats apart.
    """
    if top >= 0 and left >= 0 and top + rows <= height and left + cols <= width:
        for i in range(rows):
            for j in range(cols):
                store(scratch, (i * cols + j) * LANES, load(x, (top + i) * row + (left + j) * LANES))
        return
    for i in range(rows):
        h, to = top + i, pointer(scratch, i * cols * LANES)
        if h < 0:
            copy_above(pointer(x, (height - 1) * row), left, cols, width, blocks, to)
        elif h < height:
            copy_own(pointer(x, h * row), left, cols, width, blocks, to)
        elif h == height:
            copy_below(pointer(x, 0), left, cols, width, blocks, to)
        else:
            for j in range(cols):
                store(to, j * LANES, zero())
