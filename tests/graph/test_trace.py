"""The graph computes what the network computes, names everything by identity, and refuses what it cannot say."""

import gc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minidl
from minidl import graph, nn, ops
from minidl.autograd import Function
from minidl.nn import models
from minidl.nn.models.resnet import BasicBlock

KINDS = [
    "conv",
    "depthwise",
    "bn",
    "relu",
    "hardtanh",
    "maxpool",
    "avgpool",
    "A",
    "B",
    "none",
    "concat",
    "twice",
    "scale",
]


class Drawn(nn.Module):
    """A network from a list of steps, on images; it ends in a mean or a flatten and a linear layer."""

    def __init__(self, steps, size, channels, flat, rng):
        self.steps = []
        for kind in steps:
            layer = None
            if kind in ("maxpool", "avgpool") and size < 2:
                continue
            match kind:
                case "conv" | "concat":
                    layer = nn.Conv2d(channels, 3, 3, padding=1, bias=kind == "conv", rng=rng)
                    channels = 3 if kind == "conv" else channels + 3
                case "depthwise":
                    layer = nn.DepthwiseConv2d(channels, 3, padding=1, rng=rng)
                case "bn":
                    layer = nn.BatchNorm2d(channels)
                    layer.running_mean[:], layer.running_var[:] = rng.standard_normal(channels), rng.random(channels)
                case "A" | "B" | "none":
                    layer = BasicBlock(channels, channels + 2, 2, None if kind == "none" else kind, rng)
                    channels, size = channels + 2, (size + 1) // 2
                case "maxpool" | "avgpool":
                    layer = (nn.MaxPool2d if kind == "maxpool" else nn.AvgPool2d)(2)
                    size //= 2
                case "scale":
                    layer = nn.Linear(channels, channels, rng=rng)
                case "twice":
                    channels *= 2
            self.steps.append((kind, layer))
        self.flat = flat
        self.linear = nn.Linear(channels * size * size if flat else channels, 4, rng=rng)

    def forward(self, x):
        for kind, layer in self.steps:
            match kind:
                case "relu":
                    x = ops.relu(x)
                case "hardtanh":
                    x = ops.hardtanh(x)
                case "concat":
                    x = ops.concatenate([x, layer(x)])
                case "twice":
                    x = ops.concatenate([x, x])
                case "scale":  # squeeze and excite: a factor for each channel of each sample
                    factor = ops.sigmoid(layer(ops.global_avg_pool2d(x)))
                    x = x * factor.reshape(x.shape[0], 1, 1, -1)
                case _:
                    x = layer(x)
        return self.linear(ops.flatten(x) if self.flat else ops.global_avg_pool2d(x))


@st.composite
def nets(draw):
    size, channels = draw(st.integers(1, 9)), draw(st.integers(1, 4))
    steps = draw(st.lists(st.sampled_from(KINDS), max_size=8))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return Drawn(steps, size, channels, draw(st.booleans()), rng), (size, size, channels), rng


@given(nets(), st.integers(1, 4))
def test_the_graph_computes_the_same_bits_as_the_network(drawn, batch):
    net, shape, rng = drawn
    x = rng.standard_normal((batch, *shape)).astype(np.float32)
    net.eval()
    with minidl.no_grad():
        expected = net(x).numpy()
    np.testing.assert_array_equal(graph.run(graph.trace(net, shape), x), expected)


@given(nets())
def test_a_graph_is_well_formed(drawn):
    net, shape, _ = drawn
    g = graph.trace(net, shape)
    assert g.input.op == "input" and g.input.shape == shape and g.output.shape == (4,)
    for i, node in enumerate(g):
        assert node.index == i and all(j < i for j in node.inputs)
        assert (node.function is None) == (node.op in graph.SOURCES)
        assert g.consumers(node) or node is g.output or node is g.input
        assert all(node in g.consumers(read) for read in g.inputs(node))
    parameters = {n.name: n.value for n in g if n.op == "parameter"}
    assert parameters.keys() == {name for name, _ in net.named_parameters()}
    assert all(parameters[name] is p.data for name, p in net.named_parameters())
    buffers = {n.name: n.value for n in g if n.op == "buffer"}
    assert all(buffers[name] is array for name, array in net.named_buffers())


