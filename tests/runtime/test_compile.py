"""A compiled plan computes what the network does in evaluation mode, for any batch, and keeps nothing of a call."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minidl
from minidl import graph, nn, runtime
from minidl.kernels.backend import numba_available

NAMES = ["resnet8", "resnet8-noshort", "tiny-mobile", "lenet5", "vgg9", "densenet121", "wrn-20-2"]


def shaken(name, seed=0):
    """A network whose batch norms are not the identity."""
    model = nn.models.build(name, rng=seed).eval()
    shake(model, seed)
    return model, nn.models.default_input_shape(name)


def shake(model, seed):
    rng = np.random.default_rng(seed)
    for p in model.parameters():
        if p.ndim == 1:
            p.data[...] = rng.uniform(0.5, 1.5, p.shape)
    for key, buffer in model.named_buffers():
        buffer[...] = rng.uniform(0.5, 2, buffer.shape) if "var" in key else rng.standard_normal(buffer.shape)


def evaluate(model, x):
    with minidl.no_grad():
        return model(minidl.Tensor(x)).numpy()


def assert_close(found, want):
    # Winograd and folding each round anew, by some 1e-6 of the largest value of a layer; through layers that keep the
    # scale of what they are given, errors add up like the square root of the number of layers, here at most 120.
    assert found.dtype == want.dtype and found.shape == want.shape
    np.testing.assert_allclose(found, want, rtol=0, atol=2e-5 * abs(want).max(initial=0))


@pytest.mark.parametrize("name", NAMES)
def test_equals_the_network_and_exactly_where_nothing_is_folded(name):
    model, shape = shaken(name)
    plan = runtime.compile(model, shape)
    with minidl.use(conv="exact"):
        exact = runtime.compile(model, shape)
    for n in (1, 2, 7):
        x = np.random.default_rng(n).standard_normal((n, *shape)).astype(np.float32)
        assert_close(plan(x), evaluate(model, x))
        with minidl.use(conv="exact"):
            want = evaluate(model, x)
        np.testing.assert_array_equal(exact(x), want)  # its kernels are those of the time it was compiled


@st.composite
def networks(draw):
    """Draw a small residual network of odd widths, with any shortcut, and the number of images."""
    shortcut = draw(st.sampled_from(["A", "B", None]))
    width, depth = draw(st.sampled_from([0.3, 0.7, 1.2])), draw(st.sampled_from([8, 14]))
    n = draw(st.integers(1, 9) | st.sampled_from([16, 33]))
    return {"shortcut": shortcut, "width": width, "depth": depth}, n, draw(st.integers(0, 999))


@given(networks())
def test_any_shortcut_any_width_any_batch(drawn):
    options, n, seed = drawn
    model = nn.models.resnet(**options, rng=seed).eval()
    shake(model, seed)
    x = np.random.default_rng(seed).standard_normal((n, 16, 12, 3)).astype(np.float32)
    assert_close(runtime.compile(model, (16, 12, 3))(x), evaluate(model, x))


@given(seed=st.integers(0, 2**32 - 1), ratio=st.floats(0.1, 0.9))
def test_odd_widths_after_pruning(seed, ratio):
    from algorithms.pruning import plan as prune

    model, shape = shaken("resnet8", seed % 1000)
    small = prune(model, shape, ratio).apply(model).eval()
    for n in (3, 16):
        x = np.random.default_rng(seed).standard_normal((n, *shape)).astype(np.float32)
        assert_close(runtime.compile(small, shape)(x), evaluate(small, x))


@pytest.mark.parametrize("make", [
    lambda: nn.Sequential(nn.Flatten(), nn.ReLU()),
    lambda: nn.Sequential(nn.Flatten()),  # the output is a view of the input
    lambda: nn.Sequential(nn.Conv2d(3, 4, 3, stride=2, rng=0), nn.ReLU(), nn.Conv2d(4, 4, 1, groups=2, rng=1)),
    lambda: nn.Sequential(nn.MaxPool2d(2), nn.Conv2d(3, 5, 5, padding=2, rng=0), nn.AvgPool2d(2)),
    lambda: nn.Sequential(nn.GlobalAvgPool2d(), nn.Linear(3, 2, rng=0)),
    lambda: nn.Sequential(nn.GlobalAvgPool2d(), nn.Linear(3, 1, rng=0)),  # 16 numbers lie as lanewise images would
    lambda: nn.Sequential(nn.Conv2d(3, 4, 3, padding=1, rng=0), nn.GlobalAvgPool2d(), nn.Linear(4, 1, rng=1)),
    lambda: nn.Sequential(nn.Conv2d(3, 1, 9, stride=2, padding=2, rng=0)),
    lambda: Strided(),
])  # fmt: skip
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("backend", ["numba", "numpy"])
def test_other_operations_types_and_backends(make, dtype, backend):
    model = make().eval()
    for p in model.parameters():
        p.data = p.data.astype(dtype)
    x = np.random.default_rng(0).standard_normal((16, 8, 8, 3)).astype(dtype)
    with minidl.use(backend=backend if numba_available() else "numpy"):
        if next(iter(model.parameters()), None) is None and dtype == np.float64:
            return  # a network without numbers of its own is taken for one of 32-bit floats
        for n in (3, 16):
            assert_close(runtime.compile(model, (8, 8, 3))(x[:n]), evaluate(model, x[:n]))


class Strided(nn.Module):
    """Convolutions of values that do not lie in one piece, and the addition of one."""

    def __init__(self):
        self.conv1, self.conv2 = nn.Conv2d(3, 3, 3, padding=1, rng=0), nn.Conv2d(3, 3, 3, padding=1, rng=1)

    def forward(self, x):
        y = self.conv1(x[:, ::2, ::2])
        return nn.ops.relu(self.conv2(y) + x[:, 1::2, 1::2])


def test_large_images_are_computed_call_by_call(monkeypatch):
    model, shape = shaken("resnet8")
    x = np.random.default_rng(0).standard_normal((1, *shape)).astype(np.float32)
    want = runtime.compile(model, shape)(x)
    monkeypatch.setattr(minidl.runtime.program, "MOST_BYTES", 0)
    plan = runtime.compile(model, shape)
    np.testing.assert_array_equal(plan(x), want)
    (bound,) = plan.bound.values()
    assert len(bound.calls) >= 10  # a Ctrl-C comes through between them


def test_batch_norms_are_folded_and_what_follows_a_convolution_is_fused():
    model, shape = shaken("resnet8")
    ops = [node.op for node in runtime.compile(model, shape).graph if node.batched]
    assert ops.count("ConvAddReLU") == 7
    assert not {"NormAddReLU", "BatchNormInference", "Add", "ReLU"} & set(ops)
    with minidl.use(conv="exact"):
        ops = [node.op for node in runtime.compile(model, shape).graph if node.batched]
    assert ops.count("NormAddReLU") == ops.count("Conv2d") == 7


@pytest.mark.parametrize("name", ["resnet14", "lenet5", "densenet121"])
def test_a_fused_graph_means_the_same(name):
    model, shape = shaken(name)
    traced = graph.fold_batch_norm(graph.trace(model, shape))
    x = np.random.default_rng(0).standard_normal((2, *shape)).astype(np.float32)
    np.testing.assert_array_equal(graph.run(graph.fuse(traced), x), graph.run(traced, x))


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


def test_batch_sizes_take_turns():
    model, shape = shaken("resnet8")
    plan = runtime.compile(model, shape)
    x = np.random.default_rng(0).standard_normal((33, *shape)).astype(np.float32)
    want = runtime.compile(model, shape)(x)
    for n in (3, 1, 9, 3, 16, 5, 2, 33, 7, 16, 1, 9):  # more sizes than are kept, and memory that grows
        assert_close(plan(x[:n]), want[:n])


def test_peak_memory_is_what_a_residual_block_needs_at_once_and_a_chunk_at_a_time():
    model, shape = shaken("resnet8")  # 16 channels at 32 x 32 pixels: the block's middle, and its input or output
    plan = runtime.compile(model, shape, threads=1)
    block = 2 * 4 * 32 * 32 * 16
    assert block <= plan.peak_bytes() <= 1.5 * block
    assert plan.peak_bytes(256) < 100 * block
    assert runtime.compile(model, shape, threads=2).peak_bytes(256) < 200 * block


@given(st.integers(0, 70), st.integers(1, 3))
def test_chunks_make_up_the_batch(n, threads):
    model, shape = CHUNKED
    x = np.random.default_rng(n).standard_normal((n, *shape)).astype(np.float32)
    plan = runtime.compile(model, shape, threads=threads)
    assert plan.program.ordinary[0].chunk <= 32
    assert_close(plan(x), evaluate(model, x))
    assert_close(np.concatenate([plan(x[:5]), plan(x[5:])]), evaluate(model, x))


CHUNKED = shaken("resnet8")


def test_nan_stays_nan():
    model, shape = shaken("resnet8")
    x = np.zeros((2, *shape), np.float32)
    x[1, 0, 0, 0] = np.nan
    y = runtime.compile(model, shape)(x)
    assert np.isfinite(y[0]).all() and np.isnan(y[1]).all()


def test_threads_of_a_plan_are_its_own():
    model, shape = shaken("resnet8")
    x = np.random.default_rng(0).standard_normal((70, *shape)).astype(np.float32)
    before = minidl.get_num_threads()
    results = [runtime.compile(model, shape, threads=n)(x) for n in (1, 2, 3, 4)]
    assert minidl.get_num_threads() == before
    for y in results[1:]:
        np.testing.assert_array_equal(y, results[0])


def test_profile_names_every_step():
    model, shape = shaken("resnet8")
    rows = runtime.compile(model, shape).profile(np.zeros((2, *shape), np.float32))
    assert ("ConvAddReLU conv1" in [name for name, _ in rows]) and all(seconds >= 0 for _, seconds in rows)


def test_mistakes_get_a_sentence():
    model, shape = shaken("resnet8")
    with pytest.raises(ValueError, match=r"expected \(N, 32, 32, 3\)"):
        runtime.compile(model, shape)(np.zeros((1, 28, 28, 3), np.float32))
    with pytest.raises(ValueError, match="and float32: convert x"):
        runtime.compile(model, shape)(np.zeros((1, *shape)))
    with pytest.raises(ValueError, match="no input_shape"):
        runtime.compile(model)
