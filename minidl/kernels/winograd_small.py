"""Winograd's F(2×2, 3×3), four outputs from 16 multiplications instead of 36: for blocks too small for F(4×4, 3×3).

The matrices are smaller, and so are the transformed weights: 16 numbers for each of nine instead of 36.
"""
# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .finish import finish_tile
from .jit import jit
from .tile import across, tile_load, tile_store

Array = NDArray[Any]

G = np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]], np.float32)


def filter_2d(weight: Array) -> Array:
    """Return G w Gᵀ of `weight` (O, 3, 3, C), as (16, C, O)."""
    u: Array = np.einsum("ik,okqc,jq->ijco", G, weight, G, optimize=True)
    return u.reshape(16, weight.shape[3], len(weight))


@jit
def input_1d(d):
    """Apply Bᵀ: 4 inputs → 4 points."""
    return d[0] - d[2], d[1] + d[2], d[2] - d[1], d[1] - d[3]


@jit
def output_1d(m):
    """Apply Aᵀ: 4 points → 2 outputs."""
    return m[0] + m[1] + m[2], m[1] - m[2] - m[3]


@jit
def input_2d(kind, x, row, column, v, plane):
    """Store Bᵀ d B of a patch, whose pixels are `row` and `column` apart, its 16 points `plane` apart."""
    c = (
        input_1d(tile_load(4, kind, x, 0, row)), input_1d(tile_load(4, kind, x, column, row)),
        input_1d(tile_load(4, kind, x, 2 * column, row)), input_1d(tile_load(4, kind, x, 3 * column, row)),
    )  # fmt: skip
    tile_store(input_1d(across(c, 0)), v, 0, plane)
    tile_store(input_1d(across(c, 1)), v, 4 * plane, plane)
    tile_store(input_1d(across(c, 2)), v, 8 * plane, plane)
    tile_store(input_1d(across(c, 3)), v, 12 * plane, plane)


@jit
def finish_row(points, bias, residual, floor, y, to, step, cols, lanes):
    """Finish the first `cols` pixels of a row of two outputs."""
    pixels = output_1d((points[0], points[1] + bias, points[2], points[3]))  # point 1 goes to both
    finish_tile(pixels, residual, floor, y, to, step, cols, lanes)


@jit
def transform_back(bias, m, plane, residual, floor, y, to, y_at, rows, cols, lanes):
    """Finish Aᵀ m A + bias of 16 points `plane` floats apart: the first `rows` × `cols` of the 2×2 outputs go to y."""
    c = (
        output_1d(tile_load(4, bias, m, 0, 4 * plane)), output_1d(tile_load(4, bias, m, plane, 4 * plane)),
        output_1d(tile_load(4, bias, m, 2 * plane, 4 * plane)), output_1d(tile_load(4, bias, m, 3 * plane, 4 * plane)),
    )  # fmt: skip
    finish_row(across(c, 0), bias, residual, floor, y, to, y_at[3], cols, lanes)
    if rows > 1:
        finish_row(across(c, 1), bias, residual, floor, y, to + y_at[2], y_at[3], cols, lanes)
