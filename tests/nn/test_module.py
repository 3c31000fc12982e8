"""`Module`: what it finds, in which order and under which names; modes; and state that loads wholly or not at all."""

import copy
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidl import Tensor, nn, ops
from minidl.nn import Module, Parameter


def parameter(n=1):
    return Parameter(np.arange(n, dtype=np.float32))


class Leaf(Module):
    def __init__(self):
        self.weight = parameter(2)
        self.count = np.zeros(1, np.float32)


class Everything(Module):
    """A parameter, buffer or module in each kind of container, deep inside others, with plain values between."""

    def __init__(self):
        self.depth, self.name, self.shape, self.nothing = 3, "net", (1, 2), None
        self.first = parameter()
        self.listed = [parameter(), Leaf()]
        self.paired = (Leaf(), 7, [parameter()])
        self.keyed = {"left": Leaf(), "right": {"deep": (parameter(), np.ones(2, np.float32))}, 3: parameter()}
        self.last = Leaf()


PARAMETERS = [
    "first", "listed.0", "listed.1.weight", "paired.0.weight", "paired.2.0", "keyed.left.weight", "keyed.right.deep.0",
    "keyed.3", "last.weight",
]  # fmt: skip
BUFFERS = ["listed.1.count", "paired.0.count", "keyed.left.count", "keyed.right.deep.1", "last.count"]
MODULES = ["", "listed.1", "paired.0", "keyed.left", "last"]


def names(pairs):
    return [name for name, _ in pairs]


def test_finds_everything_in_assignment_order():
    net = Everything()
    assert names(net.named_parameters()) == PARAMETERS
    assert names(net.named_buffers()) == BUFFERS
    assert names(net.named_modules()) == MODULES
    assert sorted(net.state_dict()) == sorted(PARAMETERS + BUFFERS)
    assert list(net.parameters()) == [p for _, p in net.named_parameters()]
    assert net.num_parameters() == 5 + 2 * 4


@given(st.permutations(["a", "b", "c", "d"]))
def test_order_is_that_of_assignment_not_of_the_alphabet(order):
    net = Module()
    for name in order:
        setattr(net, name, parameter())
    assert names(net.named_parameters()) == list(order)
    net.training = False  # set later, and again: the order of the others stays
    net.train()
    assert names(net.named_parameters()) == list(order)


def test_what_is_shared_comes_once_under_its_first_name():
    net = Module()
    net.a, net.b = Leaf(), Module()
    net.b.tied = net.a.weight
    net.b.again = [net.a, net.a.count]
    assert names(net.named_parameters()) == ["a.weight"]
    assert names(net.named_buffers()) == ["a.count"]
    assert names(net.named_modules()) == ["", "a", "b"]
    twin = copy.deepcopy(net)
    assert twin.b.tied is twin.a.weight and twin.a.weight is not net.a.weight


def test_a_reference_to_the_parent_changes_no_name():
    net = Module()
    net.child = Leaf()
    net.child.parent = net
    net.own = parameter()
    assert names(net.named_parameters()) == ["child.weight", "own"]
    assert names(net.named_modules()) == ["", "child"]


def test_plain_tensors_are_constants():
    net = Module()
    net.scale = Tensor([2.0])
    assert list(net.named_parameters()) == [] and net.state_dict() == {}


@given(st.text(min_size=1).filter(lambda name: name not in {*dir(Module), *vars(Everything())}))
def test_an_unknown_attribute_raises(name):
    with pytest.raises(AttributeError):
        getattr(Everything(), name)


def test_modes_and_gradients_reach_every_nested_part():
    net = Everything()
    assert all(m.training for m in net.modules())
    assert net.eval() is net
    assert not any(m.training for m in net.modules())
    net.keyed["left"].train()
    assert net.keyed["left"].training and not net.training
    assert net.train() is net and all(m.training for m in net.modules())
    sum((p.sum() for p in net.parameters()), start=Tensor(0.0)).backward()
    assert all(p.grad is not None for p in net.parameters())
    net.zero_grad()
    assert all(p.grad is None for p in net.parameters())


def test_a_module_without_forward_says_so():
    with pytest.raises(NotImplementedError, match="Leaf defines no forward"):
        Leaf()(Tensor([1.0]))


def test_state_makes_the_round_trip_and_is_a_copy():
    net, other = Everything(), Everything()
    for _, p in net.named_parameters():
        p.data += 5
    state = net.state_dict()
    other.load_state_dict(state)
    for name, array in other.state_dict().items():
        np.testing.assert_array_equal(array, state[name])
    before = other.first.data
    state["first"][...] = -1
    assert net.first.data[0] == other.first.data[0] == 5
    other.load_state_dict(net.state_dict())
    assert other.first.data is before  # in place: an optimizer or a tied layer keeps seeing the same array


def _without(state):
    del state["last.weight"]


def _with_more(state):
    state["surplus"] = np.zeros(1, np.float32)


def _reshaped(state):
    state["last.count"] = np.zeros(9, np.float32)


def _retyped(state):
    state["last.count"] = np.zeros(1, np.float64)


@pytest.mark.parametrize("spoil, message", [
    (_without, r"1 names .*missing \(last.weight\).* 0 unexpected"), (_with_more, r"1 unexpected \(surplus\)"),
    (_reshaped, r"last.count is \(9,\) float32, expected \(1,\) float32"), (_retyped, "last.count is .* float64"),
])  # fmt: skip
def test_a_state_that_does_not_fit_changes_nothing(spoil, message):
    net = Everything()
    before = net.state_dict()
    state = {name: array + 1 for name, array in before.items()}
    spoil(state)
    with pytest.raises(ValueError, match=message):
        net.load_state_dict(state)
    for name, array in net.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


def test_names_are_the_same_in_two_interpreters_with_different_hash_seeds():
    program = (
        "from minidl import nn\n"
        "net = nn.Sequential(nn.Conv2d(1, 2, 3, rng=0), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 3, rng=0))\n"
        "net.extra = {key: [nn.Linear(1, 1, rng=0)] for key in ('b', 'a', 'c')}\n"
        "print(list(net.state_dict()))"
    )
    outputs = [
        subprocess.run(
            [sys.executable, "-c", program],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert outputs[0] == outputs[1] != ""


def test_walking_leaves_no_garbage():
    import gc

    net = Everything()
    gc.collect()
    gc.disable()
    try:
        list(net.named_parameters())
        net.state_dict()
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_a_parameter_is_a_leaf_and_computing_with_it_gives_plain_tensors():
    p = parameter(3)
    assert p.requires_grad and p.node is None
    y = ops.relu(p) * 2.0
    assert type(y) is Tensor and type(p.detach()) is Tensor and not p.detach().requires_grad


def test_repr_names_the_class_and_its_plain_attributes():
    assert repr(nn.Conv2d(1, 2, 3, stride=2, rng=0).eval()) == "Conv2d(stride=(2, 2), padding=(0, 0), groups=1)"
