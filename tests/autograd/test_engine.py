"""The backward pass: every path counted once, graphs of any depth, freed as they are consumed, no shared gradients."""

import copy
import sys
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import seeds, shapes, values

import minidl
from minidl import Tensor, ops
from minidl.autograd import Function


def leaf(array, dtype=np.float64):
    return Tensor(np.asarray(array, dtype), requires_grad=True)


class Counted(Function):
    """The identity, which writes into `log` that its backward ran."""

    keeps_inputs = False

    def __init__(self, log, name=""):
        self.log, self.name = log, name

    def forward(self, x):
        return x.copy()

    def backward(self, grad_y):
        self.log.append(self.name)
        return (grad_y,)


@pytest.mark.parametrize("length", [5_000, 50_000])
def test_long_chains_work_and_are_freed_without_recursion(length):
    x = leaf([1.0, -2.0])
    y = x
    for _ in range(length):
        y = y + 1.0
    (y * y).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), 2 * (x.numpy() + length))
    z = x
    for _ in range(length):
        z = z * 1.0
    del z  # a graph that no backward consumed must fall apart without overflowing the stack either


def test_long_chain_twice_differentiated():
    assert sys.getrecursionlimit() < 5_000
    x = leaf(1.0)
    y = x * x
    for _ in range(5_000):
        y = y * 1.0
    (slope,) = minidl.grad(y, [x], create_graph=True)
    assert minidl.grad(slope, x).item() == 2.0


def test_a_node_waits_for_all_its_consumers():
    """b = a + a; c = b·b + b: depth-first order without counting would use b's gradient before it is complete."""
    a, log = leaf(3.0), []
    b = Counted(log)(a + a)
    (b * b + b).backward()
    assert len(log) == 1
    assert a.grad.item() == 2 * (2 * 6.0 + 1)


@given(st.integers(1, 12))
def test_stacked_diamonds_run_each_node_once(depth):
    """2^depth paths from y to x, but only depth nodes."""
    x, log = leaf(1.0), []
    y = x
    for level in range(depth):
        y = Counted(log, level)(y)
        y = y + y
    y.backward()
    assert log == list(range(depth))[::-1]
    assert x.grad.item() == 2**depth


@given(shapes(max_dims=2), seeds)
def test_using_a_result_twice_doubles_its_gradient(shape, seed):
    x = leaf(values("any", shape, np.random.default_rng(seed)))
    once = minidl.grad(ops.tanh(x).sum(), x)
    y = ops.tanh(x)
    np.testing.assert_array_equal(minidl.grad((y + y).sum(), x).numpy(), 2 * once.numpy())
    twice = minidl.grad((ops.tanh(x) + ops.tanh(x)).sum(), x)
    np.testing.assert_array_equal(twice.numpy(), 2 * once.numpy())


@given(shapes(max_dims=2), seeds, st.booleans())
def test_two_backwards_double_leaf_gradients_exactly(shape, seed, retain):
    rng = np.random.default_rng(seed)
    x, w = (leaf(values("any", shape, rng), np.float32) for _ in range(2))
    y = (ops.sigmoid(x * w) * x).sum()
    y.backward(retain_graph=retain)
    first = [t.grad.numpy().copy() for t in (x, w)]
    if not retain:
        y = (ops.sigmoid(x * w) * x).sum()
    y.backward()
    for t, g in zip((x, w), first, strict=True):
        np.testing.assert_array_equal(t.grad.numpy(), 2 * g)


