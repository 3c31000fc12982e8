"""A 3×3 convolution of stride 2 on lanewise images, four outputs from 25 multiplications instead of 36.

In one dimension two outputs see five inputs, d[0] w[0] + d[1] w[1] + d[2] w[2] and d[2] w[0] + d[3] w[1] + d[4] w[2].
The taps at the ends are a convolution of stride 1 of every second input, for which Winograd's F(2, 2) multiplies three
times instead of four; the middle tap meets the inputs between. That makes five products of six, and in two dimensions
25 of 36, from additions alone.
"""
# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .finish import finish_tile
from .jit import jit
from .lanewise_edge import copy_seen
from .lanewise_patches import binding, correlation
from .lanewise_sum import count_tiles, lay_out
from .simd import pointer, zero
from .tile import across, tile_load, tile_store
from .vector import LANES

Array = NDArray[Any]

PATCH, SEEN = 2, 5  # rows of outputs, and of the inputs that they are made of
POINTS = SEEN * SEEN
G = np.array([[1, 0, 0], [1, 0, 1], [0, 0, 1], [0, 1, 0], [0, 1, 0]], np.float32)


def prepare(weight: Array) -> Array:
    """Return G w Gᵀ of `weight` (O, 3, 3, C) as the loops read it."""
    filters, _, _, depth = weight.shape
    u = np.einsum("ik,okqc,jq->ijco", G, weight, G, optimize=True).reshape(POINTS, depth, filters)
    return lay_out(u, count_tiles(POINTS, depth, filters))


@jit
def input_1d(d):
    """Apply Bᵀ: 5 inputs → 5 points."""
    return d[0] - d[2], d[2], d[4] - d[2], d[1], d[3]


@jit
def output_1d(m):
    """Apply Aᵀ: 5 points → 2 outputs."""
    return m[0] + m[1] + m[3], m[1] + m[2] + m[4]


@jit
def transform(x, row, top, left, height, width, blocks, scratch, v, plane):
    """Store the points of the patch that begins at (top, left) of a plane whose rows are `row` floats apart."""
    first = pointer(x, top * row + left * LANES)
    if top < 0 or left < 0 or top + SEEN > height or left + SEEN > width:
        copy_seen(x, row, top, left, SEEN, SEEN, height, width, blocks, scratch)
        first, row = scratch, SEEN * LANES
    c = (
        input_1d(tile_load(5, zero(), first, 0, row)), input_1d(tile_load(5, zero(), first, LANES, row)),
        input_1d(tile_load(5, zero(), first, 2 * LANES, row)), input_1d(tile_load(5, zero(), first, 3 * LANES, row)),
        input_1d(tile_load(5, zero(), first, 4 * LANES, row)),
    )  # fmt: skip
    tile_store(input_1d(across(c, 0)), v, 0, plane)
    tile_store(input_1d(across(c, 1)), v, 5 * plane, plane)
    tile_store(input_1d(across(c, 2)), v, 10 * plane, plane)
    tile_store(input_1d(across(c, 3)), v, 15 * plane, plane)
    tile_store(input_1d(across(c, 4)), v, 20 * plane, plane)


@jit
def finish_row(points, bias, residual, floor, y, to, step, cols, lanes):
    """Finish the first `cols` pixels of a row of two outputs."""
    pixels = output_1d((points[0], points[1] + bias, points[2], points[3], points[4]))  # point 1 goes to both
    finish_tile(pixels, residual, floor, y, to, step, cols, lanes)


@jit
def transform_back(bias, m, plane, residual, floor, y, to, y_at, rows, cols, lanes):
    """Finish Aᵀ m A + bias of 25 points `plane` floats apart: the first `rows` × `cols` of the 2×2 outputs go to y."""
    c = (
        output_1d(tile_load(5, bias, m, 0, 5 * plane)), output_1d(tile_load(5, bias, m, plane, 5 * plane)),
        output_1d(tile_load(5, bias, m, 2 * plane, 5 * plane)), output_1d(tile_load(5, bias, m, 3 * plane, 5 * plane)),
        output_1d(tile_load(5, bias, m, 4 * plane, 5 * plane)),
    )  # fmt: skip
    finish_row(across(c, 0), bias, residual, floor, y, to, y_at[3], cols, lanes)
    if rows > 1:
        finish_row(across(c, 1), bias, residual, floor, y, to + y_at[2], y_at[3], cols, lanes)


correlate = correlation(PATCH, 2, POINTS, transform, transform_back)
bind = binding(correlate, PATCH, POINTS)
