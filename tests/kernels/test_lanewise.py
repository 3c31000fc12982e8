"""Lanewise images, sixteen or one in blocks: every kernel gives what the definition gives and touches nothing else."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("numba")

import numba

from minidl.kernels import conv, lanewise, lanewise_patches, lanewise_small, lanewise_sum, prepared
from minidl.kernels.choice import choose_lanewise
from minidl.kernels.engines import LANEWISE
from minidl.kernels.lanewise import GRID, IMAGES
from minidl.kernels.lanewise_copy import averaging, turning
from minidl.kernels.lanewise_edge import copy_seen
from minidl.kernels.parallel import get_num_threads, num_threads, set_num_threads
from minidl.kernels.vector import LANES

SIZES = st.integers(1, 13)
CHANNELS = st.sampled_from([1, 2, 3, 5, 8, 15, 16, 17, 23, 40])


@pytest.fixture(autouse=True)
def _two_threads():
    before = get_num_threads()
    set_num_threads(2)
    yield
    set_num_threads(before)


class Held:
    """A lanewise array in the middle of a memory of NaN."""

    def __init__(self, shape, blocks=False):
        self.memory = np.full(IMAGES * int(np.prod(shape)) + 2 * IMAGES, np.nan, np.float32)
        self.array = lanewise.place(self.memory[IMAGES:-IMAGES], shape, blocks)

    def outside(self):
        return self.memory[[*range(IMAGES), *range(-IMAGES, 0)]]


def held(values, blocks):
    """Images (16, H, W, C), or the blocks of one image (1, H, W, C)."""
    kept = Held(lanewise.block(values.shape[1:]) if blocks else values.shape[1:], blocks)
    for call in turning(values, kept.array):
        call()
    return kept


def joined(blocks):
    """The image whose blocks these are, by the definition."""
    _, height, width, channels = blocks.shape
    grid = blocks.reshape(GRID, GRID, height, width, channels)
    return grid.transpose(0, 2, 1, 3, 4).reshape(1, GRID * height, GRID * width, channels)


def values_of(kept, blocks):
    return joined(kept.array) if blocks else kept.array


def draw(rng, shape, integers=False):
    return rng.integers(-3, 4, shape).astype(np.float32) if integers else rng.standard_normal(shape, np.float32)


def shape_of(height, width, channels, blocks):
    """The shape of an ordinary array with lanes of this size."""
    return (1, GRID * height, GRID * width, channels) if blocks else (IMAGES, height, width, channels)


# --- Places and copies ------------------------------------------------------------------------------------------------


def test_there_are_as_many_images_as_lanes_and_as_blocks():
    assert IMAGES == LANES == GRID * GRID


@given(SIZES, SIZES, CHANNELS, st.booleans(), st.integers(0, 99))
def test_a_copy_holds_the_images(height, width, channels, blocks, seed):
    values = draw(np.random.default_rng(seed), shape_of(height, width, channels, blocks))
    kept = held(values, blocks)
    np.testing.assert_array_equal(values_of(kept, blocks), values)
    assert lanewise.holds(kept.array) and np.all(np.isnan(kept.outside()))
    assert np.shares_memory(lanewise.flat(kept.array), kept.memory)


@pytest.mark.parametrize("blocks", [False, True])
def test_what_is_not_laid_out_so_is_not_taken_for_it(blocks):
    kept = Held((8, 8, 4), blocks).array
    rows, channels = kept[:, 1:3], kept[..., 1:3]
    pieces = (
        kept[:, ::2, ::2],
        kept[:, :, :7],
        kept[:8],
        kept[..., ::2],
        np.ascontiguousarray(kept),
        kept[0],
        channels if blocks else rows,
    )
    for piece in pieces:
        assert not lanewise.holds(piece)
    assert lanewise.holds(rows if blocks else channels)  # they are together


def test_a_residual_must_lie_as_the_output_does():
    layer = prepared.PreparedConv(np.ones((3, 1, 1, 3), np.float32), None, (1, 1), (0, 0), 1)
    x, y, residual = (Held((4, 4, 3), blocks).array for blocks in (True, True, False))
    for wrong in (residual, np.ascontiguousarray(residual), Held((4, 2, 3), True).array):
        with pytest.raises(ValueError, match="residual"):
            layer.bind(x, y, wrong, blocks=True)


@given(SIZES, SIZES, CHANNELS, st.booleans(), st.integers(0, 99))
def test_averages_are_those_of_each_channel_of_each_image(height, width, channels, blocks, seed):
    values = draw(np.random.default_rng(seed), shape_of(height, width, channels, blocks), integers=True)
    y = np.full((len(values), channels), np.nan, np.float32)
    for call in averaging(held(values, blocks).array, y):
        call()
    np.testing.assert_allclose(y, values.mean(axis=(1, 2)), rtol=1e-6, atol=1e-6)


@given(SIZES, SIZES, st.integers(-1, 12), st.integers(-1, 12), st.integers(1, 6), st.integers(1, 6), st.booleans())
def test_beyond_an_edge_are_zeros_or_the_next_block(height, width, top, left, rows, cols, blocks):
    top, left = min(top, height - 1), min(left, width - 1)
    values = np.arange(1, 1 + 3 * IMAGES * height * width, dtype=np.float32).reshape(shape_of(height, width, 3, blocks))
    kept, seen = held(values, blocks).array, np.full((rows, cols, LANES), np.nan, np.float32)
    row, plane = lanewise.steps(kept)
    copy_seen(lanewise.flat(kept)[plane:], row, top, left, rows, cols, height, width, blocks, seen.reshape(-1))
    around = np.pad(values[..., 1], [(0, 0), (1, 7), (1, 7)])
    for lane in range(LANES):
        image, i, j = (0, lane // GRID * height, lane % GRID * width) if blocks else (lane, 0, 0)
        want = around[image, 1 + i + top : 1 + i + top + rows, 1 + j + left : 1 + j + left + cols].copy()
        want[max(0, height + 1 - top) :] = 0  # what no output of this block reads
        want[:, max(0, width + 1 - left) :] = 0
        np.testing.assert_array_equal(seen[:, :, lane], want)


@given(st.sampled_from([1, 25, 36]), st.integers(1, 100), st.integers(1, 300))
def test_filters_are_parted_evenly_among_tiles(points, depth, filters):
    check_tiles(lanewise_sum.count_tiles(points, depth, filters), filters, lanewise_sum)


@given(st.integers(1, 300))
def test_filters_of_small_blocks_are_parted_evenly_among_tiles(filters):
    check_tiles(lanewise_sum.even_tiles(filters, lanewise_small.MOST), filters, lanewise_small)


def check_tiles(number, filters, sums):
    tiles = lanewise_sum.tiles_of(number, filters, sums.summing)
    parts = [lanewise_sum.part(tile, tuple(tiles), filters) for tile in range(tiles.number)]
    counts = [count for _, count, _ in parts]
    assert sum(counts) == filters and min(counts) > 0 and max(counts) <= min(sums.MOST, min(counts) + 1)
    assert max(counts) == lanewise_sum.rows_of(tiles.number, filters)
    assert [first for first, _, _ in parts] == [sum(counts[:i]) for i in range(tiles.number)]
    assert [function for *_, function in parts] == [sums.summing(count).address for count in counts]
    assert tiles.number in (1, filters) or tiles.number % 2 == 0  # two threads share them


def test_owning_a_patch_changes_no_number():
    memory = np.random.default_rng(0).integers(0, 256, 4 * 9 * 5 * LANES).astype(np.uint8).view(np.float32)  # NaN, too
    before = memory.copy()
    lanewise_sum.own_patch(memory, 5 * LANES, 4, 3)
    assert memory.tobytes() == before.tobytes()


FAR = 1 << 16


def marking(x, u, sums, depth, times, step_x, step_u, step_sums, y, owned, step_y, row, height, width):
    """In the place of a sum: count `FAR` floats on how often each vector would be owned."""
    for patch in range(owned):
        for i in range(height):
            for j in range(width):
                y[patch * step_y + i * row + j * LANES + FAR] += 1
    return 0


@pytest.mark.parametrize("stride, size", [(1, size) for size in [(2, 2), (3, 3), (4, 4), (4, 5), (7, 3), (8, 8)]]
                         + [(2, size) for size in [(2, 2), (4, 4), (5, 4), (2, 3)]])  # fmt: skip
def test_every_item_owns_just_the_vectors_that_it_writes(monkeypatch, stride, size):
    mark = numba.cfunc(lanewise_sum.SIGNATURE)(marking)
    for module in (lanewise_patches, lanewise_small):
        monkeypatch.setattr(module, "summing", lambda rows: mark)
    for filters in (1, 2, 7, 9, 16, 17, 31, 40):
        memory = np.zeros(2 * FAR, np.float32)
        y = lanewise.place(memory, (*size, filters), blocks=True)
        x = Held((size[0] * stride, size[1] * stride, 3), blocks=True).array
        weight, bias = np.zeros((filters, 3, 3, 3), np.float32), np.full(filters, np.nan, np.float32)
        (loop,) = prepared.PreparedConv(weight, bias, (stride, stride), (1, 1), 1).bind(x, y, blocks=True)
        for item in range(loop.n):
            memory[:] = 0
            loop.run(item, item + 1)
            written = np.isnan(memory[:FAR].reshape(-1, LANES)).all(axis=1)
            assert written.any()
            np.testing.assert_array_equal(memory[FAR:].reshape(-1, LANES)[:, 0], written)


# --- Convolutions -----------------------------------------------------------------------------------------------------


@st.composite
def layers(draw_from, by_patches=False):
    """Arguments of a convolution whose kernel fits: sizes of x, the weight's shape, stride, padding, blocks, seed."""
    blocks = draw_from(st.booleans())
    if by_patches:
        kernel, stride, padding = (3, 3), draw_from(st.sampled_from([(1, 1), (2, 2)])), (1, 1)
        size = draw_from(st.sampled_from([(2, 2), (4, 4), (8, 8), (4, 5), (9, 4)]) | st.tuples(SIZES, SIZES))
        if blocks:
            size = size[0] * stride[0], size[1] * stride[1]
    elif blocks:  # an output's block is computed from the same block
        padding, stride = ((draw_from(st.integers(first, last)), draw_from(st.integers(first, last)))
                           for first, last in ((0, 1), (1, 3)))  # fmt: skip
        kernel = tuple(draw_from(st.integers(2 * p + 1, 2 * p + s)) for p, s in zip(padding, stride, strict=True))
        size = tuple(draw_from(st.integers(1, 4)) * s for s in stride)
    else:
        size = draw_from(SIZES), draw_from(SIZES)
        padding = draw_from(st.integers(0, 1)), draw_from(st.integers(0, 1))
        kernel = tuple(draw_from(st.integers(1, min(4, size[i] + 2 * padding[i]))) for i in (0, 1))
        stride = draw_from(st.integers(1, 3)), draw_from(st.integers(1, 3))
    depth, filters = draw_from(CHANNELS), draw_from(CHANNELS)
    return (*size, depth), (filters, *kernel, depth), stride, padding, blocks, draw_from(st.integers(0, 999))


