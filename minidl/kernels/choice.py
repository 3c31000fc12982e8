"""Which compiled kernel computes a convolution: the one whose estimated cost is least, in a sentence if wanted."""

from __future__ import annotations

import functools

from .backend import compiled, conv_kind

Pair = tuple[int, int]
Shape = tuple[int, ...]
Problem = tuple[Shape, Shape, Pair, Pair, int]  # shapes of x and the weight, stride, padding, groups


def output_size(size: int, kernel: int, stride: int, padding: int) -> int:
    """Return the number of positions at which a kernel fits into a padded row of `size` pixels."""
    return (size + 2 * padding - kernel) // stride + 1


STREAM = 8.0  # cycles to read the 16 weights that a register tile multiplies with, where they are read once

REASONS = {
    "direct": "the direct sum, tiles of neighbouring pixels",
    "images": "the direct sum, tiles of neighbouring images, as the output is narrower than a tile",
    "winograd": "Winograd F(4x4, 3x3), which replaces 144 multiplications by 36",
    "depthwise": "the depthwise kernel, as each channel has one filter of its own",
    "pointwise": "the direct sum over all pixels at once, as the kernel is 1x1",
    "columns": "the direct sum over copies of what each pixel sees, so that every weight is read once for all pixels",
}
LANEWISE_REASONS = {
    "direct": "the direct sum",
    "winograd": REASONS["winograd"],
    "small": "Winograd F(4x2, 3x3), which replaces 72 multiplications by 24",
    "stride": "Winograd's idea for stride 2, which replaces 36 multiplications by 25",
}


# By stride: which lanewise kernel a 3×3 convolution with padding 1 may have, its patches' rows of outputs, its points.
PATCHES = {(1, 1): ("winograd", 4, 36), (2, 2): ("stride", 2, 25)}


def choose(*problem: *Problem, prepared: bool = False) -> str:
    """Return the name of the kernel, one of `REASONS`, whose estimated cost is least; grad_weight uses the same.

    `prepared`: the weight does not change, so its packing and transform cost nothing; only the forward one is needed.
    """
    estimates = costs(*problem, kind=conv_kind(), prepared=prepared)
    return min(estimates, key=estimates.__getitem__)


def choose_lanewise(size: Pair, weight: Shape, stride: Pair, padding: Pair, blocks: bool) -> str:
    """Return which kernel makes lanewise images or `blocks` of `size`, one of `LANEWISE_REASONS`."""
    if (weight[1:3], padding) != ((3, 3), (1, 1)) or stride not in PATCHES:
        return "direct"
    if blocks and (size, stride) == ((2, 2), (1, 1)):
        return "small"
    kind, patch, points = PATCHES[stride]
    patches = -(-size[0] // patch) * -(-size[1] // patch)
    return kind if points * patches < 9 * size[0] * size[1] else "direct"


def transposed(*problem: *Problem) -> Problem:
    """Return the convolution that the input gradient is, if the stride is 1: of grad_y with the transposed weight."""
    (n, height, width, channels), (filters, kh, kw, _), stride, padding, groups = problem
    if stride != (1, 1):
        return problem
    oh, ow = output_size(height, kh, 1, padding[0]), output_size(width, kw, 1, padding[1])
    flipped = (kh - 1 - padding[0], kw - 1 - padding[1])
    return (n, oh, ow, filters), (channels, kh, kw, filters // groups), stride, flipped, groups


@functools.lru_cache(maxsize=1024)
def costs(*problem: *Problem, kind: str, prepared: bool) -> dict[str, float]:
    """Estimate the cycles of each kernel that can compute this convolution, by name: tuned on one AVX-512 core."""
    (n, height, width, channels), (filters, kh, kw, depth), stride, padding, groups = problem
    if depth == 1 and filters == channels:
        return {"depthwise": 0.0}
    few = prepared and groups == 1 and n * height * width <= 16
    if (kh, kw, *padding) == (1, 1, 0, 0):
        return {"columns" if few else "pointwise": 0.0}
    oh, ow = output_size(height, kh, stride[0], padding[0]), output_size(width, kw, stride[1], padding[1])
    in_blocks, out_blocks = -(-depth // 16), -(-(filters // groups) // 16)
    per_tap = groups * depth * out_blocks
    reading = STREAM * per_tap if prepared else 0.0  # the weights of one tap, from memory
    tiles = n * oh * -(-ow // 8) * groups * out_blocks
    estimates = {"direct": tiles * (kh * kw * (8.0 * depth + 10 * in_blocks) + 60) + kh * kw * reading}
    if ow < 8:
        taps = _taps_inside(height, kh, stride[0], padding[0]) * _taps_inside(width, kw, stride[1], padding[1])
        estimates["images"] = 1.5 * _up(n, 8) * taps * per_tap + kh * kw * reading
        if prepared and groups == 1:
            estimates["columns"] = kh * kw * (_up(n * oh * ow, 8) * per_tap + 4 * n * oh * ow * in_blocks + reading)
    if kind == "fast" and (kh, kw, *stride, groups) == (3, 3, 1, 1, 1):
        patches = n * -(-oh // 4) * -(-ow // 4)
        transforms = 300.0 * patches * (in_blocks + out_blocks)
        transforms += 36 * reading if prepared else 900 * depth * out_blocks
        estimates["winograd"] = _up(patches, 8) * 36 * per_tap + transforms
    return estimates


def explain_lanewise(size: Pair, weight: Shape, stride: Pair, padding: Pair, blocks: bool) -> str:
    """Say which kernel makes outputs of `size` in a narrow network, in 16 images at a time or in the blocks of one."""
    name = choose_lanewise(size, weight, stride, padding, blocks)
    side_by_side = f"the 16 blocks of an image, {size[0]}x{size[1]} outputs each," if blocks else "16 images"
    return f"lanewise {name}: {LANEWISE_REASONS[name]}, {side_by_side} side by side, as all layers are narrow."


def _up(count: int, tile: int) -> int:
    return -(-count // tile) * tile


def _taps_inside(size: int, kernel: int, stride: int, padding: int) -> int:
    """Return how many (output position, tap) pairs read a pixel of the image, along one axis."""
    starts = range(-padding, size + padding - kernel + 1, stride)
    return sum(max(0, min(kernel, size - start) - max(0, -start)) for start in starts)


def explain(*problem: *Problem, prepared: bool = False) -> str:
    """Say in one sentence which kernel computes a convolution of 32-bit floats, and why; arguments as `choose`'s.

    Examples
    --------
    >>> from minidl.kernels.backend import use
    >>> with use(backend="numpy"):
    ...     explain((128, 32, 32, 64), (64, 3, 3, 64), (1, 1), (1, 1), 1)
    'numpy: the definition, as the backend is numpy.'
    """
    if not compiled():
        return "numpy: the definition, as the backend is numpy."
    estimates = costs(*problem, kind=conv_kind(), prepared=prepared)
    best = min(estimates, key=estimates.__getitem__)
    lowest = estimates[best]
    others = [f"{cost / lowest:.1f} times as much for {name}" for name, cost in estimates.items() if name != best]
    dearer = f"; the estimated cost is {' and '.join(others)}" if others else ""
    return f"{best}: {REASONS[best]}{dearer}."
