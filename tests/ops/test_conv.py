"""Convolution against SciPy, and the trilinear form behind it: adjoints, linearity, derivatives of order 3."""

import hypothesis
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import correlate
from strategies import conv_shapes, seeds, values

import minidl
from minidl import Tensor, ops
from minidl.ops.conv import Conv2d, Conv2dGradInput, Conv2dGradWeight

# Sums of at most 3·3·2 products of numbers around 1, in float64: they can be off by 18·18 eps, about 1e-13.
ROUNDING = {"rtol": 1e-12, "atol": 1e-12}


@st.composite
def problems(draw):
    """Draw x, weight and a cotangent of the output, float64, and the options (stride, padding, groups)."""
    x_shape, w_shape, options = draw(conv_shapes())
    rng = np.random.default_rng(draw(seeds))
    x, weight = values("any", x_shape, rng), values("any", w_shape, rng)
    grad_y = values("any", ops.conv2d(x, weight, **options).shape, rng)
    return x, weight, grad_y, options


def three(options):
    return options["stride"], options["padding"], options["groups"]


def dot(a, b):
    return np.vdot(a.numpy() if isinstance(a, Tensor) else a, b.numpy() if isinstance(b, Tensor) else b)


@given(problems())
def test_stride_1_and_one_group_is_scipys_correlation(problem):
    x, weight, _, options = problem
    part = x[..., : weight.shape[3]]
    y = ops.conv2d(part, weight, padding=options["padding"]).numpy()
    (ph, pw), padded = options["padding"], []
    padded = np.pad(part, ((0, 0), (ph, ph), (pw, pw), (0, 0)))
    for o, kernel in enumerate(weight):
        for n, image in enumerate(padded):
            expected = correlate(image, kernel, mode="valid", method="direct")[..., 0]
            np.testing.assert_allclose(y[n, ..., o], expected, **ROUNDING)


@given(problems())
def test_a_stride_takes_every_second_pixel_of_stride_1(problem):
    x, weight, _, options = problem
    (sh, sw), dense = options["stride"], ops.conv2d(x, weight, padding=options["padding"], groups=options["groups"])
    np.testing.assert_allclose(ops.conv2d(x, weight, **options).numpy(), dense.numpy()[:, ::sh, ::sw], **ROUNDING)


@given(problems())
def test_groups_are_convolutions_side_by_side(problem):
    x, weight, _, options = problem
    groups = options["groups"]
    together = {k: v for k, v in options.items() if k != "groups"}
    parts = zip(np.split(x, groups, axis=3), np.split(weight, groups, axis=0), strict=True)
    expected = ops.concatenate([ops.conv2d(part, w, **together) for part, w in parts])
    np.testing.assert_allclose(ops.conv2d(x, weight, **options).numpy(), expected.numpy(), **ROUNDING)


