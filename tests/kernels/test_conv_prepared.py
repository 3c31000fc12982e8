"""A prepared convolution is the convolution, then the residual, then the ReLU, whichever kernel runs it."""

from contextlib import nullcontext
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("numba")

from minidl.kernels import choice, conv, prepared
from minidl.kernels.backend import use
from minidl.kernels.parallel import get_num_threads, set_num_threads
from tests.kernels.test_conv import arrays, problems, winograd_problems


def bound(problem_arrays, kernel, residual, relu):
    """Return what the named kernel (None: the chosen one) leaves in y, called twice."""
    x, weight, bias, grad_y, rest = problem_arrays
    layer = prepared.PreparedConv(weight, bias, *rest)
    x, added = np.ascontiguousarray(x), np.ascontiguousarray(grad_y) if residual else None
    y = np.full(grad_y.shape, np.nan, np.float32)
    chosen = patch.object(prepared, "choose", lambda *_, **__: kernel) if kernel else nullcontext()
    with use(backend="numba"), chosen:
        calls = layer.bind(x, y, added, relu)
        for call in (*calls, *calls):
            call()
    return y


def expected(problem_arrays, residual, relu):
    x, weight, bias, grad_y, rest = problem_arrays
    y = conv.forward_twin(x, weight, bias, *rest) + (grad_y if residual else 0)
    return np.maximum(y, 0) if relu else y


@given(problems(), st.booleans(), st.booleans())
def test_exact_on_small_integers(problem, residual, relu):
    problem_arrays = arrays(problem, np.float32, integers=True)
    want = expected(problem_arrays, residual, relu)
    for kernel in ("direct", "images", None, *(["columns"] if problem[4] == 1 else [])):
        np.testing.assert_array_equal(bound(problem_arrays, kernel, residual, relu), want, err_msg=str(kernel))


@given(problems(groups=(1, 5, 17, 33), depths=(1,), filters=(1,)), st.booleans(), st.booleans())
def test_depthwise_is_exact_on_small_integers(problem, residual, relu):
    problem_arrays = arrays(problem, np.float32, integers=True)
    want = expected(problem_arrays, residual, relu)
    np.testing.assert_array_equal(bound(problem_arrays, "depthwise", residual, relu), want)


@given(problems(groups=(1, 2)), st.integers(1, 3), st.booleans(), st.booleans())
def test_pointwise_is_exact_on_small_integers(problem, stride, residual, relu):
    x_shape, (filters, _, _, depth), _, _, groups, seed = problem
    pointwise = (x_shape, (filters, 1, 1, depth), (stride, 1), (0, 0), groups, seed)
    problem_arrays = arrays(pointwise, np.float32, integers=True)
    want = expected(problem_arrays, residual, relu)
    np.testing.assert_array_equal(bound(problem_arrays, "pointwise", residual, relu), want)


@given(winograd_problems(), st.booleans(), st.booleans())
def test_winograd_is_the_twin_within_float32(problem, residual, relu):
    problem_arrays = arrays(problem, np.float32)
    exact = [array.astype(np.float64) for array in problem_arrays[:4]]
    want = expected((*exact, problem_arrays[4]), residual, relu)
    magnitude = expected((*map(abs, exact), problem_arrays[4]), residual, relu).max()
    found = bound(problem_arrays, "winograd", residual, relu)
    # 64: see test_conv.py
    assert np.all(abs(found - want) <= 64 * np.finfo(np.float32).eps * magnitude)


@given(problems(groups=(1,)))
def test_the_direct_kernels_sum_in_the_same_order(problem):
    problem_arrays = arrays(problem, np.float32)
    first, *others = (bound(problem_arrays, kernel, False, False) for kernel in ("direct", "images", "columns"))
    for other in others:
        np.testing.assert_array_equal(first, other)


@pytest.mark.parametrize("x_shape", [(1, 32, 32, 64), (1, 8, 8, 256), (1, 4, 4, 256), (2, 2, 2, 256), (5, 12, 12, 40)])
def test_same_bits_for_any_number_of_threads(x_shape):
    problem_arrays = arrays((x_shape, (96, 3, 3, x_shape[3]), (1, 1), (1, 1), 1, 0), np.float32)
    before, results = get_num_threads(), []
    try:
        for threads in (1, 1, 2, 3, 4):
            set_num_threads(threads)
            results.append(bound(problem_arrays, None, True, True))
    finally:
        set_num_threads(before)
    for other in results[1:]:
        np.testing.assert_array_equal(results[0], other)


def test_few_pixels_and_large_weights_are_not_given_to_winograd():
    how = (512, 3, 3, 512), (1, 1), (1, 1), 1
    assert choice.choose((128, 4, 4, 512), *how, prepared=True) == "winograd"
    assert choice.choose((1, 4, 4, 512), *how, prepared=True) == "columns"
    assert choice.choose((1, 4, 4, 512), *how) != "columns"  # it has no gradients
