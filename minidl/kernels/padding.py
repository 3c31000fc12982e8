"""Zeros around images, or around their channels as in a shortcut without weights; images may be every second pixel."""
# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from .entry import DONE, Loop, arguments, entry

Array = NDArray[Any]

GRAIN = 1 << 17  # floats of y in a range, about
KINDS = "pp4444"


@entry(KINDS)
def pad(start, stop, address):
    """Fill rows [start, stop) of all images of y; x has any strides, and lies `before` from y's first number."""
    x, y, x_size, x_steps, y_size, before = arguments(address, KINDS)
    _, height, width, channels = y_size
    for item in range(start, stop):
        image, row, to = item // height - before[0], item % height - before[1], item * width * channels
        for i in range(width * channels):
            y[to + i] = 0.0
        if 0 <= image < x_size[0] and 0 <= row < x_size[1]:
            at = image * x_steps[0] + row * x_steps[1]
            to += before[2] * channels + before[3]
            for _ in range(x_size[2]):
                if x_steps[3] == 1:  # known to be so, it is copied in whole vectors
                    for c in range(x_size[3]):
                        y[to + c] = x[at + c]
                else:
                    for c in range(x_size[3]):
                        y[to + c] = x[at + c * x_steps[3]]
                at, to = at + x_steps[2], to + channels
    return DONE


def padding(x: Array, y: Array, before: tuple[int, ...]) -> Loop:
    """Return the call that copies x into y (N, H, W, C), `before` from the first number of each axis, among zeros."""
    rows = y.shape[0] * y.shape[1]
    x_steps = tuple(step // x.itemsize for step in x.strides)
    return Loop(pad, rows, max(1, GRAIN * rows // max(y.size, 1)), x, y, x.shape, x_steps, y.shape, before)