def convolve(layer, residual, relu, integers):
    """What the lanewise kernel leaves in memory, what is expected, and the magnitude of the terms in the sums."""
    lane, weight_shape, stride, padding, blocks, seed = layer
    rng, x_shape = np.random.default_rng(seed), shape_of(*lane, blocks)
    x, weight, bias = (draw(rng, s, integers) for s in (x_shape, weight_shape, weight_shape[:1]))
    exact = [array.astype(np.float64) for array in (x, weight, bias)]
    want = conv.forward_twin(*exact, stride, padding, 1)
    magnitude = conv.forward_twin(*map(abs, exact), stride, padding, 1).max()
    added = draw(rng, want.shape, integers)
    y = Held(lanewise.block(want.shape[1:]) if blocks else want.shape[1:], blocks)
    bound = prepared.PreparedConv(weight, bias, stride, padding, 1)
    kept = held(x, blocks), held(added, blocks)
    calls = bound.bind(kept[0].array, y.array, kept[1].array if residual else None, relu, blocks)
    for call in calls:
        call()
    found = y.array.copy()
    y.array[...] = np.nan
    for call in calls:  # item by item, as threads might
        for item in reversed(range(call.n)):
            call.run(item, item + 1)
    np.testing.assert_array_equal(y.array, found)
    if blocks or lanewise.differs(kept[0].array, y.array):  # one number each lies as both
        assert list(bound.prepared) == [LANEWISE[kind_of(layer, y)].prepare]
    assert np.all(np.isnan(y.outside()))
    want = want + added if residual else want
    return values_of(y, blocks), np.maximum(want, 0) if relu else want, magnitude