@given(nets())
def test_ancestors_are_the_closure_of_inputs(drawn):
    net, shape, _ = drawn
    g = graph.trace(net, shape)
    expected = {}
    for node in g:
        expected[node.index] = set(node.inputs).union(*(expected[i] for i in node.inputs))
        assert g.ancestors(node) == expected[node.index]


def test_tracing_leaves_the_network_as_it_was():
    net = nn.Sequential(nn.Conv2d(1, 2, 3, rng=0), nn.BatchNorm2d(2), nn.Dropout(0.5)).eval()
    net[2].training = True
    del net[0].training
    before, state = [dict(vars(m)) for m in net.modules()], net.state_dict()
    graph.trace(net, (5, 5, 1))
    assert [list(vars(m)) for m in net.modules()] == [list(b) for b in before]
    assert [vars(m).get("training") for m in net.modules()] == [b.get("training") for b in before]
    assert all((state[name] == array).all() for name, array in net.state_dict().items())
    with pytest.raises(ValueError):
        graph.trace(net, (5, 5, 3))
    assert [vars(m).get("training") for m in net.modules()] == [b.get("training") for b in before]


def test_activations_are_not_kept():
    net = models.resnet(20, rng=0)
    g = graph.trace(net, (32, 32, 3))
    gc.collect()
    held = sum(v.nbytes for n in g if n.function for v in vars(n.function).values() if isinstance(v, np.ndarray))
    assert held == 0
    assert all(n.value is None or n.value.size <= net.linear.weight.size * 100 for n in g)


def test_options_can_be_read_off_the_functions():
    net = nn.Sequential(nn.Conv2d(2, 4, 3, stride=2, padding=1, groups=2, rng=0), nn.MaxPool2d(2), nn.LeakyReLU(0.2))
    conv, pool, leaky = (n.function for n in graph.trace(net, (8, 8, 2)) if n.function)
    assert conv.how == ((2, 2), (1, 1), 2) and pool.how == ((2, 2), (2, 2), (0, 0)) and leaky.negative_slope == 0.2


def test_dead_operations_are_dropped():
    class Wasteful(nn.Module):
        def __init__(self):
            self.used, self.unused = nn.Linear(3, 2, rng=0), nn.Linear(3, 9, rng=0)

        def forward(self, x):
            self.unused(x)
            return self.used(x)

    g = graph.trace(Wasteful(), (3,))
    assert [(n.op, n.name) for n in g] == [
        ("input", ""), ("parameter", "used.weight"), ("parameter", "used.bias"), ("Linear", "used"),
    ]  # fmt: skip


def test_shared_layers_are_one_parameter_and_two_operations():
    class Shared(nn.Module):
        def __init__(self):
            self.layer = nn.Linear(3, 3, rng=0)

        def forward(self, x):
            return self.layer(self.layer(x))

    g = graph.trace(Shared(), (3,))
    assert sorted(n.op for n in g) == ["Linear", "Linear", "input", "parameter", "parameter"]


def test_what_depends_on_parameters_alone_has_a_value_and_a_layer_name():
    class Masked(nn.Module):
        def __init__(self):
            self.mask = np.array([[1, 0, 1]], np.float32)
            self.inner = nn.Linear(3, 2, bias=False, rng=0)

        def forward(self, x):
            return ops.linear(x, self.inner.weight * self.mask)

    net = Masked()
    g = graph.trace(net, (3,))
    masked = next(n for n in g if n.op == "Mul")
    assert not masked.batched and masked.shape == (2, 3)
    np.testing.assert_array_equal(masked.value, net.inner.weight.numpy() * net.mask)
    assert g.output.op == "Linear" and g.output.name == "inner"


def test_float64_networks():
    net = nn.Linear(2, 2, rng=0)
    for p in net.parameters():
        p.data = p.data.astype(np.float64)
    assert graph.run(graph.trace(net, (2,)), np.ones((1, 2))).dtype == np.float64


class Apply(nn.Module):
    def __init__(self, function):
        self.function = function  # not savable, but traceable

    def forward(self, x):
        return self.function(x)


