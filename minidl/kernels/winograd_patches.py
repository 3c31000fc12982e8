"""The patches of 4×4 outputs that Winograd's convolution works on: where they are, and what reaches over a border."""
# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs

from __future__ import annotations

from .jit import jit
from .simd import load_like, load_part_like, prefetch, store, width
from .vector import LANES

BORDER = 36 * LANES  # floats: a patch that reaches outside the image is copied
PREFETCHED = 4096  # 256 KiB: more would drive the block in work out of a level-2 cache


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
            prefetch(array, at + line * LANES, 2, 1)
        else:
            prefetch(array, at + line * LANES, 2, 0)


@jit
def on_border(pixels, kind, floats, size, top, left):
    """Whether a vector from each of `pixels` × `pixels` pixels would reach outside the image, or behind the last."""
    height, image_width, channels = size
    bottom, right = top + pixels - 1, left + pixels - 1
    inside = top >= 0 and left >= 0 and bottom < height and right < image_width
    return not inside or (bottom * image_width + right) * channels + width(kind) > floats


@jit
def copy_patch(pixels, kind, image, floats, lanes, size, top, left, scratch):
    """Copy `pixels` × `pixels` pixels from (top, left) on, zeros outside the image, in whose memory `floats` are."""
    height, image_width, channels = size
    all_lanes = ((top + pixels - 1) * image_width + left + pixels - 1) * channels + width(kind) <= floats
    for i in range(pixels):
        row_inside = 0 <= top + i < height
        for j in range(pixels):
            at = ((top + i) * image_width + left + j) * channels
            if not (row_inside and 0 <= left + j < image_width):
                store(scratch, (i * pixels + j) * LANES, kind)
            elif all_lanes:  # what is behind the pixel does no harm
                store(scratch, (i * pixels + j) * LANES, load_like(kind, image, at))
            else:
                store(scratch, (i * pixels + j) * LANES, load_part_like(kind, image, at, lanes))
