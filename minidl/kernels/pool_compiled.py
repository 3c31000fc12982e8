"""The compiled twins of `minidl.kernels.pool`, for 32-bit floats: loops over rows of pixels, channels innermost.

The adjoints are written as gathers, each pixel of x asking the windows that hold it: every value is written once, by one
range, and added up in the order of the window's positions, so that any thread count gives the bits of the twin.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .jit import jit
from .parallel import parallel_for

Array = NDArray[Any]
Pair = tuple[int, int]
Shape = tuple[int, ...]

GRAIN = 1 << 15  # floats of x in a range, about: 10 µs of work or more

# --- Loops over rows [start, stop) of all images: rows of y -------------------------------------------------------------


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
            place[:] = 0
            for h in range(max(top, 0), min(top + size[0], height)):
                for w in range(max(left, 0), min(left + size[1], width)):
                    take_larger(x[n, h, w], (h - top) * size[1] + w - left, best, place)


@jit
def take_larger(values, k, best, place):  # type: ignore[no-untyped-def]
    """Put values that are larger than the best so far, or the first NaN, in its place."""
    for c in range(best.size):
        larger = not values[c] <= best[c] and best[c] == best[c]
        best[c] = values[c] if larger else best[c]
        place[c] = k if larger else place[c]


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


@jit
def gather_rows(start, stop, x, chosen, size, stride, padding, y):  # type: ignore[no-untyped-def]
    """Fill rows of y with the chosen element of each window, 0 where that is padding."""
    height, width = x.shape[1:3]
    rows, columns, channels = y.shape[1:]
    for item in range(start, stop):
        n, oh = item // rows, item % rows
        for ow in range(columns):
            for c in range(channels):
                k = chosen[n, oh, ow, c]
                h, w = oh * stride[0] - padding[0] + k // size[1], ow * stride[1] - padding[1] + k % size[1]
                y[n, oh, ow, c] = x[n, h, w, c] if 0 <= h < height and 0 <= w < width else np.float32(0)


# --- Loops over rows [start, stop) of all images: rows of x -------------------------------------------------------------


@jit
def spread_rows(start, stop, y, chosen, size, stride, padding, x):  # type: ignore[no-untyped-def]
    """Fill rows of x with the sum of y over the windows that chose the pixel; without `chosen`, over all that hold it."""
    rows, columns = y.shape[1:3]
    height, width = x.shape[1:3]
    share = np.float32(1 / (size[0] * size[1]))
    for item in range(start, stop):
        n, h = item // height, item % height
        for w in range(width):
            total = x[n, h, w]
            total[:] = 0
            for kh in range((h + padding[0]) % stride[0], size[0], stride[0]):
                oh = (h + padding[0] - kh) // stride[0]
                for kw in range((w + padding[1]) % stride[1], size[1], stride[1]):
                    ow = (w + padding[1] - kw) // stride[1]
                    if 0 <= oh < rows and 0 <= ow < columns:
                        if chosen is None:
                            add_share(y[n, oh, ow], share, total)
                        else:
                            add_chosen(y[n, oh, ow], chosen[n, oh, ow], kh * size[1] + kw, total)


@jit
def add_share(values, share, total):  # type: ignore[no-untyped-def]
    """total += values · share."""
    for c in range(total.size):
        total[c] += values[c] * share


@jit
def add_chosen(values, place, k, total):  # type: ignore[no-untyped-def]
    """total += values where k is the chosen place."""
    for c in range(total.size):
        total[c] += values[c] if place[c] == k else np.float32(0)
