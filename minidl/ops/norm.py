"""Batch normalization: give every channel mean 0 and variance 1 over the batch, then a learned scale and shift.

    y = weight · x̂ + bias,   x̂ = (x - mean) / sqrt(var + eps)      (Ioffe and Szegedy, 2015)

In training, mean and var come from the batch and so depend on x; in evaluation they are stored constants.
The backward pass is a fused kernel; where it must itself be differentiated, the same formula in differentiable operations.
"""

from __future__ import annotations

from minidl.autograd.function import Function, is_grad_enabled
from minidl.kernels import norm as kernel
from minidl.tensor import Tensor, as_tensor
from minidl.types import Array


class BatchNorm(Function):  # (..., C), (C,), (C,) -> (..., C), with the batch's statistics
    def __init__(self, eps: float) -> None:
        self.eps = eps

    def forward(self, x: Array, weight: Array, bias: Array) -> Array:
        y, self.mean, self.var = kernel.batch_norm(x, weight, bias, self.eps)
        return y

    def backward(self, grad_y: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, _ = self.inputs
        if is_grad_enabled():
            return _differentiable_backward(x, weight, grad_y, self.eps)
        grads = kernel.batch_norm_backward(grad_y.data, x.data, weight.data, self.mean, self.var, self.eps)
        return tuple(Tensor.wrap(grad) for grad in grads)


def _differentiable_backward(x: Tensor, weight: Tensor, grad_y: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
    """With M elements per channel: grad_x = weight/σ · (grad_y - Σgrad_y/M - x̂ Σ(grad_y·x̂)/M)."""
    axes = tuple(range(x.ndim - 1))
    per_channel = weight.size / x.size  # 1/M
    centred = x - x.mean(axis=axes)
    inv_std = ((centred * centred).mean(axis=axes) + eps) ** -0.5
    normalized = centred * inv_std
    grad_bias = grad_y.sum(axis=axes)
    grad_weight = (grad_y * normalized).sum(axis=axes)
    grad_x = weight * inv_std * (grad_y - grad_bias * per_channel - normalized * (grad_weight * per_channel))
    return grad_x, grad_weight, grad_bias


class BatchNormInference(Function):  # the same with given statistics: an affine map of each channel
    def __init__(self, eps: float) -> None:
        self.eps = eps

    def forward(self, x: Array, weight: Array, bias: Array, mean: Array, var: Array) -> Array:
        return kernel.batch_norm_inference(x, weight, bias, mean, var, self.eps)

    def backward(self, grad_y: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, _, mean, var = self.inputs
        axes = tuple(range(x.ndim - 1))
        inv_std = (var + self.eps) ** -0.5
        grad_x = grad_y * (weight * inv_std) if self.needs[0] else None
        grad_weight = (grad_y * (x - mean)).sum(axis=axes) * inv_std if self.needs[1] else None
        grad_bias = grad_y.sum(axis=axes) if self.needs[2] else None
        grad_mean = -(grad_y.sum(axis=axes) * weight * inv_std) if self.needs[3] else None
        grad_var = (
            (grad_y * (x - mean)).sum(axis=axes) * weight * (-0.5 * (var + self.eps) ** -1.5) if self.needs[4] else None
        )
        return grad_x, grad_weight, grad_bias, grad_mean, grad_var


def batch_norm(
    x: Tensor,
    running_mean: Array | None,
    running_var: Array | None,
    weight: Tensor,
    bias: Tensor,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Normalize every channel (the last axis) over all other axes.

    Parameters
    ----------
    x : (N, C) or (N, H, W, C)
    running_mean, running_var : (C,) arrays or None
        In training they are moved, in place, by `momentum` towards the batch's mean and its unbiased variance
        (None: nothing is kept); in evaluation they are what x is normalized with.
    weight, bias : (C,)
        Scale and shift.

    Returns
    -------
    The shape of x.
    """
    x, weight, bias = as_tensor(x), as_tensor(weight), as_tensor(bias)
    if x.ndim < 2 or weight.shape != x.shape[-1:] or bias.shape != x.shape[-1:]:
        raise ValueError(
            f"batch_norm got x {x.shape}, weight {weight.shape}, bias {bias.shape}, expected (N, ..., C), (C,), (C,): "
            "is the layer made for another number of channels?"
        )
    if not training:
        if running_mean is None or running_var is None:
            raise ValueError("batch_norm got no running statistics, expected them outside training: pass training=True")
        kept = [s.copy() if is_grad_enabled() else s for s in (running_mean, running_var)]
        statistics = [Tensor.wrap(s) for s in kept]  # copies, since training may move them before backward reads them
        return BatchNormInference(eps)(x, weight, bias, *statistics)
    count = x.size // x.shape[-1]
    if count < 2:
        raise ValueError(f"batch_norm got one value per channel (x {x.shape}), expected two or more to take a variance of")
    norm = BatchNorm(eps)
    y = norm(x, weight, bias)
    if running_mean is not None and running_var is not None:
        running_mean += momentum * (norm.mean - running_mean)
        running_var += momentum * (norm.var * (count / (count - 1)) - running_var)
    return y
