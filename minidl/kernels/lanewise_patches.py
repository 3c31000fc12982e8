"""The loop of a lanewise convolution by patches: transform what they see, multiply point by point, transform back.

A patch of 16 images, or of 16 blocks, is finished before the next, as its points of all channels fit the caches. Which
transforms they are is said in ``lanewise_winograd.py`` and ``lanewise_stride.py``.
"""
# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

from .direct import Call, grain
from .entry import DONE, Entry, Loop, arguments, entry
from .finish import Finish
from .lanewise import flat, steps
from .lanewise_sum import call_sum, count_tiles, part, rows_of, summing, tiles_of
from .parallel import get_num_threads
from .simd import line_up, pointer, spread
from .vector import LANES

Array = NDArray[Any]
Pair = tuple[int, int]

KINDS = "ppppfp22333iiii"


def correlation(patch, stride, points, transform, transform_back):
    """Return the kernel for patches of `patch` × `patch` outputs, which have so many points, with their transforms.

    transform(x, row, top, left, height, width, blocks, scratch, v, v_plane) stores the points, `v_plane` floats apart,
    of the patch that begins at (top, left) of a plane whose rows are `row` floats apart; `scratch` has room for a
    patch. transform_back is as in ``winograd_transforms.py``.
    """

    @entry(KINDS)
    def correlate(start, stop, address):
        """Convolve; an item in [start, stop) is a tile of filters of a row of patches of outputs, of all lanes."""
        (
            x, u, bias, residual, floor, y, x_steps, y_steps, tiles, x_size, y_size, v_plane, m_plane, blocks,
            shared,
        ) = arguments(address, KINDS)  # fmt: skip
        in_height, in_width, depth = x_size
        height, width, filters = y_size
        scratch = line_up(points * (v_plane + m_plane + LANES))  # at once, as memory takes some 200 ns to come
        count = tiles[0]
        for line in range(start // count, (stop + count - 1) // count):
            v = pointer(scratch, 0)  # named in the loop, as numba frees an array after its last name
            m, copy = pointer(v, points * v_plane), pointer(v, points * (v_plane + m_plane))
            top, first, last = line * patch, max(start - line * count, 0), min(stop - line * count, count)
            for left in range(0, width, patch):
                for c in range(depth):
                    transform(
                        pointer(x, c * x_steps[1]), x_steps[0], top * stride - 1, left * stride - 1, in_height,
                        in_width, blocks, copy, pointer(v, c * LANES), v_plane,
                    )  # fmt: skip
                for tile in range(first, last):
                    o, rows, function = part(tile, tiles, filters)
                    weights, walk = pointer(u, o * points * depth), (points, v_plane, rows * depth, m_plane)
                    size = (min(patch, height - top), min(patch, width - left))
                    to = pointer(y, top * y_steps[0] + o * y_steps[1] + left * LANES)
                    owned = (shared * rows, y_steps[1], y_steps[0], *size)
                    call_sum(function, v, weights, m, depth, walk, to, owned)
                    for k in range(rows):
                        transform_back(
                            spread(bias, o + k), pointer(m, k * LANES), m_plane, residual, floor, y,
                            top * y_steps[0] + (o + k) * y_steps[1] + left * LANES, (0, 0, y_steps[0], LANES),
                            *size, LANES,
                        )  # fmt: skip
        return DONE

    return correlate


def binding(correlate: Entry, patch: int, points: int) -> Callable[..., list[Call]]:
    """Return the function that binds such a kernel."""

    def bind(
        x: Array, u: Array, bias: Array, kernel: Pair, stride: Pair, padding: Pair, y: Array, end: Finish, blocks: bool
    ) -> list[Call]:
        """Return the call that fills y from x, both lanewise, from transformed weights: 3×3 with padding 1."""
        height, width, filters = y.shape[1:]
        depth, lines = x.shape[3], -(-height // patch)
        tiles = tiles_of(count_tiles(points, depth, filters), filters, summing)
        items, macs = lines * tiles.number, LANES * points * depth * filters * lines * -(-width // patch)
        v_plane = (depth | 1) * LANES  # odd, and so the next: points spread over the sets of a cache
        m_plane = (rows_of(tiles.number, filters) | 1) * LANES
        return [Loop(
            correlate, items, grain(items, macs), flat(x), u, bias, *end, flat(y), steps(x), steps(y), tiles,
            x.shape[1:], y.shape[1:], v_plane, m_plane, blocks, blocks and get_num_threads() > 1,
        )]  # fmt: skip

    return bind