def kind_of(layer, y):
    return choose_lanewise(y.array.shape[1:3], *layer[1:5])


@given(layers(), st.booleans(), st.booleans())
def test_the_direct_sum_is_exact_on_small_integers(layer, residual, relu):
    lane, weight, stride, padding, blocks, seed = layer
    if (weight[1:3], stride, padding) == ((3, 3), (1, 1), (1, 1)):
        lane = (1, 1, lane[2])  # so small that it is computed directly; a stride of 2 costs no exactness
    y, want, _ = convolve((lane, weight, stride, padding, blocks, seed), residual, relu, integers=True)
    np.testing.assert_array_equal(y, want)


@given(layers(by_patches=True), st.booleans(), st.booleans())
def test_sums_by_patches_are_the_definition_within_float32(layer, residual, relu):
    y, want, magnitude = convolve(layer, residual, relu, integers=False)
    # 64: see test_conv.py; the residual is of the size of one term
    assert np.all(abs(y - want) <= 64 * np.finfo(np.float32).eps * (magnitude + residual))


def test_the_kernel_is_the_one_with_the_fewest_products():
    weight, how = (8, 3, 3, 8), ((1, 1), (1, 1))
    for blocks in (False, True):
        kinds = {size: choose_lanewise((size, size), weight, *how, blocks) for size in range(1, 9)}
        assert kinds[1] == "direct" and kinds[2] == ("small" if blocks else "direct")
        assert {kinds[size] for size in (3, 4, 7, 8)} == {"winograd"}
        for stride, padding in (((2, 1), (1, 1)), ((3, 3), (1, 1)), ((1, 1), (0, 0))):
            assert choose_lanewise((8, 8), weight, stride, padding, blocks) == "direct"
        strided = [choose_lanewise((size, size), weight, (2, 2), (1, 1), blocks) for size in range(1, 5)]
        assert strided == ["direct", "stride", "direct", "stride"]


