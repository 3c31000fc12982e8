"""What backward lets go of: arrays as soon as they are consumed, and everything else by reference counting alone."""

import gc
import tracemalloc
import weakref

import numpy as np
import pytest

import minidl
from minidl import Tensor, nn, ops

MEGABYTE = 1 << 20


@pytest.fixture
def no_collector():
    """Memory must go when the last reference goes; a cycle would wait for the collector."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def network(x, w, scale, shift):
    """One of each family, so that each one's saved arrays are under test."""
    y = ops.conv2d(x, w, padding=1)
    y = ops.batch_norm(y, None, None, scale, shift, training=True)
    y = ops.max_pool2d(ops.relu(y), 2)
    y = ops.concatenate([y, ops.avg_pool2d(ops.tanh(y), 3, 1, 1)])
    y = ops.dropout(y * ops.sigmoid(y) / (ops.abs(y) + 1.0), 0.3, rng=0)
    return ops.cross_entropy(ops.global_avg_pool2d(y), np.array([0, 1]), label_smoothing=0.1)


def leaves():
    rng = np.random.default_rng(0)
    drawn = [rng.standard_normal(s) for s in [(2, 6, 6, 2), (3, 3, 3, 2), (3,), (3,)]]
    return [Tensor(a, requires_grad=True) for a in drawn]


def watch(y):
    """Weak references to every operation below `y` and to every array that one of them remembers."""
    found, stack, seen = [], [y.node], set()
    while stack:
        node = stack.pop()
        if node is None or isinstance(node, Tensor) or node in seen:
            continue
        seen.add(node)
        held = [value for value in vars(node).values() if isinstance(value, np.ndarray)]
        held += [t.data for t in node.inputs if t.node is not None]
        found += [(type(node).__name__, weakref.ref(node))] + [(type(node).__name__, weakref.ref(a)) for a in held]
        stack.extend(node.edges)
    return found


def alive(watched):
    return [name for name, ref in watched if ref() is not None]


def test_backward_frees_every_intermediate_while_the_loss_lives(no_collector):
    xs = leaves()
    loss = network(*xs)
    watched = watch(loss)
    assert len(alive(watched)) == len(watched) > 40
    loss.backward()
    still = [ref() for _, ref in watched if ref() is not None]
    assert still == [loss.node]  # the last operation's empty shell, which the loss points to
    assert loss.node.inputs == () and vars(loss.node) == {"edges": (), "released": True}


@pytest.mark.parametrize("use", ["drop", "retain", "create_graph", "grad of grad", "hvp"])
def test_no_reference_cycles(no_collector, use):
    xs = leaves()
    loss = network(*xs)
    watched = watch(loss)
    if use == "retain":
        loss.backward(retain_graph=True)
    elif use == "create_graph":
        minidl.grad(loss, xs, create_graph=True)
    elif use == "grad of grad":
        slopes = minidl.grad(loss, xs, create_graph=True)
        squares = sum((g * g).sum() for g in slopes)
        watched += watch(squares)
        squares.backward()
        del slopes, squares
    elif use == "hvp":
        minidl.hvp(lambda *a: network(*a), xs, [x.data for x in xs])
    del loss
    assert alive(watched) == []


def test_a_training_step_leaves_nothing_for_the_collector(no_collector):
    net = nn.Sequential(
        nn.Conv2d(1, 2, 3, padding=1, rng=0), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(32, 3, rng=1)
    )
    x, labels = np.ones((2, 4, 4, 1), np.float32), np.array([0, 2])

    def step():
        net.zero_grad()
        ops.cross_entropy(net(x), labels).backward()

    step()  # compiles, which leaves garbage of its own
    gc.collect()
    step()
    assert gc.collect() == 0


def test_peak_of_backward_does_not_hold_the_whole_chain():
    """Twenty results of 1 MB: forward holds all, backward frees each as it passes, so the peak hardly rises."""
    tracemalloc.start()
    try:
        x = Tensor(np.ones(MEGABYTE // 8), requires_grad=True)
        y = x
        for _ in range(20):
            y = ops.exp(y * 0.01)
        loss = y.sum()
        del y
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        loss.backward()
        after, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert before > 20 * MEGABYTE
    assert peak - before < 5 * MEGABYTE
    assert after < 3 * MEGABYTE  # x and its gradient; the loss itself is still alive here
    assert loss.item() > 0


def test_operations_that_read_no_input_let_it_go_at_once(no_collector):
    x = Tensor(np.ones(4), requires_grad=True)
    hidden = x * 2.0
    data = weakref.ref(hidden.data)
    y = ops.reshape(hidden + 1.0, (2, 2)).sum()
    del hidden
    assert data() is None
    y.backward()
    np.testing.assert_array_equal(x.grad.numpy(), np.full(4, 2.0))


def test_no_grad_keeps_nothing(no_collector):
    x = Tensor(np.ones(4), requires_grad=True)
    with minidl.no_grad():
        hidden = x * 2.0
        data = weakref.ref(hidden.data)
        y = ops.exp(hidden)
    del hidden
    assert data() is None and not y.requires_grad
