"""A network survives the way to data and back, whatever its widths; a tree that does not fit gets one sentence."""

import copy
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minidl
from minidl import nn
from minidl.nn import models
from minidl.nn.saving import describe, rebuild


def through_json(module):
    tree, arrays = describe(module)
    return rebuild(json.loads(json.dumps(tree)), arrays)


def outputs(net, shape=(2, 16, 16, 3)):
    x = np.random.default_rng(5).standard_normal(shape).astype(np.float32)
    with minidl.no_grad():
        return net(x).numpy()


SMALL = {
    "chain": lambda: models.vgg9(widths=((4,), (6,)), hidden=(5,), image_size=16, rng=0),
    "residual-A": lambda: models.resnet(8, shortcut="A", rng=0),
    "residual-B": lambda: models.resnet(8, shortcut="B", rng=0),
    "dense": lambda: models.densenet121(growth=2, rng=0),
    "depthwise": lambda: models.tiny_mobile(rng=0),
}


@pytest.mark.parametrize("name", SMALL)
def test_rebuilt_outputs_are_the_same_bits(name):
    net = SMALL[name]()
    outputs(net)  # a training pass, so that the running statistics are not those of a fresh network
    net.eval()
    np.testing.assert_array_equal(outputs(through_json(net)), outputs(net))


@pytest.mark.parametrize("name", SMALL)
def test_arrays_are_the_state_dict(name):
    net = SMALL[name]()
    state, (_, arrays) = net.state_dict(), describe(net)
    assert list(arrays) == list(state)
    assert all(np.array_equal(arrays[key], state[key]) for key in state)


@given(keep=st.sets(st.integers(0, 15), min_size=1), seed=st.integers(0, 99))
def test_rebuilt_outputs_are_the_same_bits_after_the_widths_changed(keep, seed):
    net = models.resnet(8, rng=seed).eval()
    block, kept = net.stages[0][0], sorted(keep)
    block.conv1.weight = nn.Parameter(block.conv1.weight.data[kept])
    block.bn1 = nn.BatchNorm2d(len(kept)).eval()
    block.conv2.weight = nn.Parameter(block.conv2.weight.data[..., kept])
    again = through_json(net)
    assert again.stages[0][0].conv1.weight.shape[0] == len(kept)
    np.testing.assert_array_equal(outputs(again), outputs(net))


class Everything(nn.Module):
    """An attribute of every kind, with sharing between them."""

    def __init__(self):
        self.numbers = (1, 2.5, float("inf"), True, None, "text")
        self.nested = {"list": [nn.Parameter([1.0]), (np.arange(3), [])], "empty": {}}
        self.layer = nn.Linear(2, 2, rng=0)
        self.same_layer = self.layer
        self.tied = nn.Linear(2, 2, bias=False, rng=1)
        self.tied.weight = self.layer.weight
        self.frozen = nn.Parameter([0.0], requires_grad=False)
        self.double = np.float64([1e-300])
        self.flags = np.array([True, False])


def test_every_kind_of_attribute_and_all_sharing_come_back():
    net = Everything()
    again = through_json(net)
    assert again.numbers == net.numbers
    assert list(vars(again)) == list(vars(net))
    assert again.same_layer is again.layer and again.tied.weight is again.layer.weight
    assert isinstance(again.nested["list"][0], nn.Parameter) and isinstance(again.nested["list"][1], tuple)
    assert again.nested["list"][1][0].dtype == np.arange(3).dtype
    assert again.layer.weight.requires_grad and not again.frozen.requires_grad
    assert again.double.dtype == np.float64 and again.flags.dtype == np.bool_
    assert again.num_parameters() == net.num_parameters()


def test_the_mode_comes_back():
    net = nn.Sequential(nn.Dropout(0.5)).eval()
    assert not through_json(net)[0].training
    assert through_json(net.train())[0].training


def test_rebuilt_networks_share_no_memory():
    net = nn.Linear(2, 2, rng=0)
    again = through_json(net)
    again.weight.data[:] = 7
    again.bias.data[:] = 7
    assert not (net.weight.numpy() == 7).any() and not (net.bias.numpy() == 7).any()


def test_what_cannot_be_saved_is_named():
    net = nn.Sequential(nn.ReLU())
    for value in (lambda x: x, {1: 2}, {"a.b": 2}, np.float32(1), np.array(["a"]), 1j, minidl.Tensor([1.0])):
        net.layers[0].extra = value
        with pytest.raises(TypeError, match=r"layers\.0\.extra (is|has)"):
            describe(net)


def test_an_unknown_class_is_named_and_nothing_is_imported(tmp_path, monkeypatch):
    (tmp_path / "trap.py").write_text("raise SystemExit('code from a file was run')")
    monkeypatch.syspath_prepend(str(tmp_path))
    for key in ("trap:Net", "minidl.nn.layers:Missing", "minidl.nn.no_such_file:Net", "minidl..trap:Net", "os:system"):
        with pytest.raises(ValueError, match="which is not defined here"):
            rebuild({"class": key, "attributes": {}}, {})


def test_a_class_that_is_no_module_cannot_be_named():
    with pytest.raises(ValueError, match="not defined here"):
        rebuild({"class": "minidl.tensor:Tensor", "attributes": {}}, {})


def linear():
    tree, arrays = describe(nn.Linear(3, 2, rng=0))
    return copy.deepcopy(tree), {name: array.copy() for name, array in arrays.items()}


def test_a_missing_array_is_named():
    tree, arrays = linear()
    del arrays["bias"]
    with pytest.raises(ValueError, match="array 'bias' is missing"):
        rebuild(tree, arrays)


def test_an_unexpected_array_is_named():
    tree, arrays = linear()
    with pytest.raises(ValueError, match="array 'extra', which the tree does not mention"):
        rebuild(tree, {**arrays, "extra": arrays["bias"]})


@pytest.mark.parametrize("change", [lambda w: w[:1], lambda w: w.astype(np.float64), lambda w: w.T])
def test_an_array_of_another_shape_or_dtype_is_named(change):
    tree, arrays = linear()
    arrays["weight"] = change(arrays["weight"])
    with pytest.raises(ValueError, match=r"array 'weight' is .* expected"):
        rebuild(tree, arrays)


@pytest.mark.parametrize(
    "tree", [{}, [], {"class": 3}, {"shared": "nowhere"}, {"list": 3}, {"class": "minidl.nn.layers:ReLU"}, {"what": 1}]
)
def test_a_malformed_tree_gets_one_sentence(tree):
    with pytest.raises(ValueError, match="malformed"):
        rebuild(tree, {})


def test_a_tree_of_something_else_is_refused():
    with pytest.raises(ValueError, match="expected a network"):
        rebuild({"list": []}, {})
