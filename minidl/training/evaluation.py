"""Loss and accuracy of a network over a dataset: each image counts once, whatever the batch size."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from minidl.autograd import no_grad
from minidl.data import Dataset, batches
from minidl.nn.module import Module
from minidl.tensor import Tensor
from minidl.types import Array


@dataclass(frozen=True)
class Evaluation:
    """Mean loss in nats and share of right answers over `count` images.

    Examples
    --------
    >>> import minidl
    >>> blank = minidl.nn.Sequential(minidl.nn.Flatten(), minidl.nn.Linear(784, 10, std=0.0, rng=0))
    >>> result = evaluate(blank, minidl.data.load("fashion-mnist-mini", split="test"))
    >>> round(result.loss, 4), result.accuracy  # a network that knows nothing: ln 10, and one of ten
    (2.3026, 0.1)
    """

    loss: float
    accuracy: float
    count: int


def evaluate(model: Module, dataset: Dataset, batch_size: int = 256) -> Evaluation:
    """Cross-entropy and accuracy, in evaluation mode and without recording; the model's modes are as before after it.

    Losses are computed and summed in float64, in the order of the images.

    Examples
    --------
    >>> import minidl
    >>> images = minidl.data.load("fashion-mnist-mini", split="test")
    >>> model = minidl.nn.Sequential(minidl.nn.Flatten(), minidl.nn.Linear(784, 10, rng=0))
    >>> minidl.training.evaluate(model, images).count
    1000
    """
    losses = np.empty(len(dataset))
    right = np.empty(len(dataset), bool)
    done = 0
    with evaluating(model), np.errstate(over="ignore", invalid="ignore"):  # NaN is an answer
        for x, labels in batches(dataset, batch_size, seed=0, epoch=0, shuffle=False):
            logits = predict(model, x)
            part = slice(done, done + len(labels))
            losses[part] = sample_losses(logits, labels)
            right[part] = is_right(logits, labels)
            done += len(labels)
    return Evaluation(float(losses.mean()), float(right.mean()), len(dataset))


def predict(model: Module, x: Array) -> Array:
    """Logits (N, K) of images x (N, H, W, C), which are converted to the network's dtype; nothing is recorded."""
    with no_grad():
        return model(as_input(model, x)).numpy()


def as_input(model: Module, x: Array) -> Tensor:
    """Wrap images for a network, in the dtype of its first parameter.

    Examples
    --------
    >>> import minidl, numpy as np
    >>> as_input(minidl.nn.Linear(2, 1, rng=0), np.zeros((1, 2), np.float64)).dtype
    dtype('float32')
    """
    dtype = next((p.dtype for p in model.parameters()), x.dtype)
    return Tensor.wrap(x.astype(dtype, copy=False))


def sample_losses(logits: Array, labels: Array) -> Array:
    """Return -log softmax(logits)[label] of each sample, in float64: logits (N, K), labels (N,) -> (N,).

    Examples
    --------
    >>> import numpy as np
    >>> sample_losses(np.array([[0.0, 0.0], [0.0, 9.0]]), np.array([1, 1])).round(4)  # undecided, and sure
    array([6.931e-01, 1.000e-04])
    """
    if logits.ndim != 2 or labels.max() >= logits.shape[1]:
        raise ValueError(
            f"the network's outputs are {logits.shape} for labels up to {labels.max()}, expected a row for each image "
            "and a column for each class: change its last layer or the labels"
        )
    shifted = logits - logits.max(axis=1, keepdims=True).astype(np.float64)  # (N, K)
    losses: Array = np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(labels)), labels]
    return losses


def is_right(logits: Array, labels: Array) -> Array:
    """Tell whether each largest logit is the label's, bool (N,); a row that holds a NaN is wrong.

    Examples
    --------
    >>> import numpy as np
    >>> is_right(np.array([[0.1, 0.9], [np.nan, 9.0]]), np.array([1, 1]))
    array([ True, False])
    """
    right: Array = (logits.argmax(axis=1) == labels) & ~np.isnan(logits).any(axis=1)
    return right


@contextlib.contextmanager
def evaluating(model: Module) -> Iterator[None]:
    """Put the network into evaluation mode for a block, and then every part back into the mode it had.

    Examples
    --------
    >>> import minidl
    >>> net = minidl.nn.Dropout()
    >>> with evaluating(net):
    ...     net.training
    False
    >>> net.training
    True
    """
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
