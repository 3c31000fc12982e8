"""A compiled plan gives the bits of the network in evaluation mode, for any batch, and keeps nothing of a call."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minidl
from minidl import graph, nn, runtime

NAMES = ["resnet8", "resnet8-noshort", "tiny-mobile", "lenet5", "vgg9", "densenet121", "wrn-20-2"]


def shaken(name, seed=0):
    """A network whose batch norms are not the identity."""
    rng = np.random.default_rng(seed)
    model = nn.models.build(name, rng=seed).eval()
    for p in model.parameters():
        if p.ndim == 1:
            p.data[...] = rng.uniform(0.5, 1.5, p.shape)
    for key, buffer in model.named_buffers():
        buffer[...] = rng.uniform(0.5, 2, buffer.shape) if "var" in key else rng.standard_normal(buffer.shape)
    return model, nn.models.default_input_shape(name)


@pytest.mark.parametrize("name", NAMES)
def test_same_bits_as_the_network(name):
    model, shape = shaken(name)
    plan = runtime.compile(model, shape)
    for n in (1, 2, 7):
        x = np.random.default_rng(n).standard_normal((n, *shape)).astype(np.float32)
        with minidl.no_grad():
            want = model(minidl.Tensor(x)).numpy()
        np.testing.assert_array_equal(plan(x), want)


@given(seed=st.integers(0, 2**32 - 1), ratio=st.floats(0.1, 0.9))
def test_odd_widths_after_pruning(seed, ratio):
    from algorithms.pruning import plan as prune

    model, shape = shaken("resnet8", seed % 1000)
    small = prune(model, shape, ratio).apply(model).eval()
    x = np.random.default_rng(seed).standard_normal((3, *shape)).astype(np.float32)
    with minidl.no_grad():
        want = small(minidl.Tensor(x)).numpy()
    np.testing.assert_array_equal(runtime.compile(small, shape)(x), want)


def test_every_batch_norm_of_a_residual_network_is_fused():
    model, shape = shaken("resnet8")
    ops = [node.op for node in runtime.compile(model, shape).graph if node.batched]
    assert ops.count("NormAddReLU") == 7
    assert not {"BatchNormInference", "Add", "ReLU"} & set(ops)


def test_a_batch_norm_with_two_readers_is_not_fused_away():
    class Twice(nn.Module):
        def __init__(self):
            self.bn = nn.BatchNorm2d(2)

        def forward(self, x):
            y = self.bn(x)
            return nn.ops.relu(y) + y

    traced = graph.trace(Twice(), (3, 3, 2))
    assert [n.op for n in graph.fuse(traced) if n.batched] == ["input", "BatchNormInference", "ReLU", "Add"]


def test_a_sum_with_itself_is_not_taken_for_a_residual():
    class Double(nn.Module):
        def __init__(self):
            self.bn = nn.BatchNorm2d(2)

        def forward(self, x):
            y = self.bn(x)
            return y + y

    plan = runtime.compile(Double(), (3, 3, 2))
    x = np.ones((1, 3, 3, 2), np.float32)
    np.testing.assert_allclose(plan(x), 2 * x, rtol=1e-4)  # the identity up to eps = 1e-5 in the variance


def test_input_is_unchanged_and_results_are_kept():
    model, shape = shaken("resnet8")
    plan = runtime.compile(model, shape)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, *shape)).astype(np.float32)
    before, first = x.copy(), plan(x)
    kept = first.copy()
    plan(rng.standard_normal((2, *shape)).astype(np.float32))
    np.testing.assert_array_equal(x, before)
    np.testing.assert_array_equal(first, kept)


def test_nan_stays_nan():
    model, shape = shaken("resnet8")
    x = np.zeros((2, *shape), np.float32)
    x[1, 0, 0, 0] = np.nan
    y = runtime.compile(model, shape)(x)
    assert np.isfinite(y[0]).all() and np.isnan(y[1]).all()


def test_threads_of_a_plan_are_its_own():
    model, shape = shaken("resnet8")
    x = np.random.default_rng(0).standard_normal((5, *shape)).astype(np.float32)
    before = minidl.get_num_threads()
    results = [runtime.compile(model, shape, threads=n)(x) for n in (1, 2, 3, 4)]
    assert minidl.get_num_threads() == before
    for y in results[1:]:
        np.testing.assert_array_equal(y, results[0])


def test_profile_names_every_step():
    model, shape = shaken("resnet8")
    rows = runtime.compile(model, shape).profile(np.zeros((2, *shape), np.float32))
    assert ("Conv2d conv1" in [name for name, _ in rows]) and all(seconds >= 0 for _, seconds in rows)


def test_mistakes_get_a_sentence():
    model, shape = shaken("resnet8")
    with pytest.raises(ValueError, match=r"expected \(N, 32, 32, 3\)"):
        runtime.compile(model, shape)(np.zeros((1, 28, 28, 3), np.float32))
    with pytest.raises(ValueError, match="no input_shape"):
        runtime.compile(model)
