"""Convolution and its gradients: the twins against SciPy, the compiled kernels against the twins, and one another."""

from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import correlate

from minidl.kernels import choice, conv
from minidl.kernels.backend import numba_available, use
from minidl.kernels.parallel import get_num_threads, set_num_threads

needs_numba = pytest.mark.skipif(not numba_available(), reason="compares compiled kernels with their twins")
EPS = np.finfo(np.float32).eps


DEPTHS = (1, 2, 3, 5, 16, 17, 27)
FILTERS = (1, 2, 7, 16, 19)
SIZES = (1, 2, 4, 5, 7, 8, 11, 28)


@st.composite
def problems(draw, groups=(1, 2, 3), depths=DEPTHS, filters=FILTERS):
    """Draw (x shape, weight shape, stride, padding, groups, seed), with `depths` and `filters` for each group.

    Kernels may be larger than the image, and strides larger than the kernel.
    """
    kernel, padding = draw(st.tuples(st.integers(1, 5), st.integers(1, 5))), draw(st.tuples(*[st.integers(0, 3)] * 2))
    size = [draw(st.sampled_from([s for s in SIZES if s + 2 * padding[i] >= kernel[i]])) for i in (0, 1)]
    g, c, o, n = (draw(st.sampled_from(choices)) for choices in (groups, depths, filters, (1, 2, 3, 9)))
    stride = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    return (n, *size, c * g), (o * g, *kernel, c), stride, padding, g, draw(st.integers(0, 2**32 - 1))


def arrays(problem, dtype, integers=False):
    """Return x, weight, bias, grad_y and the rest of the arguments; x and grad_y are not contiguous."""
    x_shape, w_shape, stride, padding, groups, seed = problem
    rng = np.random.default_rng(seed)

    def draw(*shape):
        values = rng.integers(-4, 5, shape) if integers else rng.standard_normal(shape)
        return values.astype(dtype)

    oh, ow = (choice.output_size(x_shape[1 + i], w_shape[1 + i], stride[i], padding[i]) for i in (0, 1))
    x = draw(*x_shape[:3], 2 * x_shape[3])[..., ::2]
    grad_y = draw(ow, oh, x_shape[0], w_shape[0]).transpose(2, 1, 0, 3)
    return x, draw(*w_shape), draw(w_shape[0]), grad_y, (stride, padding, groups)


def all_three(x, weight, bias, grad_y, rest):
    y = conv.forward(x, weight, bias, *rest)
    return y, conv.grad_input(grad_y, weight, x.shape, *rest), conv.grad_weight(x, grad_y, weight.shape, *rest)


def forced(kernel):
    """Let the named kernel run instead of the chosen one."""
    return patch.object(conv, "choose", (lambda *_: kernel) if kernel else conv.choose)


