"""What tests draw: shapes, memory layouts, values away from kinks, and whole convolution and pooling problems.

Hypothesis draws shapes and options; the numbers come from a drawn seed, so that a failing example stays short to print.
"""

from __future__ import annotations

import math

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, mutually_broadcastable_shapes

seeds = st.integers(0, 2**32 - 1)
LAYOUTS = ("contiguous", "permuted", "sliced", "reversed", "repeated")


def shapes(min_dims=1, max_dims=4, min_side=1, max_side=4):
    """Draw a shape."""
    return array_shapes(min_dims=min_dims, max_dims=max_dims, min_side=min_side, max_side=max_side)


def broadcastable(count=2, min_side=0):
    """Draw `count` shapes that broadcast together; a side of 0 is allowed."""
    pairs = mutually_broadcastable_shapes(num_shapes=count, min_dims=0, max_dims=3, min_side=min_side, max_side=3)
    return pairs.map(lambda drawn: drawn.input_shapes)


def values(kind, shape, rng):
    """Return float64 numbers of a kind.

    "any": standard normal; "nonzero": magnitude in [0.3, 1.7]; "positive": in [0.3, 1.7]; "distinct": all at least
    0.1 apart and none nearer to 0 than 0.05 (no kink of a maximum, an absolute value or a ReLU lies within a step);
    "inside and outside": distinct, none within 0.05 of -1 or 1; "signs": -1 or 1.
    """
    size = math.prod(shape)
    if kind == "any":
        return rng.standard_normal(shape)
    if kind == "positive":
        return rng.uniform(0.3, 1.7, shape)
    if kind == "nonzero":
        return rng.uniform(0.3, 1.7, shape) * rng.choice([-1.0, 1.0], shape)
    if kind == "signs":
        return rng.choice([-1.0, 1.0], shape)
    if kind == "distinct":
        return 0.1 * (rng.permutation(size).reshape(shape) - size // 2) + 0.05
    if kind == "inside and outside":
        inside = rng.uniform(-0.95, 0.95, shape)
        return np.where(rng.random(shape) < 0.5, inside, rng.uniform(1.05, 2, shape) * np.sign(inside))
    raise ValueError(kind)


def laid_out(array, layout):
    """Return the same numbers in another memory layout: equal to `array`, usually not contiguous."""
    if array.ndim == 0:
        return array.copy()
    if layout == "permuted":  # axes stored in reverse order, as after a transpose
        return np.ascontiguousarray(array.T).T
    if layout == "sliced":  # every second element of a wider array
        wide = np.zeros((*array.shape, 2), array.dtype)
        wide[..., 0] = array
        return wide[..., 0]
    if layout == "reversed":  # negative strides
        flip = (slice(None, None, -1),) * array.ndim
        return array[flip].copy()[flip]
    if layout == "repeated" and array.shape[0] == 1:  # an axis of stride 0
        return np.broadcast_to(array[0], array.shape)
    return array.copy()


@st.composite
def windows(draw, max_kernel=3, max_padding=2, half_padding=False):
    """Draw ((H, W), kernel, stride, padding): kernels that fit, strides also larger than the kernel, uneven borders."""
    kernel = draw(st.tuples(*[st.integers(1, max_kernel)] * 2))
    stride = draw(st.tuples(*[st.integers(1, 3)] * 2))
    limit = [k // 2 if half_padding else max_padding for k in kernel]
    padding = draw(st.tuples(st.integers(0, limit[0]), st.integers(0, limit[1])))
    smallest = [max(1, k - 2 * p) for k, p in zip(kernel, padding, strict=True)]
    size = draw(st.tuples(*[st.integers(s, s + 3) for s in smallest]))
    return size, kernel, stride, padding


@st.composite
def conv_shapes(draw):
    """Draw (x shape, weight shape, options) of a convolution: groups from 1 to depthwise, several filters to each."""
    (h, w), kernel, stride, padding = draw(windows())
    groups, depth, per_group = draw(st.integers(1, 3)), draw(st.integers(1, 2)), draw(st.integers(1, 2))
    x, weight = (draw(st.integers(1, 2)), h, w, groups * depth), (groups * per_group, *kernel, depth)
    return x, weight, {"stride": stride, "padding": padding, "groups": groups}


@st.composite
def axes_of(draw, ndim):
    """Draw an `axis` argument for an array of `ndim` axes: None, an int of either sign, or a tuple."""
    one = st.integers(-ndim, ndim - 1)
    some = st.lists(st.integers(0, ndim - 1), min_size=1, max_size=ndim, unique=True).map(tuple)
    return draw(st.one_of(st.none(), one, some))


@st.composite
def indices_of(draw, shape):
    """Draw an index for an array of `shape`: integers, slices of either direction, new axes, masks, repetitions."""
    kind = draw(st.sampled_from(["basic", "mask", "integers"]))
    rng = np.random.default_rng(draw(seeds))
    if kind == "mask":
        return rng.random(shape) < 0.5
    if kind == "integers":  # some element usually twice, so that its gradients must add up
        return tuple(rng.integers(-n, n, 3) for n in shape[: draw(st.integers(1, len(shape)))])
    step = st.sampled_from([-2, -1, 1, 2])
    parts = [draw(st.one_of(st.integers(-n, n - 1), st.builds(slice, st.none(), st.none(), step))) for n in shape]
    kept = tuple(parts[: draw(st.integers(1, len(shape)))])
    return draw(st.sampled_from([kept, kept[0], (*kept, None), (None, ..., parts[-1]), ...]))
