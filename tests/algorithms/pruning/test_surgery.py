"""A smaller network trains on exactly as the masked one does, with what its optimizer remembered."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prunable import doubled, gates_of
from test_plan import gated, outputs, pruned

from algorithms.pruning import plan
from algorithms.pruning.mask import hold, masked, masks
from algorithms.pruning.surgery import arrays_of, take
from minidl import ops
from minidl.nn import models
from minidl.optim import SGD, Adam

OPTIMIZERS = {
    "momentum": lambda p: SGD(p, 0.01, momentum=0.9, nesterov=True, weight_decay=1e-3),
    "plain": lambda p: SGD(p, 0.01),
    "adam": lambda p: Adam(p, 0.003, weight_decay=1e-3),
}


@given(pruned())
def test_a_masked_network_answers_as_the_smaller_one(drawn):
    net, shape, rng, chosen = drawn
    x = rng.standard_normal((2, *shape)).astype(np.float32)
    scale = max(np.abs(y).max() for y in outputs(net, x))  # float32 sums in another order, as in test_plan
    found, small = masked(net, chosen), chosen.apply(net)
    np.testing.assert_allclose(outputs(found, x)[-1], outputs(small, x)[-1], rtol=0, atol=1e-5 * max(scale, 1))
    np.testing.assert_allclose(
        outputs(found, x)[-1], outputs(gated(net, chosen), x)[-1], rtol=0, atol=1e-5 * max(scale, 1)
    )
    assert found.num_parameters() == net.num_parameters() > small.num_parameters()
    zeros = sum(int((mask == 0).sum()) for mask in masks(net, chosen).values())
    assert zeros == net.num_parameters() - small.num_parameters()
    assert gates_of(net, chosen)


def train(net, optimizer, steps, seed, held=None, shape=(12, 12, 3), classes=10):
    rng = np.random.default_rng(seed)
    net.train()
    for _ in range(steps):
        x, labels = rng.standard_normal((6, *shape)), rng.integers(0, classes, 6)
        ops.cross_entropy(net(x), labels).backward()
        optimizer.step()
        net.zero_grad()
        if held:
            hold(net, held, optimizer)


def assert_equal_where_kept(chosen, small, its, big, masked_moves):
    """Compare parameters, buffers and what the optimizers remember, of the smaller network and of the masked one."""
    for name, array in arrays_of(big).items():
        np.testing.assert_allclose(
            arrays_of(small)[name], take(chosen.channels, chosen.gone, name, array), rtol=1e-6, atol=1e-7, err_msg=name
        )
    for key, state in masked_moves.state.items():
        name = key.partition("/")[2]
        np.testing.assert_allclose(
            its.state[key],
            take(chosen.channels, chosen.gone, name, state) if state.ndim else state,
            rtol=1e-6,
            atol=1e-7,
        )


NETS = {
    "resnet A": lambda rng: models.resnet(8, width=0.25, rng=rng),
    "resnet B": lambda rng: models.resnet(8, width=0.25, shortcut="B", rng=rng),
    "lenet": lambda rng: models.lenet5(in_channels=3, image_size=12, widths=(4, 5, 7, 6), rng=rng),
    "mobile": lambda rng: models.tiny_mobile(widths=(4, 4, 6), rng=rng),
}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("net", NETS)
@settings(max_examples=6)
@given(st.integers(0, 1000), st.integers(0, 3))
def test_training_goes_on_as_that_of_the_masked_network(net, optimizer, seed, before):
    """In float64, where rounding is some 1e-16; Adam divides by the root of small squares, which leaves 1e-7 of it.

    No bias stands before a batch norm here: its gradient is zero but for rounding, and Adam makes steps of that.
    """
    model = doubled(NETS[net](seed))
    moves = OPTIMIZERS[optimizer](model.named_parameters())
    train(model, moves, before, seed)
    chosen = plan(model, (12, 12, 3), 0.4, "random", rng=seed)
    small = chosen.apply(model)
    its = chosen.apply_optimizer(moves, small)
    big = masked(model, chosen)
    held = masks(big, chosen)
    masked_moves = OPTIMIZERS[optimizer](big.named_parameters())
    masked_moves.load_state_dict(moves.state_dict())
    hold(big, held, masked_moves)
    start = small.state_dict()
    train(small, its, 3, seed + 1)
    train(big, masked_moves, 3, seed + 1, held)
    assert_equal_where_kept(chosen, small, its, big, masked_moves)
    if net != "lenet":  # without batch norm a layer of few filters may be dead at ReLU, in both networks
        still = [name for name, p in small.named_parameters() if (start[name] == p.data).all()]
        assert not still  # nothing has stopped learning


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@given(pruned(acts=("relu", "leaky", "none")), st.integers(1, 5))
def test_random_networks_train_on_as_their_masked_twins(optimizer, drawn, steps):
    """In float64, as above.

    A batch norm may undo what a bias or weight before it does, at once or through other layers.  Its gradient is then
    zero but for rounding, of which Adam would make whole steps; an eps far above that rounding keeps them small.
    Biases are not zero: behind a dead ReLU a sum would be the bias alone, and after a step of rounding's size a leaky
    ReLU's slope would depend on its sign.
    """
    model, shape, rng, chosen = drawn
    doubled(model)
    for name, p in model.named_parameters():
        if name.endswith("bias"):
            p.data += rng.standard_normal(p.data.shape) / 8
    small, big = chosen.apply(model), masked(model, chosen)
    rule = {**OPTIMIZERS, "adam": lambda p: Adam(p, 0.003, eps=1e-3, weight_decay=1e-3)}[optimizer]
    its = chosen.apply_optimizer(rule(model.named_parameters()), small)
    masked_moves, held = rule(big.named_parameters()), masks(big, chosen)
    seed, classes = int(rng.integers(2**32)), 2 * len(model.heads)
    train(small, its, steps, seed, None, shape, classes)
    train(big, masked_moves, steps, seed, held, shape, classes)
    assert_equal_where_kept(chosen, small, its, big, masked_moves)


def test_the_first_optimizer_is_left_alone():
    net = models.resnet(8, width=0.25, rng=0)
    moves = SGD(net.named_parameters(), 0.1, momentum=0.9)
    chosen = plan(net, (8, 8, 3), 0.5)
    small = chosen.apply(net)
    its = chosen.apply_optimizer(moves, small)
    its.state["momentum/conv1.weight"][...] = 7
    its.lr = 0.5
    assert moves.lr == 0.1 and (moves.state["momentum/conv1.weight"] == 0).all()
    assert moves.parameters["conv1.weight"] is net.conv1.weight
    assert its.parameters["conv1.weight"] is small.conv1.weight and repr(its) == repr(moves).replace("0.1", "0.5")


def test_an_optimizer_of_another_network_is_refused():
    net, other = models.resnet(8, width=0.25, rng=0), models.lenet5(rng=0)
    chosen = plan(net, (8, 8, 3), 0.5)
    with pytest.raises(ValueError, match="is it another network's"):
        chosen.apply_optimizer(Adam(other.named_parameters()), chosen.apply(net))
    with pytest.raises(ValueError, match="was another plan applied"):
        chosen.apply_optimizer(Adam(net.named_parameters()), net)


def test_gradients_of_the_whole_network_do_not_follow_into_the_small_one():
    net = models.resnet(8, width=0.25, rng=0)
    ops.cross_entropy(net(np.zeros((2, 8, 8, 3), np.float32)), np.array([0, 1])).backward()
    small = plan(net, (8, 8, 3), 0.5).apply(net)
    assert small.conv1.weight.grad is None or small.conv1.weight.grad.shape == small.conv1.weight.shape
    assert net.conv1.weight.grad is not None
