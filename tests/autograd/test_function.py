"""Recording: what `Function` remembers, and the ways to switch it off (blocks, decorators, exceptions, threads)."""

import threading

import numpy as np
import pytest

import minidl
from minidl import Tensor
from minidl.autograd import Function, grad_mode, is_grad_enabled, recording


def leaf(*numbers):
    return Tensor(np.array(numbers), requires_grad=True)


def test_no_grad_nests_and_ends():
    guard = minidl.no_grad()
    with minidl.no_grad():
        with minidl.no_grad():
            assert not is_grad_enabled()
        assert not is_grad_enabled()
        with grad_mode(True):
            assert (leaf(1.0) * 2.0).requires_grad
        assert not (leaf(1.0) * 2.0).requires_grad
    assert is_grad_enabled()
    with guard:
        assert not is_grad_enabled()
    assert is_grad_enabled()


def test_no_grad_ends_with_an_exception():
    with pytest.raises(KeyError), minidl.no_grad():
        raise KeyError
    assert is_grad_enabled()


def test_no_grad_decorates_functions_that_recurse_and_raise():
    @minidl.no_grad()
    def down(n):
        """What it says."""
        assert not is_grad_enabled()
        if n == 0:
            raise KeyError
        down(n - 1)

    with pytest.raises(KeyError):
        down(3)
    assert is_grad_enabled()
    assert down.__name__ == "down" and down.__doc__ == "What it says."


def test_one_decorated_function_in_many_threads():
    """All threads are inside at once, so each must put back its own former mode."""
    everybody_in = threading.Barrier(4, timeout=20)
    outcomes = []

    @minidl.no_grad()
    def inside():
        everybody_in.wait()
        return is_grad_enabled()

    def work():
        try:
            outcomes.append((inside(), is_grad_enabled()))
        except Exception as error:
            outcomes.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert outcomes == [(False, True)] * 4


def test_no_grad_in_one_thread_leaves_the_others_recording():
    inside, done = threading.Event(), threading.Event()
    seen = []

    def other():
        inside.wait(20)
        seen.append((leaf(1.0) * 2.0).requires_grad)
        done.set()

    thread = threading.Thread(target=other)
    thread.start()
    with minidl.no_grad():
        inside.set()
        done.wait(20)
    thread.join()
    assert seen == [True]


def test_a_constant_operand_records_no_edge():
    y = leaf(1.0) * Tensor(np.array([2.0]))
    assert y.node.edges[1] is None


@pytest.mark.parametrize("missing", ["forward", "backward"])
def test_a_function_without_a_half_says_which(missing):
    class Halved(Function):
        pass

    if missing == "backward":
        Halved.forward = lambda self, x: x * 1.0
    with pytest.raises(NotImplementedError, match=f"Halved defines no {missing}"):
        Halved()(leaf(1.0)).sum().backward()


def test_recording_sees_every_operation_once_in_order_and_only_inside():
    seen = []
    with recording(lambda function, inputs, y: seen.append((type(function).__name__, len(inputs), y.shape))):
        (leaf(1.0, 2.0) * 3.0 + 1.0).sum()
    leaf(1.0) * 2.0
    assert seen == [("Mul", 2, (2,)), ("Add", 2, (2,)), ("Sum", 1, ())]


def test_mixed_dtypes_are_refused_by_name():
    with pytest.raises(TypeError, match=r"mul got float32 and float64, expected one dtype: .*astype"):
        Tensor(np.ones(2, np.float32)) * Tensor(np.ones(2))
    with pytest.raises(TypeError, match="conv2d got float32 and float64"):
        minidl.ops.conv2d(np.ones((1, 3, 3, 1), np.float32), np.ones((1, 2, 2, 1)))
    with pytest.raises(TypeError, match="got float32 and int64"):
        Tensor(np.ones(2, np.float32)) + np.arange(2)


@pytest.mark.parametrize("flip", [False, True])
def test_integers_beside_floats_are_told_to_become_floats(flip):
    """The other way round loses the fractions, and the layer would refuse the integers."""
    pair = [np.zeros((1, 3, 3, 1), np.uint8), np.zeros((1, 3, 3, 1), np.float32)]
    with pytest.raises(TypeError, match=r"conv2d got .*uint8.*\.astype\('float32'\)"):
        minidl.ops.conv2d(*pair[:: -1 if flip else 1])
