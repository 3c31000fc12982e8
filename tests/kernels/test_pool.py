"""Pooling: the twins against plain loops and their adjoints, the compiled kernels against the twins, bit for bit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidl.kernels import pool
from minidl.kernels.backend import numba_available, use
from minidl.kernels.parallel import get_num_threads, set_num_threads

needs_numba = pytest.mark.skipif(not numba_available(), reason="compares compiled kernels with their twins")
EPS = np.finfo(np.float32).eps
BACKENDS = ["numpy", pytest.param("numba", marks=needs_numba)]


@st.composite
def problems(draw):
    """Draw (x shape, size, stride, padding, seed): windows that overlap, touch, leave gaps, or hang over the border."""
    size = draw(st.one_of(st.just((2, 2)), st.tuples(st.integers(1, 4), st.integers(1, 4)), st.just((16, 17))))
    stride = draw(st.one_of(st.just(size), st.just((2, 2)), st.tuples(st.integers(1, 4), st.integers(1, 4))))
    padding = draw(st.one_of(st.just((0, 0)), st.tuples(*(st.integers(0, k // 2) for k in size))))
    height, width = (draw(st.integers(max(1, k - 2 * p), k + 7)) for k, p in zip(size, padding, strict=True))
    shape = draw(st.integers(0, 3)), height, width, draw(st.sampled_from([1, 3, 8, 16, 27, 65]))
    return shape, size, stride, padding, draw(st.integers(0, 2**32 - 1))


def arrays(problem, dtype=np.float32, ties=False):
    """Return x, not contiguous, the rest of the arguments, and the rng; ties: few different values, NaN and ±inf."""
    shape, *how, seed = problem
    rng = np.random.default_rng(seed)
    doubled = (*shape[:3], 2 * shape[3])
    values = rng.choice([-1, 0, 1, 2, np.nan, np.inf, -np.inf], doubled) if ties else rng.standard_normal(doubled)
    return values.astype(dtype)[..., ::2], how, rng


def everything(x, how, rng):
    """Return the results of all seven functions."""
    y, chosen = pool.max_pool(x, *how)
    grad_y = rng.standard_normal((2 * len(y), *y.shape[1:])).astype(x.dtype)[::2]
    results = [y, chosen, pool.gather(x, chosen, *how), pool.spread(grad_y, chosen, x.shape, *how)]
    results += [pool.avg_pool(x, *how), pool.avg_pool_grad(grad_y, x.shape, *how)]
    return [*results, pool.global_avg_pool(x), pool.global_avg_pool_grad(grad_y[:, 0, 0], x.shape)]


@given(problems(), st.booleans())
def test_twins_are_the_plain_loops(problem, ties):
    x, how, _ = arrays(problem, np.float64, ties)
    (kh, kw), (sh, sw), (ph, pw) = how
    with np.errstate(invalid="ignore"):
        (y, chosen), mean = pool.max_pool(x, *how), pool.avg_pool(x, *how)
        for n, oh, ow, c in np.ndindex(y.shape):
            top, left = oh * sh - ph, ow * sw - pw
            places = [(top + k // kw, left + k % kw) for k in range(kh * kw)]
            inside = [0 <= h < x.shape[1] and 0 <= w < x.shape[2] for h, w in places]
            window = [x[n, h, w, c] if real else None for (h, w), real in zip(places, inside, strict=True)]
            real = [value for value in window if value is not None]
            best = np.max(real)
            np.testing.assert_equal(y[n, oh, ow, c], best)
            if best != -np.inf:
                first = next(k for k, v in enumerate(window) if v is not None and (v == best or np.isnan(v)))
                assert chosen[n, oh, ow, c] == first
            np.testing.assert_allclose(mean[n, oh, ow, c], np.sum(real) / (kh * kw), atol=1e-12)


@given(problems())
def test_each_backward_is_the_adjoint(problem):
    x, how, rng = arrays(problem, np.float64)
    y, chosen = pool.max_pool(x, *how)
    grad_y = rng.standard_normal(y.shape)
    pairs = [
        (pool.gather(x, chosen, *how), pool.spread(grad_y, chosen, x.shape, *how), grad_y),
        (pool.avg_pool(x, *how), pool.avg_pool_grad(grad_y, x.shape, *how), grad_y),
        (pool.global_avg_pool(x), pool.global_avg_pool_grad(grad_y[:, 0, 0], x.shape), grad_y[:, 0, 0]),
    ]
    np.testing.assert_array_equal(pairs[0][0], y)
    for forward, backward, cotangent in pairs:
        scale = np.vdot(abs(x), abs(backward)) + 1
        assert abs(np.vdot(forward, cotangent) - np.vdot(x, backward)) < 1e-12 * scale


@needs_numba
@given(problems(), st.booleans())
def test_compiled_is_the_twins_bits(problem, ties):
    results = []
    for backend in ("numba", "numpy"):
        x, how, rng = arrays(problem, ties=ties)
        with use(backend=backend), np.errstate(invalid="ignore"):
            results.append(everything(x, how, rng))
    found, expected = results
    for value, reference in zip(found[:6] + found[7:], expected[:6] + expected[7:], strict=True):
        assert value.dtype == reference.dtype
        np.testing.assert_array_equal(value, reference)
    # the global mean is summed in float64 in another order: it may round to the neighbouring float32
    with np.errstate(invalid="ignore"):
        np.testing.assert_allclose(found[6], expected[6], rtol=EPS, atol=EPS * EPS)


@needs_numba
@pytest.mark.parametrize("how", [((2, 2), (2, 2), (0, 0)), ((3, 3), (2, 2), (1, 1)), ((3, 2), (1, 1), (1, 0))])
@pytest.mark.parametrize("shape", [(19, 16, 16, 33), (2, 40, 41, 64), (130, 9, 9, 5)])
def test_same_bits_for_any_number_of_threads(shape, how):
    before, results = get_num_threads(), []
    try:
        with use(backend="numba"):
            for threads in (1, 1, 2, 3, 4):
                set_num_threads(threads)
                x, _, rng = arrays((shape, *how, 0))
                results.append(everything(x, how, rng))
    finally:
        set_num_threads(before)
    for other in results[1:]:
        for first, again in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize("backend", BACKENDS)
def test_padding_is_never_chosen(backend):
    """In windows of -inf alone, as large as their padding, the first element of the image is the maximum."""
    x = np.full((1, 2, 2, 1), -np.inf, np.float32)
    how = (3, 3), (1, 1), (1, 1)
    with use(backend=backend):
        _, chosen = pool.max_pool(x, *how)
        grad_x = pool.spread(np.ones((1, 2, 2, 1), np.float32), chosen, x.shape, *how)
        read = pool.gather(np.ones_like(x), chosen, *how)
    np.testing.assert_array_equal(chosen[0, :, :, 0], [[4, 3], [1, 0]])
    np.testing.assert_array_equal(grad_x[0, :, :, 0], [[4, 0], [0, 0]])
    np.testing.assert_array_equal(read[0, :, :, 0], [[1, 1], [1, 1]])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("backend", BACKENDS)
def test_dtype_stays(dtype, backend):
    with use(backend=backend):
        results = everything(*arrays(((2, 6, 6, 3), (2, 2), (2, 2), (0, 0), 0), dtype))
    assert {value.dtype for value in results[:1] + results[2:]} == {np.dtype(dtype)}
