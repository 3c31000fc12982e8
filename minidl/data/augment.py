"""Random crop and mirror of images, as in the ResNet paper: pad 4 pixels on each side, crop, flip half of them.
What happens to an image depends on (seed, epoch, its index) alone, not on the batch it comes in.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from minidl.kernels.random import hash32, stream_key
from minidl.types import Array

HALF = np.uint32(0xFFFF)


@dataclass(frozen=True)
class CropFlip:
    """Crop a window of the original size from the zero-padded image, and mirror it left to right half of the time.

    He et al., "Deep residual learning for image recognition", section 4.2.

    Parameters
    ----------
    pad : pixels of black added on each side; every one of the ``(2 pad + 1)**2`` windows is equally likely
    flip : whether to mirror (wrong for digits and letters)

    Examples
    --------
    >>> images = np.arange(2 * 4 * 4 * 1, dtype=np.uint8).reshape(2, 4, 4, 1)
    >>> crop = CropFlip(pad=1)
    >>> both, one = crop(images, np.array([7, 8]), seed=0, epoch=3), crop(images[1:], np.array([8]), seed=0, epoch=3)
    >>> bool((both[1:] == one).all())
    True
    """

    pad: int = 4
    flip: bool = True

    def __call__(self, images: Array, index: Array, *, seed: int, epoch: int) -> Array:
        """Return augmented copies, uint8 ``(N, H, W, C)``, of images whose indices in the dataset are ``index``."""
        top, left, mirror = self.draw(index, seed=seed, epoch=epoch)
        height, width = images.shape[1:3]
        border = (self.pad, self.pad)
        padded = np.pad(images, ((0, 0), border, border, (0, 0)))  # (N, H + 2 pad, W + 2 pad, C)
        windows = sliding_window_view(padded, (height, width), axis=(1, 2))  # (N, 2 pad + 1, 2 pad + 1, C, H, W)
        windows = windows.transpose(0, 1, 2, 4, 5, 3)  # (N, 2 pad + 1, 2 pad + 1, H, W, C)
        cropped: Array = windows[np.arange(len(images)), top, left]  # (N, H, W, C)
        cropped[mirror] = cropped[mirror, :, ::-1]
        return cropped

    def draw(self, index: Array, *, seed: int, epoch: int) -> tuple[Array, Array, Array]:
        """Return the window's top and left corner in the padded image, and whether to mirror, each ``(N,)``.

        An image has two words: the halves of one give the corner, the top bit of the other the mirror.
        """
        key = stream_key(seed, "augment", epoch)
        word = np.asarray(index).astype(np.uint32) * np.uint32(2)
        corner, mirror = hash32(word, key), hash32(word + np.uint32(1), key) >> np.uint32(31)
        places = np.uint32(2 * self.pad + 1)
        top, left = (corner >> np.uint32(16)) * places >> np.uint32(16), (corner & HALF) * places >> np.uint32(16)
        return top, left, mirror.astype(bool) & self.flip