@given(shapes(max_dims=2), seeds)
def test_backward_is_linear_in_the_incoming_gradient(shape, seed):
    rng = np.random.default_rng(seed)
    x = leaf(values("any", shape, rng))
    u, v = values("any", shape, rng), values("any", shape, rng)

    def back(g):
        return minidl.grad(ops.exp(x) * x, x, grad_y=g).numpy()

    np.testing.assert_allclose(back(2 * u - 3 * v), 2 * back(u) - 3 * back(v), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("first", ["backward", "grad"])
def test_second_backward_on_a_freed_graph_says_so(first):
    x = leaf([1.0])
    y = (x * x).sum()
    y.backward() if first == "backward" else minidl.grad(y, x)
    with pytest.raises(RuntimeError, match=r"already freed at .* by an earlier backward.*retain_graph=True"):
        y.backward()


def test_a_graph_freed_in_part_says_so_before_any_gradient_is_written():
    x, w = leaf([1.0]), leaf([2.0])
    shared = x * x
    (shared * w).sum().backward()
    x.grad = w.grad = None
    with pytest.raises(RuntimeError, match="already freed"):
        (shared + w).sum().backward()
    assert x.grad is None and w.grad is None


def test_the_gradient_of_an_intermediate_leaves_the_graph_below_it_alive():
    """The usual way to take a chain apart: gradient at the joint, then on from the joint."""
    x = leaf([2.0])
    joint = x * x
    at_joint = minidl.grad((joint * 3.0).sum(), joint)
    np.testing.assert_array_equal(at_joint.numpy(), [3.0])
    joint.backward(at_joint)
    np.testing.assert_array_equal(x.grad.numpy(), [12.0])


def test_leaves_never_share_a_gradient_array():
    a, b, c = leaf([1.0, 2.0]), leaf([3.0, 4.0]), leaf([5.0, 6.0])
    (a + b + c).sum().backward()
    grads = [t.grad.numpy() for t in (a, b, c)]
    for i, g in enumerate(grads):
        assert g.flags.writeable
        assert not any(np.shares_memory(g, other) for other in grads[:i])


@given(st.lists(st.sampled_from(["sum", "square", "half", "again"]), min_size=2, max_size=6), st.booleans())
def test_in_place_accumulation_never_touches_a_shared_gradient(uses, retain):
    """Addition hands one gradient array to both sides; each side then adds its own later gradients to it."""
    a, b = leaf([1.0, -2.0]), leaf([0.5, 3.0])
    y = a + b
    use = {"sum": lambda: y, "square": lambda: y * y, "half": lambda: y * 0.5, "again": lambda: y + a}
    total = sum((use[name]() for name in uses), start=y - b)
    total.sum().backward(retain_graph=retain)
    slopes = {"sum": 1.0, "square": 2 * (a.numpy() + b.numpy()), "half": 0.5, "again": 1.0}
    through_y = 1 + sum(slopes[name] for name in uses)
    np.testing.assert_allclose(a.grad.numpy(), through_y + uses.count("again"), rtol=1e-14)
    np.testing.assert_allclose(b.grad.numpy(), through_y - 1 + np.zeros(2), rtol=1e-14)


def test_the_given_gradient_is_not_added_to():
    x = leaf([1.0, 2.0])
    grad_y = Tensor(np.array([1.0, 1.0]))
    y = x + 0.0
    (minidl.grad(y + y, y, grad_y=grad_y), minidl.grad(x + x + x, x, grad_y=grad_y))
    x.backward(grad_y)
    x.backward(grad_y)
    np.testing.assert_array_equal(grad_y.numpy(), [1.0, 1.0])
    np.testing.assert_array_equal(x.grad.numpy(), [2.0, 2.0])


def test_gradients_of_intermediates_are_not_kept():
    x = leaf([1.0])
    h = x * 2.0
    (h * h).sum().backward()
    assert h.grad is None and x.grad is not None


def test_an_input_without_gradient_costs_nothing_and_breaks_nothing():
    class Half(Function):
        def forward(self, a, b):
            return a * b

        def backward(self, grad_y):
            return grad_y * self.inputs[1], None

    a, b = leaf([2.0]), leaf([3.0])
    inner = b * 1.0
    Half()(a, inner).sum().backward()
    assert a.grad.item() == 3.0 and b.grad is None  # no gradient came, so none is invented


def test_backward_in_threads_over_one_leaf_free_graph():
    """Each thread builds and consumes its own graph; nothing of the engine is shared between them."""
    results = [None] * 4

    def work(i):
        x = leaf(np.full(50, float(i)))
        for _ in range(20):
            results[i] = minidl.grad((ops.exp(x * 0.1) * x).sum(), x).numpy()

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    for i, found in enumerate(results):
        np.testing.assert_allclose(found, np.exp(0.1 * i) * (1 + 0.1 * i), rtol=1e-13)


def test_leaves_can_be_copied_deeply():
    x = leaf([1.0, 2.0])
    (x * x).sum().backward()
    twin = copy.deepcopy(x)
    twin.data[0] = 9.0
    assert x.numpy()[0] == 1.0 and twin.requires_grad and twin.grad.numpy()[1] == 4.0