@given(layers(by_patches=True), st.integers(0, IMAGES - 1))
def test_an_image_of_nan_spoils_no_other(layer, spoilt):
    lane, weight_shape, stride, padding, _, seed = layer
    rng = np.random.default_rng(seed)
    x, weight = draw(rng, (IMAGES, *lane)), draw(rng, weight_shape)
    size = [(n - 1) // s + 1 for n, s in zip(lane[:2], stride, strict=True)]
    clean, dirty = Held((*size, weight_shape[0])), Held((*size, weight_shape[0]))
    layer = prepared.PreparedConv(weight, None, stride, padding, 1)
    for call in layer.bind(held(x, False).array, clean.array):
        call()
    x[spoilt] = np.nan
    for call in layer.bind(held(x, False).array, dirty.array):
        call()
    others = np.arange(IMAGES) != spoilt
    np.testing.assert_array_equal(dirty.array[others], clean.array[others])
    assert np.all(np.isnan(dirty.array[spoilt]))


@given(layers(by_patches=True), st.integers(2, 4))
def test_the_number_of_threads_changes_no_bit(layer, threads):
    found = []
    for count in (1, threads):
        with num_threads(count):
            found.append(convolve(layer, True, True, integers=False)[0].copy())
    np.testing.assert_array_equal(*found)
