"""Lanewise images: sixteen side by side, one in each lane, so that no number of channels leaves lanes empty.

Pixel (h, w) of channel c of all images is one vector; vectors lie as (C, H, W), each plane with a border of zeros, so
that a convolution reads over the edge without asking. To NumPy it is an array (16, H, W, C) with unusual strides, and
whatever is not a convolution computes on it as on any other. **Whoever writes one leaves zeros in its border.**
"""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

Array = NDArray[Any]
Shape = tuple[int, ...]

IMAGES = 16  # as many as ``vector.LANES``, which only compiled code can import
PATCH = 4  # rows and columns of outputs that Winograd makes at a time: a plane has room for whole patches


def padded(size: int) -> int:
    """Return the rows (columns) of a plane: one of border, whole patches, and one more of border."""
    return -(-size // PATCH) * PATCH + 2


def floats(shape: Shape) -> int:
    """Return the floats that an image of shape (H, W, C) takes, border included."""
    return padded(shape[0]) * padded(shape[1]) * shape[2]


def place(memory: Array, shape: Shape) -> Array:
    """Return the array (16, H, W, C) that lies in the first 16 · `floats` elements of a flat memory."""
    height, width, channels = shape
    planes = memory[: IMAGES * floats(shape)].reshape(channels, padded(height), padded(width), IMAGES)
    return planes[:, 1 : height + 1, 1 : width + 1].transpose(3, 1, 2, 0)


def holds(x: Array) -> bool:
    """Whether an array lies as `place` lays it; every second pixel of one does not.

    A piece cut out of one would be taken for it, though its border is not of zeros: who holds one does not cut it.
    """
    if x.ndim != 4 or len(x) != IMAGES:
        return False
    row = padded(x.shape[2]) * IMAGES * x.itemsize
    return x.strides == (x.itemsize, row, IMAGES * x.itemsize, padded(x.shape[1]) * row)


def first(x: Array) -> Array:
    """Return the pixel (0, 0) as an array of one: a kernel addresses all others from there, the border's too."""
    return x[:1, 0, 0, 0]


def steps(shape: Shape) -> tuple[int, int]:
    """Return how many floats apart two rows are, and two channels, of images of shape (H, W, C)."""
    row = padded(shape[1]) * IMAGES
    return row, padded(shape[0]) * row
