"""Lanewise images: sixteen side by side, one in each lane, so that no number of channels leaves lanes empty.

Pixel (h, w) of channel c of all images is one vector; vectors lie as (C, H, W). To NumPy it is an array (16, H, W, C)
with unusual strides, and whatever is not a convolution computes on it as on any other.

A single image is cut into a grid of 4×4 blocks, which lie side by side just so. Only a convolution sees a difference,
where it reads beyond the edge of a block (``lanewise_edge.py``).
"""

from __future__ import annotations

from math import prod
from typing import Any

from numpy.typing import NDArray

Array = NDArray[Any]
Shape = tuple[int, ...]

IMAGES = 16  # as many as ``vector.LANES``, which only compiled code can import
GRID = 4  # rows and columns of blocks that an image is cut into


def block(shape: Shape) -> Shape:
    """Return the shape of a block of an image of shape (H, W, C)."""
    return shape[0] // GRID, shape[1] // GRID, shape[2]


def as_it_lies(x: Array) -> Array:
    """(16, H, W, C) → (C, H, W, 16), a view whose last axis is the lanes."""
    return x.transpose(3, 1, 2, 0)


def place(memory: Array, shape: Shape) -> Array:
    """Return the array (16, H, W, C) that lies in the first elements of a flat memory."""
    height, width, channels = shape
    return as_it_lies(memory[: IMAGES * prod(shape)].reshape(channels, height, width, IMAGES))


def holds(x: Array) -> bool:
    """Whether an array lies as `place` lays it."""
    return x.ndim == 4 and len(x) == IMAGES and as_it_lies(x).flags.c_contiguous


def flat(x: Array) -> Array:
    """Return all numbers of an array that `holds`, in the order in which they lie."""
    return as_it_lies(x).reshape(-1)
