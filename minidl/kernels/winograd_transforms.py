"""Winograd's small matrices for F(4×4, 3×3), on vectors of channels: each in one dimension, then in two.

Bᵀ takes inputs, G takes taps and A takes outputs' gradients to the 6 (6×6) points where convolution is a product;
Aᵀ and Gᵀ take the products back. `kind` is any vector of the width to work with: 16, or 8 where no more are left,
which takes half the time; vectors stay 16 floats apart. The loops that use them are in ``winograd.py`` and
``winograd_weight.py``.
"""
# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs

from __future__ import annotations

from .finish import finish_tile
from .jit import jit
from .simd import LANES, line_up, load, load_like, load_part, load_part_like, prefetch, store, width

SCRATCH = 36 * LANES
PREFETCHED = 4096  # 256 KiB: more would drive the block in work out of a level-2 cache

# --- The one-dimensional transforms, on vectors of 16 channels --------------------------------------------------------


@jit
def input_1d(d):
    """Apply Bᵀ: 6 inputs → 6 points."""
    even, odd = d[4] - 4.0 * d[2], d[3] - 4.0 * d[1]
    even2, odd2 = d[4] - d[2], 2.0 * (d[3] - d[1])
    first, last = d[4] + 4.0 * d[0] - 5.0 * d[2], d[5] + 4.0 * d[1] - 5.0 * d[3]
    return first, even + odd, even - odd, even2 + odd2, even2 - odd2, last


@jit
def filter_1d(g):
    """Apply G: 3 taps → 6 points."""
    ends, ends2 = (1 / 6) * (g[0] + g[2]), (1 / 24) * g[0] + (1 / 6) * g[2]
    middle, middle2 = (1 / 6) * g[1], (1 / 12) * g[1]
    return 0.25 * g[0], (-1.0) * ends - middle, middle - ends, ends2 + middle2, ends2 - middle2, g[2]


@jit
def output_1d(m):
    """Apply Aᵀ: 6 points → 4 outputs."""
    even, odd, even2, odd2 = m[1] + m[2], m[1] - m[2], m[3] + m[4], m[3] - m[4]
    return m[0] + even + even2, odd + 2.0 * odd2, even + 4.0 * even2, odd + 8.0 * odd2 + m[5]


@jit
def grad_1d(g):
    """Apply A: 4 outputs' gradients → 6 points."""
    even, odd, even2, odd2 = g[0] + g[2], g[1] + g[3], g[0] + 4.0 * g[2], 2.0 * g[1] + 8.0 * g[3]
    return g[0], even + odd, even - odd, even2 + odd2, even2 - odd2, g[3]


@jit
def taps_1d(u):
    """Apply Gᵀ: 6 points → 3 taps."""
    sum1, sum2 = (1 / 6) * (u[1] + u[2]), u[3] + u[4]
    first = 0.25 * u[0] - sum1 + (1 / 24) * sum2
    middle = (1 / 6) * (u[2] - u[1]) + (1 / 12) * (u[3] - u[4])
    return first, middle, (1 / 6) * sum2 - sum1 + u[5]


# --- Where patches are ------------------------------------------------------------------------------------------------


@jit
def first_place(patch, patches):
    """Return (image, row, column) of a patch; row and column count patches, of which an image has `patches`."""
    per_image = patches[0] * patches[1]
    return patch // per_image, patch % per_image // patches[1], patch % patches[1]


@jit
def next_place(place, patches):
    """Return the place of the patch after that at `place`, without the divisions, which cost as much as a transform."""
    image, row, column = place
    if column + 1 < patches[1]:
        return image, row, column + 1
    if row + 1 < patches[0]:
        return image, row + 1, 0
    return image + 1, 0, 0


