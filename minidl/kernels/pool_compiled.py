"""The compiled twins of `minidl.kernels.pool`, for 32-bit floats: loops over rows or images, channels innermost.

Adjoints visit the windows from the last to the first, so that what overlapping windows give to one pixel is added up in
the order of the window's places: the bits of the twin.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .entry import DONE, Loop, arguments, entry
from .jit import jit
from .parallel import parallel_for

Array = NDArray[Any]
Pair = tuple[int, int]
Shape = tuple[int, ...]

GRAIN = 1 << 17  # floats of x in a range, about: 30 µs of work or more


# --- Loops over rows [start, stop) of outputs, N·OH in all ------------------------------------------------------------


@jit
def larger(value: Any, k: int, best: Any, place: Any) -> tuple[Any, Any]:
    """Return (value, k) if value exceeds the best so far, or is the first NaN, else (best, place), without a branch."""
    is_larger = np.int32(not value <= best) & np.int32(best == best)
    return value if is_larger else best, place + (np.int32(k) - place) * is_larger


@jit
def max_rows(start, stop, x, size, stride, padding, y, chosen):  # type: ignore[no-untyped-def]
    """Fill rows of y with the maximum of each window, and of `chosen` with its place."""
    height, width = x.shape[1:3]
    rows, columns = y.shape[1:3]
    for item in range(start, stop):
        n, oh = item // rows, item % rows
        top = oh * stride[0] - padding[0]
        for ow in range(columns):
            left = ow * stride[1] - padding[1]
            best, place = y[n, oh, ow], chosen[n, oh, ow]
            best[:] = -np.inf
            place[:] = (max(top, 0) - top) * size[1] + max(left, 0) - left  # among equals the image, not its padding
            for h in range(max(top, 0), min(top + size[0], height)):
                for w in range(max(left, 0), min(left + size[1], width)):
                    values, k = x[n, h, w], (h - top) * size[1] + w - left
                    for c in range(best.size):
                        best[c], place[c] = larger(values[c], k, best[c], np.int32(place[c]))


@jit
def max_rows_2x2(start, stop, x, y, chosen):  # type: ignore[no-untyped-def]
    """Do `max_rows` for windows of 2 by 2 side by side: four reads, one write."""
    rows, columns = y.shape[1:3]
    for item in range(start, stop):
        n, oh = item // rows, item % rows
        for ow in range(columns):
            x0, x1 = x[n, 2 * oh, 2 * ow], x[n, 2 * oh, 2 * ow + 1]
            x2, x3 = x[n, 2 * oh + 1, 2 * ow], x[n, 2 * oh + 1, 2 * ow + 1]
            out, places = y[n, oh, ow], chosen[n, oh, ow]
            for c in range(out.size):
                best, place = larger(x1[c], 1, x0[c], np.int32(0))
                best, place = larger(x2[c], 2, best, place)
                out[c], places[c] = larger(x3[c], 3, best, place)


@jit
def average_rows(start, stop, x, size, stride, padding, y):  # type: ignore[no-untyped-def]
    """Fill rows of y with the mean of each window, padding counted as zeros."""
    height, width = x.shape[1:3]
    rows, columns = y.shape[1:3]
    share = np.float32(1 / (size[0] * size[1]))
    for item in range(start, stop):
        n, oh = item // rows, item % rows
        top = oh * stride[0] - padding[0]
        for ow in range(columns):
            left = ow * stride[1] - padding[1]
            total = y[n, oh, ow]
            total[:] = 0
            for h in range(max(top, 0), min(top + size[0], height)):
                for w in range(max(left, 0), min(left + size[1], width)):
                    values = x[n, h, w]
                    for c in range(total.size):
                        total[c] += values[c]
            for c in range(total.size):
                total[c] *= share


# --- Loops over images [start, stop) ----------------------------------------------------------------------------------


@jit
def places_in(image_width: int, channels: int, size: Pair) -> Array:
    """Return how far each place of a window lies from its first in memory."""
    offsets = np.empty(size[0] * size[1], np.int64)
    for k in range(offsets.size):
        offsets[k] = (k // size[1] * image_width + k % size[1]) * channels
    return offsets


@jit
def is_real(k: int, top: int, left: int, size: Pair, height: int, width: int) -> bool:
    """Whether place k of a window lies in the image, not in its padding."""
    return 0 <= top + k // size[1] < height and 0 <= left + k % size[1] < width


@jit
def gather_images(start, stop, x, chosen, size, stride, padding, y):  # type: ignore[no-untyped-def]
    """Fill images of y with the chosen element of each window, 0 where that is padding."""
    height, width, channels = x.shape[1:]
    rows, columns = y.shape[1:3]
    offsets = places_in(width, channels, size)
    for n in range(start, stop):
        image = x[n].reshape(-1)
        for oh in range(rows):
            top = oh * stride[0] - padding[0]
            for ow in range(columns):
                left = ow * stride[1] - padding[1]
                inside = min(top, left) >= 0 and top + size[0] <= height and left + size[1] <= width
                at, place, out = (top * width + left) * channels, chosen[n, oh, ow], y[n, oh, ow]
                for c in range(channels):
                    if inside or is_real(place[c], top, left, size, height, width):
                        out[c] = image[at + offsets[place[c]] + c]
                    else:
                        out[c] = 0


@jit
def spread_images(start, stop, y, chosen, size, stride, padding, x):  # type: ignore[no-untyped-def]
    """Fill images of x with zeros and every y added at the chosen element of its window, dropped in padding."""
    height, width, channels = x.shape[1:]
    rows, columns = y.shape[1:3]
    offsets = places_in(width, channels, size)
    for n in range(start, stop):
        image = x[n].reshape(-1)
        image[:] = 0
        for oh in range(rows - 1, -1, -1):
            top = oh * stride[0] - padding[0]
            for ow in range(columns - 1, -1, -1):
                left = ow * stride[1] - padding[1]
                inside = min(top, left) >= 0 and top + size[0] <= height and left + size[1] <= width
                at, place, values = (top * width + left) * channels, chosen[n, oh, ow], y[n, oh, ow]
                for c in range(channels):
                    if inside or is_real(place[c], top, left, size, height, width):
                        image[at + offsets[place[c]] + c] += values[c]


@jit
def share_images(start, stop, y, size, stride, padding, x):  # type: ignore[no-untyped-def]
    """Fill images of x with zeros and every y shared by all elements of its window."""
    height, width, channels = x.shape[1:]
    rows, columns = y.shape[1:3]
    share = np.float32(1 / (size[0] * size[1]))
    for n in range(start, stop):
        x[n] = 0
        for oh in range(rows - 1, -1, -1):
            top = oh * stride[0] - padding[0]
            for ow in range(columns - 1, -1, -1):
                left = ow * stride[1] - padding[1]
                values = y[n, oh, ow]
                for h in range(max(top, 0), min(top + size[0], height)):
                    for w in range(max(left, 0), min(left + size[1], width)):
                        total = x[n, h, w]
                        for c in range(channels):
                            total[c] += values[c] * share


AVERAGING = "ppii"


@entry(AVERAGING)
def average_images(start: int, stop: int, address: int) -> int:
    """y[n] = mean of the pixels of image n, summed in float64."""
    x, y, pixels, channels = arguments(address, AVERAGING)  # type: ignore[call-arg, var-annotated]
    total = np.empty(channels)
    for n in range(start, stop):
        total[:] = 0.0
        for pixel in range(pixels):
            at = (n * pixels + pixel) * channels
            for c in range(channels):
                total[c] += x[at + c]
        for c in range(channels):
            y[n * channels + c] = total[c] / pixels
    return DONE


@jit
def fill_images(start, stop, y, x):  # type: ignore[no-untyped-def]
    """x[n, every pixel] = y[n] / number of pixels."""
    share = np.float32(1 / x.shape[1])
    for n in range(start, stop):
        for pixel in range(x.shape[1]):
            values = x[n, pixel]
            for c in range(values.size):
                values[c] = y[n, c] * share


# --- The functions ----------------------------------------------------------------------------------------------------


def max_pool(x: Array, size: Pair, stride: Pair, padding: Pair) -> tuple[Array, Array]:
    """Return the maxima (N, OH, OW, C) and `chosen`, the position of the first maximum (NaN counts as largest)."""
    y = _empty_output(x, size, stride, padding)
    chosen = np.empty(y.shape, np.uint8 if size[0] * size[1] < 256 else np.int32)
    if size == stride == (2, 2) and padding == (0, 0):
        _run(max_rows_2x2, x, _rows(y), x, y, chosen)
    else:
        _run(max_rows, x, _rows(y), x, size, stride, padding, y, chosen)
    return y, chosen


def gather(x: Array, chosen: Array, size: Pair, stride: Pair, padding: Pair) -> Array:
    """Return the chosen element of each window: the adjoint of `spread`."""
    y = np.empty(chosen.shape, np.float32)
    _run(gather_images, x, len(x), x, chosen, size, stride, padding, y)
    return y


def spread(y: Array, chosen: Array, x_shape: Shape, size: Pair, stride: Pair, padding: Pair) -> Array:
    """Return zeros (N, H, W, C) with every y added at the chosen element of its window."""
    x = np.empty(x_shape, np.float32)
    _run(spread_images, x, len(x), y, chosen, size, stride, padding, x)
    return x


def avg_pool(x: Array, size: Pair, stride: Pair, padding: Pair) -> Array:
    """Return the mean (N, OH, OW, C) of each window, padding counted as zeros."""
    y = _empty_output(x, size, stride, padding)
    _run(average_rows, x, _rows(y), x, size, stride, padding, y)
    return y


def avg_pool_grad(grad_y: Array, x_shape: Shape, size: Pair, stride: Pair, padding: Pair) -> Array:
    """Return the adjoint of `avg_pool`: every window's gradient shared equally by its elements."""
    x = np.empty(x_shape, np.float32)
    _run(share_images, x, len(x), grad_y, size, stride, padding, x)
    return x


