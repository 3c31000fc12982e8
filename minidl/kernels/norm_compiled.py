"""The compiled twins of the passes of `minidl.kernels.norm`, for 32-bit floats: every pass runs at the speed of memory.

**Wide rows.** A row of 16 channels is too short a loop, and 27 channels fill no vector; so each loop runs over a wide
row of several rows at once, with the channels' constants repeated to match. **Sums** are taken lane by lane in float32
over a block of at most 64 wide rows, folded to channels in float64, and the blocks added in order: the same bits for
any number of threads.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .jit import jit
from .parallel import parallel_for

Array = NDArray[Any]

ZERO = np.float32(0)
WIDTH = 512  # floats in a wide row, at least
BLOCK = 1 << 15  # floats in a block of sums, at most: 128 KiB, and 64 terms in every float32 sum
BLOCKS = 2  # blocks in a range
GRAIN = 1 << 16  # floats in a range of a loop without sums: 15 µs of work, twice what a dispatch to a thread costs


# --- The loops --------------------------------------------------------------------------------------------------------


@jit
def sum_moments(start, stop, x, origin, width, block, out):  # type: ignore[no-untyped-def]
    """Write Σ (x - origin), Σ (x - origin)² of block b to out[b], summed around the mean of its first wide row."""
    channels = origin.size
    for b in range(start, stop):
        rows = x[b * block : (b + 1) * block]
        first = rows[:width]
        fold(first, out[b, 0])
        centre = np.empty(width, np.float32)
        for at in range(0, width, channels):
            for c in range(channels):
                centre[at + c] = out[b, 0, c] * (channels / first.size)
        sums, squares = np.zeros(width, np.float32), np.zeros(width, np.float32)
        for at in range(0, rows.size, width):
            row = rows[at : at + width]
            for i in range(row.size):
                centred = row[i] - centre[i]
                sums[i] += centred
                squares[i] += centred * centred
        fold(sums, out[b, 0])
        fold(squares, out[b, 1])
        move_origin(out[b, 0], out[b, 1], centre, origin, rows.size // channels)


@jit
def fold(lanes: Array, out: Array) -> None:
    """Sum the lanes of each channel."""
    out[:] = 0
    for at in range(0, lanes.size, out.size):
        row = lanes[at : at + out.size]
        for c in range(out.size):
            out[c] += row[c]


@jit
def move_origin(sums: Array, squares: Array, centre: Array, origin: Array, n: int) -> None:
    """Turn Σ d, Σ d² of n distances from `centre` into those from `origin`, δ away: Σ d + nδ, Σ d² + 2δ Σ d + nδ²."""
    for c in range(origin.size):
        delta = np.float64(centre[c]) - origin[c]
        squares[c] += delta * (2 * sums[c] + n * delta)
        sums[c] += n * delta


@jit
def wide(constant: Array, width: int) -> Array:
    """Repeat a constant (C,) over a wide row."""
    row = np.empty(width, np.float32)
    for at in range(0, width, constant.size):
        row[at : at + constant.size] = constant
    return row


@jit
def apply(start, stop, width, x, mean, scale, bias, residual, floor, y):  # type: ignore[no-untyped-def]
    """Write max((x - mean) · scale + bias + residual, floor) to y by wide rows; the residual may be None."""
    mean, scale, bias = wide(mean, width), wide(scale, width), wide(bias, width)
    for at in range(start * width, stop * width, width):
        row, to = x[at : at + width], y[at : at + width]
        if residual is not None:
            other = residual[at : at + width]
        for i in range(row.size):
            value = (row[i] - mean[i]) * scale[i] + bias[i]
            if residual is not None:
                value += other[i]
            to[i] = floor if value < floor else value


@jit
def sum_gradients(start, stop, x, grad_y, mean, scale, bias, width, block, out):  # type: ignore[no-untyped-def]
    """Write Σ g, Σ g (x - mean) of block b to out[b]; g is grad_y, with a bias 0 wherever y was not positive."""
    mean, scale = wide(mean, width), wide(scale, width)
    if bias is not None:
        shift = wide(bias, width)
    for b in range(start, stop):
        grad_rows, rows = grad_y[b * block : (b + 1) * block], x[b * block : (b + 1) * block]
        sums, products = np.zeros(width, np.float32), np.zeros(width, np.float32)
        for at in range(0, rows.size, width):
            grad, row = grad_rows[at : at + width], rows[at : at + width]
            for i in range(row.size):
                centred = row[i] - mean[i]
                g = grad[i]
                if bias is not None:
                    g = g if centred * scale[i] + shift[i] > 0 else ZERO
                sums[i] += g
                products[i] += g * centred
        fold(sums, out[b, 0])
        fold(products, out[b, 1])


@jit
def gradient(start, stop, width, x, grad_y, mean, scale, bias, slope, offset, grad_x):  # type: ignore[no-untyped-def]
    """Write (g - offset - (x - mean) · slope) · scale to grad_x by wide rows, where g is as in `sum_gradients`."""
    mean, scale, slope, offset = wide(mean, width), wide(scale, width), wide(slope, width), wide(offset, width)
    if bias is not None:
        shift = wide(bias, width)
    for at in range(start * width, stop * width, width):
        grad, row, to = grad_y[at : at + width], x[at : at + width], grad_x[at : at + width]
        for i in range(row.size):
            centred = row[i] - mean[i]
            g = grad[i]
            if bias is not None:
                g = g if centred * scale[i] + shift[i] > 0 else ZERO
            to[i] = (g - offset[i] - centred * slope[i]) * scale[i]


# --- The passes -------------------------------------------------------------------------------------------------------


def moments(x: Array) -> tuple[Array, Array]:
    """Return the mean and the biased variance of every channel, (C,) in float64."""
    channels = x.shape[-1]
    origin = x[(0,) * (x.ndim - 1)].copy()
    mean, square = _sum_blocks(sum_moments, x, origin) / (x.size // channels)
    return origin + mean, np.maximum(square - mean * mean, 0)


def normalize(
    x: Array, mean: Array, scale: Array, bias: Array, residual: Array | None, relu: bool, out: Array | None = None
) -> Array:
    """Return (x - mean) · scale + bias, plus the residual, cut at 0 for a ReLU."""
    y = np.empty(x.shape, np.float32) if out is None else out
    other = None if residual is None else _flat(residual)
    floor = np.float32(0 if relu else -np.inf)
    _run(apply, x, _plain(mean), scale, _plain(bias), other, floor, y.reshape(-1))
    return y


def gradient_sums(grad_y: Array, x: Array, mean: Array, scale: Array, bias: Array | None) -> tuple[Array, Array]:
    """Return Σ grad_y and Σ grad_y (x - mean) over all rows, (C,) in float64; with a bias, grad_y gated first."""
    total, product = _sum_blocks(sum_gradients, x, _flat(grad_y), mean, scale, _plain(bias))
    return total, product


def gradient_of_input(
    grad_y: Array, x: Array, mean: Array, scale: Array, bias: Array | None, slope: Array, offset: Array
) -> Array:
    """Return (grad_y - offset - (x - mean) · slope) · scale; with a bias, grad_y gated first."""
    grad_x = np.empty(x.shape, np.float32)
    _run(gradient, x, _flat(grad_y), mean, scale, _plain(bias), slope, offset, grad_x.reshape(-1))
    return grad_x


# --- Wide rows and blocks ---------------------------------------------------------------------------------------------


def _width(channels: int) -> int:
    """Return the floats of a wide row: WIDTH or more, in whole vectors of 16 where rows are short."""
    step = 16 // math.gcd(channels, 16)
    return channels if channels >= WIDTH else -(-WIDTH // (channels * step)) * step * channels


def _plain(constant: Array | None) -> Array | None:
    """Copy a (C,) array that comes from outside, so that loops are compiled for one kind of array; None stays None."""
    return None if constant is None else np.array(constant, np.float32)


def _run(loop: Any, x: Array, *args: Any) -> None:
    """Run a loop without sums over the wide rows of x; the last one may be shorter."""
    width = _width(x.shape[-1])
    parallel_for(loop, -(-x.size // width), max(1, GRAIN // width), width, _flat(x), *args)


def _sum_blocks(loop: Any, x: Array, *args: Any) -> Array:
    """Run a loop that leaves two sums a channel for every block of x, and add the blocks up in order: (2, C)."""
    width = _width(x.shape[-1])
    block = max(1, BLOCK // width) * width
    out = np.empty((-(-x.size // block), 2, x.shape[-1]))
    parallel_for(loop, len(out), BLOCKS, _flat(x), *args, width, block, out)
    total: Array = out.sum(axis=0)
    return total


def _flat(x: Array) -> Array:
    return np.ascontiguousarray(x).reshape(-1)
