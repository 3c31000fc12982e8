"""ReLU, gate and sum: NumPy's own values on all floats, the twin's bits compiled, and inputs that stay as they are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidl.kernels import activation
from minidl.kernels.activation import GRAIN, SMALL
from minidl.kernels.backend import numba_available, use
from minidl.kernels.parallel import get_num_threads, set_num_threads

needs_numba = pytest.mark.skipif(not numba_available(), reason="compares compiled kernels with their twins")


@st.composite
def pairs(draw, dtype=np.float32):
    """Draw two arrays of one shape with zeros of both signs, NaN and ±inf, the first of them not contiguous."""
    rows = draw(st.sampled_from([0, 1, 2, SMALL // 5, SMALL // 5 + 1, GRAIN // 5, GRAIN // 5 + 1, GRAIN // 2]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    a, b = rng.standard_normal((2, rows, 10)).astype(dtype)
    for array in (a, b):
        array[rng.random(array.shape) < 0.1] = rng.choice([0.0, -0.0, np.nan, np.inf, -np.inf])
    return a[:, ::2], np.ascontiguousarray(b[:, 1::2])


def results_of(a, b):
    with np.errstate(invalid="ignore"):  # ∞ - ∞
        return activation.relu(a), activation.gate(a, b), activation.add(a, b)


@given(pairs(np.float64))
def test_equations(arrays):
    a, b = arrays
    relu, gate, total = results_of(a, b)
    for i, j in [(i, j) for i in range(min(3, len(a))) for j in range(5)]:
        np.testing.assert_array_equal(relu[i, j], max(a[i, j], 0.0))  # 0 and -0 are equal
        np.testing.assert_array_equal(gate[i, j], a[i, j] if b[i, j] > 0 else 0.0)
        np.testing.assert_array_equal(total[i, j], float(a[i, j]) + float(b[i, j]))


@needs_numba
@given(pairs())
def test_compiled_is_the_twins_bits(arrays):
    with use(backend="numba"):
        found = results_of(*arrays)
    with use(backend="numpy"):
        expected = results_of(*arrays)
    for value, reference in zip(found, expected, strict=True):
        assert value.dtype == np.float32 and value.shape == reference.shape
        np.testing.assert_array_equal(value, reference)


@needs_numba
def test_gate_lets_nothing_of_an_infinite_gradient_through():
    grad = np.full(2 * SMALL, np.inf, np.float32)
    with use(backend="numba"):
        np.testing.assert_array_equal(activation.gate(grad, np.zeros_like(grad)), np.zeros_like(grad))


@needs_numba
def test_same_bits_for_any_number_of_threads():
    a, b = np.random.default_rng(0).standard_normal((2, 3 * GRAIN + 7)).astype(np.float32)
    before, results = get_num_threads(), []
    try:
        with use(backend="numba"):
            for threads in (1, 2, 3, 4):
                set_num_threads(threads)
                results.append(results_of(a, b))
    finally:
        set_num_threads(before)
    for other in results[1:]:
        for first, again in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize("backend", ["numpy", pytest.param("numba", marks=needs_numba)])
def test_other_dtypes_stay(backend):
    a = np.arange(-SMALL, SMALL, dtype=np.int64).reshape(2, -1)
    with use(backend=backend):
        np.testing.assert_array_equal(activation.relu(a), np.maximum(a, 0))
        assert activation.relu(a).dtype == np.int64
