"""`evaluate` against a loop over single images, and what it must leave alone."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_runs import images, net, same

from minidl import Tensor, nn, no_grad
from minidl.autograd import is_grad_enabled
from minidl.training import Evaluation, evaluate, evaluating


def in_float64(model):
    for p in model.parameters():
        p.data = p.data.astype(np.float64)
    return model


def one_by_one(model, dataset):
    """Loss and accuracy by their definition, in Python numbers, one image after the other."""
    losses, right = [], 0
    for image, label in zip(dataset.images, dataset.labels, strict=True):
        x = (image[None] / 255 - dataset.mean) / dataset.std
        with no_grad():
            scores = [float(v) for v in model(Tensor(x)).numpy()[0]]
        losses.append(math.log(sum(math.exp(s) for s in scores)) - scores[label])
        right += max(range(len(scores)), key=scores.__getitem__) == label
    return Evaluation(math.fsum(losses) / len(losses), right / len(losses), len(losses))


@given(st.integers(1, 40), st.integers(1, 50), st.integers(0, 2**32 - 1))
def test_equals_a_loop_over_single_images(n, batch_size, seed):
    dataset = images(n)
    model = in_float64(nn.Sequential(nn.Flatten(), nn.Linear(49, 10, rng=seed)))
    found, expected = evaluate(model, dataset, batch_size), one_by_one(model, dataset)
    assert (found.accuracy, found.count) == (expected.accuracy, expected.count)
    # the images are normalised in float32 (6e-8 of numbers up to 3), summed over 49 inputs by weights of about 0.2
    assert found.loss == pytest.approx(expected.loss, rel=3e-6)


@given(st.integers(1, 40), st.integers(1, 50))
def test_the_batch_size_does_not_matter(n, batch_size):
    dataset, model = images(n), net()
    found, whole = evaluate(model, dataset, batch_size), evaluate(model, dataset, n)
    # float32 products of another shape may be summed in another order, nothing else differs
    assert found.loss == pytest.approx(whole.loss, rel=1e-5)
    assert found.count == n


def test_each_image_of_a_short_last_batch_counts_once():
    class Sure(nn.Module):
        """Certain of class 0: the loss is 0 for its images and 1000 for others, exactly."""

        def forward(self, x):
            return Tensor(np.eye(10, dtype=np.float32)[[0] * len(x)] * 1000)

    dataset = images(50)
    zeros = int((dataset.labels == 0).sum())
    for batch_size in (1, 7, 49, 50, 64):
        assert evaluate(Sure(), dataset, batch_size) == Evaluation(1000.0 * (50 - zeros) / 50, zeros / 50, 50)


def test_leaves_the_network_as_it_was():
    model = net()
    model[1].training = False  # a frozen part among others
    modes = [m.training for m in model.modules()]
    before = model.state_dict()
    evaluate(model, images(20))
    assert [m.training for m in model.modules()] == modes
    assert same(before, model.state_dict())
    assert all(p.grad is None for p in model.parameters()) and is_grad_enabled()


def test_modes_come_back_after_an_error():
    model = net()
    with pytest.raises(RuntimeError), evaluating(model):
        assert not any(m.training for m in model.modules())
        raise RuntimeError
    assert all(m.training for m in model.modules())


def test_it_is_in_evaluation_mode():
    model, dataset = net(), images(20)
    assert evaluate(model, dataset) == evaluate(model, dataset)  # dropout would differ
    assert evaluate(model, dataset.subset(1)).count == 1  # batch statistics would refuse


def test_nan_is_a_loss_and_never_a_right_answer():
    model = net()
    model[5].bias.data[...] = np.nan
    found = evaluate(model, images(20))
    assert math.isnan(found.loss) and found.accuracy == 0.0


def test_labels_that_the_network_cannot_name():
    model = nn.Sequential(nn.Flatten(), nn.Linear(49, 5, rng=0))
    with pytest.raises(ValueError, match="labels up to"):
        evaluate(model, images(30))
