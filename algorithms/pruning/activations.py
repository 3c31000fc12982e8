"""How much a filter matters, told from what it answers to images: statistics of feature maps, zeros, and Taylor's term.

The five statistics are those of "Pruning Filters for Efficient ConvNets", section 4.5, taken of the layer's raw output,
before batch norm and activation.  The smallest scores leave first, as in `criteria.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from algorithms.pruning.labels import layer_of
from minidl import Tensor, grad, no_grad, ops
from minidl.autograd import Function, recording
from minidl.data import Dataset, batches
from minidl.nn import Module
from minidl.training import evaluating
from minidl.types import Array

PerImage = Callable[[Array], Array]  # (N, H·W, O) -> (N, O)


def _mean(x: Array) -> Array:
    return x.mean(axis=1)  # type: ignore[no-any-return]


def _std(x: Array) -> Array:
    return x.std(axis=1)  # type: ignore[no-any-return]


def _l1(x: Array) -> Array:
    return np.abs(x).sum(axis=1)  # type: ignore[no-any-return]


def _l2(x: Array) -> Array:
    return np.sqrt((x * x).sum(axis=1))  # type: ignore[no-any-return]


def _positive(x: Array) -> Array:
    return (x > 0).mean(axis=1)  # type: ignore[no-any-return]


STATISTICS: dict[str, PerImage] = {
    "mean-mean": _mean, "mean-std": _std, "mean-l1": _l1, "mean-l2": _l2, "var-l2": _l2, "apoz": _positive,
}  # fmt: skip
IMAGE_CRITERIA = (*STATISTICS, "taylor")


def image_scores(model: Module, images: Dataset, criterion: str, batch_size: int = 128) -> dict[str, Array]:
    """Score the filters of every layer by their answers to images; the result is a criterion for `plan`.

    Parameters
    ----------
    criterion : with x a filter's map for one image,
        "mean-mean", "mean-std", "mean-l1", "mean-l2": mean over images of mean(x), std(x), |x|₁, |x|₂;
        "var-l2": variance over images of |x|₂;
        "apoz": share of pixels that a ReLU lets pass, behind the batch norm: 1 - the average percentage of zeros;
        "taylor": mean over images of |Σ y · ∂loss/∂y|, the first-order change of the loss if the map y, behind the
        batch norm, were zero

    Returns
    -------
    layer -> (O,)

    Raises
    ------
    ValueError
        On an unknown criterion.

    Examples
    --------
    >>> import minidl
    >>> images = minidl.data.load("fashion-mnist-mini").subset(20)
    >>> model = minidl.nn.models.resnet(8, in_channels=1, rng=0)
    >>> image_scores(model, images, "taylor")["conv1"].shape
    (16,)
    """
    if criterion not in IMAGE_CRITERIA:
        raise ValueError(f"image_scores got criterion {criterion!r}, expected one of {', '.join(IMAGE_CRITERIA)}")
    moments: dict[str, _Moments] = {}
    with evaluating(model):
        for x, labels in batches(images, batch_size, seed=0, epoch=0, shuffle=False):
            per_image = _taylor(model, x, labels) if criterion == "taylor" else _statistic(model, x, criterion)
            for layer, values in per_image:  # (N, O)
                moments.setdefault(layer, _Moments()).add(values.astype(np.float64))
    return {layer: m.variance() if criterion == "var-l2" else m.mean for layer, m in moments.items()}


class _Moments:
    """Mean and variance of rows that come in parts, combined as parallel sums are (Chan et al. 1979)."""

    def __init__(self) -> None:
        self.count, self.mean, self.squares = 0, np.zeros(()), np.zeros(())

    def add(self, rows: Array) -> None:
        count, mean = len(rows), rows.mean(axis=0)
        total = self.count + count
        delta = mean - self.mean
        self.squares = self.squares + ((rows - mean) ** 2).sum(axis=0) + delta**2 * (self.count * count / total)
        self.mean = self.mean + delta * (count / total)
        self.count = total

    def variance(self) -> Array:
        return self.squares / self.count


def _statistic(model: Module, x: Array, criterion: str) -> Iterator[tuple[str, Array]]:
    """(layer, (N, O)) for each layer as often as it runs."""
    watch = _Watch(model, behind_norm=criterion == "apoz")
    with no_grad(), recording(watch.record):
        model(x)
    for layer, y in watch.outputs:
        yield layer, STATISTICS[criterion](y.data.reshape(len(x), -1, y.shape[-1]).astype(np.float64))


def _taylor(model: Module, x: Array, labels: Array) -> Iterator[tuple[str, Array]]:
    """(layer, (N, O)) of |Σ y · ∂loss/∂y|: the absolute value of each image, so that images cannot cancel."""
    watch = _Watch(model, behind_norm=True)
    with recording(watch.record):
        loss = ops.cross_entropy(model(x), labels, reduction="sum")
    grads = grad(loss, [y for _, y in watch.outputs])
    total: dict[str, Array] = {}
    for (layer, y), g in zip(watch.outputs, grads, strict=True):  # a layer that runs twice has one gate for both
        change = (y.data.astype(np.float64) * g.data).reshape(len(x), -1, y.shape[-1]).sum(axis=1)
        total[layer] = total.get(layer, 0) + change
    for layer, change in total.items():
        yield layer, np.abs(change)


class _Watch:
    """Keeps the output of every layer with filters, or of the batch norm that reads it at once."""

    def __init__(self, model: Module, behind_norm: bool) -> None:
        self.layers = {id(p.data): layer_of(name) for name, p in model.named_parameters()}
        self.behind_norm = behind_norm
        self.outputs: list[tuple[str, Tensor]] = []

    def record(self, function: Function, inputs: tuple[Tensor, ...], y: Tensor) -> None:
        kind = type(function).__name__
        if kind in ("Conv2d", "Linear") and id(inputs[1].data) in self.layers:
            self.outputs.append((self.layers[id(inputs[1].data)], y))
        elif kind == "BatchNormInference" and self.behind_norm:
            found = [i for i, (_, output) in enumerate(self.outputs) if output is inputs[0]]
            for i in found:
                self.outputs[i] = (self.outputs[i][0], y)
