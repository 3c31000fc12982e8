"""Winograd's transforms for F(4×4, 3×3) in two dimensions: columns first, then rows.

Two rows that share their sums are made at a time, so that what they need of the columns stays in registers; for the
next two it is computed anew. `kind` is any vector of the width to work with: 16, or 8 where no more are left, which
takes half the time; vectors stay 16 floats apart. The loops that use them are in ``winograd.py`` and
``winograd_weight.py``.
"""
# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs

from __future__ import annotations

from .finish import finish_tile
from .jit import jit
from .simd import line_up, load_part, pointer, store, zero
from .tile import across, tile_load, tile_store
from .vector import LANES
from .winograd_1d import filter_1d, grad_1d, input_1d, output_1d, taps_1d
from .winograd_patches import copy_patch, on_border


def six_columns(transform):
    """Return the function that applies a transform in one dimension to six columns of six.

    A factory, and so are those that take it on: numba does not cache a function that another is handed to.
    """

    @jit
    def columns(kind, x, row, column):  # elements are `row` and `column` floats apart
        return (
            transform(tile_load(6, kind, x, 0, row)), transform(tile_load(6, kind, x, column, row)),
            transform(tile_load(6, kind, x, 2 * column, row)), transform(tile_load(6, kind, x, 3 * column, row)),
            transform(tile_load(6, kind, x, 4 * column, row)), transform(tile_load(6, kind, x, 5 * column, row)),
        )  # fmt: skip

    return columns


def six_rows(transform):
    """Return the function that applies a transform in one dimension to each of six rows of columns, and stores them."""

    @jit
    def rows(c, points, plane):  # points `plane` floats apart
        tile_store(transform(across(c, 0)), points, 0, plane)
        tile_store(transform(across(c, 1)), points, 6 * plane, plane)
        tile_store(transform(across(c, 2)), points, 12 * plane, plane)
        tile_store(transform(across(c, 3)), points, 18 * plane, plane)
        tile_store(transform(across(c, 4)), points, 24 * plane, plane)
        tile_store(transform(across(c, 5)), points, 30 * plane, plane)

    return rows


input_columns, output_columns, taps_columns = (six_columns(transform) for transform in (input_1d, output_1d, taps_1d))
input_rows, filter_rows, grad_rows = (six_rows(transform) for transform in (input_1d, filter_1d, grad_1d))


@jit
def input_2d(kind, x, row, column, v, plane):
    """Store Bᵀ d B of a patch, whose pixels are `row` and `column` apart, its 36 points `plane` apart."""
    c = input_columns(kind, x, row, column)
    tile_store(input_1d(across(c, 0)), v, 0, plane)
    tile_store(input_1d(across(c, 5)), v, 30 * plane, plane)
    c = input_columns(kind, x, row, column)
    tile_store(input_1d(across(c, 1)), v, 6 * plane, plane)
    tile_store(input_1d(across(c, 2)), v, 12 * plane, plane)
    c = input_columns(kind, x, row, column)
    tile_store(input_1d(across(c, 3)), v, 18 * plane, plane)
    tile_store(input_1d(across(c, 4)), v, 24 * plane, plane)


@jit
def finish_row(points, bias, residual, floor, y, to, step, cols, lanes):
    """Finish the first `cols` pixels of a row of four outputs."""
    p = output_1d((points[0], points[1] + bias, points[2], points[3], points[4], points[5]))  # point 1 goes to all
    finish_tile((p[0], p[1], p[2], p[3]), residual, floor, y, to, step, cols, lanes)


@jit
def transform_back(bias, m, plane, residual, floor, y, to, y_at, rows, cols, lanes):
    """Finish Aᵀ m A + bias of 36 points `plane` floats apart: the first `rows` × `cols` of the 4×4 outputs go to y."""
    c = output_columns(bias, m, 6 * plane, plane)
    finish_row(across(c, 0), bias, residual, floor, y, to, y_at[3], cols, lanes)
    if rows > 2:
        finish_row(across(c, 2), bias, residual, floor, y, to + 2 * y_at[2], y_at[3], cols, lanes)
    if rows > 1:
        c = output_columns(bias, m, 6 * plane, plane)
        finish_row(across(c, 1), bias, residual, floor, y, to + y_at[2], y_at[3], cols, lanes)
        if rows > 3:
            finish_row(across(c, 3), bias, residual, floor, y, to + 3 * y_at[2], y_at[3], cols, lanes)


