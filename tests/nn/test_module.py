"""A module is its attributes: names, state, modes and sharing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidl import nn
from minidl.nn import models

# Nested containers whose leaves are layers: every one must be found, in the order it was put there.
nests = st.recursive(
    st.just("layer"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text("abc", min_size=1, max_size=2), inner, max_size=3)
    ),
    max_leaves=8,
)


def planted(nest, made, path):
    """The nest with a Linear at every leaf; `made` collects their expected names."""
    if nest == "layer":
        made.append(path)
        return nn.Linear(len(made), 1, rng=0)
    if isinstance(nest, dict):
        return {key: planted(item, made, f"{path}.{key}") for key, item in nest.items()}
    return type(nest)(planted(item, made, f"{path}.{i}") for i, item in enumerate(nest))


class Nested(nn.Module):
    def __init__(self, nest):
        self.expected = []
        self.root = planted(nest, self.expected, "root")


@given(nests)
def test_parameters_are_found_in_every_container_in_order(nest):
    net = Nested(nest)
    names = [f"{path}.{kind}" for path in net.expected for kind in ("weight", "bias")]
    assert [name for name, _ in net.named_parameters()] == names
    sizes = [p.shape[1] for _, p in net.named_parameters() if p.ndim == 2]
    assert sizes == list(range(1, len(net.expected) + 1))
    assert [name for name, m in net.named_modules() if isinstance(m, nn.Linear)] == net.expected


@given(nests)
def test_modes_reach_every_module(nest):
    net = Nested(nest)
    assert not any(m.training for m in net.eval().modules())
    assert all(m.training for m in net.train().modules())


def test_an_unknown_attribute_raises():
    with pytest.raises(AttributeError, match="missing"):
        nn.Linear(1, 1, rng=0).missing  # noqa: B018


def test_a_shared_parameter_comes_once():
    a, b = nn.Linear(2, 2, rng=0), nn.Linear(2, 2, rng=1)
    b.weight = a.weight
    assert len(list(nn.Sequential(a, b, a).parameters())) == 3


NETS = {
    "chain": lambda seed: models.vgg9(widths=((3,), (4,)), hidden=(5,), image_size=8, rng=seed),
    "residual": lambda seed: models.resnet(8, shortcut="B", rng=seed),
    "depthwise": lambda seed: models.tiny_mobile(rng=seed),
}


@pytest.mark.parametrize("name", NETS)
def test_state_dict_round_trip(name):
    a, b = NETS[name](0), NETS[name](1)
    x = np.random.default_rng(2).standard_normal((4, 8, 8, 3)).astype(np.float32)
    a(x)  # moves the running statistics
    state = a.state_dict()
    b.load_state_dict(state)
    np.testing.assert_array_equal(a.eval()(x).numpy(), b.eval()(x).numpy())
    assert list(b.state_dict()) == list(state)
    for name, array in b.state_dict().items():
        np.testing.assert_array_equal(array, state[name])


def test_a_state_dict_is_a_copy():
    net = nn.Linear(2, 2, rng=0)
    state = net.state_dict()
    state["weight"][:] = 7
    assert not (net.weight.numpy() == 7).any()
    net.load_state_dict(state)
    state["weight"][:] = 8
    assert (net.weight.numpy() == 7).all()


@pytest.mark.parametrize(
    "change, told",
    [
        (lambda s: s.pop("bias"), "1 names are missing .bias. and 0 unexpected"),
        (lambda s: s.update(extra=np.zeros(1)), "0 names are missing .none. and 1 unexpected .extra."),
        (lambda s: s.update(bias=np.zeros(3, "f")), r"bias is \(3,\) float32, expected \(2,\)"),
        (lambda s: s.update(bias=np.zeros(2)), "bias is .* float64, expected .* float32"),
    ],
)
def test_a_state_that_does_not_fit_changes_nothing(change, told):
    net = nn.Linear(3, 2, rng=0)
    state, before = nn.Linear(3, 2, rng=1).state_dict(), net.state_dict()
    change(state)
    with pytest.raises(ValueError, match=told):
        net.load_state_dict(state)
    assert all((before[name] == array).all() for name, array in net.state_dict().items())


def test_zero_grad_forgets():
    net = nn.Linear(2, 1, rng=0)
    net(np.ones((1, 2), np.float32)).sum().backward()
    assert all(p.grad is not None for p in net.parameters())
    net.zero_grad()
    assert all(p.grad is None for p in net.parameters())