def bounds(x, weight, bias, grad_y, rest):
    """Return what float32 rounding can do: (terms in the sum) · eps · the sum of the terms' magnitudes."""
    magnitudes = all_three(abs(x), abs(weight), abs(bias), abs(grad_y), rest)
    taps = weight[0].size
    terms = (taps + 1, weight.size // x.shape[3] + 1, grad_y.size // weight.shape[0] + 1)
    return [EPS * t * m for t, m in zip(terms, magnitudes, strict=True)]


@given(problems())
def test_twin_is_scipys_correlation(problem):
    x, weight, _, _, ((sh, sw), (ph, pw), groups) = arrays(problem, np.float64)
    y = conv.forward_twin(x, weight, None, (sh, sw), (ph, pw), groups)
    padded = np.pad(x, ((0, 0), (ph, ph), (pw, pw), (0, 0)))
    depth, per_group = weight.shape[3], weight.shape[0] // groups
    for o in range(weight.shape[0]):
        first = o // per_group * depth
        part = padded[0, :, :, first : first + depth]
        expected = correlate(part, weight[o], mode="valid", method="direct")[::sh, ::sw, 0]
        np.testing.assert_allclose(y[0, :, :, o], expected, rtol=1e-11, atol=1e-11)


@given(problems())
def test_the_three_are_partials_of_one_trilinear_form(problem):
    x, weight, bias, grad_y, rest = arrays(problem, np.float64)
    y, grad_x, grad_weight = all_three(x, weight, np.zeros_like(bias), grad_y, rest)
    value = np.vdot(y, grad_y)
    scale = np.vdot(conv.forward(abs(x), abs(weight), None, *rest), abs(grad_y)) + 1
    assert abs(np.vdot(x, grad_x) - value) < 1e-12 * scale
    assert abs(np.vdot(weight, grad_weight) - value) < 1e-12 * scale


@needs_numba
@given(problems())
def test_compiled_is_the_twin_within_float32(problem):
    x, weight, bias, grad_y, rest = problem_arrays = arrays(problem, np.float32)
    with use(backend="numba", conv="exact"):
        found = all_three(*problem_arrays)
    exact = [a.astype(np.float64) for a in (x, weight, bias, grad_y)]
    with use(backend="numpy"):
        expected = all_three(*exact, rest)
        limits = bounds(*exact, rest)
    for value, reference, limit in zip(found, expected, limits, strict=True):
        assert value.dtype == np.float32 and value.flags.c_contiguous
        assert value.shape == reference.shape
        assert np.all(abs(value - reference) <= limit)


def assert_exact_on_small_integers(problem, kernels):
    found_arrays = arrays(problem, np.float32, integers=True)
    with use(backend="numpy"):
        expected = all_three(*found_arrays)
    for kernel in kernels:
        with use(backend="numba", conv="exact"), forced(kernel):
            found = all_three(*found_arrays)
        for value, reference in zip(found, expected, strict=True):
            np.testing.assert_array_equal(value, reference, err_msg=str(kernel))


@needs_numba
@given(problems())
def test_direct_kernels_are_exact_on_small_integers(problem):
    assert_exact_on_small_integers(problem, ("direct", "images", None))  # None: as chosen


@needs_numba
@given(problems(groups=(1, 5, 17, 33), depths=(1,), filters=(1,)))
def test_depthwise_is_exact_on_small_integers(problem):
    assert_exact_on_small_integers(problem, ("depthwise", "direct"))


@needs_numba
@given(problems(groups=(1, 2)), st.integers(1, 3))
def test_pointwise_is_exact_on_small_integers(problem, stride):
    x_shape, (filters, _, _, depth), _, _, groups, seed = problem
    pointwise = (x_shape, (filters, 1, 1, depth), (stride, 1), (0, 0), groups, seed)
    assert_exact_on_small_integers(pointwise, ("pointwise", "direct"))


@st.composite
def winograd_problems(draw):
    """Draw 3×3 convolutions of stride 1, of odd widths, odd channels and any padding, some of one patch only."""
    padding = draw(st.tuples(st.integers(0, 4), st.integers(0, 4)))
    size = [draw(st.sampled_from([s for s in (1, 2, 4, 5, 7, 13, 28) if s + 2 * padding[i] >= 3])) for i in (0, 1)]
    channels, filters = (draw(st.sampled_from([1, 3, 16, 27, 40])) for _ in range(2))
    n = draw(st.sampled_from([1, 3, 10]))
    return (n, *size, channels), (filters, 3, 3, channels), (1, 1), padding, 1, draw(st.integers(0, 2**32 - 1))


def assert_winograd_is_the_twin(problem):
    problem_arrays = arrays(problem, np.float32)
    with use(backend="numba", conv="fast"), forced("winograd"):
        found = all_three(*problem_arrays)
    exact = [a.astype(np.float64) for a in problem_arrays[:4]]
    with use(backend="numpy"):
        expected = all_three(*exact, problem_arrays[4])
        magnitudes = all_three(*map(abs, exact), problem_arrays[4])
    for value, reference, magnitude in zip(found, expected, magnitudes, strict=True):
        # Each transform sums up to 4 terms with constants up to 8 and is undone by another: products are rounded at a
        # scale of up to 8·8 times the largest sum of a patch, so that is the scale of the error, for all outputs alike.
        assert np.all(abs(value - reference) <= 64 * EPS * magnitude.max())


@needs_numba
@given(winograd_problems())
def test_winograd_is_the_twin_within_float32(problem):
    assert_winograd_is_the_twin(problem)


@needs_numba
def test_winograd_of_many_channels_sums_its_36_products_in_ranges_of_points():
    assert_winograd_is_the_twin(((7, 6, 9, 130), (150, 3, 3, 130), (1, 1), (1, 1), 1, 0))


@needs_numba
@pytest.mark.parametrize("kind", ["fast", "exact"])
@pytest.mark.parametrize("problem", [
    ((37, 9, 9, 19), (33, 3, 3, 19), (1, 1), (1, 1), 1, 0),
    ((13, 16, 16, 16), (16, 3, 3, 16), (2, 2), (1, 1), 1, 1),
    ((40, 4, 4, 24), (24, 3, 3, 24), (1, 1), (1, 1), 1, 2),
    ((9, 2, 2, 64), (48, 3, 3, 64), (1, 1), (1, 1), 1, 2),
    ((21, 12, 12, 18), (18, 3, 3, 1), (1, 1), (1, 1), 18, 3),
    ((11, 10, 10, 40), (24, 1, 1, 40), (1, 1), (0, 0), 1, 4),
    ((9, 8, 8, 160), (160, 3, 3, 160), (1, 1), (1, 1), 1, 5),
])  # fmt: skip
def test_same_bits_for_any_number_of_threads_and_from_run_to_run(problem, kind):
    given_arrays = arrays(problem, np.float32)
    before = get_num_threads()
    results = []
    try:
        with use(backend="numba", conv=kind):
            for threads in (1, 1, 2, 3, 4):
                set_num_threads(threads)
                results.append(all_three(*given_arrays))
    finally:
        set_num_threads(before)
    for other in results[1:]:
        for first, again in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize("backend", ["numpy", pytest.param("numba", marks=needs_numba)])
@pytest.mark.parametrize("groups", [1, 3])
def test_no_images_give_empty_outputs_and_zero_weight_gradient(backend, groups):
    x, weight = np.zeros((0, 5, 5, 3), np.float32), np.ones((3, 3, 3, 3 // groups), np.float32)
    with use(backend=backend):
        y, grad_x, grad_weight = all_three(
            x, weight, None, np.zeros((0, 5, 5, 3), np.float32), ((1, 1), (1, 1), groups)
        )
    assert y.shape == (0, 5, 5, 3) and grad_x.shape == x.shape
    np.testing.assert_array_equal(grad_weight, np.zeros_like(weight))


@pytest.mark.parametrize(("x_shape", "w_shape", "stride", "padding", "groups", "exact", "fast"), [
    ((128, 32, 32, 64), (64, 3, 3, 64), (1, 1), (1, 1), 1, "direct", "winograd"),
    ((1, 28, 28, 27), (27, 3, 3, 27), (1, 1), (1, 1), 1, "direct", "winograd"),
    ((128, 2, 2, 512), (512, 3, 3, 512), (1, 1), (1, 1), 1, "images", "images"),
    ((128, 32, 32, 64), (64, 3, 3, 64), (2, 2), (1, 1), 1, "direct", "direct"),
    ((128, 32, 32, 64), (64, 3, 3, 1), (1, 1), (1, 1), 64, "depthwise", "depthwise"),
    ((128, 32, 32, 64), (64, 1, 1, 64), (2, 2), (0, 0), 1, "pointwise", "pointwise"),
])  # fmt: skip
def test_choice_and_its_explanation(x_shape, w_shape, stride, padding, groups, exact, fast):
    for kind, expected in (("exact", exact), ("fast", fast)):
        with use(conv=kind):
            assert choice.choose(x_shape, w_shape, stride, padding, groups) == expected
            if numba_available():
                with use(backend="numba"):
                    assert choice.explain(x_shape, w_shape, stride, padding, groups).startswith(f"{expected}: ")


@needs_numba
def test_read_only_and_64_bit_input():
    problem = ((2, 5, 5, 3), (4, 3, 3, 3), (1, 1), (1, 1), 1, 0)
    x, weight, bias, grad_y, rest = arrays(problem, np.float32)
    expected = all_three(x, weight, bias, grad_y, rest)
    for array in (x, weight, bias, grad_y):
        array.flags.writeable = False
    for value, reference in zip(all_three(x, weight, bias, grad_y, rest), expected, strict=True):
        np.testing.assert_array_equal(value, reference)
    double = all_three(*(a.astype(np.float64) for a in (x, weight, bias, grad_y)), rest)
    assert {value.dtype for value in double} == {np.dtype(np.float64)}
