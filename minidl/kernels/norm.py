"""Batch normalization on arrays: statistics, normalization and the three gradients, each in few passes over memory.

Training reads x twice forward, x and grad_y twice backward; a ReLU and the addition of a residual ride on these passes.
The four passes are defined here in NumPy; their compiled twins, for 32-bit floats, are in ``norm_compiled.py``.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .backend import compiled

Array = NDArray[Any]


# --- What the rest of the house calls ---------------------------------------------------------------------------------


def batch_norm(
    x: Array, weight: Array, bias: Array, eps: float, residual: Array | None = None, relu: bool = False
) -> tuple[Array, Array, Array]:
    """Return y, and the mean and (biased) variance (C,) of every channel of x (..., C).

    y = weight · (x - mean)/sqrt(var + eps) + bias, then, where asked for, `+ residual` and max(·, 0).

    Examples
    --------
    >>> x = np.array([[1.0, 10.0], [3.0, 30.0]])
    >>> y, mean, var = batch_norm(x, np.ones(2), np.zeros(2), eps=0.0)
    >>> y, mean, var
    (array([[-1., -1.],
           [ 1.,  1.]]), array([ 2., 20.]), array([  1., 100.]))
    """
    mean, var = _passes(x).moments(x)
    mean, var = mean.astype(x.dtype), var.astype(x.dtype)
    return batch_norm_inference(x, weight, bias, mean, var, eps, residual, relu), mean, var


def batch_norm_inference(
    x: Array,
    weight: Array,
    bias: Array,
    mean: Array,
    var: Array,
    eps: float,
    residual: Array | None = None,
    relu: bool = False,
    out: Array | None = None,
) -> Array:
    """Return what `batch_norm` does, with a given mean and variance; in the contiguous array `out` if there is one."""
    scale = (weight * _inv_std(var, eps)).astype(x.dtype)
    y: Array = _passes(x).normalize(x, mean, scale, bias, residual, relu, out)
    return y


def batch_norm_backward(
    grad_y: Array, x: Array, weight: Array, mean: Array, var: Array, eps: float, bias: Array | None = None
) -> tuple[Array, Array, Array]:
    """Return grad_x, grad_weight and grad_bias of training-mode batch normalization.

    grad_x = weight/σ · (grad_y - Σ grad_y / M - x̂ Σ (grad_y x̂) / M),  with x̂ = (x - mean)/σ

    A `bias` means that a ReLU followed: grad_y is taken as zero wherever y, recomputed from x, is not positive.
    After a residual and a ReLU, gate grad_y first (it is the residual's gradient) and give no bias.
    """
    passes, rows = _passes(x), x.size // x.shape[-1]  # M
    inv_std = _inv_std(var, eps)
    scale = (weight * inv_std).astype(x.dtype)
    grad_bias, product = passes.gradient_sums(grad_y, x, mean, scale, bias)  # Σ grad_y, Σ grad_y (x - mean)
    slope = (product * inv_std**2 / rows).astype(x.dtype)
    offset = (grad_bias / rows).astype(x.dtype)
    grad_x = passes.gradient_of_input(grad_y, x, mean, scale, bias, slope, offset)
    return grad_x, (product * inv_std).astype(x.dtype), grad_bias.astype(x.dtype)


def _inv_std(var: Array, eps: float) -> Array:
    """Return 1/σ, (C,) in float64."""
    return np.asarray(1 / np.sqrt(np.add(var, eps, dtype=np.float64)))


def _passes(x: Array) -> Any:
    """Return the module whose passes take x: the compiled one for 32-bit floats, else this one."""
    if compiled() and x.dtype == np.float32:
        from . import norm_compiled

        return norm_compiled
    return sys.modules[__name__]


# --- The four passes, defined -----------------------------------------------------------------------------------------


def moments(x: Array) -> tuple[Array, Array]:
    """Return the mean and the biased variance of every channel, (C,) in float64."""
    rows = x.reshape(-1, x.shape[-1])  # (M, C)
    mean = rows.mean(axis=0, dtype=np.float64)
    centred = rows - mean
    return mean, np.einsum("mc,mc->c", centred, centred) / len(rows)


def normalize(
    x: Array, mean: Array, scale: Array, bias: Array, residual: Array | None, relu: bool, out: Array | None = None
) -> Array:
    """Return (x - mean) · scale + bias, plus the residual, cut at 0 for a ReLU."""
    y: Array = np.subtract(x, mean, out=out)
    y *= scale
    y += bias
    if residual is not None:
        y += residual
    return np.maximum(y, 0, out=y) if relu else y


def gradient_sums(grad_y: Array, x: Array, mean: Array, scale: Array, bias: Array | None) -> tuple[Array, Array]:
    """Return Σ grad_y and Σ grad_y (x - mean) over all rows, (C,) in float64; with a bias, grad_y gated first."""
    g = _gated(grad_y, x, mean, scale, bias).reshape(-1, x.shape[-1])  # (M, C)
    centred = (x - mean).reshape(g.shape)
    return g.sum(axis=0, dtype=np.float64), np.einsum("mc,mc->c", g, centred, dtype=np.float64)


def gradient_of_input(
    grad_y: Array, x: Array, mean: Array, scale: Array, bias: Array | None, slope: Array, offset: Array
) -> Array:
    """Return (grad_y - offset - (x - mean) · slope) · scale; with a bias, grad_y gated first."""
    grad_x: Array = _gated(grad_y, x, mean, scale, bias) - offset
    grad_x -= (x - mean) * slope
    grad_x *= scale
    return grad_x


def _gated(grad_y: Array, x: Array, mean: Array, scale: Array, bias: Array | None) -> Array:
    """Return grad_y where normalization let x pass the ReLU, else 0; all of grad_y without a bias."""
    if bias is None:
        return grad_y
    return np.where((x - mean) * scale + bias > 0, grad_y, grad_y.dtype.type(0))