def global_avg_pool(x: Array) -> Array:
    """Return the mean of each channel over the image, (N, H, W, C) to (N, C)."""
    y = np.empty((len(x), x.shape[3]), np.float32)
    averaging(np.ascontiguousarray(x), y)()
    return y


def averaging(x: Array, y: Array) -> Loop:
    """Return the call that fills y (N, C) with the mean of each channel over the image of x; both are contiguous."""
    n, height, width, channels = x.shape
    return Loop(average_images, n, _grain(x, n), x, y, height * width, channels)


def global_avg_pool_grad(grad_y: Array, x_shape: Shape) -> Array:
    """Return the adjoint of `global_avg_pool`: the gradient (N, C) shared equally by all pixels."""
    n, height, width, channels = x_shape
    x = np.empty(x_shape, np.float32)
    _run(fill_images, x, n, grad_y, x.reshape(n, height * width, channels))
    return x


def _empty_output(x: Array, size: Pair, stride: Pair, padding: Pair) -> Array:
    rows, columns = ((x.shape[1 + i] + 2 * padding[i] - size[i]) // stride[i] + 1 for i in (0, 1))
    return np.empty((len(x), rows, columns, x.shape[3]), np.float32)


def _rows(y: Array) -> int:
    """Return the number of rows of outputs in all images."""
    return int(y.shape[0] * y.shape[1])


def _run(loop: Any, x: Array, items: int, *args: Any) -> None:
    """Run a loop over `items` equal parts of x, with contiguous arrays."""
    contiguous = [np.ascontiguousarray(value) if isinstance(value, np.ndarray) else value for value in args]
    parallel_for(loop, items, _grain(x, items), *contiguous)


def _grain(x: Array, items: int) -> int:
    """Return how many of so many equal parts of x are worth a range."""
    return max(1, GRAIN * items // max(x.size, 1))
