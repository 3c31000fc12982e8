"""The names that users rely on (design, section 7), and what `import minidl` must not load."""

import importlib
import inspect
import subprocess
import sys

import pytest

import minidl

# What stands today; a name joins the list with the code that brings it.
CONTRACT = [
    "minidl.Tensor", "minidl.Tensor.backward", "minidl.Tensor.numpy", "minidl.Tensor.shape", "minidl.Tensor.dtype",
    "minidl.no_grad", "minidl.grad", "minidl.hvp", "minidl.gradcheck", "minidl.manual_seed", "minidl.set_num_threads",
    "minidl.get_num_threads", "minidl.save", "minidl.load", "minidl.use",
    "minidl.ops.conv2d", "minidl.ops.max_pool2d", "minidl.ops.avg_pool2d", "minidl.ops.global_avg_pool2d",
    "minidl.ops.batch_norm", "minidl.ops.relu", "minidl.ops.linear", "minidl.ops.cross_entropy",
    "minidl.ops.leaky_relu", "minidl.ops.hardtanh", "minidl.ops.sigmoid", "minidl.ops.tanh", "minidl.ops.log_softmax",
    "minidl.ops.dropout", "minidl.ops.mse", "minidl.ops.squared_hinge", "minidl.ops.matmul", "minidl.ops.reshape",
    "minidl.ops.transpose", "minidl.ops.concatenate", "minidl.ops.pad",
    "minidl.nn.Module", "minidl.nn.Parameter", "minidl.nn.Sequential", "minidl.nn.Conv2d", "minidl.nn.Linear",
    "minidl.nn.BatchNorm2d", "minidl.nn.BatchNorm1d", "minidl.nn.ReLU",
    "minidl.nn.models.lenet5", "minidl.nn.models.vgg9", "minidl.nn.models.vgg_bc", "minidl.nn.models.vgg16",
    "minidl.nn.models.resnet", "minidl.nn.models.wide_resnet", "minidl.nn.models.resnet34",
    "minidl.nn.models.densenet121",
    "minidl.optim.SGD", "minidl.optim.Adam", "minidl.optim.MultiStep", "minidl.optim.Cosine",
    "minidl.data.load", "minidl.data.Dataset", "minidl.training.train", "minidl.training.evaluate",
    "minidl.graph.trace", "minidl.graph.Graph", "minidl.graph.cost", "minidl.graph.Cost",
    "minidl.export.c99", "minidl.export.onnx",
]  # fmt: skip

# The arguments the contract names, in its order; more may follow.
ARGUMENTS = {
    "minidl.Tensor": "array requires_grad",
    "minidl.grad": "y xs grad_y create_graph",
    "minidl.hvp": "loss_fn params vector",
    "minidl.gradcheck": "fn inputs order",
    "minidl.ops.conv2d": "x weight bias stride padding groups",
    "minidl.nn.models.resnet": "depth num_classes shortcut width",
    "minidl.data.load": "name split root",
    "minidl.graph.trace": "model input_shape",
    "minidl.export.c99": "graph folder",
    "minidl.export.onnx": "graph path",
    "minidl.save": "path model",
    "minidl.load": "path",
}


def find(dotted):
    """The object of a dotted name, reached as a user reaches it: attributes of the package `minidl`."""
    first, *rest = dotted.split(".")
    found = importlib.import_module(first)
    for name in rest:
        found = getattr(found, name)
    return found


@pytest.mark.parametrize("dotted", CONTRACT)
def test_the_contract_stands(dotted):
    assert find(dotted) is not None


@pytest.mark.parametrize("dotted", ARGUMENTS)
def test_arguments_have_the_contracts_names_and_order(dotted):
    expected = ARGUMENTS[dotted].split()
    assert list(inspect.signature(find(dotted)).parameters)[: len(expected)] == expected


def test_data_and_grad_are_attributes_of_a_tensor():
    x = minidl.Tensor([1.0], requires_grad=True)
    assert x.data.shape == (1,) and x.grad is None


def test_an_unknown_name_raises():
    with pytest.raises(AttributeError, match="no attribute 'convolve'"):
        minidl.convolve  # noqa: B018


@pytest.mark.parametrize("package", ["minidl", "minidl.ops", "minidl.nn", "minidl.autograd"])
def test_what_is_promised_in_all_exists(package):
    module = importlib.import_module(package)
    assert [name for name in module.__all__ if not hasattr(module, name)] == []


def test_import_minidl_loads_nothing_heavy():
    heavy = "{'numba', 'llvmlite', 'scipy', 'matplotlib', 'tqdm', 'threadpoolctl', 'minidl.nn', 'minidl.training'}"
    program = f"import sys, minidl; print({heavy} & set(sys.modules))"
    completed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert completed.stdout.strip() == "set()"
