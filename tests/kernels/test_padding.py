"""Zeros around what is copied, for ordinary images and lanewise ones, whatever the strides of the source."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("numba")

from test_lanewise import Held

from minidl.kernels.lanewise import IMAGES, order
from minidl.kernels.padding import padding

sizes = st.integers(1, 5)
sides = st.tuples(st.integers(0, 3), st.integers(0, 3))


@given(st.tuples(*[sizes] * 4), st.tuples(*[sides] * 4), st.tuples(*[st.sampled_from([1, 2, 3])] * 4))
def test_it_is_numpys_pad(shape, widths, strides):
    whole = np.random.default_rng(0).standard_normal([n * s for n, s in zip(shape, strides, strict=True)], np.float32)
    x = whole[tuple(slice(None, None, s) for s in strides)]
    expected = np.pad(x, widths)
    memory = np.full(expected.size + 2, np.nan, np.float32)
    y = memory[1:-1].reshape(expected.shape)
    padding(x, y, tuple(first for first, _ in widths))()
    np.testing.assert_array_equal(y, expected)
    assert np.isnan(memory[[0, -1]]).all()


@given(st.tuples(*[st.integers(1, 6)] * 3), st.tuples(*[sides] * 3), st.sampled_from([1, 2]), st.booleans())
def test_lanewise_images_are_padded_as_they_lie(shape, widths, stride, blocks):
    height, width, channels = shape
    values = np.random.default_rng(0).standard_normal((IMAGES, height * stride, width * stride, channels), np.float32)
    x = Held(values.shape[1:], blocks)
    x.array[...] = values
    expected = np.pad(values[:, ::stride, ::stride], ((0, 0), *widths))
    y = Held(expected.shape[1:], blocks)
    axes, before = order(y.array), (0, *(first for first, _ in widths))
    padding(x.array[:, ::stride, ::stride].transpose(axes), y.array.transpose(axes), tuple(before[a] for a in axes))()
    np.testing.assert_array_equal(y.array, expected)
    assert np.isnan(y.outside()).all()
