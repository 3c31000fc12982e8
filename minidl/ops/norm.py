"""Batch normalization: give every channel mean 0 and variance 1 over the batch, then a learned scale and shift.

    y = weight · x̂ + bias,   x̂ = (x - mean) / sqrt(var + eps)      (Ioffe and Szegedy, 2015)

In training, mean and var come from the batch and so depend on x; in evaluation they are stored constants.  An addition
and a ReLU that follow can ride along, which saves passes over memory and changes no number.  The backward pass is a
fused kernel; where it must itself be differentiated, the same formula in differentiable operations.
"""

from __future__ import annotations

from minidl.autograd.function import Function, is_grad_enabled
from minidl.kernels import norm as kernel
from minidl.ops.activation import Gate
from minidl.ops.activation import relu as relu_
from minidl.tensor import Tensor, as_tensor
from minidl.types import Array


class BatchNorm(Function):  # x (..., C), weight (C,), bias (C,)[, residual (..., C)] -> y (..., C)
    def __init__(self, eps: float, relu: bool) -> None:
        self.eps, self.relu = eps, relu

    def forward(self, x: Array, weight: Array, bias: Array, *residual: Array) -> Array:
        added = residual[0] if residual else None
        y, self.mean, self.var = kernel.batch_norm(x, weight, bias, self.eps, added, self.relu)
        self.y = y if self.relu and residual else None  # without a residual, x tells where y is positive
        return y

    def backward(self, grad_y: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, bias, *residual = self.inputs
        gate_from_x = self.relu and not residual and not is_grad_enabled()  # the kernel works out y's sign
        if self.relu and not gate_from_x:
            grad_y = Gate(self._output())(grad_y)
        if is_grad_enabled():
            return (*_differentiable_backward(x, weight, grad_y, self.eps), *[grad_y for _ in residual])
        grads = kernel.batch_norm_backward(
            grad_y.data, x.data, weight.data, self.mean, self.var, self.eps, bias.data if gate_from_x else None
        )
        return (*[Tensor.wrap(grad) for grad in grads], *[grad_y for _ in residual])

    def _output(self) -> Array:
        """Return y, computed once more if it was not kept."""
        if self.y is not None:
            return self.y
        x, weight, bias = (t.data for t in self.inputs)
        return kernel.batch_norm_inference(x, weight, bias, self.mean, self.var, self.eps)


def _differentiable_backward(x: Tensor, weight: Tensor, grad_y: Tensor, eps: float) -> tuple[Tensor, ...]:
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
    residual: Tensor | None = None,
    relu: bool = False,
) -> Tensor:
    """Normalize every channel (the last axis) over all other axes (Ioffe and Szegedy 2015, Algorithm 1).

    Parameters
    ----------
    x : (N, C) or (N, H, W, C)
    running_mean, running_var : (C,) arrays or None
        In training they are moved, in place, by `momentum` towards the batch's mean and its unbiased variance
        (None: nothing is kept); in evaluation they are what x is normalized with.
    weight, bias : (C,)
        Scale and shift.
    residual : of the shape of x, optional
        Added to the result: the shortcut of a residual block.
    relu : bool
        Take max(·, 0) at the end.

    Returns
    -------
    The shape of x.

    Raises
    ------
    ValueError
        If shapes do not fit, or training finds one value per channel, which has no variance.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([[1.0, 100.0], [3.0, 300.0]], np.float32)  # two channels, of whatever scale
    >>> batch_norm(x, None, None, np.ones(2, np.float32), np.zeros(2, np.float32), training=True).numpy().round(3)
    array([[-1., -1.],
           [ 1.,  1.]], dtype=float32)
    """
    x, weight, bias = as_tensor(x), as_tensor(weight), as_tensor(bias)
    if x.ndim < 2 or weight.shape != x.shape[-1:] or bias.shape != x.shape[-1:]:
        raise ValueError(
            f"batch_norm got x {x.shape}, weight {weight.shape}, bias {bias.shape}, expected (N, ..., C), (C,), (C,): "
            "is the layer made for another number of channels?"
        )
    residual = None if residual is None else as_tensor(residual)
    if residual is not None and residual.shape != x.shape:
        raise ValueError(
            f"batch_norm got x {x.shape} and residual {residual.shape}, expected equal shapes: "
            "does the shortcut change the image's size or the number of channels as the block does?"
        )
    if not training:
        if running_mean is None or running_var is None:
            raise ValueError("batch_norm got no running statistics, expected them outside training: pass training=True")
        kept = [s.copy() if is_grad_enabled() else s for s in (running_mean, running_var)]
        statistics = [Tensor.wrap(s) for s in kept]  # copies, since training may move them before backward reads them
        y = BatchNormInference(eps)(x, weight, bias, *statistics)  # plain operations, which a traced graph can read
        y = y if residual is None else y + residual
        return relu_(y) if relu else y
    count = x.size // x.shape[-1]
    if count < 2:
        raise ValueError(f"batch_norm got one value per channel (x {x.shape}), expected two or more for a variance")
    norm = BatchNorm(eps, relu)
    y = norm(x, weight, bias) if residual is None else norm(x, weight, bias, residual)
    if running_mean is not None and running_var is not None:
        running_mean += momentum * (norm.mean - running_mean)
        running_var += momentum * (norm.var * (count / (count - 1)) - running_var)
    return y