@given(problems())
def test_the_three_functions_are_one_anothers_adjoints(problem):
    """<conv(x, w), g> = <x, grad_input(g, w)> = <w, grad_weight(x, g)>."""
    x, weight, grad_y, options = problem
    x, weight, grad_y = Tensor(x), Tensor(weight), Tensor(grad_y)
    form = dot(Conv2d(*three(options))(x, weight), grad_y)
    by_input = dot(x, Conv2dGradInput(x.shape, *three(options))(grad_y, weight))
    by_weight = dot(weight, Conv2dGradWeight(weight.shape, *three(options))(x, grad_y))
    np.testing.assert_allclose([by_input, by_weight], form, rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("which", [0, 1])
@given(problem=problems(), seed=seeds)
def test_linear_in_images_and_in_filters(which, problem, seed):
    *arrays, _, options = problem
    other = list(arrays)
    other[which] = values("any", arrays[which].shape, np.random.default_rng(seed))
    mixed = list(arrays)
    mixed[which] = 2 * arrays[which] - 3 * other[which]
    a, b, ab = (ops.conv2d(*pair, **options).numpy() for pair in (arrays, other, mixed))
    np.testing.assert_allclose(ab, 2 * a - 3 * b, rtol=1e-11, atol=1e-11)


@hypothesis.settings(max_examples=10)
@given(problems())
def test_derivatives_of_order_3(problem):
    x, weight, _, options = problem
    bias = np.ones(len(weight))
    leaves = [Tensor(a, requires_grad=True) for a in (x, weight, bias)]
    assert minidl.gradcheck(lambda *a: ops.tanh(ops.conv2d(*a, **options) * 0.3), leaves, order=3, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("function", [Conv2d, Conv2dGradInput, Conv2dGradWeight])
@hypothesis.settings(max_examples=10)
@given(problem=problems())
def test_each_function_passes_gradcheck_by_itself(function, problem):
    x, weight, grad_y, options = problem
    how = {Conv2d: (), Conv2dGradInput: (x.shape,), Conv2dGradWeight: (weight.shape,)}[function]
    inputs = {Conv2d: (x, weight), Conv2dGradInput: (grad_y, weight), Conv2dGradWeight: (x, grad_y)}[function]
    leaves = [Tensor(a, requires_grad=True) for a in inputs]
    assert minidl.gradcheck(lambda *a: function(*how, *three(options))(*a), leaves, order=2)


@given(problems(), st.integers(1, 2))
def test_moving_the_image_moves_the_result(problem, by):
    """Away from the border: translation by `by` strides shifts the output by `by` pixels."""
    x, weight, _, options = problem
    (sh, sw), groups = options["stride"], options["groups"]
    wide = np.pad(
        x, ((0, 0), (weight.shape[1], weight.shape[1] + by * sh), (weight.shape[2], weight.shape[2] + by * sw), (0, 0))
    )
    moved = np.roll(wide, (by * sh, by * sw), axis=(1, 2))
    y = ops.conv2d(wide, weight, stride=(sh, sw), groups=groups).numpy()
    z = ops.conv2d(moved, weight, stride=(sh, sw), groups=groups).numpy()
    np.testing.assert_allclose(z[:, by:, by:], y[:, :-by, :-by], **ROUNDING)


def test_numbers_stand_for_pairs_and_numpy_integers_for_integers():
    x, weight = np.ones((1, 6, 5, 2), np.float32), np.ones((3, 2, 3, 2), np.float32)
    expected = ops.conv2d(x, weight, stride=(2, 2), padding=(1, 1)).numpy()
    for two, one in ((2, 1), (np.int64(2), np.int64(1)), ([2, 2], (1, 1))):
        np.testing.assert_array_equal(ops.conv2d(x, weight, stride=two, padding=one).numpy(), expected)


@pytest.mark.parametrize("change, message", [
    ({"x": (4, 4, 2)}, r"expected x \(N, H, W, C\)"), ({"x": (1, 2, 4, 4)}, "channels last"),
    ({"weight": (3, 2, 2)}, r"weight \(O, KH, KW, C/groups\)"), ({"groups": 2}, "expected a divisor of both"),
    ({"groups": 0}, "groups=0"), ({"stride": 0}, "stride >= 1"), ({"padding": -1}, "padding >= 0"),
    ({"weight": (3, 5, 2, 2)}, "5x2 filter on a 4x4 image"), ({"bias": (2,)}, r"bias of shape \(2,\), expected \(3,\)"),
])  # fmt: skip
def test_refusals_say_what_was_found_and_expected(change, message):
    arguments = {"x": (1, 4, 4, 2), "weight": (3, 2, 2, 2), "bias": (3,)} | change
    arguments = {k: np.ones(v, np.float32) if k in ("x", "weight", "bias") else v for k, v in arguments.items()}
    with pytest.raises(ValueError, match=message):
        ops.conv2d(**arguments)


@pytest.mark.parametrize("stride", [1.5, (1, 2.0), "2"])
def test_a_fraction_of_a_pixel_is_no_stride(stride):
    with pytest.raises(TypeError):
        ops.conv2d(np.ones((1, 4, 4, 1)), np.ones((1, 2, 2, 1)), stride=stride)