@jit
def filter_2d(g, tap, u, plane):
    """Store G g Gᵀ of nine taps `tap` floats apart, its 36 points `plane` apart."""
    c = (
        filter_1d(tile_load(3, zero(), g, 0, 3 * tap)), filter_1d(tile_load(3, zero(), g, tap, 3 * tap)),
        filter_1d(tile_load(3, zero(), g, 2 * tap, 3 * tap)),
    )  # fmt: skip
    filter_rows(c, u, plane)


@jit
def transform_filters(start, stop, packed, u, depth):
    """G w Gᵀ: (blocks, 9, C, 16) → (36, blocks, C, 16), over [start, stop) blocks."""
    plane, tap = packed.size // 9, depth * LANES
    first_w, first_u = pointer(packed, 0), pointer(u, 0)
    for block in range(start, stop):
        for c in range(depth):
            filter_2d(
                pointer(first_w, block * 9 * tap + c * LANES), tap, pointer(first_u, (block * depth + c) * LANES), plane
            )


@jit
def transform_filters_back(start, stop, weight, u, filters, depth):
    """G w Gᵀ of the flipped taps: (O, 9, C) → (36, blocks of 16 channels, O, 16), over [start, stop) blocks."""
    plane = u.size // 36
    few = line_up(9 * LANES)
    first_w, first_u = pointer(weight, 0), pointer(u, 0)
    for block in range(start, stop):
        lanes = min(LANES, depth - block * LANES)
        for o in range(filters):
            taps, step = pointer(first_w, (o * 9 + 8) * depth + block * LANES), -depth
            if lanes < LANES:
                for tap in range(9):
                    store(few, tap * LANES, load_part(taps, tap * step, lanes))
                taps, step = pointer(few, 0), LANES
            filter_2d(taps, step, pointer(first_u, (block * filters + o) * LANES), plane)


@jit
def grad_columns(kind, grad, row, column):
    """Apply A to the four columns of a patch of the gradient."""
    return (
        grad_1d(tile_load(4, kind, grad, 0, row)), grad_1d(tile_load(4, kind, grad, column, row)),
        grad_1d(tile_load(4, kind, grad, 2 * column, row)), grad_1d(tile_load(4, kind, grad, 3 * column, row)),
    )  # fmt: skip


@jit
def grad_2d(kind, grad, row, column, d, plane):
    """Store A g Aᵀ of a patch, whose pixels are `row` and `column` apart, its 36 points `plane` apart."""
    grad_rows(grad_columns(kind, grad, row, column), d, plane)


def patch_transform(pixels, transform):
    """Return the function that transforms a patch of `pixels` × `pixels` of an image, inside or over its border."""

    @jit
    def transform_patch(kind, image, floats, lanes, size, top, left, scratch, points, plane):
        """Store the 36 points, `plane` apart, of the patch that begins at (top, left).

        `kind` holds zeros; lanes beyond `lanes` are left with any numbers. `floats` may be read from `image` on.
        """
        row, column = size[1] * size[2], size[2]
        patch = pointer(image, top * row + left * column)
        if on_border(pixels, kind, floats, size, top, left):
            copy_patch(pixels, kind, image, floats, lanes, size, top, left, scratch)
            patch, row, column = scratch, pixels * LANES, LANES
        transform(kind, patch, row, column, points, plane)

    return transform_patch


transform_input = patch_transform(6, input_2d)  # Bᵀ d B of 6×6 inputs
transform_grad = patch_transform(4, grad_2d)  # A g Aᵀ of the gradient of 4×4 outputs


@jit
def taps_2d(u, plane, taps, step):
    """Store Gᵀ u G of 36 points `plane` apart, the nine taps `step` floats apart."""
    c = taps_columns(zero(), u, 6 * plane, plane)
    tile_store(taps_1d(across(c, 0)), taps, 0, step)
    tile_store(taps_1d(across(c, 1)), taps, 3 * step, step)
    tile_store(taps_1d(across(c, 2)), taps, 6 * step, step)
