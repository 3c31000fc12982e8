"""Convolution as one trilinear form with three gradients.

With images x (N, H, W, C), filters w (O, KH, KW, C/groups) and a cotangent g (N, OH, OW, O), write

    T(x, w, g) = Σ  x[n, i·sh + k - ph, j·sw + l - pw, c] · w[o, k, l, c] · g[n, i, j, o]

summed over all indices.  T is linear in each argument, so it has three partial derivatives, and each of the three
operations below is one of them: conv2d = ∂T/∂g, its input gradient = ∂T/∂x, its weight gradient = ∂T/∂w.
Differentiating any of them gives the other two, so convolution can be differentiated to any order.
How each is computed fast is the business of `minidl.kernels.conv`.
"""

from __future__ import annotations

import operator

from minidl.autograd.function import Function
from minidl.kernels import conv as kernel
from minidl.kernels.choice import output_size
from minidl.tensor import Tensor, as_tensor
from minidl.types import Array, Shape

Pair = tuple[int, int]


class Conv2d(Function):  # y = ∂T/∂g (x, w) + b
    def __init__(self, stride: Pair, padding: Pair, groups: int) -> None:
        self.how = stride, padding, groups

    def forward(self, x: Array, weight: Array, *bias: Array) -> Array:
        return kernel.forward(x, weight, bias[0] if bias else None, *self.how)

    def backward(self, grad_y: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, *bias = self.inputs
        grad_x = Conv2dGradInput(x.shape, *self.how)(grad_y, weight) if self.needs[0] else None
        grad_weight = Conv2dGradWeight(weight.shape, *self.how)(x, grad_y) if self.needs[1] else None
        return (grad_x, grad_weight, *[grad_y.sum(axis=(0, 1, 2)) for _ in bias])


class Conv2dGradInput(Function):  # grad_x = ∂T/∂x (w, g)
    def __init__(self, x_shape: Shape, stride: Pair, padding: Pair, groups: int) -> None:
        self.x_shape, self.how = x_shape, (stride, padding, groups)

    def forward(self, grad_y: Array, weight: Array) -> Array:
        return kernel.grad_input(grad_y, weight, self.x_shape, *self.how)

    def backward(self, x: Tensor) -> tuple[Tensor | None, ...]:  # x: a cotangent of grad_x has the shape of x
        grad_y, weight = self.inputs
        return (
            Conv2d(*self.how)(x, weight) if self.needs[0] else None,
            Conv2dGradWeight(weight.shape, *self.how)(x, grad_y) if self.needs[1] else None,
        )


class Conv2dGradWeight(Function):  # grad_w = ∂T/∂w (x, g)
    def __init__(self, weight_shape: Shape, stride: Pair, padding: Pair, groups: int) -> None:
        self.weight_shape, self.how = weight_shape, (stride, padding, groups)

    def forward(self, x: Array, grad_y: Array) -> Array:
        return kernel.grad_weight(x, grad_y, self.weight_shape, *self.how)

    def backward(self, weight: Tensor) -> tuple[Tensor | None, ...]:  # a cotangent of grad_w has the shape of w
        x, grad_y = self.inputs
        return (
            Conv2dGradInput(x.shape, *self.how)(grad_y, weight) if self.needs[0] else None,
            Conv2d(*self.how)(x, weight) if self.needs[1] else None,
        )


def conv2d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Pair = 1,
    padding: int | Pair = 0,
    groups: int = 1,
) -> Tensor:
    """Slide every filter over every image (cross-correlation, as the field calls convolution).

    Parameters
    ----------
    x : (N, H, W, C)
    weight : (O, KH, KW, C/groups)
    bias : (O,), optional
    stride, padding : int or (vertical, horizontal) pair, in pixels; padding puts zeros on both sides
    groups : int
        The channels are cut into `groups` equal parts, and filter o sees only part `o // (O/groups)`;
        `groups=C` is a depthwise convolution.

    Returns
    -------
    (N, OH, OW, O) with OH = (H + 2·padding - KH) // stride + 1

    Examples
    --------
    >>> import numpy as np
    >>> image, blur = np.eye(4, dtype=np.float32)[None, :, :, None], np.full((1, 2, 2, 1), 0.25, np.float32)
    >>> conv2d(image, blur).numpy()[0, :, :, 0]
    array([[0.5 , 0.25, 0.  ],
           [0.25, 0.5 , 0.25],
           [0.  , 0.25, 0.5 ]], dtype=float32)
    """
    x, weight = as_tensor(x), as_tensor(weight)
    stride, padding = pair(stride), pair(padding)
    _check(x.shape, weight.shape, stride, padding, groups)
    conv = Conv2d(stride, padding, groups)
    if bias is None:
        return conv(x, weight)
    bias = as_tensor(bias)
    if bias.shape != weight.shape[:1]:
        raise ValueError(f"conv2d got a bias of shape {bias.shape}, expected {weight.shape[:1]}, one number per filter")
    return conv(x, weight, bias)


def pair(value: int | Pair) -> Pair:
    """An int stands for both directions."""
    vertical, horizontal = value if isinstance(value, (tuple, list)) else (value, value)
    return operator.index(vertical), operator.index(horizontal)


def _check(x: Shape, weight: Shape, stride: Pair, padding: Pair, groups: int) -> None:
    if len(x) != 4 or len(weight) != 4:
        raise ValueError(
            f"conv2d got x {x} and weight {weight}, expected x (N, H, W, C) and weight (O, KH, KW, C/groups): "
            "add a batch axis with x[None], a channel axis with x[..., None]"
        )
    if groups < 1 or x[3] % groups or weight[0] % groups:
        raise ValueError(
            f"conv2d got groups={groups}, expected a divisor of both {x[3]} channels and {weight[0]} filters"
        )
    if x[3] != weight[3] * groups:
        raise ValueError(
            f"conv2d got x with {x[3]} channels and filters for {weight[3]} x {groups} groups, expected them equal: "
            "x is (N, H, W, C), channels last; is the image channels-first, or the layer made for another width?"
        )
    if min(stride) < 1 or min(padding) < 0:
        raise ValueError(f"conv2d got stride {stride} and padding {padding}, expected stride >= 1 and padding >= 0")
    if any(output_size(x[1 + i], weight[1 + i], stride[i], padding[i]) < 1 for i in (0, 1)):
        raise ValueError(
            f"conv2d got a {weight[1]}x{weight[2]} filter on a {x[1]}x{x[2]} image with padding {padding}, expected it "
            "to fit: pad more, or pool less before this layer"
        )
