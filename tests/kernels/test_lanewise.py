"""Sixteen lanewise images: every kernel gives what the definition gives for each, and leaves zeros in the border."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("numba")

from minidl.kernels import conv, lanewise, prepared
from minidl.kernels.choice import choose_lanewise
from minidl.kernels.engines import LANEWISE
from minidl.kernels.lanewise import IMAGES
from minidl.kernels.lanewise_copy import averaging, clearing, turning
from minidl.kernels.parallel import get_num_threads, set_num_threads
from minidl.kernels.vector import LANES

SIZES = st.integers(1, 13)
CHANNELS = st.sampled_from([1, 2, 3, 5, 8, 15, 16, 17, 23])


@pytest.fixture(autouse=True)
def _two_threads():
    before = get_num_threads()
    set_num_threads(2)
    yield
    set_num_threads(before)


class Images:
    """A lanewise array in the middle of a memory of NaN."""

    def __init__(self, shape):
        self.size = IMAGES * lanewise.floats(shape)
        self.memory = np.full(self.size + 2 * IMAGES, np.nan, np.float32)
        self.array = lanewise.place(self.memory[IMAGES:-IMAGES], shape)

    def border(self):
        """What lies around the images in the memory that is theirs."""
        copy = Images(self.array.shape[1:])
        copy.memory[:] = self.memory
        copy.array[...] = 0
        return copy.memory[IMAGES:-IMAGES]

    def outside(self):
        return self.memory[[*range(IMAGES), *range(-IMAGES, 0)]]


def images(values):
    held = Images(values.shape[1:])
    for call in turning(values, held.array):
        call()
    return held


def draw(rng, shape, integers=False):
    return rng.integers(-3, 4, shape).astype(np.float32) if integers else rng.standard_normal(shape, np.float32)


@given(SIZES, SIZES, CHANNELS, st.integers(0, 99))
def test_a_copy_holds_the_images_and_zeros_around_them(height, width, channels, seed):
    values = draw(np.random.default_rng(seed), (IMAGES, height, width, channels))
    held = images(values)
    np.testing.assert_array_equal(held.array, values)
    assert lanewise.holds(held.array) and not np.any(held.border()) and np.all(np.isnan(held.outside()))


def test_there_are_as_many_images_as_lanes():
    assert IMAGES == LANES


def test_what_is_not_laid_out_so_is_not_taken_for_it():
    held = Images((8, 8, 4)).array
    for part in (held[:, ::2, ::2], held[:, ::2], held[:8], held[..., ::2], np.ascontiguousarray(held), held[0]):
        assert not lanewise.holds(part)


@given(SIZES, SIZES, CHANNELS, st.integers(0, 99))
def test_clearing_touches_the_border_alone(height, width, channels, seed):
    held = Images((height, width, channels))
    held.array[...] = values = draw(np.random.default_rng(seed), held.array.shape)
    for call in clearing(held.array):
        call()
    np.testing.assert_array_equal(held.array, values)
    assert not np.any(held.border()) and np.all(np.isnan(held.outside()))


@given(SIZES, SIZES, CHANNELS, st.integers(0, 99))
def test_averages_are_those_of_each_channel_of_each_image(height, width, channels, seed):
    values = draw(np.random.default_rng(seed), (IMAGES, height, width, channels), integers=True)
    y = np.full((IMAGES, channels), np.nan, np.float32)
    for call in averaging(images(values).array, y):
        call()
    np.testing.assert_allclose(y, values.mean(axis=(1, 2)), rtol=1e-6, atol=1e-6)


@st.composite
def layers(draw_from, winograd=False):
    """Arguments of a convolution whose kernel fits: x's and the weight's shape, stride, padding, seed."""
    size = draw_from(SIZES), draw_from(SIZES)
    if winograd:
        kernel, stride, padding = (3, 3), (1, 1), (1, 1)
    else:
        padding = draw_from(st.integers(0, 1)), draw_from(st.integers(0, 1))
        kernel = tuple(draw_from(st.integers(1, min(4, size[i] + 2 * padding[i]))) for i in (0, 1))
        stride = draw_from(st.integers(1, 3)), draw_from(st.integers(1, 3))
    depth, filters = draw_from(CHANNELS), draw_from(CHANNELS)
    return (IMAGES, *size, depth), (filters, *kernel, depth), stride, padding, draw_from(st.integers(0, 999))


def convolve(layer, residual, relu, integers):
    """What the lanewise kernel leaves in memory, what is expected, and the magnitude of the terms in the sums."""
    x_shape, weight_shape, stride, padding, seed = layer
    rng = np.random.default_rng(seed)
    x, weight, bias = (draw(rng, s, integers) for s in (x_shape, weight_shape, weight_shape[:1]))
    exact = [array.astype(np.float64) for array in (x, weight, bias)]
    want = conv.forward_twin(*exact, stride, padding, 1)
    magnitude = conv.forward_twin(*map(abs, exact), stride, padding, 1).max()
    added = draw(rng, want.shape, integers)
    y = Images(want.shape[1:])
    bound = prepared.PreparedConv(weight, bias, stride, padding, 1)
    kept = images(x), images(added)
    calls = bound.bind(kept[0].array, y.array, kept[1].array if residual else None, relu)
    for call in (*calls, *calls):
        call()
    assert list(bound.prepared) == [LANEWISE[choose_lanewise(weight_shape, stride, padding)].prepare]
    want = want + added if residual else want
    return y, np.maximum(want, 0) if relu else want, magnitude


@given(layers(), st.booleans(), st.booleans())
def test_the_direct_sum_is_exact_on_small_integers(layer, residual, relu):
    if choose_lanewise(*layer[1:4]) == "winograd":
        layer = (layer[0], layer[1], (2, 1), *layer[3:])
    y, want, _ = convolve(layer, residual, relu, integers=True)
    np.testing.assert_array_equal(y.array, want)
    assert not np.any(y.border()) and np.all(np.isnan(y.outside()))


@given(layers(winograd=True), st.booleans(), st.booleans())
def test_winograd_is_the_definition_within_float32(layer, residual, relu):
    assert choose_lanewise(*layer[1:4]) == "winograd"
    y, want, magnitude = convolve(layer, residual, relu, integers=False)
    # 64: see test_conv.py; the residual is of the size of one term
    assert np.all(abs(y.array - want) <= 64 * np.finfo(np.float32).eps * (magnitude + residual))
    assert not np.any(y.border()) and np.all(np.isnan(y.outside()))


@given(layers(winograd=True), st.integers(0, IMAGES - 1))
def test_an_image_of_nan_spoils_no_other(layer, spoilt):
    x_shape, weight_shape, stride, padding, seed = layer
    rng = np.random.default_rng(seed)
    x, weight = draw(rng, x_shape), draw(rng, weight_shape)
    clean, dirty = Images((*x_shape[1:3], weight_shape[0])), Images((*x_shape[1:3], weight_shape[0]))
    layer = prepared.PreparedConv(weight, None, stride, padding, 1)
    for call in layer.bind(images(x).array, clean.array):
        call()
    x[spoilt] = np.nan
    for call in layer.bind(images(x).array, dirty.array):
        call()
    others = np.arange(IMAGES) != spoilt
    np.testing.assert_array_equal(dirty.array[others], clean.array[others])
    assert np.all(np.isnan(dirty.array[spoilt]))