@jit
def prefetch_part(array, at, lines, point, write):
    """Ask for part `point` of 36 of so many cache lines from `at` on, of the first `PREFETCHED` at most."""
    lines = min(lines, PREFETCHED)
    for line in range(point * lines // 36, (point + 1) * lines // 36):
        if write:
            prefetch(array, at + line * LANES, 1)
        else:
            prefetch(array, at + line * LANES, 0)


# --- The two-dimensional transforms -----------------------------------------------------------------------------------


@jit
def load_3(array, at, step):
    """Load three vectors, `step` floats apart."""
    return load(array, at), load(array, at + step), load(array, at + 2 * step)


@jit
def load_6(kind, array, at, step):
    """Load six vectors, `step` floats apart."""
    return (
        load_like(kind, array, at), load_like(kind, array, at + step), load_like(kind, array, at + 2 * step),
        load_like(kind, array, at + 3 * step), load_like(kind, array, at + 4 * step),
        load_like(kind, array, at + 5 * step),
    )  # fmt: skip


@jit
def store_6(array, at, step, values):
    """Store six vectors, `step` floats apart."""
    store(array, at, values[0])
    store(array, at + step, values[1])
    store(array, at + 2 * step, values[2])
    store(array, at + 3 * step, values[3])
    store(array, at + 4 * step, values[4])
    store(array, at + 5 * step, values[5])


@jit
def pixel(kind, x, at, inside, lanes):
    """Return the first `lanes` channels of one pixel and any numbers in the other lanes, or zeros outside the image."""
    if not inside:
        return kind
    if at + width(kind) <= x.size:
        return load_like(kind, x, at)  # without a mask, which would cost more: what is behind the pixel does no harm
    return load_part_like(kind, x, at, lanes)


@jit
def transform_patch(kind, x, at, lanes, size, top, left, scratch, v, to, plane):
    """Store Bᵀ d B of the 6×6 patch whose corner is (top, left) of the image at `at`, its points `plane` apart.

    `kind` holds zeros; lanes beyond `lanes` are left with any numbers.
    """
    height, image_width, channels = size
    row = image_width * channels
    whole = 0 <= top <= height - 6 and 0 <= left <= image_width - 6
    whole = whole and at + (top + 5) * row + (left + 5) * channels + width(kind) <= x.size
    for j in range(6):
        corner = at + top * row + (left + j) * channels
        if whole:
            store_6(scratch, j * LANES, 6 * LANES, input_1d(load_6(kind, x, corner, row)))
        else:
            inside = 0 <= left + j < image_width
            d = (
                pixel(kind, x, corner, inside and 0 <= top < height, lanes),
                pixel(kind, x, corner + row, inside and 0 <= top + 1 < height, lanes),
                pixel(kind, x, corner + 2 * row, inside and 0 <= top + 2 < height, lanes),
                pixel(kind, x, corner + 3 * row, inside and 0 <= top + 3 < height, lanes),
                pixel(kind, x, corner + 4 * row, inside and 0 <= top + 4 < height, lanes),
                pixel(kind, x, corner + 5 * row, inside and 0 <= top + 5 < height, lanes),
            )
            store_6(scratch, j * LANES, 6 * LANES, input_1d(d))
    for i in range(6):
        store_6(v, to + i * 6 * plane, plane, input_1d(load_6(kind, scratch, i * 6 * LANES, LANES)))


@jit
def transform_back(bias, m, at, plane, scratch, residual, floor, y, to, y_at, rows, cols, lanes):
    """Finish Aᵀ m A + bias of 36 points `plane` floats apart: the first `rows` × `cols` of the 4×4 outputs go to y."""
    for j in range(6):
        values = output_1d(load_6(bias, m, at + j * plane, 6 * plane))
        store(scratch, j * LANES, values[0])
        store(scratch, (6 + j) * LANES, values[1])
        store(scratch, (12 + j) * LANES, values[2])
        store(scratch, (18 + j) * LANES, values[3])
    for i in range(rows):
        values = output_1d(load_6(bias, scratch, i * 6 * LANES, LANES))
        pixels = values[0] + bias, values[1] + bias, values[2] + bias, values[3] + bias
        finish_tile(pixels, residual, floor, y, to + i * y_at[2], y_at[3], cols, lanes)


@jit
def transform_filters(start, stop, packed, u, depth):
    """G w Gᵀ: (blocks, 9, C, 16) → (36, blocks, C, 16), over [start, stop) blocks."""
    plane = packed.size // 9
    scratch = line_up(18 * LANES)
    tap = depth * LANES
    for block in range(start, stop):
        for c in range(depth):
            at, to = block * 9 * tap + c * LANES, (block * depth + c) * LANES
            for j in range(3):
                store_6(scratch, j * LANES, 3 * LANES, filter_1d(load_3(packed, at + j * tap, 3 * tap)))
            for i in range(6):
                store_6(u, to + i * 6 * plane, plane, filter_1d(load_3(scratch, i * 3 * LANES, LANES)))


@jit
def transform_grad(grad, at, lanes, size, top, left, scratch, d, to, plane):
    """Store A g Aᵀ of the 4×4 patch of the gradient whose corner is (top, left), its 36 points `plane` floats apart."""
    height, width, channels = size
    row = width * channels
    for j in range(4):
        count = lanes if left + j < width else 0
        corner = at + top * row + (left + j) * channels
        g = (
            load_part(grad, corner, count),
            load_part(grad, corner + row, count if top + 1 < height else 0),
            load_part(grad, corner + 2 * row, count if top + 2 < height else 0),
            load_part(grad, corner + 3 * row, count if top + 3 < height else 0),
        )
        store_6(scratch, j * LANES, 4 * LANES, grad_1d(g))
    for i in range(6):
        at_row = i * 4 * LANES
        g = (
            load(scratch, at_row), load(scratch, at_row + LANES),
            load(scratch, at_row + 2 * LANES), load(scratch, at_row + 3 * LANES),
        )  # fmt: skip
        store_6(d, to + i * 6 * plane, plane, grad_1d(g))
