"""Optimizer steps: the twins against the published formulas in float64, the compiled steps bit for bit, in place."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidl.kernels import optimizer
from minidl.kernels.backend import numba_available, use
from minidl.kernels.optimizer import GRAIN
from minidl.kernels.parallel import get_num_threads, set_num_threads

needs_numba = pytest.mark.skipif(not numba_available(), reason="compares compiled kernels with their twins")
STEPS = 3

settings = st.fixed_dictionaries({
    "lr": st.sampled_from([0.1, 1e-3]),
    "weight_decay": st.sampled_from([0.0, 5e-4]),
    "shape": st.sampled_from([(), (1,), (7,), (16, 3, 3, 5), (0, 4), (GRAIN // 5 + 1, 5)]),
    "seed": st.integers(0, 2**32 - 1),
})  # fmt: skip
momenta = st.sampled_from([(0.0, False), (0.9, False), (0.9, True)])
betas = st.sampled_from([(0.9, 0.999), (0.0, 0.9)])


def start(given_settings, dtype):
    """Return the parameter and one gradient per step."""
    rng = np.random.default_rng(given_settings["seed"])
    p, *grads = (np.asarray(rng.standard_normal(given_settings["shape"])).astype(dtype) for _ in range(1 + STEPS))
    return p, grads


def run_sgd(p, grads, momentum, nesterov, lr, weight_decay, **_):
    buffer = np.zeros_like(p) if momentum else None
    for grad in grads:
        optimizer.sgd(p, grad, buffer, lr, momentum, nesterov, weight_decay)
    return [p] if buffer is None else [p, buffer]


def run_adam(p, grads, pair, lr, weight_decay, **_):
    mean, square = np.zeros_like(p), np.zeros_like(p)
    for step, grad in enumerate(grads, start=1):
        optimizer.adam(p, grad, mean, square, step, lr, pair, 1e-8, weight_decay)
    return [p, mean, square]


@given(settings, momenta)
def test_sgd_is_the_formula(chosen, momentum):
    p, grads = start(chosen, np.float64)
    theta, velocity, mu, decay = p.copy(), 0.0, momentum[0], chosen["weight_decay"]
    for grad in grads:
        g = grad + decay * theta
        velocity = mu * velocity + g
        theta = theta - chosen["lr"] * (g + mu * velocity if momentum[1] else velocity)
    np.testing.assert_allclose(run_sgd(p, grads, *momentum, **chosen)[0], theta, rtol=1e-12, atol=1e-14)


@given(settings, betas)
def test_adam_is_the_formula(chosen, pair):
    p, grads = start(chosen, np.float64)
    theta, m, v, (b1, b2) = p.copy(), 0.0, 0.0, pair
    for t, grad in enumerate(grads, start=1):
        g = grad + chosen["weight_decay"] * theta
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g * g
        theta = theta - chosen["lr"] * (m / (1 - b1**t)) / (np.sqrt(v / (1 - b2**t)) + 1e-8)
    np.testing.assert_allclose(run_adam(p, grads, pair, **chosen)[0], theta, rtol=1e-10, atol=1e-12)


@needs_numba
@given(settings, momenta, betas)
def test_compiled_is_the_twins_bits(chosen, momentum, pair):
    results = []
    for backend in ("numba", "numpy"):
        with use(backend=backend):
            p, grads = start(chosen, np.float32)
            results.append([*run_sgd(p, grads, *momentum, **chosen), *run_adam(p.copy(), grads, pair, **chosen)])
    for found, expected in zip(*results, strict=True):
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("backend", ["numpy", pytest.param("numba", marks=needs_numba)])
def test_parameters_of_any_layout_are_changed_in_place(backend):
    whole = np.arange(24, dtype=np.float32).reshape(4, 6)
    p, expected = whole.T[::2], whole.T[::2].copy()
    grad = np.ones_like(p)
    with use(backend=backend):
        run_sgd(p, [grad], 0.9, True, 0.1, 0.0)
        run_sgd(expected, [grad], 0.9, True, 0.1, 0.0)
        np.testing.assert_array_equal(whole[:, ::2], expected.T)
        run_adam(p, [grad[::-1]], (0.9, 0.999), 0.1, 0.0)
        run_adam(expected, [grad], (0.9, 0.999), 0.1, 0.0)
    np.testing.assert_array_equal(whole[:, ::2], expected.T)
    np.testing.assert_array_equal(whole[:, 1::2], np.arange(24).reshape(4, 6)[:, 1::2])


@needs_numba
def test_same_bits_for_any_number_of_threads():
    chosen = {"lr": 0.1, "weight_decay": 1e-4, "shape": (3 * GRAIN + 5,), "seed": 0}
    before, results = get_num_threads(), []
    try:
        with use(backend="numba"):
            for threads in (1, 2, 3, 4):
                set_num_threads(threads)
                p, grads = start(chosen, np.float32)
                results.append([*run_sgd(p, grads, 0.9, True, **chosen), *run_adam(p, grads, (0.9, 0.999), **chosen)])
    finally:
        set_num_threads(before)
    for other in results[1:]:
        for first, again in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(first, again)


def test_momentum_without_a_buffer_is_an_error():
    with pytest.raises(ValueError, match="momentum_buffer"):
        optimizer.sgd(np.ones(2), np.ones(2), None, 0.1, momentum=0.9)
