"""Batch normalization: the twin against derivatives, the compiled passes against the twin, and the fused ReLU."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidl.kernels import norm
from minidl.kernels.activation import gate
from minidl.kernels.backend import numba_available, use
from minidl.kernels.parallel import get_num_threads, set_num_threads

needs_numba = pytest.mark.skipif(not numba_available(), reason="compares compiled kernels with their twins")
EPS = np.finfo(np.float32).eps
TERMS = 64 + 4  # roundings on the way of a term: the float32 sum of a lane, and the few operations that make it


def compiled():
    from minidl.kernels import norm_compiled

    return norm_compiled


@st.composite
def problems(draw, dtype=np.float32, specials=False):
    """Draw x, grad_y, residual (of one shape) and weight, bias (C,), with offsets far larger than the spread."""
    channels = draw(st.sampled_from([1, 2, 3, 5, 16, 17, 27, 64, 100, 513, 600]))
    shape = (*draw(st.sampled_from([(2,), (7,), (130,), (2, 3, 5), (9, 8, 8), (33, 6, 7)])), channels)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    x, grad_y, residual = (rng.standard_normal((*shape[:-1], 2 * channels)).astype(dtype)[..., ::2] for _ in range(3))
    x += draw(st.sampled_from([0, 1, 1000]))
    if specials:
        for array in (x, grad_y, residual):
            array[rng.random(shape) < 0.05] = rng.choice([np.nan, np.inf, -np.inf])
    weight, bias = rng.standard_normal((2, channels)).astype(dtype)
    return x, grad_y, residual, weight, bias


def forward_and_backward(x, grad_y, residual, weight, bias):
    """Return everything that the two public functions compute, plain, fused, and with given statistics."""
    y, mean, var = norm.batch_norm(x, weight, bias, 1e-5)
    fused = norm.batch_norm(x, weight, bias, 1e-5, residual, relu=True)[0]
    given = norm.batch_norm_inference(x, weight, bias, mean, var, 1e-5)
    plain = norm.batch_norm_backward(grad_y, x, weight, mean, var, 1e-5)
    gated = norm.batch_norm_backward(grad_y, x, weight, mean, var, 1e-5, bias)
    return [y, mean, var, fused, given, *plain, *gated]


@given(problems(np.float64))
def test_output_has_the_mean_and_deviation_it_was_given(problem):
    x, _, residual, weight, bias = problem
    axes = tuple(range(x.ndim - 1))
    y, mean, var = norm.batch_norm(x, weight, bias, eps=0.0)
    np.testing.assert_allclose(mean, x.mean(axis=axes), rtol=1e-9)
    np.testing.assert_allclose(var, x.var(axis=axes), rtol=1e-9)
    np.testing.assert_allclose(y.mean(axis=axes), bias, atol=1e-9)
    np.testing.assert_allclose(y.std(axis=axes), abs(weight), rtol=1e-8)
    fused = norm.batch_norm(x, weight, bias, 0.0, residual, relu=True)[0]
    np.testing.assert_allclose(fused, np.maximum(y + residual, 0), atol=1e-12)


@given(problems(np.float64), st.booleans())
def test_backward_is_the_derivative(problem, relu):
    x, grad_y, _, weight, bias = problem
    x = (x - x.mean()) * 2  # keep rounding below the truncation error of the differences

    def value(step, dx, dw, db):
        y = norm.batch_norm(x + step * dx, weight + step * dw, bias + step * db, 0.1, relu=relu)[0]
        return np.vdot(grad_y, y)

    _, mean, var = norm.batch_norm(x, weight, bias, 0.1)
    grads = norm.batch_norm_backward(grad_y, x, weight, mean, var, 0.1, bias if relu else None)
    moves = (grad_y[::-1] - x, bias, weight)
    expected = sum(np.vdot(grad, move) for grad, move in zip(grads, moves, strict=True))
    h, scale = 1e-6, sum(np.vdot(abs(g), abs(m)) for g, m in zip(grads, moves, strict=True)) + np.abs(grad_y).sum()
    crossed = x.size * np.abs(grad_y).max() * h * 100 if relu else 0  # gates that open or close between the two points
    assert abs((value(h, *moves) - value(-h, *moves)) / (2 * h) - expected) < 1e-6 * scale + crossed


@needs_numba
@given(problems())
def test_compiled_sums_are_near_float64(problem):
    x, grad_y, _, weight, bias = problem
    exact, axes = x.astype(np.float64), tuple(range(x.ndim - 1))
    mean, var = compiled().moments(x)
    spread = np.ptp(exact, axis=axes)  # the bounds know the spread only: a common offset costs nothing
    assert np.all(abs(mean - exact.mean(axis=axes)) <= TERMS * EPS * spread)
    assert np.all(abs(var - exact.var(axis=axes)) <= 3 * TERMS * EPS * spread**2)
    mean32 = mean.astype(np.float32)
    for gate_bias in (None, bias):
        args = x, mean32, weight, gate_bias
        distance = abs(x - mean32)
        magnitude = (
            abs(grad_y).sum(axis=axes, dtype=np.float64),
            (abs(grad_y) * distance).sum(axis=axes, dtype=np.float64),
        )
        pairs = zip(compiled().gradient_sums(grad_y, *args), norm.gradient_sums(grad_y, *args), magnitude, strict=True)
        for found, expected, size in pairs:
            assert np.all(abs(found - expected) <= TERMS * EPS * size)


@needs_numba
@given(problems(specials=True))
def test_passes_without_sums_are_the_twins_bits(problem):
    x, grad_y, residual, weight, bias = problem
    mean = x.reshape(-1, x.shape[-1])[0].copy()
    with np.errstate(all="ignore"):
        for other in (None, residual):
            for relu in (False, True):
                args = x, mean, weight, bias, other, relu
                np.testing.assert_array_equal(compiled().normalize(*args), norm.normalize(*args))
        for gate_bias in (None, bias):
            args = grad_y, x, mean, weight, gate_bias, bias, weight
            np.testing.assert_array_equal(compiled().gradient_of_input(*args), norm.gradient_of_input(*args))


@needs_numba
@given(problems())
def test_compiled_backward_is_the_float64_formula(problem):
    x, grad_y, _, weight, _ = problem
    with use(backend="numba"):
        _, mean, var = norm.batch_norm(x, weight, weight, 1e-5)
        found = norm.batch_norm_backward(grad_y, x, weight, mean, var, 1e-5)
    g, x, w, mean, var = (array.astype(np.float64) for array in (grad_y, x, weight, mean, var))
    expected = norm.batch_norm_backward(g, x, w, mean, var, 1e-5)
    axes, rows, inv_std = tuple(range(x.ndim - 1)), x.size // x.shape[-1], 1 / np.sqrt(var + 1e-5)
    size, product = abs(g).sum(axis=axes), (abs(g) * abs(x - mean)).sum(axis=axes)
    limits = (
        abs(w) * inv_std * (abs(g) + size / rows + abs(x - mean) * inv_std**2 * product / rows),
        inv_std * product,
        size,
    )
    for value, reference, limit in zip(found, expected, limits, strict=True):
        assert value.dtype == np.float32
        assert np.all(abs(value - reference) <= 2 * TERMS * EPS * limit)


@pytest.mark.parametrize("backend", ["numpy", pytest.param("numba", marks=needs_numba)])
@given(problem=problems())
def test_gate_recomputed_from_x_is_the_gate_of_y(problem, backend):
    x, grad_y, _, weight, bias = problem
    with use(backend=backend):
        y, mean, var = norm.batch_norm(x, weight, bias, 1e-5, relu=True)
        fused = norm.batch_norm_backward(grad_y, x, weight, mean, var, 1e-5, bias)
        apart = norm.batch_norm_backward(gate(grad_y, y), x, weight, mean, var, 1e-5)
    for found, expected in zip(fused, apart, strict=True):
        np.testing.assert_array_equal(found, expected)


@needs_numba
@given(problems())
def test_nan_stays_in_its_channel(problem):
    x, grad_y, residual, weight, bias = problem
    spoiled = x.copy()
    spoiled.reshape(-1, x.shape[-1])[-1, 0] = np.nan
    with use(backend="numba"), np.errstate(invalid="ignore"):
        expected = forward_and_backward(x, grad_y, residual, weight, bias)
        found = forward_and_backward(spoiled, grad_y, residual, weight, bias)
    assert np.isnan(found[0][..., 0]).all() and np.isnan(found[3][..., 0]).all()
    for value, reference in zip(found, expected, strict=True):
        np.testing.assert_array_equal(value[..., 1:], reference[..., 1:])


@needs_numba
@pytest.mark.parametrize("shape", [(37, 24, 24, 17), (5, 30, 31, 64), (700, 513), (129, 16, 16, 1), (16, 4, 4, 512)])
def test_same_bits_for_any_number_of_threads(shape):
    rng = np.random.default_rng(0)
    x, grad_y, residual = rng.standard_normal((3, *shape)).astype(np.float32)
    weight, bias = rng.standard_normal((2, shape[-1])).astype(np.float32)
    before, results = get_num_threads(), []
    try:
        with use(backend="numba"):
            for threads in (1, 1, 2, 3, 4):
                set_num_threads(threads)
                results.append(forward_and_backward(x, grad_y, residual, weight, bias))
    finally:
        set_num_threads(before)
    for other in results[1:]:
        for first, again in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize("backend", ["numpy", pytest.param("numba", marks=needs_numba)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_stays(dtype, backend):
    arrays = np.random.default_rng(0).standard_normal((3, 6, 4)).astype(dtype)
    weight, bias = np.ones((2, 4), dtype)
    with use(backend=backend):
        assert {array.dtype for array in forward_and_backward(*arrays, weight, bias)} == {np.dtype(dtype)}
