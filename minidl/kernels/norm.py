"""Batch normalization on arrays: statistics, normalization and the three gradients, each in few passes over memory.

Sums over a channel are taken in float64 whatever the data, so that a large common offset costs no precision.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def batch_norm(x: Array, weight: Array, bias: Array, eps: float) -> tuple[Array, Array, Array]:
    """Return y, and the mean and (biased) variance (C,) of every channel of x (..., C)."""
    rows = x.reshape(-1, x.shape[-1])  # (M, C)
    mean = rows.mean(axis=0, dtype=np.float64)
    centred = rows - mean.astype(x.dtype)
    var = np.einsum("mc,mc->c", centred, centred, dtype=np.float64) / len(rows)
    scale = (weight / np.sqrt(var + eps)).astype(x.dtype)
    centred *= scale
    centred += bias
    return centred.reshape(x.shape), mean.astype(x.dtype), var.astype(x.dtype)


def batch_norm_backward(
    grad_y: Array, x: Array, weight: Array, mean: Array, var: Array, eps: float
) -> tuple[Array, Array, Array]:
    """Return grad_x, grad_weight and grad_bias of training-mode batch normalization.

    grad_x = weight/σ · (grad_y - Σ grad_y / M - x̂ Σ (grad_y x̂) / M)
    """
    channels = x.shape[-1]
    g = grad_y.reshape(-1, channels)  # (M, C)
    normalized = x.reshape(-1, channels) - mean
    inv_std = (1 / np.sqrt(var.astype(np.float64) + eps)).astype(x.dtype)
    normalized *= inv_std
    grad_bias = g.sum(axis=0, dtype=np.float64)
    grad_weight = np.einsum("mc,mc->c", g, normalized, dtype=np.float64)
    grad_x = normalized
    grad_x *= (-grad_weight / len(g)).astype(x.dtype)
    grad_x += g
    grad_x -= (grad_bias / len(g)).astype(x.dtype)
    grad_x *= weight * inv_std
    return grad_x.reshape(x.shape), grad_weight.astype(x.dtype), grad_bias.astype(x.dtype)


def batch_norm_inference(x: Array, weight: Array, bias: Array, mean: Array, var: Array, eps: float) -> Array:
    """Return weight · (x - mean)/sqrt(var + eps) + bias as one scale and one shift of each channel."""
    scale = weight / np.sqrt(var + x.dtype.type(eps))
    y: Array = x * scale
    y += bias - mean * scale
    return y
