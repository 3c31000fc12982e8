"""Lanewise images: sixteen side by side, one in each lane, so that no number of channels leaves lanes empty.

Pixel (h, w) of channel c of all images is one vector; vectors lie as (C, H, W). To NumPy it is an array (16, H, W, C)
with unusual strides, and whatever is not a convolution computes on it as on any other.

A single image is cut into a grid of 4×4 blocks, which lie side by side just so. A convolution sees a difference, where
it reads beyond the edge of a block (``lanewise_edge.py``), and an average, which is of all blocks. Vectors of blocks
lie as (H, C, W), since two threads share the rows of large blocks: what each writes is in one piece then, and a
processor that fetches what lies next does not take it from the other.
"""

from __future__ import annotations

from math import prod
from typing import Any

from numpy.typing import NDArray

Array = NDArray[Any]
Shape = tuple[int, ...]

IMAGES = 16  # as many as ``vector.LANES``, which only compiled code can import
GRID = 4  # rows and columns of blocks that an image is cut into
BY_CHANNELS, BY_ROWS = (3, 1, 2, 0), (1, 3, 2, 0)  # the axes of an array (16, H, W, C) in the order in which they lie


def block(shape: Shape) -> Shape:
    """Return the shape of a block of an image of shape (H, W, C)."""
    return shape[0] // GRID, shape[1] // GRID, shape[2]


def place(memory: Array, shape: Shape, blocks: bool = False) -> Array:
    """Return the array (16, H, W, C) of images or of `blocks` that lies in the first elements of a flat memory."""
    height, width, channels = shape
    first = memory[: IMAGES * prod(shape)]
    if blocks:
        return first.reshape(height, channels, width, IMAGES).transpose(3, 0, 2, 1)
    return first.reshape(channels, height, width, IMAGES).transpose(3, 1, 2, 0)


def order(x: Array) -> tuple[int, ...]:
    """Return the axes of an array in the order in which they lie, if it lies as `place` lays it."""
    return BY_CHANNELS if x.transpose(BY_CHANNELS).flags.c_contiguous else BY_ROWS


def holds(x: Array) -> bool:
    """Whether an array lies as `place` lays it."""
    return x.ndim == 4 and len(x) == IMAGES and x.transpose(order(x)).flags.c_contiguous


def differs(*arrays: Array) -> bool:
    """Whether one of the arrays lies so and not as an ordinary one: images of one number lie as both."""
    return any(x.size > IMAGES and holds(x) for x in arrays)


def flat(x: Array) -> Array:
    """Return all numbers of an array that `holds`, in the order in which they lie."""
    return x.transpose(order(x)).reshape(-1)


def steps(x: Array) -> tuple[int, int]:
    """Return how many numbers apart the rows and the channels of an array lie."""
    return x.strides[1] // x.itemsize, x.strides[3] // x.itemsize
