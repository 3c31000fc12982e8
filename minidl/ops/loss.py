"""Losses: how wrong an output is, as one number (or one per sample)."""

from __future__ import annotations

from typing import Literal

import numpy as np

from minidl.ops.activation import log_softmax, relu
from minidl.tensor import Tensor, as_tensor
from minidl.types import Array, Shape

Reduction = Literal["mean", "sum", "none"]


def cross_entropy(logits: Tensor, labels: Array, label_smoothing: float = 0.0, reduction: Reduction = "mean") -> Tensor:
    """Negative log-probability of the true class, under the softmax of the logits.

    With smoothing s over K classes the target is (1 - s) for the true class plus s/K for every class.

    Parameters
    ----------
    logits : (N, K)
    labels : (N,) integers in [0, K)
    reduction : "mean" or "sum" over the samples, or "none" for all N

    Examples
    --------
    >>> import numpy as np
    >>> cross_entropy(np.zeros((4, 10), np.float32), np.arange(4)).item()  # doctest: +ELLIPSIS
    2.302585...
    """
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"cross_entropy got label_smoothing={label_smoothing}, expected 0 <= label_smoothing <= 1")
    logits = as_tensor(logits)
    labels = _check_labels(labels, logits.shape)
    log_p = log_softmax(logits)  # (N, K)
    losses = -log_p[np.arange(len(labels)), labels]  # (N,)
    if label_smoothing:
        losses = losses * (1 - label_smoothing) - log_p.mean(axis=1) * label_smoothing
    return _reduce(losses, reduction)


def mse(y: Tensor, target: Tensor | Array, reduction: Reduction = "mean") -> Tensor:
    """Squared difference of two equal shapes, averaged over all elements (`reduction` as in `cross_entropy`).

    Examples
    --------
    >>> mse([1.0, 2.0], [1.0, 4.0]).item()  # (0² + 2²) / 2
    2.0
    """
    difference = as_tensor(y) - _check_same_shape("mse", as_tensor(y), target)
    return _reduce(difference * difference, reduction)


def squared_hinge(scores: Tensor, target: Tensor | Array, reduction: Reduction = "mean") -> Tensor:
    """max(0, 1 - target·score)², averaged over all elements; targets are ±1 (the loss of BinaryConnect's code).

    Examples
    --------
    >>> squared_hinge([2.0, 0.5, -1.0], [1.0, 1.0, 1.0], "none").numpy()  # right, right but near, wrong
    array([0.  , 0.25, 4.  ], dtype=float32)
    """
    scores = as_tensor(scores)
    slack = relu(1.0 - _check_same_shape("squared_hinge", scores, target) * scores)
    return _reduce(slack * slack, reduction)


def _reduce(losses: Tensor, reduction: Reduction) -> Tensor:
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f'reduction is {reduction!r}, expected "mean", "sum" or "none"')
    return losses.mean() if reduction == "mean" else losses.sum() if reduction == "sum" else losses


def _check_labels(labels: Array | Tensor, logits: Shape) -> Array:
    labels = np.asarray(labels)
    if len(logits) != 2 or labels.shape != logits[:1] or labels.dtype.kind not in "iu":
        raise ValueError(
            f"cross_entropy got logits {logits} and labels {labels.shape} of {labels.dtype}, "
            "expected (N, K) and N integers"
        )
    if labels.size and not (labels.min() >= 0 and labels.max() < logits[1]):
        raise ValueError(
            f"cross_entropy got labels from {labels.min()} to {labels.max()}, expected 0 to {logits[1] - 1}: "
            "does the network's last layer have as many outputs as there are classes?"
        )
    return labels


def _check_same_shape(name: str, y: Tensor, target: Tensor | Array) -> Tensor:
    other = as_tensor(target, dtype=y.dtype)
    if other.shape != y.shape:
        raise ValueError(f"{name} got shapes {y.shape} and {other.shape}, expected them equal")
    return other
