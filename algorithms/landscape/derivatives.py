"""Exact derivatives of the mean loss over a dataset, in evaluation mode: the gradient, and the Hessian times a vector.

Batch by batch, summed in float64 in a fixed order.  With ReLU the loss is smooth in pieces, and so are these.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

import numpy as np

from algorithms.landscape.directions import Direction
from minidl import Tensor, grad, hvp
from minidl.data import Dataset, batches
from minidl.nn import Module, Parameter
from minidl.ops import cross_entropy
from minidl.training import evaluating
from minidl.types import Array


def weights_of(model: Module, only: Collection[str] | None = None, ignore_1d: bool = True) -> dict[str, Parameter]:
    """Pick the parameters to differentiate for: of two or more dimensions, in a layer (or of a name) among `only`.

    Raises
    ------
    ValueError
        If nothing is left.
    """
    found = {
        name: p
        for name, p in model.named_parameters()
        if (p.ndim > 1 or not ignore_1d) and (only is None or any(f"{name}.".startswith(f"{o}.") for o in only))
    }
    if not found:
        raise ValueError(f"found no parameter in {only}, expected names of layers, such as those in state_dict()")
    return found


def gradient(model: Module, dataset: Dataset, batch_size: int = 250, ignore_1d: bool = True) -> Direction:
    """Differentiate the mean loss: the direction in which it rises fastest.

    Examples
    --------
    >>> import minidl
    >>> images = minidl.data.load("fashion-mnist-mini", "test").subset(50)
    >>> net = minidl.nn.Sequential(minidl.nn.Flatten(), minidl.nn.Linear(784, 10, rng=0))
    >>> {name: step.shape for name, step in gradient(net, images).items()}
    {'layers.1.weight': (10, 784)}
    """
    params = weights_of(model, ignore_1d=ignore_1d)
    total = {name: np.zeros(p.shape) for name, p in params.items()}
    for x, labels in _batches(model, dataset, batch_size):
        loss = cross_entropy(model(x), labels, reduction="sum")
        for sum_, step in zip(total.values(), grad(loss, list(params.values())), strict=True):
            sum_ += step.numpy()
    return {name: (sum_ / len(dataset)).astype(params[name].dtype) for name, sum_ in total.items()}


def hessian_times(
    model: Module, dataset: Dataset, vector: Mapping[str, Array], batch_size: int = 250
) -> dict[str, Array]:
    """Multiply the Hessian, with respect to the parameters that `vector` names, by `vector`; in float64.

    Names and shapes of the result are those of `vector`.

    Examples
    --------
    >>> from algorithms.landscape import two_pixels
    >>> net, images, apart, _ = two_pixels()
    >>> hessian_times(net, images, apart)["layers.1.weight"].round(3).tolist()  # an eigenvector, of 1/2
    [[-0.5], [0.5]]
    """
    named = dict(model.named_parameters())
    params = [named[name] for name in vector]
    total = {name: np.zeros(v.shape) for name, v in vector.items()}
    for x, labels in _batches(model, dataset, batch_size):
        along = hvp(lambda x=x, y=labels: cross_entropy(model(x), y, reduction="sum"), params, list(vector.values()))
        for sum_, h in zip(total.values(), along, strict=True):
            sum_ += h.numpy()
    return {name: sum_ / len(dataset) for name, sum_ in total.items()}


def _batches(model: Module, dataset: Dataset, batch_size: int) -> Iterator[tuple[Tensor, Array]]:
    """Walk over the images in order, with the network in evaluation mode."""
    dtype = next(model.parameters()).dtype
    with evaluating(model):
        for x, labels in batches(dataset, batch_size, seed=0, epoch=0, shuffle=False):
            yield Tensor.wrap(x.astype(dtype, copy=False)), labels