MIXING = {
    "Sum": lambda x: x.sum(axis=0),
    "Max": lambda x: x.max(),
    "Transpose": lambda x: x.T,
    "Concatenate": lambda x: ops.concatenate([x, x], axis=0),
    "GetItem": lambda x: x[::2],
    "Reshape": lambda x: x.reshape(-1, 1),
    "MatMul": lambda x: ops.matmul(np.ones((2, 2), np.float32), x),
    "Add": lambda x: x + np.ones((2, 2), np.float32),
    "Mul": lambda x: x * np.ones((2, 2, 2), np.float32),
    "Where": lambda x: ops.where(x.data > 0, x, 0.0),
    "Linear": lambda x: ops.linear(np.ones((2, 2), np.float32), x),
}


@pytest.mark.parametrize("op", MIXING)
def test_an_operation_that_mixes_samples_is_refused_by_name(op):
    """The sample has as many elements as the traced batch, so shapes alone would not tell."""
    with pytest.raises(ValueError, match=f"^{op} mixes the samples of a batch"):
        graph.trace(Apply(MIXING[op]), (2,))


KEEPING = {
    "sum": lambda x: x.sum(axis=-1),
    "transpose": lambda x: x.transpose(0, 2, 1),
    "bias": lambda x: x + np.ones((1, 2, 2), np.float32),
    "row": lambda x: x * np.ones(2, np.float32),
    "slice": lambda x: x[..., 1:],
    "matmul": lambda x: x @ np.ones((2, 5), np.float32),
    "attention": lambda x: x @ x.transpose(0, 2, 1),
    "reshape": lambda x: x.reshape(x.shape[0], 4),
}


@pytest.mark.parametrize("name", KEEPING)
def test_an_operation_on_each_sample_is_accepted(name):
    x = np.random.default_rng(0).standard_normal((3, 2, 2)).astype(np.float32)
    g = graph.trace(Apply(KEEPING[name]), (2, 2))
    np.testing.assert_array_equal(graph.run(g, x), KEEPING[name](minidl.Tensor(x)).numpy())


def test_an_operation_from_outside_keeps_its_full_name():
    class ReLU(Function):  # not ours, whatever it is called
        def forward(self, x):
            return -x

    g = graph.trace(Apply(lambda x: ReLU()(x)), (2,))
    assert g.output.op.startswith(f"{__name__}.") and g.output.op.endswith("ReLU")


@pytest.mark.parametrize(
    "result", [lambda x: (x, x), lambda x: x.detach(), lambda x: np.maximum(x.data, 0), lambda x: 1]
)
def test_an_output_without_a_record_is_refused(result):
    with pytest.raises(ValueError, match="no recorded operation computed"):
        graph.trace(Apply(result), (2,))


def test_the_input_itself_may_be_the_output():
    g = graph.trace(nn.Sequential(), (3, 2))
    assert len(g) == 1 and g.output is g.input


@pytest.mark.parametrize("shape", [(), (0, 4, 3), (4, -1, 3)])
def test_an_impossible_input_shape_is_refused(shape):
    with pytest.raises(ValueError, match="without the batch axis"):
        graph.trace(models.resnet(8, rng=0), shape)


@pytest.mark.parametrize("shape, why", [((32, 32, 1), "1 channels"), ((32, 32), "N, H, W, C"), ((3,), "N, H, W, C")])
def test_an_input_shape_that_does_not_fit_is_told(shape, why):
    with pytest.raises(ValueError, match=f"samples of shape .*{why}"):
        graph.trace(models.resnet(8, rng=0), shape)


def test_run_refuses_another_shape():
    g = graph.trace(models.resnet(8, rng=0), (8, 8, 3))
    with pytest.raises(ValueError, match=r"expected \(N, 8, 8, 3\)"):
        graph.run(g, np.zeros((1, 9, 8, 3), np.float32))


def test_tables_and_dot_name_every_operation():
    g = graph.trace(models.resnet(8, shortcut="B", rng=0), (32, 32, 3))
    lines = str(g).splitlines()
    assert len(lines) == 1 + sum(n.batched for n in g)
    assert any(line.split()[1:4] == ["Conv2d", "16x16x32", "stages.1.0.shortcut.conv"] for line in lines)
    text = graph.dot(g)
    assert text.count(" -> ") == sum(g[i].batched for n in g for i in n.inputs)
